"""Combinational logic of a block or a design, evaluated on many vectors at once.

Yosys turns the emitted Verilog into two-input gates; NumPy evaluates each gate once for all
vectors, 64 in a word. So what is checked is the text that users get.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from macsmith.hw.block import Block, Emission
from macsmith.hw.emit import primitives_of
from macsmith.hw.yosys import rtlil_to_verilog
from numpy.typing import ArrayLike, NDArray

Words = NDArray[np.uint64]

_COMMANDS = (
    "read_verilog design.v",
    "hierarchy -check -top dut",
    "proc",
    "flatten -noscopeinfo",
    "opt",
    "alumacc",
    "opt",
    "techmap",
    "opt",
    "simplemap",
    "opt",
    "write_json gates.json",
)
_GATES: dict[str, Any] = {
    "$_NOT_": lambda a: ~a,
    "$_BUF_": lambda a: a,
    "$_AND_": lambda a, b: a & b,
    "$_NAND_": lambda a, b: ~(a & b),
    "$_OR_": lambda a, b: a | b,
    "$_NOR_": lambda a, b: ~(a | b),
    "$_XOR_": lambda a, b: a ^ b,
    "$_XNOR_": lambda a, b: ~(a ^ b),
    "$_ANDNOT_": lambda a, b: a & ~b,
    "$_ORNOT_": lambda a, b: a | ~b,
    "$_MUX_": lambda a, b, s: (a & ~s) | (b & s),
}


def block_verilog(block: Block) -> str:
    """Verilog of a block alone."""
    emission = Emission("dut")
    rtlil = emission.emit_top(block)
    with tempfile.TemporaryDirectory() as scratch:
        verilog = rtlil_to_verilog(rtlil, Path(scratch))
    return verilog + primitives_of(verilog)


class Logic:
    """A combinational module as gates.

    Parameters
    ----------
    verilog
        Text of the module and all it instantiates.
    """

    def __init__(self, verilog: str) -> None:
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            (folder / "design.v").write_text(verilog, encoding="utf-8")
            code = (
                "import sys; from pyosys import libyosys as ys; design = ys.Design(); "
                "[ys.run_pass(command, design) for command in sys.argv[1:]]"
            )
            process = subprocess.run(
                [sys.executable, "-c", code, *_COMMANDS],
                cwd=folder,
                capture_output=True,
                text=True,
                check=False,
            )
            if process.returncode:
                raise RuntimeError(process.stdout[-3000:] + process.stderr[-1000:])
            modules = json.loads((folder / "gates.json").read_text())["modules"]
        (module,) = modules.values()
        self.ports: dict[str, tuple[str, list[Any]]] = {
            name: (port["direction"], port["bits"]) for name, port in module["ports"].items()
        }
        self._order = self._sorted(list(module["cells"].values()))

    def _sorted(self, cells: list[Any]) -> list[tuple[str, list[Any], Any]]:
        known = {"0", "1", "x"}
        for direction, bits in self.ports.values():
            if direction == "input":
                known.update(bits)
        order = []
        waiting = [
            (
                cell["type"],
                [
                    cell["connections"][pin][0]
                    for pin in ("A", "B", "S")
                    if pin in cell["connections"]
                ],
                cell["connections"]["Y"][0],
            )
            for cell in cells
        ]
        # each gate once, when the last of its inputs is known
        readers: dict[Any, list[int]] = {}
        missing = [0] * len(waiting)
        ready = []
        for index, (_, sources, _) in enumerate(waiting):
            unknown = {source for source in sources if source not in known}
            missing[index] = len(unknown)
            for source in unknown:
                readers.setdefault(source, []).append(index)
            if not unknown:
                ready.append(index)
        for index in ready:
            order.append(waiting[index])
            for reader in readers.get(waiting[index][2], ()):
                missing[reader] -= 1
                if not missing[reader]:
                    ready.append(reader)
        if len(order) < len(waiting):
            raise RuntimeError("the module is not combinational")
        return order

    def __call__(self, **inputs: ArrayLike | Sequence[int]) -> dict[str, list[int]]:
        """Outputs as lists of integers for equally long sequences of input integers."""
        count = len(next(iter(inputs.values())))  # type: ignore[arg-type]
        words = -(-count // 64)
        zeros = np.zeros(words, dtype=np.uint64)
        values: dict[Any, Words] = {"0": zeros, "x": zeros, "1": ~zeros}
        for name, (direction, bits) in self.ports.items():
            if direction == "input":
                self._pack(values, bits, inputs[name], count)
        for kind, sources, target in self._order:
            values[target] = _GATES[kind](*(values[source] for source in sources))
        return {
            name: self._unpack(values, bits, count)
            for name, (direction, bits) in self.ports.items()
            if direction == "output"
        }

    @staticmethod
    def _pack(values: dict[Any, Words], bits: list[Any], numbers: Any, count: int) -> None:
        size = -(-len(bits) // 8)
        data = b"".join(int(number).to_bytes(size, "little") for number in numbers)
        table = np.frombuffer(data, dtype=np.uint8).reshape(count, size)
        spread = np.unpackbits(table, axis=1, bitorder="little")
        padded = np.zeros((spread.shape[1], -(-count // 64) * 64), dtype=np.uint8)
        padded[:, :count] = spread.T
        packed = np.packbits(padded, axis=1, bitorder="little").view(np.uint64)
        for index, bit in enumerate(bits):
            values[bit] = packed[index]

    @staticmethod
    def _unpack(values: Mapping[Any, Words], bits: list[Any], count: int) -> list[int]:
        rows = np.stack([values[bit] for bit in bits])
        spread = np.unpackbits(rows.view(np.uint8), axis=1, bitorder="little")[:, :count]
        table = np.packbits(spread.T, axis=1, bitorder="little")
        return [int.from_bytes(row.tobytes(), "little") for row in table]
