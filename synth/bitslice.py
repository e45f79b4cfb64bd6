"""Software arithmetic in any format: a unit as bit-sliced C.

The netlist of a ``unit`` is written as straight-line C over machine words, each of which holds one
bit of many independent values (64, 256 or 512): arithmetic that a processor does not have, at a few
logic operations per result and gate. The same circuit that is built and verified, so the same bits.
"""

import json
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from macsmith.hw.emit import design_verilog
from macsmith.model import fast
from macsmith.model.config import MacConfig
from macsmith.model.design import Design
from macsmith.model.formats import FloatFormat
from macsmith.model.rounding import Rounding, encode
from macsmith.model.widths import mac_widths
from macsmith.sim.netlist_check import pack_fields
from macsmith.sim.unit_stimulus import UnitStimulus, make_unit_stimulus
from macsmith.synth.bitslice_code import Circuit, SlicePort, example_text, header_text
from macsmith.synth.yosys import run_yosys
from numpy.typing import NDArray

__all__ = [
    "OPERATORS",
    "BitslicedOperator",
    "OperatorKind",
    "bitslice",
    "operator_kind",
    "operator_vectors",
]

OperatorKind = Literal["fma", "multiply", "add", "convert"]
OPERATORS: tuple[OperatorKind, ...] = get_args(OperatorKind)

COMMON_HEADER = Path(__file__).parent / "data" / "bitslice" / "macsmith_bitslice.h"

# Two mappings of one circuit: onto the operations of any processor, and onto functions of three
# bits, each one instruction of AVX-512. Both for the least number of operations.
_MAPPINGS = {
    "gates": "abc -g AND,OR,XOR,ANDNOT",
    "tables": "abc -lut 3 -script +strash;ifraig;scorr;dc2;dch,-f;if,-a;mfs2",
}


@dataclass(frozen=True)
class BitslicedOperator:
    """What `bitslice` wrote.

    Attributes
    ----------
    name
        Of the C function.
    header, common_header, example
        Files: the operator, what all operators include, and a program that checks itself.
    inputs, output
        Ports with their widths.
    gate_operations, table_operations
        Logic operations per word of values: with two-operand operations, and with functions of
        three bits (AVX-512).
    """

    design: str
    operator: OperatorKind
    name: str
    header: Path
    common_header: Path
    example: Path
    inputs: dict[str, int]
    output: dict[str, int]
    gate_operations: int
    table_operations: int


def operator_kind(name: str) -> OperatorKind:
    """The operator of a name.

    Raises
    ------
    ValueError
        There is none.
    """
    for kind in OPERATORS:
        if kind == name:
            return kind
    raise ValueError(f"operator {name!r} is unknown; must be one of {', '.join(OPERATORS)}")


def _tied(config: MacConfig, operator: OperatorKind) -> dict[str, int]:
    """Ports of the unit that an operator holds at a constant."""
    widths = mac_widths(config)
    if operator != "fma" and widths.outer is not None:
        raise ValueError(
            f"operator {operator}: the accumulator is chunked; must be fma, or one accumulator"
        )
    tied: dict[str, int] = {}
    if operator in ("add", "convert"):
        one = encode(config.b, Fraction(1))
        if config.b.decode(one) != 1 or config.lanes != 1:
            raise ValueError(
                f"operator {operator}: A is multiplied by 1, so B's format must have a 1 and there "
                f"must be one lane, not {config.b.name} and {config.lanes} lanes"
            )
        tied["b"] = one
    if operator in ("multiply", "convert"):
        tied["partial_sum_i"] = _neutral(config)
    return tied


def _neutral(config: MacConfig) -> int:
    """The partial sum that changes nothing when it is added to, the sign of zero included."""
    fmt = mac_widths(config).inner.format
    if not isinstance(fmt, FloatFormat) or not fmt.has_negative_zero:
        return 0
    # x + (-0) is x, but for -inf rounding, where +0 + (-0) is -0
    return encode(fmt, Fraction(0), negative_zero=config.rounding != Rounding.DOWN)


