"""A top module and a C++ program around it, compiled into a simulation."""

import shutil
import tempfile
from importlib import resources
from pathlib import Path

from macsmith.hw.block import Block, Emission
from macsmith.hw.emit import primitives_of
from macsmith.hw.yosys import rtlil_to_verilog
from macsmith.sim.verilator import build_program

__all__ = ["build_simulation", "top_verilog"]


def top_verilog(top: str, component: Block) -> str:
    """Verilog of a component as the module `top`, with the primitives that it instantiates."""
    rtlil = Emission(top).emit_top(component)
    with tempfile.TemporaryDirectory(prefix="macsmith-") as scratch:
        verilog = rtlil_to_verilog(rtlil, Path(scratch))
    return verilog + primitives_of(verilog)


def build_simulation(directory: Path, top: str, verilog: str, main: str) -> Path:
    """Compile a simulation.

    Parameters
    ----------
    directory
        Where it is built; an existing one is replaced.
    top, verilog
        Name of the top module, and what it is made of.
    main
        File of this package with the program's ``main``.

    Returns
    -------
    Path
        The program.

    Raises
    ------
    ToolError, MissingToolError, YosysError
        A tool failed or is missing; Yosys, which made the Verilog.
    """
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    source = directory / f"{top}.v"
    source.write_text(verilog, encoding="utf-8")
    program = directory / main
    text = resources.files("macsmith.sim").joinpath(main).read_text(encoding="utf-8")
    program.write_text(text, encoding="utf-8")
    return build_program(directory / "simulation", [source], top, program)
