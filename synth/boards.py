"""Bitstreams: an accelerator behind the serial line of a board that amaranth-boards knows.

Yosys is the project's own (native, pinned); place and route come as WebAssembly wheels. Nothing is
downloaded, and no tool need be on PATH.
"""

import importlib
import json
import os
import pkgutil
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib import metadata, util
from pathlib import Path
from typing import Any

from amaranth.hdl import (
    ClockSignal,
    Const,
    Elaboratable,
    Instance,
    Module,
    ResetSignal,
    Signal,
    Value,
)
from macsmith.hw.emit_accelerator import accelerator_verilog
from macsmith.model.accelerator import AcceleratorConfig
from macsmith.sim.tools import MissingToolError, ToolError
from macsmith.synth.board_clock import PllSettings, place_pll, pll_settings
from macsmith.synth.board_synthesis import family_of_platform, flow_options
from macsmith.synth.board_tools import build_tools

__all__ = [
    "BUILD_NAME",
    "DEFAULT_BAUD",
    "TRIED_BOARDS",
    "BoardBuild",
    "DoesNotFitError",
    "board_names",
    "build_bitstream",
    "find_board",
    "load_bitstream",
    "prepare_build",
]

DEFAULT_BAUD = 1_000_000
#: Boards that bitstreams were built for (docs/accelerator.md); any other goes by its name.
TRIED_BOARDS = ("icebreaker", "ulx3s_85f", "orangecrab_r0_2_25f")
#: Of the top module and of the files of a build.
BUILD_NAME = "macsmith"
_RESET_BITS = 10  # of the counter that holds the reset after power-on
_INSTALL = f"make install-board, or {sys.executable} -m pip install 'macsmith[board]'"


class DoesNotFitError(RuntimeError):
    """A design is larger than the board's FPGA."""


@dataclass(frozen=True)
class BoardBuild:
    """A bitstream and what it takes.

    `clocks` has the reached and the wanted frequency of each clock in MHz, `cells` the used and the
    available cells of each kind.
    """

    board: str
    design: str
    bitstream: Path
    clocks: dict[str, tuple[float, float]]
    cells: dict[str, tuple[int, int]]
    versions: dict[str, str]


class _Top(Elaboratable):
    """The emitted accelerator at a board's pins."""

    def __init__(
        self, module: str, verilog: str, family: str | None, pll: PllSettings | None
    ) -> None:
        self.module, self.verilog = module, verilog
        self.family, self.pll = family, pll

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        platform.add_file(f"{self.module}.v", self.verilog)
        uart = platform.request("uart", 0)
        # the emitted registers have no start values, and not every platform has a reset
        started = Signal(_RESET_BITS)
        is_steady: Value = Const(1)
        if self.pll is not None and self.family is not None:
            is_steady = place_pll(m, platform, self.family, self.pll)
        with m.If(~started.all() & is_steady):
            m.d.sync += started.eq(started + 1)
        m.submodules.accelerator = Instance(
            self.module,
            i_clk=ClockSignal(),
            i_rst=~started.all() | ResetSignal(allow_reset_less=True),
            i_rx=uart.rx.i,
            o_tx=uart.tx.o,
        )
        return m


def _normal(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower().removesuffix("platform"))


def _platforms() -> dict[str, tuple[str, str]]:
    """Module and class of every platform by its plain name."""
    if util.find_spec("amaranth_boards") is None:
        raise MissingToolError(f"amaranth-boards is missing, which knows the boards: {_INSTALL}")
    package = importlib.import_module("amaranth_boards")
    found: dict[str, tuple[str, str]] = {}
    for module_info in pkgutil.iter_modules(package.__path__):
        source = Path(package.__path__[0]) / f"{module_info.name}.py"
        if not source.exists():
            continue
        text = source.read_text(encoding="utf-8")
        for name in re.findall(r"^class (\w+Platform)\(", text, re.MULTILINE):
            if not name.startswith("_"):
                found[name.removesuffix("Platform").rstrip("_").lower()] = (module_info.name, name)
    return found


