"""A systolic array at work, as an animated picture made from a simulation.

``python benchmarks/array_animation.py`` simulates two tiles of a 4 x 4 array with Amaranth's
simulator, compares the results with the golden model, reads what every processing element holds in
every cycle from the VCD file, and draws it: operands on their way in, partial sums, and results on
their way out, those of the first tile while the second is computed. Writes ``docs/array.gif``.
"""

import argparse
import io
import tempfile
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from amaranth.sim import Simulator
from macsmith.hw.array import SystolicArray
from macsmith.model import fast
from macsmith.model.design import Design, parse_design

mpl.use("Agg")
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch
from PIL import Image

DESIGN = "int8:int24:4x4"
TILES, BEATS = 2, 7
AHEAD = 3
"""Operands that are drawn before they enter."""
PERIOD_FS = 1_000_000_000
MILLISECONDS = 650

INK, QUIET, EMPTY = "#22303c", "#8896a3", "#f3f5f7"
TILE_COLOURS = ("#bcd6f2", "#f9d4a8")
RESULT_COLOURS = ("#5b93cf", "#e08e2b")


@dataclass
class Element:
    """What one processing element held, cycle by cycle."""

    a: list[int] = field(default_factory=list)
    b: list[int] = field(default_factory=list)
    is_valid: list[bool] = field(default_factory=list)
    is_last: list[bool] = field(default_factory=list)
    shifts: list[bool] = field(default_factory=list)
    is_finished: list[bool] = field(default_factory=list)
    partial_sum: list[int] = field(default_factory=list)
    result: list[int] = field(default_factory=list)

    def tile(self, cycle: int) -> int:
        """Which tile the beat of a cycle belongs to."""
        return sum(self.is_valid[t] and self.is_last[t] for t in range(cycle))


@dataclass
class Trace:
    """A simulation: elements by (row of the drawing, column), and rows of results as they left."""

    elements: dict[tuple[int, int], Element]
    outputs: list[list[int] | None]

    @property
    def cycles(self) -> int:
        """Length."""
        return len(self.outputs)


def signed(code: int, bits: int) -> int:
    return code - (1 << bits) if code >> (bits - 1) else code


def read_vcd(path: Path) -> tuple[dict[str, list[int]], int]:
    """Values of all signals just before each rising clock edge, by full name, and how many."""
    names: dict[str, list[str]] = defaultdict(list)
    scope: list[str] = []
    values: dict[str, int] = {}
    samples: dict[str, list[int]] = defaultdict(list)
    clock, cycles = "", 0
    with path.open(encoding="ascii") as lines:
        for line in lines:
            word = line.split()
            if not word:
                continue
            if word[0] == "$scope":
                scope.append(word[2])
            elif word[0] == "$upscope":
                scope.pop()
            elif word[0] == "$var":
                name = ".".join([*scope, word[4]])
                names[word[3]].append(name)
                if name == "bench.top.clk":
                    clock = word[3]
            elif word[0].startswith("b") and len(word) == 2:
                values[word[1]] = int(word[0][1:], 2)
            elif word[0][0] in "01" and len(word) == 1:
                code, level = word[0][1:], int(word[0][0])
                if code == clock and level and not values.get(clock, 0):
                    for key, value in values.items():
                        samples[key].append(value)
                    cycles += 1
                values[code] = level
    found = {name: samples[code] for code, all_names in names.items() for name in all_names}
    return found, cycles


def simulate(
    design: Design, a: npt.NDArray[np.int64], b: npt.NDArray[np.int64], vcd: Path
) -> list[list[int]]:
    """Tiles of A ``[tiles, R, K]`` and B ``[tiles, K, C]`` through the array; rows of results."""
    array = SystolicArray(design)
    bits = design.mac.a.bits
    rows: list[list[int]] = []
    wanted = a.shape[0] * a.shape[1]
    simulator = Simulator(array)
    simulator.add_clock(1e-6)

    def packed(values: npt.NDArray[np.int64]) -> int:
        return sum((int(v) & (1 << bits) - 1) << bits * at for at, v in enumerate(values))

    async def feed(ctx: Any) -> None:
        for tile in range(a.shape[0]):
            for beat in range(a.shape[2]):
                ctx.set(array.i_valid, 1)
                ctx.set(array.i_a, packed(a[tile, :, beat]))
                ctx.set(array.i_b, packed(b[tile, beat]))
                ctx.set(array.i_last, beat == a.shape[2] - 1)
                await ctx.tick().until(array.i_ready)
        ctx.set(array.i_valid, 0)

    async def fetch(ctx: Any) -> None:
        ctx.set(array.o_ready, 1)
        columns, width = design.implementation.columns, len(array.o_data)
        while len(rows) < wanted:
            _, _, is_valid, data = await ctx.tick().sample(array.o_valid, array.o_data)
            if is_valid:
                each = width // columns
                mask = (1 << each) - 1
                rows.append([signed(data >> each * c & mask, each) for c in range(columns)])
        await ctx.tick().repeat(2)

    simulator.add_testbench(feed)
    simulator.add_testbench(fetch)
    with simulator.write_vcd(str(vcd)):
        simulator.run()
    return rows


