"""What a design becomes on an FPGA: LUTs, carries and flip-flops, from Yosys' own flows.

Nothing is placed or routed. Memories stay off, and so do DSP blocks unless asked for, so that
arithmetic is compared as logic.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from macsmith.hw.dsp_multiply import PAIR_SUFFIXES, pair_box, pair_verilog
from macsmith.sim.tools import ToolError
from macsmith.synth.full_adder import primitive_as_gates
from macsmith.synth.yosys import quote, run_yosys, tool_versions

__all__ = ["FAMILIES", "FpgaResult", "family_of", "map_to_fpga"]


@dataclass(frozen=True)
class _Family:
    """How a family is mapped and how its cells count.

    `counts` gives, by prefix of the cell name, the metric and how much one cell adds to it; the
    first prefix that fits counts. `metrics` are those every result has. `pair_define` is the macro
    that makes the primitive of a pair of products one of the family's blocks.
    """

    title: str
    command: str
    without_dsp: str
    with_dsp: str
    counts: tuple[tuple[str, str, int], ...]
    metrics: tuple[str, ...]
    pair_define: str = ""


FAMILIES: dict[str, _Family] = {
    "ice40": _Family(
        title="Lattice iCE40",
        command="synth_ice40 -nobram",
        without_dsp="",
        with_dsp=" -dsp",
        counts=(
            ("SB_LUT4", "lut4", 1),
            ("SB_CARRY", "carry", 1),
            ("SB_DFF", "flip_flops", 1),
            ("SB_MAC16", "dsp", 1),
        ),
        metrics=("lut4", "carry", "flip_flops"),
        pair_define="MACSMITH_SB_MAC16",
    ),
    "ecp5": _Family(
        title="Lattice ECP5",
        command="synth_ecp5 -nobram -nolutram -nowidelut",
        without_dsp=" -nodsp",
        with_dsp="",
        # A CCU2C is two carry bits and takes the two LUT4 of its slice: they are not in `lut4`.
        counts=(
            ("LUT4", "lut4", 1),
            ("CCU2C", "carry", 2),
            ("TRELLIS_FF", "flip_flops", 1),
            ("PFUMX", "wide_mux", 1),
            ("L6MUX21", "wide_mux", 1),
            ("MULT18X18D", "dsp", 1),
            ("ALU54B", "dsp", 1),
        ),
        metrics=("lut4", "carry", "flip_flops", "wide_mux"),
    ),
    "xilinx7": _Family(
        title="Xilinx 7-series",
        command="synth_xilinx -family xc7 -nobram -nolutram -nosrl -noiopad -noclkbuf",
        without_dsp=" -nodsp",
        with_dsp="",
        # A LUT of any size takes one LUT6; an inverter left over is a LUT of one input. A CARRY4
        # is four carry bits and counts in `carry4`, its bits in `carry`.
        counts=(
            ("LUT", "lut6", 1),
            ("INV", "lut6", 1),
            ("CARRY4", "carry4", 1),
            ("FD", "flip_flops", 1),
            ("MUXF", "wide_mux", 1),
            ("DSP48E1", "dsp", 1),
        ),
        metrics=("lut6", "carry4", "flip_flops", "wide_mux"),
    ),
}

_ALIASES = {
    "ice40": "ice40",
    "ecp5": "ecp5",
    "xilinx7": "xilinx7",
    "xilinx": "xilinx7",
    "7-series": "xilinx7",
    "7series": "xilinx7",
    "xc7": "xilinx7",
}
# Cells that are wiring, not logic.
_FREE = ("GND", "VCC", "BUFG", "IBUF", "OBUF", "$scopeinfo", "VLO", "VHI")


def family_of(name: str) -> str | None:
    """Canonical family name of a technology name or alias, or None if it is no FPGA family."""
    return _ALIASES.get(name.strip().lower())


@dataclass(frozen=True)
class FpgaResult:
    """Counts of one mapping.

    `metrics` always has ``lut4`` (7-series: ``lut6``), ``carry`` (carry bits) and
    ``flip_flops``; ``dsp`` only where DSP blocks were allowed.
    """

    family: str
    title: str
    metrics: dict[str, int]
    cell_counts: dict[str, int]
    flow: str
    netlist_path: Path
    tool_versions: dict[str, str]


def map_to_fpga(
    verilog_files: Sequence[Path],
    top: str,
    family: str,
    *,
    build_dir: Path,
    allow_dsp: bool = False,
    dsp_blocks: int | None = None,
) -> FpgaResult:
    """Map a design onto an FPGA family and count.

    Parameters
    ----------
    allow_dsp
        Whether multipliers may become DSP blocks, and primitives that have a form for the family's
        blocks take it.
    dsp_blocks
        How many of them there must be; None: as many as come.

    Raises
    ------
    ValueError
        Unknown family, or a Verilog file that is not there.
    ToolError
        Yosys failed, left a cell whose meaning for the count is not known, or took another number
        of DSP blocks.
    """
    name = family_of(family)
    if name is None:
        raise ValueError(f"FPGA family {family!r} is unknown; must be one of {', '.join(FAMILIES)}")
    for file in verilog_files:
        if not Path(file).is_file():
            raise ValueError(f"Verilog file {file} is not there; generate the design first")
    entry = FAMILIES[name]
    build_dir = Path(build_dir).resolve()
    build_dir.mkdir(parents=True, exist_ok=True)
    (build_dir / "full_adder_gates.v").write_text(primitive_as_gates(), encoding="utf-8")
    flow = entry.command + (entry.with_dsp if allow_dsp else entry.without_dsp)
    commands = [f"read_verilog {quote(Path(file).resolve())}" for file in verilog_files]
    has_pairs = allow_dsp and entry.pair_define
    if has_pairs:
        (build_dir / "pairs.v").write_text("\n".join(map(pair_verilog, PAIR_SUFFIXES)))
        (build_dir / "pair_boxes.v").write_text("\n".join(map(pair_box, PAIR_SUFFIXES)))
        commands.append("read_verilog -overwrite pair_boxes.v")
    commands += [
        "read_verilog -overwrite full_adder_gates.v",
        # the flow checks it, when it knows the family's cells
        f"hierarchy -top {top}",
        "flatten",
        f"{flow} -top {top}",
        # Only now: Yosys' pass for such blocks would take them for one 16 x 16 multiplier.
        *([f"techmap -D {entry.pair_define} -map pairs.v"] if has_pairs else []),
        f"write_json {name}.json",
    ]
    run_yosys(commands, build_dir, name)
    path = build_dir / f"{name}.json"
    data = json.loads(path.read_text(encoding="utf-8"))
    counts: dict[str, int] = {}
    for cell in data["modules"][top]["cells"].values():
        counts[cell["type"]] = counts.get(cell["type"], 0) + 1
    metrics = _metrics(name, counts, allow_dsp)
    if dsp_blocks is not None and metrics.get("dsp", 0) != dsp_blocks:
        raise ToolError(
            f"mapping {top} to {entry.title}",
            [flow],
            f"{metrics.get('dsp', 0)} DSP blocks came out; the design is built for {dsp_blocks} "
            f"({path})",
        )
    return FpgaResult(
        family=name,
        title=entry.title,
        metrics=metrics,
        cell_counts=dict(sorted(counts.items())),
        flow=flow,
        netlist_path=path,
        tool_versions=tool_versions(),
    )


def _metrics(family: str, counts: Mapping[str, int], allow_dsp: bool) -> dict[str, int]:
    entry = FAMILIES[family]
    metrics: dict[str, int] = dict.fromkeys(entry.metrics, 0)
    if allow_dsp:
        metrics["dsp"] = 0
    for cell, count in counts.items():
        if cell in _FREE:
            continue
        for prefix, metric, weight in entry.counts:
            if cell.startswith(prefix) and metric in metrics:
                metrics[metric] += weight * count
                break
        else:
            raise ToolError(
                f"counting cells for {entry.title}",
                [entry.command],
                f"{count} cells {cell} are left; the count does not know what they are worth",
            )
    if "carry4" in metrics:
        metrics["carry"] = 4 * metrics["carry4"]
    return metrics