def board_names() -> list[str]:
    """Names of all boards that amaranth-boards knows.

    Raises
    ------
    MissingToolError
        amaranth-boards is not installed.
    """
    return sorted(_platforms())


def find_board(name: str) -> Any:
    """An amaranth-boards platform by its name (``icebreaker``, ``ulx3s_85f``).

    Raises
    ------
    ValueError
        There is no such board, or it has no serial line.
    MissingToolError
        amaranth-boards is not installed.
    """
    platforms = _platforms()
    alike = [each for each in platforms if _normal(each) == _normal(name)]
    if not alike:
        near = [each for each in sorted(platforms) if _normal(name)[:4] in _normal(each)]
        hint = f"; near: {', '.join(near[:8])}" if near else ""
        raise ValueError(f"board {name!r} is none that amaranth-boards knows (--list){hint}")
    module, class_name = platforms[alike[0]]
    platform = getattr(importlib.import_module(f"amaranth_boards.{module}"), class_name)()
    if ("uart", 0) not in platform.resources:
        _add_uart(platform, name)
    return platform


def _add_uart(platform: Any, name: str) -> None:
    """A serial line at the first two pins of a board's first connector."""
    from amaranth.build import Attrs

    uart_resource = importlib.import_module("amaranth_boards.resources").UARTResource
    if ("io", 0) not in platform.connectors or "io" not in {key[0] for key in platform.connectors}:
        raise ValueError(
            f"board {name!r} has no serial line in amaranth-boards: choose another (--list)"
        )
    attrs = Attrs(IO_TYPE="LVCMOS33")
    platform.add_resources([uart_resource(0, rx="0", tx="1", conn=("io", 0), attrs=attrs)])


def build_bitstream(
    board: str,
    config: AcceleratorConfig,
    directory: Path,
    *,
    baud: int = DEFAULT_BAUD,
    clock_mhz: float | None = None,
) -> BoardBuild:
    """Synthesise, place, route and pack an accelerator for a board.

    Parameters
    ----------
    board
        Name of an amaranth-boards platform.
    config
        The accelerator.
    directory
        For everything that is written; an existing one is replaced.
    baud
        Bits per second of the serial line.
    clock_mhz
        Clock of the accelerator, made by the FPGA's PLL; None: the board's own.

    Raises
    ------
    DoesNotFitError
        The design needs more cells than the FPGA has; by how many.
    ValueError
        An unknown board, or a clock or baud rate that its clock cannot give.
    ToolError, MissingToolError, YosysError
        A tool failed or is missing.
    """
    platform = find_board(board)
    family = family_of_platform(platform)
    # these raise before a missing tool does
    _divisor(board, _pll(board, platform, clock_mhz), platform, baud)
    needed = f"yowasp_nextpnr_{family}"
    if family is not None and not util.find_spec(needed):
        raise MissingToolError(f"place and route for {board} is missing ({needed}): {_INSTALL}")
    script = prepare_build(board, config, directory, baud=baud, clock_mhz=clock_mhz)
    log = directory / "build.log"
    with build_tools(directory / "tools"), log.open("w", encoding="utf-8") as file:
        done = subprocess.run(
            ["sh", script],
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            check=False,
        )
    text = log.read_text(encoding="utf-8")
    for name in (f"{BUILD_NAME}.tim", f"{BUILD_NAME}.rpt"):
        if (directory / name).exists():
            text += (directory / name).read_text(encoding="utf-8", errors="replace")
    if done.returncode != 0:
        _raise_if_too_large(board, config, text)
        raise ToolError(f"building for {board}", ["sh", script], text)
    return _read_build(board, config, directory)