def read_trace(vcd: Path, design: Design) -> Trace:
    """The elements' registers in every cycle; row 0 of the drawing is where B enters."""
    values, cycles = read_vcd(vcd)
    rows, columns = design.implementation.rows, design.implementation.columns
    depth = (rows - 1).bit_length()
    elements: dict[tuple[int, int], Element] = {}
    for row in range(rows):
        halves = [("lower", "upper")[not row >> level & 1] for level in reversed(range(depth))]
        for column in range(columns):
            path = ".".join(["bench.top.rows", *halves, f"element_{column}"])
            control = values[f"{path}.control"]
            elements[row, column] = Element(
                a=[signed(v, design.mac.a.bits) for v in values[f"{path}.a"]],
                b=[signed(v, design.mac.b.bits) for v in values[f"{path}.b"]],
                is_valid=[bool(v >> 1 & 1) for v in control],
                is_last=[bool(v >> 2 & 1) for v in control],
                shifts=[bool(v & 1) for v in control],
                is_finished=[bool(v) for v in values[f"{path}.is_finished"]],
                partial_sum=[signed(v, 24) for v in values[f"{path}.core.partial_sum_o"]],
                result=[signed(v, 24) for v in values[f"{path}.result"]],
            )
    outputs: list[list[int] | None] = [
        [signed(data >> 24 * c & 0xFFFFFF, 24) for c in range(columns)] if is_valid else None
        for is_valid, data in zip(
            values["bench.top.o_valid"], values["bench.top.o_data"], strict=True
        )
    ]
    assert len(outputs) == cycles
    return Trace(elements, outputs)


def results_on_their_way(trace: Trace, rows: int, columns: int) -> list[dict[tuple[int, int], int]]:
    """For each cycle, the elements whose result register holds a result, with its tile.

    A register is loaded with the element's own sum when that is finished, else, when it shifts,
    with what the one above holds; what the one below has taken is not there any more.
    """
    held: dict[tuple[int, int], int] = {}
    found = []
    for cycle in range(trace.cycles):
        found.append(dict(held))
        after: dict[tuple[int, int], int] = {}
        for row in range(rows):
            for column in range(columns):
                at = row, column
                element = trace.elements[at]
                below = trace.elements.get((row + 1, column))
                if element.is_finished[cycle]:
                    # finished with the beat of the cycle before at the latest
                    after[at] = element.tile(cycle + 1) - 1
                elif element.shifts[cycle]:
                    if (row - 1, column) in held:
                        after[at] = held[row - 1, column]
                elif at in held and below is not None and not below.shifts[cycle]:
                    after[at] = held[at]
        held = after
    return found


