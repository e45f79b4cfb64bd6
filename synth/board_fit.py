"""The largest array that fits a board: counted by Yosys; place and route has the last word."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from macsmith.model.accelerator import AcceleratorConfig
from macsmith.model.design import Design
from macsmith.model.implementation import Implementation
from macsmith.synth.board_synthesis import family_of_platform
from macsmith.synth.boards import (
    BUILD_NAME,
    DEFAULT_BAUD,
    BoardBuild,
    DoesNotFitError,
    build_bitstream,
    find_board,
    prepare_build,
)
from macsmith.synth.yosys import run_yosys

__all__ = ["FitResult", "FitTry", "array_sizes", "count_cells", "device_cells", "largest_fit"]

#: Logic cells, block RAMs and DSP blocks by device. iCE40: Lattice FPGA-DS-02008 (UltraPlus) and
#: FPGA-DS-02029 (LP, HX); ECP5: FPGA-DS-02012, where the 12F is a 25F to place and route.
_DEVICES: dict[str, tuple[int, int, int]] = {
    "UP5K": (5280, 30, 8),
    "UP3K": (2800, 20, 4),
    "HX1K": (1280, 16, 0),
    "HX4K": (7680, 32, 0),
    "HX8K": (7680, 32, 0),
    "LP1K": (1280, 16, 0),
    "LP4K": (7680, 32, 0),
    "LP8K": (7680, 32, 0),
    "12F": (24288, 56, 28),
    "25F": (24288, 56, 28),
    "45F": (43848, 108, 72),
    "85F": (83640, 208, 156),
}
_KINDS = {
    "ice40": ("ICESTORM_LC", "ICESTORM_RAM", "ICESTORM_DSP"),
    "ecp5": ("TRELLIS_COMB", "DP16KD", "MULT18X18D"),
}
_MAX_TRIES = 12


@dataclass(frozen=True)
class FitTry:
    """One size of array.

    Attributes
    ----------
    rows, columns
        Of the array.
    cells
        Used and available cells of each kind that bounds it.
    is_placed
        Whether this was placed and routed; else the cells are those that Yosys leaves, of which
        place and route needs some more.
    """

    rows: int
    columns: int
    cells: dict[str, tuple[int, int]]
    is_placed: bool = False

    @property
    def missing(self) -> dict[str, int]:
        """Cells that are not there, by kind."""
        return {kind: used - most for kind, (used, most) in self.cells.items() if used > most}


@dataclass(frozen=True)
class FitResult:
    """What a search found: all tries in their order, and the largest that fits."""

    tries: tuple[FitTry, ...]
    largest: FitTry
    design: Design
    build: BoardBuild | None = None


def device_cells(platform: Any) -> dict[str, int]:
    """Cells of a board's FPGA by kind.

    Raises
    ------
    ValueError
        The FPGA is not one of those whose place and route comes in wheels.
    """
    family = family_of_platform(platform)
    device = str(getattr(platform, "device", ""))
    size = next((each for name, each in _DEVICES.items() if device.endswith(name)), None)
    if family is None or size is None:
        raise ValueError(
            f"--fit counts cells of iCE40 and ECP5 FPGAs, not of {device or 'this board'}: state "
            "the size of the array"
        )
    return dict(zip(_KINDS[family], size, strict=True))


def _ice40_logic_cells(cells: list[Any]) -> int:
    """A logic cell is a LUT, a carry and a flip-flop behind the LUT, with one output."""
    readers: Counter[Any] = Counter()
    luts: dict[Any, Any] = {}
    lut_inputs: set[tuple[Any, Any]] = set()
    carry_outputs: set[Any] = set()
    for cell in cells:
        ports = {name: bits[0] for name, bits in cell["connections"].items() if len(bits) == 1}
        if cell["type"] == "SB_LUT4":
            luts[ports["O"]] = cell
            lut_inputs.add((ports["I1"], ports["I2"]))
        elif cell["type"] == "SB_CARRY":
            carry_outputs.add(ports["CO"])
        for name, bits in cell["connections"].items():
            if cell["port_directions"][name] == "input":
                readers.update(bits)
    count = len(luts)
    for cell in cells:
        ports = {name: bits[0] for name, bits in cell["connections"].items() if len(bits) == 1}
        if cell["type"].startswith("SB_DFF"):
            count += not (ports["D"] in luts and readers[ports["D"]] == 1)
        elif cell["type"] == "SB_CARRY":
            count += (ports["I0"], ports["I1"]) not in lut_inputs
            # a carry comes from a cell below; one that does not takes a cell to get in
            count += ports["CI"] not in carry_outputs and ports["CI"] not in ("0", "1")
    return count


def _counts(family: str, cells: list[Any]) -> dict[str, int]:
    kinds = Counter(cell["type"] for cell in cells)
    logic, memory, multiplier = _KINDS[family]
    if family == "ice40":
        return {
            logic: _ice40_logic_cells(cells),
            memory: kinds["SB_RAM40_4K"],
            multiplier: kinds["SB_MAC16"],
        }
    # a CCU2C is two cells, and so are the LUTs of four that small memory takes
    comb = kinds["LUT4"] + 2 * kinds["CCU2C"] + 4 * kinds["TRELLIS_DPR16X4"]
    return {logic: comb, memory: kinds["DP16KD"], multiplier: kinds["MULT18X18D"]}


def count_cells(
    board: str, config: AcceleratorConfig, directory: Path, *, baud: int = DEFAULT_BAUD
) -> dict[str, tuple[int, int]]:
    """Cells that Yosys leaves of an accelerator, and those that the board has, by kind.

    Parameters and errors are those of `macsmith.synth.boards.build_bitstream`; nothing is placed.
    """
    platform = find_board(board)
    available = device_cells(platform)
    family = family_of_platform(platform)
    assert family is not None
    prepare_build(board, config, directory, baud=baud)
    script = (directory / f"{BUILD_NAME}.ys").read_text(encoding="utf-8")
    commands = [line.strip() for line in script.splitlines()]
    run_yosys([line for line in commands if line and line[0] != "#"], directory, "count")
    netlist = json.loads((directory / f"{BUILD_NAME}.json").read_text(encoding="utf-8"))
    used = _counts(family, list(netlist["modules"][BUILD_NAME]["cells"].values()))
    return {kind: (used[kind], most) for kind, most in available.items()}


def array_sizes(largest: int = 4096) -> Iterator[tuple[int, int]]:
    """Rows and columns of arrays up to so many elements, smallest first: columns are the rows to
    twice the rows."""
    sizes = [
        (rows, columns)
        for rows in range(1, largest + 1)
        if rows * rows <= largest
        for columns in range(rows, 2 * rows + 1)
        if 1 < rows * columns <= largest and max(rows, columns) <= 256
    ]
    # of equal ones the most square
    best = {rows * columns: (rows, columns) for rows, columns in sizes}
    for size in sorted(best):
        yield best[size]


def _sized(design: Design, rows: int, columns: int) -> Design | None:
    """The design with another array; None where it cannot have that."""
    options = design.implementation.model_dump() | {"rows": rows, "columns": columns}
    try:
        implementation = Implementation.model_validate(options)
        made = Design(mac=design.mac, implementation=implementation)
        AcceleratorConfig(made)
    except ValueError:
        return None
    return made


def _next_guess(tries: dict[int, FitTry], sizes: list[int]) -> int:
    """Where the line through the last two tries says that cells run out: an index of `sizes`."""
    (one, first), (other, second) = sorted(tries.items())[-2:]
    most = float(sizes[-1])
    for kind, (used, available) in second.cells.items():
        grows = (used - first.cells[kind][0]) / max(sizes[other] - sizes[one], 1)
        if grows > 0:
            most = min(most, sizes[other] + (available - used) / grows)
    below = [index for index, size in enumerate(sizes) if size <= most]
    return below[-1] if below else 0


def largest_fit(
    board: str,
    design: Design,
    depth: int,
    directory: Path,
    *,
    baud: int = DEFAULT_BAUD,
    build: bool = False,
    tell: Callable[[str], None] = print,
) -> FitResult:
    """The array with the most elements that fits a board.

    Cells are counted for a few sizes; those in between follow a line. The answer is one that fits
    while the next larger does not.

    Parameters
    ----------
    board
        Name of an amaranth-boards platform with an iCE40 or ECP5.
    design
        What is computed, and how; rows and columns are not looked at.
    depth
        Entries in a bank.
    directory
        For everything that is written.
    baud
        Bits per second of the serial line.
    build
        Whether to place and route the largest, and smaller ones until one fits.
    tell
        Is told what is tried.

    Raises
    ------
    DoesNotFitError
        Not even the smallest array fits.
    ValueError, ToolError, MissingToolError, YosysError
        As of `macsmith.synth.boards.build_bitstream`.
    """
    device_cells(find_board(board))
    designs = [made for size in array_sizes() if (made := _sized(design, *size)) is not None]
    if len(designs) < 2:
        raise ValueError(f"{design.text} has no arrays to choose from: state the size of one")
    sizes = [each.implementation.rows * each.implementation.columns for each in designs]
    tries: dict[int, FitTry] = {}

    def measure(index: int) -> FitTry:
        made = designs[index]
        tell(f"counting the cells of {made.text}")
        config = AcceleratorConfig(made, depth, depth)
        cells = count_cells(board, config, directory / made.id / board, baud=baud)
        rows, columns = made.implementation.rows, made.implementation.columns
        tries[index] = FitTry(rows, columns, cells)
        return tries[index]

    start = next((index for index, size in enumerate(sizes) if size >= 4), 0)
    measure(start)
    measure(next((index for index, size in enumerate(sizes) if size >= 16), start + 1))
    while len(tries) < _MAX_TRIES:
        fitting = [index for index, each in tries.items() if not each.missing]
        failing = [index for index, each in tries.items() if each.missing]
        low = max(fitting, default=-1)
        high = min(failing, default=len(designs))
        if high - low <= 1:
            break
        guess = _next_guess(tries, sizes)
        measure(min(max(guess, low + 1), high - 1))
    fitting = [index for index, each in tries.items() if not each.missing]
    if not fitting:
        raise _nothing_fits(board, designs[min(tries)], tries[min(tries)])
    best = max(fitting)
    ordered = list(tries.values())
    if not build:
        return FitResult(tuple(ordered), tries[best], designs[best])
    for index in range(best, -1, -1):
        made = designs[index]
        tell(f"placing and routing {made.text}")
        folder = directory / made.id / board
        try:
            built = build_bitstream(board, AcceleratorConfig(made, depth, depth), folder, baud=baud)
        except DoesNotFitError as error:
            tell(str(error))
            continue
        kinds = device_cells(find_board(board))
        cells = {kind: built.cells.get(kind, (0, most)) for kind, most in kinds.items()}
        rows, columns = made.implementation.rows, made.implementation.columns
        placed = FitTry(rows, columns, cells, is_placed=True)
        return FitResult((*ordered, placed), placed, made, built)
    raise _nothing_fits(board, designs[min(tries)], tries[min(tries)])


def _nothing_fits(board: str, design: Design, smallest: FitTry) -> DoesNotFitError:
    missing = ", ".join(f"{count} {kind}" for kind, count in smallest.missing.items())
    return DoesNotFitError(
        f"no array of {design.text} fits {board}: the smallest lacks {missing or 'places'}; take "
        "smaller banks (--depth) or a narrower accumulator (termsN)"
    )
