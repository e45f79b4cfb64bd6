"""How rounding after every addition loses a long sum, and what chunks do about it.

Sums of numbers drawn from a uniform distribution of mean 1 and standard deviation 1, in a 1-6-9
accumulator, as a fraction of the true sum: the experiment of Wang et al., "Training Deep Neural
Networks with 8-bit Floating Point Numbers", NeurIPS 2018, with the project's own arithmetic.

    python benchmarks/swamping.py [FILE.png]

prints the table and, given a file, draws it.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
from macsmith.model import fast
from macsmith.model.design import parse_design

LENGTHS = tuple(1024 << step for step in range(7))
CHUNKS = (8, 16, 32, 64, 128, 256)
#: Name of a column and the design that computes it: a number times one is that number.
DESIGNS = {
    "RNE": "e6m9xe2m1:e6m9",
    "ties away": "e6m9xe2m1:e6m9:rna",
    "toward zero": "e6m9xe2m1:e6m9:rtz",
    "SR 16 bits": "e6m9xe2m1:e6m9:srb16",
    "SR 8 bits": "e6m9xe2m1:e6m9:sr8",
    "SR 4 bits": "e6m9xe2m1:e6m9:sr4",
    **{f"chunk {length}": f"e6m9xe2m1:e6m9/{length}" for length in CHUNKS},
}
VECTORS = 16


def draw_codes(seed: int = 0) -> npt.NDArray[np.uint16]:
    """Vectors of the longest length: uniform in 1 - sqrt(3) .. 1 + sqrt(3), rounded to 1-6-9."""
    half_width = 3**0.5
    generator = np.random.default_rng(seed)
    values = generator.uniform(1 - half_width, 1 + half_width, (VECTORS, LENGTHS[-1]))
    return fast.encode("e6m9", values)


def sums(text: str, codes: npt.NDArray[np.uint16]) -> npt.NDArray[np.float64]:
    """Sum of each row in a design's accumulator."""
    config = parse_design(text).mac
    ones = fast.encode(config.b, np.ones((codes.shape[1], 1)))
    assert config.output_format is not None
    return fast.decode(config.output_format, fast.matmul(config, codes, ones))[:, 0]


def ratios(text: str, codes: npt.NDArray[np.uint16]) -> list[float]:
    """Sum as a fraction of the true sum, mean over the rows, for each of `LENGTHS`."""
    result = []
    for length in LENGTHS:
        part = codes[:, :length]
        true = fast.decode("e6m9", part).sum(axis=1)
        result.append(float(np.mean(sums(text, part) / true)))
    return result


def draw(table: dict[str, list[float]], path: Path) -> None:
    """The table as curves over the length of the sum."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.5, 4.4), layout="constrained")
    axes = figure.add_subplot()
    shades = {
        "RNE": "#b3261e",
        "ties away": "#e07b39",
        "toward zero": "#8c8c8c",
        "SR 16 bits": "#2e7d32",
        "SR 8 bits": "#66a868",
        "SR 4 bits": "#a9cfa9",
        "chunk 8": "#9ec5e8",
        "chunk 16": "#4f8fc4",
        "chunk 64": "#123a5e",
    }
    # nearest even and away lie on each other: one is drawn wide, the other thin on top
    for name, shade in shades.items():
        width = 4.5 if name == "RNE" else 1.8
        axes.plot(LENGTHS, table[name], marker="o", markersize=4, linewidth=width, color=shade,
                  alpha=0.55 if name == "RNE" else 1, label=name)  # fmt: skip
    axes.set_xscale("log", base=2)
    axes.set_xticks(LENGTHS, [str(length) for length in LENGTHS])
    axes.set_ylim(0, 1.08)
    axes.axhline(1, color="#cccccc", linewidth=0.8, zorder=0)
    axes.set_xlabel("numbers summed")
    axes.set_ylabel("sum / true sum")
    axes.set_title("A 1-6-9 accumulator, rounded after every addition", fontsize=11, loc="left")
    axes.legend(frameon=False, fontsize=9)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=144)


def main(arguments: list[str]) -> None:
    """Print the table; draw it where a file is named."""
    codes = draw_codes()
    table = {name: ratios(text, codes) for name, text in DESIGNS.items()}
    print("terms  " + "  ".join(f"{name:>11}" for name in table))
    for row, length in enumerate(LENGTHS):
        print(f"{length:>5}  " + "  ".join(f"{column[row]:11.4f}" for column in table.values()))
    if arguments:
        draw(table, Path(arguments[0]))


if __name__ == "__main__":
    main(sys.argv[1:])
