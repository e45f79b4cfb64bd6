"""A design as Verilog, with what one needs to use and check it."""

import hashlib
import json
import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from macsmith.hw.architecture import resolve_architecture
from macsmith.hw.array_block import array_block
from macsmith.hw.block import FULL_ADDER_MODULE, Block, Emission
from macsmith.hw.dsp_multiply import PAIR_MODULE, pair_verilog
from macsmith.hw.mac import Mac
from macsmith.hw.manifest import core_file, manifest_dict, verilog_header
from macsmith.hw.step import Unit
from macsmith.hw.switch_mac import SwitchMac
from macsmith.hw.switch_unit import SwitchUnit
from macsmith.hw.verilog_bench import Vectors, bench_verilog, vectors_hex
from macsmith.hw.yosys import rtlil_to_verilog
from macsmith.model.design import Design

__all__ = [
    "FULL_ADDER_VERILOG",
    "GeneratedDesign",
    "design_verilog",
    "generate",
    "primitives_of",
    "write_all",
]

# The guard lets the files of several designs be read together.
FULL_ADDER_VERILOG = f"""\
`ifndef MACSMITH_FULL_ADDER
`define MACSMITH_FULL_ADDER
module {FULL_ADDER_MODULE}(input a, input b, input c, output sum, output carry);
  assign sum = a ^ b ^ c;
  assign carry = (a & b) | (c & (a ^ b));
endmodule
`endif
"""


@dataclass(frozen=True)
class GeneratedDesign:
    """What was emitted.

    `verilog` is the design, `manifest` what ``manifest.json`` holds, `files` all files. `bench`
    is None where no vectors were given.
    """

    design: Design
    directory: Path
    verilog: Path
    manifest_file: Path
    core: Path
    vectors: Path | None
    bench: Path | None
    manifest: dict[str, Any]

    @property
    def files(self) -> tuple[Path, ...]:
        """All files."""
        optional = [path for path in (self.vectors, self.bench) if path is not None]
        return (self.verilog, *optional, self.core, self.manifest_file)


def _top_block(design: Design) -> Block:
    # refused before there is a component, of which Amaranth would say that it was never used
    resolve_architecture(design.mac, design.implementation)
    if design.implementation.is_weight_stationary:
        raise ValueError(
            f"{design.text}: a weight-stationary array (ws) is built with its buffers only, as an "
            "accelerator: macsmith board, or macsmith.hw.emit_accelerator.generate_accelerator"
        )
    if design.is_switchable and not design.implementation.is_array:
        return SwitchUnit(design) if design.implementation.form == "unit" else SwitchMac(design)
    if design.implementation.form == "unit":
        return Unit(design.mac, design.implementation)
    if design.implementation.is_array:
        return array_block(design)
    return Mac(design)


def design_verilog(design: Design) -> str:
    """Verilog-2005 text of a design; the same for the same design and tool versions.

    Raises
    ------
    YosysError
        Yosys failed.
    """
    rtlil = Emission(design.id).emit_top(_top_block(design))
    with tempfile.TemporaryDirectory(prefix="macsmith-") as scratch:
        body = rtlil_to_verilog(rtlil, Path(scratch))
    # the first line names the machine Yosys was built on
    body = body.split("\n", 1)[1].strip("\n") + "\n"
    header = verilog_header(design)
    return header + body + primitives_of(body)


def primitives_of(verilog: str) -> str:
    """Text of the primitives that Verilog text has instances of."""
    found = [FULL_ADDER_VERILOG] if FULL_ADDER_MODULE in verilog else []
    suffixes = sorted(set(re.findall(rf"{PAIR_MODULE}_([su]{{2}})\b", verilog)))
    found += [pair_verilog(suffix) for suffix in suffixes]
    return "".join(f"\n{primitive}" for primitive in found)


def generate(
    design: Design, directory: Path | str, *, vectors: Vectors | None = None
) -> GeneratedDesign:
    """Write a design's files into a folder.

    ``<id>.v``, ``<id>.core`` (FuseSoC) and ``manifest.json``; with `vectors` also
    ``<id>_vectors.hex`` and ``<id>_tb.v``, which runs under Icarus Verilog as it is. All files are
    written beside the folder first and moved in when they are complete.

    Parameters
    ----------
    design
        What to build.
    directory
        Folder, made if it is not there. Other files in it are left alone.
    vectors
        Operands and what must come out, for the bench.

    Raises
    ------
    ValueError
        The lengths of the vectors do not match.
    YosysError
        Yosys failed.
    OSError
        The folder cannot be written.
    """
    directory = Path(directory)
    names = {"verilog": f"{design.id}.v", "core": f"{design.id}.core"}
    texts = {names["verilog"]: design_verilog(design)}
    bench_files: list[str] = []
    if vectors is not None:
        bench_files = [f"{design.id}_tb.v", f"{design.id}_vectors.hex"]
        texts[bench_files[0]] = bench_verilog(design, vectors)
        texts[bench_files[1]] = vectors_hex(design, vectors)
    texts[names["core"]] = core_file(design, names["verilog"], bench_files)
    manifest = manifest_dict(
        design,
        modules=re.findall(r"^module (\w+)", texts[names["verilog"]], re.MULTILINE),
        sha256={name: hashlib.sha256(text.encode()).hexdigest() for name, text in texts.items()},
    )
    texts["manifest.json"] = json.dumps(manifest, indent=2) + "\n"
    write_all(directory, texts)
    return GeneratedDesign(
        design=design,
        directory=directory,
        verilog=directory / names["verilog"],
        manifest_file=directory / "manifest.json",
        core=directory / names["core"],
        vectors=directory / bench_files[1] if bench_files else None,
        bench=directory / bench_files[0] if bench_files else None,
        manifest=manifest,
    )


def write_all(directory: Path, texts: dict[str, str]) -> None:
    """Write complete files or none: the manifest, moved last, tells that all are there."""
    directory.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=".generate-", dir=directory.parent))
    try:
        for name, text in texts.items():
            (scratch / name).write_text(text, encoding="utf-8")
        for name in texts:
            (scratch / name).replace(directory / name)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