def prepare_build(
    board: str,
    config: AcceleratorConfig,
    directory: Path,
    *,
    baud: int = DEFAULT_BAUD,
    clock_mhz: float | None = None,
) -> str:
    """Write all that a build needs into a folder, an existing one replaced; returns the name of the
    shell script that runs it. Parameters and errors as of `build_bitstream`."""
    platform = find_board(board)
    pll = _pll(board, platform, clock_mhz)
    divisor = _divisor(board, pll, platform, baud)
    module, verilog = accelerator_verilog(config, "uart", divisor=divisor)
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    overrides = {"nextpnr_opts": "--report report.json --timing-allow-fail"}
    family = family_of_platform(platform)
    if family is not None:
        flow = flow_options(config.design, family)
        for name, text in flow.files.items():
            platform.add_file(name, text)
        overrides |= {
            "synth_opts": flow.options,
            "script_after_read": flow.after_read,
            "script_after_synth": flow.after_synthesis,
        }
    with build_tools(directory / "tools"):
        top = _Top(module, verilog, family, pll)
        plan = platform.build(top, name=BUILD_NAME, do_build=False, **overrides)
        plan.extract(directory)
    return f"{plan.script}.sh"


def _pll(board: str, platform: Any, clock_mhz: float | None) -> PllSettings | None:
    """How the clock is made, if it is not the board's own."""
    if clock_mhz is None:
        return None
    family = family_of_platform(platform)
    if family is None:
        raise ValueError(
            f"--clock uses the PLL of an iCE40 or ECP5, which {board} has not: leave it out"
        )
    return pll_settings(family, float(platform.default_clk_frequency), clock_mhz * 1e6)


def _divisor(board: str, pll: PllSettings | None, platform: Any, baud: int) -> int:
    """Clock cycles of a bit of the serial line."""
    frequency = float(platform.default_clk_frequency) if pll is None else pll.frequency
    divisor = round(frequency / baud)
    if divisor < 4 or abs(frequency / divisor / baud - 1) > 0.02:
        raise ValueError(
            f"{board}: {baud} baud must be a clock of {frequency / 1e6:g} MHz divided by at least "
            f"4 within 2 %; the nearest is {frequency / max(divisor, 4):.0f}"
        )
    return divisor


def _raise_if_too_large(board: str, config: AcceleratorConfig, log: str) -> None:
    over = {}
    for kind, used, available in re.findall(r"(\w+):\s+(\d+)/\s*(\d+)\s+\d+%", log):
        if int(used) > int(available):
            over[kind] = f"{used} {kind} of {available} ({int(used) - int(available)} too many)"
    if over or "no BELs remaining" in log or "Unable to place" in log:
        detail = ", ".join(over.values()) or "no place is left"
        raise DoesNotFitError(
            f"{config.design.text} does not fit {board}: {detail}; take fewer rows and columns, "
            "smaller banks (--depth) or a narrower accumulator (termsN)"
        )


def _read_build(board: str, config: AcceleratorConfig, directory: Path) -> BoardBuild:
    report = json.loads((directory / "report.json").read_text(encoding="utf-8"))
    bitstreams = list(directory.glob(f"{BUILD_NAME}.bi[tn]"))
    if not bitstreams:
        raise ToolError(f"building for {board}", [], "no bitstream was written")
    family = family_of_platform(find_board(board))
    wheels = ["amaranth", "amaranth-boards", "pyosys"]
    if family is not None:
        wheels.append(f"yowasp-nextpnr-{family}")
    return BoardBuild(
        board=board,
        design=config.design.text,
        bitstream=bitstreams[0],
        clocks={
            name: (round(clock["achieved"], 2), round(clock["constraint"], 2))
            for name, clock in report["fmax"].items()
        },
        cells={
            kind: (count["used"], count["available"])
            for kind, count in report["utilization"].items()
            if count["used"]
        },
        versions={wheel: metadata.version(wheel) for wheel in wheels},
    )


def load_bitstream(board: str, build: BoardBuild) -> None:
    """Put a bitstream into a board that is attached.

    Raises
    ------
    MissingToolError
        The loader is not installed.
    ToolError
        The board is not attached, or does not take it.
    """
    loader = shutil.which(
        "openFPGALoader", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    )
    if loader is None:
        raise MissingToolError(f"openFPGALoader is missing, which loads bitstreams: {_INSTALL}")
    names = {"icebreaker": "ice40_generic", "ulx3s": "ulx3s", "orangecrab": "orangeCrab"}
    kind = next((value for key, value in names.items() if board.lower().startswith(key)), board)
    command = [loader, "-b", kind, str(build.bitstream)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ToolError(f"loading {board} (is it attached?)", command, done.stdout + done.stderr)