def bitslice(
    design: Design,
    directory: Path | str,
    *,
    operator: OperatorKind = "fma",
    build_dir: Path | str | None = None,
) -> BitslicedOperator:
    """Write an operator of a design as bit-sliced C99.

    Three files: ``macsmith_bitslice.h`` (words of 64, 256 or 512 bits, packing), ``<name>.h`` (the
    operator on words and on arrays), and ``<name>_example.c``, which computes some values, among
    them the corners, and compares them with those of the golden model.

    Parameters
    ----------
    design
        Its arithmetic is what counts: A and B, the accumulator with its rounding, lanes. Form,
        stages and sizes are left aside.
    operator
        ``fma``: products added to a partial sum; ``multiply``: the products alone, in the
        accumulator's format; ``add``: A added to a partial sum; ``convert``: A in the
        accumulator's format. The ports that are left out are constants in the circuit.
    build_dir
        Where Yosys works; by default ``<directory>/build``.

    Raises
    ------
    ValueError
        A switchable design, block formats, or an operator that the design has not.
    ToolError
        Yosys or ABC failed.
    """
    if design.is_switchable:
        raise ValueError(f"{design.text}: bit-sliced C is that of one mode: state its design")
    if design.mac.block is not None:
        raise ValueError(
            f"{design.text}: operators of block formats are not written as C; state the design of "
            "the elements"
        )
    unit = _as_unit(design)
    tied = _tied(unit.mac, operator)
    folder = Path(directory)
    name = f"{unit.id.removesuffix('_unit')}_{operator}"
    circuits = _map(unit, tied, name, Path(build_dir) if build_dir else folder / "build")
    vectors = operator_vectors(unit, operator, quick=True)
    return _write(unit, operator, name, circuits, vectors, folder)


def _as_unit(design: Design) -> Design:
    implementation = type(design.implementation)(form="unit")
    return design.model_copy(update={"implementation": implementation})


_SHOWN = {"partial_sum_i": "c", "partial_sum_o": "y"}


def _ports(config: MacConfig) -> dict[str, int]:
    """Input ports of a unit with their widths."""
    widths = mac_widths(config)
    ports = {"a": config.lanes * config.a.bits, "b": config.lanes * config.b.bits}
    ports["partial_sum_i"] = widths.partial_sum_bits
    if widths.outer is not None:
        ports["chunk_end"] = 1
    if config.random_bits:
        ports["random"] = config.random_bits
    return ports


def _map(unit: Design, tied: dict[str, int], name: str, folder: Path) -> dict[str, Circuit]:
    """The unit with some ports at constants, mapped in both ways."""
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    ports, bits = _ports(unit.mac), mac_widths(unit.mac).partial_sum_bits
    free = {port: width for port, width in ports.items() if port not in tied}
    shown = {port: _SHOWN.get(port, port) for port in (*ports, "partial_sum_o")}
    connections = [f".{port}({shown[port]})" for port in (*free, "partial_sum_o")]
    connections += [f".{port}({ports[port]}'d{value})" for port, value in tied.items()]
    declared = [f"input [{width - 1}:0] {shown[port]}" for port, width in free.items()]
    declared.append(f"output [{bits - 1}:0] y")
    text = design_verilog(unit) + "\n".join(
        [
            "",
            f"module {name}({', '.join(declared)});",
            f"  {unit.id} unit ({', '.join(connections)});",
            "endmodule",
            "",
        ]
    )
    (folder / f"{name}.v").write_text(text, encoding="utf-8")
    commands = [
        f"read_verilog {name}.v",
        f"hierarchy -check -top {name}",
        *("proc", "flatten", "opt -full", "techmap", "opt -full", "design -save circuit"),
    ]
    for kind, mapping in _MAPPINGS.items():
        commands += ["design -load circuit", mapping, "opt_clean -purge"]
        commands += ["delete t:$scopeinfo", f"write_json {name}.{kind}.json"]
    run_yosys(commands, folder, name)
    circuits: dict[str, Circuit] = {}
    for kind in _MAPPINGS:
        data: dict[str, Any] = json.loads((folder / f"{name}.{kind}.json").read_text())
        circuits[kind] = Circuit(data["modules"][name])
    return circuits


