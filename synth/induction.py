"""Pipelined accumulators proven the same as unpipelined ones for runs of any length.

A bounded check shows that two circuits agree for so many cycles. Here they are shown to agree for
ever, by induction over enabled cycles:

- *Held*: where `enable` is 0 and there is no reset, no register of the pipelined core changes. So
  only enabled cycles count, and the rest of the proof lets `enable` be 1.
- *Base*: from any state of all registers, one cycle of reset makes them agree for some cycles.
- *Step*: from any state whatever in which they have agreed for so many cycles, they agree for one
  more, whatever beats come.

*To agree*: the same partial sums (and chunks that wait) in both cores, and the same sums finished
in the same cycles, where the unpipelined core is given every beat as many cycles later as the
other has stages.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from macsmith.hw.block import Emission
from macsmith.hw.core import Core
from macsmith.hw.emit import primitives_of
from macsmith.hw.latency import core_latency_cycles
from macsmith.hw.word_widths import finished_bits
from macsmith.hw.yosys import rtlil_to_verilog
from macsmith.model.design import Design
from macsmith.model.widths import mac_widths
from macsmith.sim.tools import ToolError
from macsmith.synth.yosys import run_yosys

__all__ = ["PARTS", "InductionResult", "core_verilog", "prove_pipeline"]

#: Parts of the proof, in the order in which they are tried.
PARTS = ("held", "base", "step")

_PIPED, _PLAIN = "piped", "plain"
# A register by its possible names in the Verilog, and the bit that says whether it counts.
_STATES = (
    (("partial_sum", "step_partial_sum_i"), ""),
    (("chunk_valid",), ""),
    (("chunk", "outer_step_chunk"), "chunk_valid"),
    (("chunk_last",), "chunk_valid"),
    (("outer_sum", "outer_step_partial_sum_i"), ""),
)


@dataclass(frozen=True)
class InductionResult:
    """Outcome of a proof.

    Attributes
    ----------
    failed
        The part that could not be shown; None if all were: the cores agree for ever.
    cycles
        Cycles of base and step.
    compared
        Registers that are part of the agreement.
    """

    failed: str | None
    cycles: int
    compared: tuple[str, ...]

    @property
    def is_proven(self) -> bool:
        """Whether the cores agree for ever."""
        return self.failed is None


def core_verilog(design: Design, top: str, folder: Path) -> str:
    """Verilog of a design's core, without its streams, as module `top`."""
    rtlil = Emission(top).emit_top(Core(design))
    verilog = rtlil_to_verilog(rtlil, folder)
    return verilog + primitives_of(verilog)


def prove_pipeline(
    design: Design,
    *,
    build_dir: Path,
    piped_verilog: str | None = None,
    timeout_s: float = 600.0,
) -> InductionResult:
    """Prove that the core of a pipelined design and the unpipelined one agree for ever.

    Parameters
    ----------
    design
        A stream with stages, one mode and one sum at a time, without stochastic rounding. Small
        formats: the effort grows fast with the width of what is added.
    build_dir
        For Verilog, scripts and logs; made if missing.
    piped_verilog
        Checked in place of the design's own core, as module ``piped``.
    timeout_s
        Each part of the proof is given up after that long.

    Raises
    ------
    ValueError
        The design is none of these; or its outer sum lags by further stages.
    ToolError
        Yosys failed, or the time was up.
    """
    implementation = design.implementation
    plain = design.model_copy(
        update={"implementation": implementation.model_copy(update={"stages": 0})}
    )
    delay = implementation.stages
    if (
        not delay
        or implementation.form != "stream"
        or implementation.is_array
        or design.is_switchable
        or design.mac.random_bits
        or implementation.interleave > 1
    ):
        raise ValueError(
            f"{design.text}: the induction is for a single MAC with stages, one mode, one sum at a "
            "time and no stochastic rounding"
        )
    if core_latency_cycles(design) != core_latency_cycles(plain) + delay:
        raise ValueError(
            f"{design.text}: the induction is for one delay of all sums, but chunks are converted, "
            "or carries propagated, in further stages"
        )
    folder = Path(build_dir).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    texts = {
        _PIPED: piped_verilog or core_verilog(design, _PIPED, folder),
        _PLAIN: core_verilog(plain, _PLAIN, folder),
    }
    for top, text in texts.items():
        (folder / f"{top}.v").write_text(text, encoding="utf-8")
    states = {top: _states(text, top) for top, text in texts.items()}
    if list(states[_PIPED]) != list(states[_PLAIN]):
        raise ToolError(
            "finding registers to compare", ["yosys"], f"{states[_PIPED]} and {states[_PLAIN]}"
        )
    cycles = delay + 2
    (folder / "miter.v").write_text(_miter(design, states, delay), encoding="utf-8")
    joined = [
        *_read(_PIPED, states),
        f"design -stash {_PIPED}",
        *_read(_PLAIN, states),
        f"design -stash {_PLAIN}",
        "read_verilog miter.v",
        *(f"design -copy-from {top} -as {top} {top}" for top in (_PIPED, _PLAIN)),
        "hierarchy -check -top miter",
        "proc",
        "flatten",
        "setattr -unset init",  # a register may hold anything before a reset
        "opt -full",
        "dffunmap",
    ]
    differs = f"sat -timeout {int(timeout_s)} -set enable 1 -prove differs 0"
    resets = " ".join(f"-set-at {at} rst {int(at == 1)}" for at in range(1, cycles + 2))
    compared = tuple(states[_PIPED])
    parts = {
        "held": _held(states, folder, timeout_s),
        "base": [*joined, f"{differs} -seq {cycles + 1} {resets} -prove-skip 1 miter"],
        "step": [
            *joined,
            f"{differs} -tempinduct -tempinduct-inductonly -maxsteps {cycles} -set rst 0 miter",
        ],
    }
    for name in PARTS:
        if not _is_shown(parts[name], folder, name, timeout_s):
            return InductionResult(name, cycles, compared)
    return InductionResult(None, cycles, compared)