def draw(
    axes: Axes,
    trace: Trace,
    cycle: int,
    held: dict[tuple[int, int], int],
    wanted: npt.NDArray[np.int64],
    left: list[list[int]],
    first: int,
) -> None:
    """One cycle."""
    rows, columns = 4, 4
    axes.set_xlim(-3.5, 9.1)
    axes.set_ylim(-1.45, 7.6)
    axes.axis("off")
    axes.set_aspect("equal")

    def box(x: float, y: float, width: float, height: float, colour: str, edge: str) -> None:
        axes.add_patch(
            FancyBboxPatch(
                (x, y), width, height, boxstyle="round,pad=0,rounding_size=0.08",
                facecolor=colour, edgecolor=edge, linewidth=0.8,
            )
        )  # fmt: skip

    def write(x: float, y: float, text: str, size: float, colour: str = INK, **more: Any) -> None:
        axes.text(x, y, text, fontsize=size, color=colour, ha="center", va="center", **more)

    write(-2.2, 7.3, f"cycle {cycle - first}", 13, fontweight="bold")
    write(1.9, 7.3, "B", 12, QUIET, fontweight="bold")
    write(-3.2, 1.9, "A", 12, QUIET, fontweight="bold")
    for (row, column), element in trace.elements.items():
        x, y = float(column), float(rows - 1 - row)
        is_valid = element.is_valid[cycle]
        tile = element.tile(cycle)
        colour = TILE_COLOURS[tile] if is_valid else EMPTY
        box(x + 0.05, y + 0.05, 0.9, 0.9, colour, "#c5ced6")
        if is_valid:
            write(x + 0.5, y + 0.78, f"{element.a[cycle]} · {element.b[cycle]}", 7.5, "#5a6874")
            write(x + 0.5, y + 0.5, str(element.partial_sum[cycle]), 11, fontweight="bold")
        if (row, column) in held:
            box(x + 0.14, y + 0.1, 0.72, 0.24, RESULT_COLOURS[held[row, column]], "none")
            write(x + 0.5, y + 0.22, str(element.result[cycle]), 7.5, "white", fontweight="bold")
        # what is in front of the first column and the first row: their own registers, later
        for ahead in range(1, AHEAD + 1):
            then = cycle + ahead
            if then >= trace.cycles or not element.is_valid[then]:
                continue
            colour = TILE_COLOURS[element.tile(then)]
            if column == 0:
                box(-0.62 * ahead - 0.08, y + 0.28, 0.52, 0.44, colour, "none")
                write(-0.62 * ahead + 0.18, y + 0.5, str(element.a[then]), 8.5)
            if row == 0:
                box(x + 0.24, rows + 0.62 * ahead - 0.44, 0.52, 0.44, colour, "none")
                write(x + 0.5, rows + 0.62 * ahead - 0.22, str(element.b[then]), 8.5)
    for row in range(rows):
        write(-2.45, rows - row - 0.5, f"row {rows - 1 - row}", 7.5, QUIET)
    write(2.0, -0.35, "results leave, row 0 first, and are brought in line", 8.5, QUIET)
    legend = "a · b above, the sum with it below; at the foot a finished sum on its way out"
    write(2.0, -1.05, legend, 7.5, QUIET)

    write(6.95, 7.3, "A × B", 12, QUIET, fontweight="bold")
    for index in range(TILES * rows):
        y = 6.0 - 0.62 * index - (0.3 if index >= rows else 0.0)
        is_newest = index == len(left) - 1 and trace.outputs[cycle] is not None
        for column in range(columns):
            x = 5.15 + 0.92 * column
            tile = index // rows
            if index < len(left):
                colour = RESULT_COLOURS[tile] if is_newest else TILE_COLOURS[tile]
                box(x, y, 0.84, 0.52, colour, "none")
                assert left[index][column] == wanted[index, column]
                write(x + 0.42, y + 0.26, str(left[index][column]), 9,
                      "white" if is_newest else INK)  # fmt: skip
            else:
                box(x, y, 0.84, 0.52, EMPTY, "none")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--output", type=Path, default=Path("docs/array.gif"))
    arguments = parser.parse_args()
    design = parse_design(DESIGN)
    rows, columns = design.implementation.rows, design.implementation.columns
    rng = np.random.default_rng(4)
    a = rng.integers(-4, 10, (TILES, rows, BEATS))
    b = rng.integers(-4, 10, (TILES, BEATS, columns))
    with tempfile.TemporaryDirectory() as scratch:
        vcd = Path(scratch) / "array.vcd"
        found = simulate(design, a, b, vcd)
        trace = read_trace(vcd, design)
    wanted = np.concatenate(
        [
            fast.matmul(design.mac, left.astype(np.uint8), right.astype(np.uint8))
            for left, right in zip(a, b, strict=True)
        ]
    ).astype(np.int64)
    wanted -= (wanted >> 23) << 24
    assert found == wanted.tolist(), "the array and the golden model differ"

    held = results_on_their_way(trace, rows, columns)
    first = next(t for t in range(trace.cycles) if trace.elements[rows - 1, 0].is_valid[t]) - 3
    left: list[list[int]] = []
    frames = []
    for cycle in range(trace.cycles):
        output = trace.outputs[cycle]
        if output is not None:
            left.append(output)
        if cycle < first:
            continue
        figure = Figure(figsize=(7.56, 5.43), dpi=100)
        axes = figure.add_axes((0, 0, 1, 1))
        draw(axes, trace, cycle, held[cycle], wanted, left, first)
        picture = io.BytesIO()
        figure.savefig(picture, format="png")
        image = Image.open(picture).convert("RGB")
        frames.append(image.quantize(64, dither=Image.Dither.NONE))
    assert left == wanted.tolist()
    durations = [MILLISECONDS] * (len(frames) - 1) + [4 * MILLISECONDS]
    frames[0].save(
        arguments.output, save_all=True, append_images=frames[1:], duration=durations, loop=0,
        optimize=True,
    )  # fmt: skip
    size = arguments.output.stat().st_size
    print(f"{arguments.output}: {len(frames)} cycles, {size} bytes")


if __name__ == "__main__":
    main()