def operator_vectors(
    design: Design, operator: OperatorKind, *, seed: int = 1, quick: bool = False
) -> tuple[dict[str, NDArray[np.uint64]], NDArray[np.uint64]]:
    """Values that an operator is checked with, and what must come out.

    Those of a ``unit`` of the design (`macsmith.sim.unit_stimulus`), with the operator's constants
    in place of what it has not.

    Returns
    -------
    inputs
        By name of the C parameter: ``[vectors]``, or ``[vectors, words]`` beyond 64 bits.
    expected
        Likewise, from the golden model.
    """
    unit = _as_unit(design)
    config, tied = unit.mac, _tied(unit.mac, operator)
    stimulus: UnitStimulus = make_unit_stimulus(unit, seed=seed, quick=quick)
    a, b, before = stimulus.a, stimulus.b, stimulus.partial_sums
    if "b" in tied:
        b = np.full_like(b, tied["b"])
    if "partial_sum_i" in tied:
        before = np.zeros_like(before)
        before[:, 0] = tied["partial_sum_i"]
    sums = before[:, 0] if before.shape[1] == 1 else before
    expected = fast.step(config, sums, a, b, stimulus.chunk_end, stimulus.random)
    values: dict[str, NDArray[np.uint64]] = {
        "a": pack_fields(a, config.a.bits).astype(np.uint64),
        "b": pack_fields(b, config.b.bits).astype(np.uint64),
        "c": sums,
    }
    if "chunk_end" in _ports(config):
        values["chunk_end"] = stimulus.chunk_end.astype(np.uint64)
    if stimulus.random is not None:
        values["random"] = np.asarray(stimulus.random, dtype=np.uint64)
    for port in tied:
        del values[_SHOWN.get(port, port)]
    return values, expected


_EXAMPLE_VECTORS = 32


def _write(
    unit: Design,
    operator: OperatorKind,
    name: str,
    circuits: dict[str, Circuit],
    vectors: tuple[dict[str, NDArray[np.uint64]], NDArray[np.uint64]],
    folder: Path,
) -> BitslicedOperator:
    inputs, expected = vectors
    gates, tables = circuits["gates"], circuits["tables"]
    ports = [SlicePort(port, gates.widths[port]) for port in inputs]
    output = SlicePort("y", gates.widths["y"])
    what = f"{unit.text.removesuffix(':unit')}: {_MEANING[operator]}"
    # the stimulus ends with directed sums: take from all over it
    chosen = np.unique(np.linspace(0, len(expected) - 1, _EXAMPLE_VECTORS).astype(np.int64))
    folder.mkdir(parents=True, exist_ok=True)
    files = {
        "macsmith_bitslice.h": COMMON_HEADER.read_text(encoding="utf-8"),
        f"{name}.h": header_text(name, what, ports, output, gates, tables),
        f"{name}_example.c": example_text(
            name,
            what,
            ports,
            output,
            {port: values[chosen] for port, values in inputs.items()},
            expected[chosen],
        ),
    }
    for file, text in files.items():
        (folder / file).write_text(text, encoding="utf-8")
    return BitslicedOperator(
        unit.text,
        operator,
        name,
        folder / f"{name}.h",
        folder / "macsmith_bitslice.h",
        folder / f"{name}_example.c",
        {port.name: port.bits for port in ports},
        {output.name: output.bits},
        gates.operations,
        tables.operations,
    )


_MEANING: dict[OperatorKind, str] = {
    "fma": "y = c + a * b, summed over all lanes",
    "multiply": "y = a * b, summed over all lanes",
    "add": "y = c + a",
    "convert": "y = a",
}
