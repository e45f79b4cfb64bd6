"""Libraries that the benchmarks compare with: file names, and what a comparison needs of them."""

import gzip
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from macsmith.synth.cells import Technology
from macsmith.synth.liberty import read_liberty
from macsmith.synth.liberty_library import Library
from macsmith.synth.linear import technology_from_library
from macsmith.synth.tabulated import with_tables
from macsmith.synth.technology import TECHNOLOGIES, technology

__all__ = ["LIBRARIES", "Setting", "find_files", "load_setting", "without_wire_loads"]

LIBRARIES = {
    "asap7": "asap7sc7p5t_*_RVT_TT_nldm.lib.gz",
    "sky130": "sky130_fd_sc_hd__tt_025C_1v80.lib.gz",
    "ihp-sg13g2": "sg13g2_stdcell_typ_1p20V_25C.lib.gz",
    "gf180": "gf180mcu_fd_sc_mcu7t5v0__tt_025C_5v00.lib.gz",
    "gt2n": "gt2_6t_w13_svt_tt_0p7v25c.lib.gz",
}


@dataclass(frozen=True)
class Setting:
    """A library: the technology that designs are mapped onto, and the same with full tables."""

    lines: Technology
    tables: Technology
    library: Library
    files: tuple[Path, ...]


def find_files(folder: Path, name: str) -> list[Path]:
    """The Liberty files of one of `LIBRARIES`.

    Raises
    ------
    ValueError
        There are none.
    """
    files = sorted(folder.glob(LIBRARIES[name]))
    if not files:
        raise ValueError(f"{folder}: no file {LIBRARIES[name]}; name the folder that has it")
    return files


def load_setting(name: str, files: Sequence[Path]) -> Setting:
    """A kept technology and its library's tables, or a technology made from the files."""
    if name in TECHNOLOGIES:
        lines = technology(name)
        library = read_liberty(files, lines.dont_use)
    else:
        library = read_liberty(files)
        lines = technology_from_library(library, name=name)
    return Setting(lines, with_tables(lines, library), library, tuple(files))


def without_wire_loads(files: Sequence[Path], folder: Path) -> list[Path]:
    """Copies that are not compressed and have no default wire load.

    SKY130 and IHP SG13G2 state wire loads by fan-out; ABC and OpenSTA would take them.
    """
    found = []
    for file in files:
        target = folder / file.name.removesuffix(".gz")
        if not target.exists():
            raw = file.read_bytes()
            text = (gzip.decompress(raw) if file.suffix == ".gz" else raw).decode()
            target.write_text(re.sub(r"(?m)^\s*default_wire_load.*$", "", text), encoding="utf-8")
        found.append(target)
    return found