def _states(verilog: str, top: str) -> dict[str, str]:
    """Registers to compare: the first of their names, and that in this text."""
    body = re.search(rf"^module {top}\(.*?^endmodule", verilog, re.M | re.S)
    found: dict[str, str] = {}
    for names, _ in _STATES:
        for name in names:
            if body is not None and re.search(rf"^  reg (\[\d+:0\] )?{name};", body[0], re.M):
                found[names[0]] = name
                break
    if "partial_sum" not in found:
        raise ToolError("finding the partial sum of a core", ["yosys"], verilog[:2000])
    return found


def _read(top: str, states: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Commands that make a flat module with its registers at ports."""
    return [
        f"read_verilog {top}.v",
        f"hierarchy -check -top {top}",
        "proc",
        "flatten",
        *(f"expose {top}/w:{name}" for name in states[top].values()),
        "opt_clean",
    ]


def _miter(design: Design, states: Mapping[str, Mapping[str, str]], delay: int) -> str:
    """Both cores, the unpipelined one with its beats given late, and whether they differ."""
    mac = design.mac
    inputs = {"valid": 1, "a": mac.lanes * mac.a.bits, "b": mac.lanes * mac.b.bits, "last": 1}
    if "chunk_valid" in states[_PIPED]:
        inputs["chunk_end"] = 1
    finished = finished_bits(design)
    widths = mac_widths(design.mac)
    outer_bits = widths.outer.bits if widths.outer is not None else 0
    bits = {
        "partial_sum": widths.inner.bits,
        "chunk_valid": 1,
        "chunk": widths.inner.bits,
        "chunk_last": 1,
        "outer_sum": outer_bits,
    }
    lines = ["module miter(input clk, input rst, input enable, output differs,"]
    lines.append(
        ", ".join(f"input [{width - 1}:0] {name}" for name, width in inputs.items()) + ");"
    )
    for name, width in inputs.items():
        source = name
        for at in range(delay):
            register = f"{name}_late_{at}"
            # as in the pipeline, only whether there is a beat is reset
            value = f"rst ? 1'b0 : {source}" if name == "valid" else source
            lines.append(f"reg [{width - 1}:0] {register};")
            lines.append(f"always @(posedge clk) {register} <= {value};")
            source = register
    for top in (_PIPED, _PLAIN):
        lines.append(f"wire {top}_is_finished; wire [{finished - 1}:0] {top}_finished;")
        ports = [".clk(clk)", ".rst(rst)", ".enable(enable)"]
        late = f"_late_{delay - 1}" if top == _PLAIN else ""
        ports += [f".{name}({name}{late})" for name in inputs]
        ports += [f".is_finished({top}_is_finished)", f".finished({top}_finished)"]
        for name, actual in states[top].items():
            lines.append(f"wire [{bits[name] - 1}:0] {top}_{name};")
            ports.append(f".{actual}({top}_{name})")
        lines.append(f"{top} the_{top} ({', '.join(ports)});")
    pairs = [("is_finished", ""), ("finished", "is_finished")]
    pairs += [(names[0], counts) for names, counts in _STATES if names[0] in states[_PIPED]]
    terms = []
    for name, counts in pairs:
        term = f"({_PIPED}_{name} != {_PLAIN}_{name})"
        terms.append(f"{_PIPED}_{counts} & {term}" if counts else term)
    lines += [f"assign differs = {' | '.join(terms)};", "endmodule", ""]
    return "\n".join(lines)


def _held(states: Mapping[str, Mapping[str, str]], folder: Path, timeout_s: float) -> list[str]:
    """Commands that show that no register changes without `enable`."""
    everted = [
        *_read(_PIPED, states),
        "setattr -unset init",
        "opt -full",
        "dffunmap",
        "opt_clean -purge",  # one name for each register
        "expose -evert-dff",
        "opt_clean",
    ]
    run_yosys([*everted, "write_json held.json"], folder, "held_ports", timeout_s)
    module = json.loads((folder / "held.json").read_text(encoding="utf-8"))["modules"][_PIPED]
    left = [cell["type"] for cell in module["cells"].values() if "dff" in cell["type"].lower()]
    registers = [name[:-2] for name in module["ports"] if name.endswith(".q")]
    if left or not registers:
        raise ToolError("finding all registers of a core", ["yosys"], f"{left} are left")
    proofs = " ".join(f"-prove {name}.d {name}.q" for name in registers)
    return [*everted, f"sat -timeout {int(timeout_s)} -set enable 0 -set rst 0 {proofs} {_PIPED}"]


def _is_shown(commands: Sequence[str], folder: Path, name: str, timeout_s: float) -> bool:
    log = run_yosys(commands, folder, name, timeout_s + 120.0)
    if "no model found: SUCCESS!" in log or "Induction step proven: SUCCESS!" in log:
        return True
    if "model found: FAIL!" in log or "maximum number of time steps -> proof failed" in log:
        return False
    raise ToolError(
        f"induction, part {name} (given {timeout_s:g} s)",
        ["yosys", str(folder / f"{name}.ys")],
        log,
    )
