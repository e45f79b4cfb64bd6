"""The values of a format as a drawing for a terminal, and as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

from macsmith.model.format_values import Binade, binades, count_values, value_text
from macsmith.model.formats import FloatFormat, Format, OrderedFormat, parse_format
from macsmith.model.ordered_rounding import magnitudes
from macsmith.model.rounding import floor_log2

__all__ = ["draw_values", "save_picture"]

_BARS = " ▁▂▃▄▅▆▇█"
#: More binades than this are drawn as runs of equal ones.
_MOST_ROWS = 18


def _bar(counts: list[int]) -> str:
    """Counts as block characters: nothing only for 0, full height for the most."""
    most = max([*counts, 1])
    return "".join(_BARS[0 if not count else max(1, round(count * 8 / most))] for count in counts)


def _short(value: Fraction) -> str:
    """A value in a few characters, rounded where it has to be."""
    text = value_text(value)
    if text.startswith("2^"):
        return text.split(" ")[0]
    return text.split("≈ ")[-1]


def _merge(runs: list[Binade]) -> list[tuple[str, str, str]]:
    """Rows of the table of binades: equal neighbours become one where there are many."""
    rows: list[tuple[str, str, str]] = []

    def add(first: Binade, last: Binade, number: int) -> None:
        kind = " subnormal" if first.is_subnormal else ""
        if number == 1:
            values = _short(first.first)
            if first.count > 1:
                values += f" .. {_short(first.last)}"
            rows.append((values, f"{first.count}{kind}", _short(first.spacing)))
            return
        rows.append(
            (
                f"{_short(last.first)} .. {_short(first.last)}",
                f"{first.count} in each of {number} binades",
                f"{_short(last.spacing)} .. {_short(first.spacing)}",
            )
        )

    if len(runs) <= _MOST_ROWS:
        for run in runs:
            add(run, run, 1)
        return rows
    start = 0
    for index in range(1, len(runs) + 1):
        ends = index == len(runs)
        if (
            ends
            or runs[index].count != runs[start].count
            or runs[index].is_subnormal != runs[start].is_subnormal
        ):
            add(runs[start], runs[index - 1], index - start)
            start = index
    return rows


def draw_values(fmt: Format | str, width: int = 80) -> str:
    """A drawing of a format's positive values for a terminal.

    First the density of values along a linear axis, then along a logarithmic one (the height of a
    column is the number of values in it), then a table of the binades: values, how many, spacing.

    Parameters
    ----------
    fmt
        A format, or what `parse_format` reads.
    width
        Columns of the terminal; at least 40.

    Returns
    -------
    str
        Lines without a final newline.

    Raises
    ------
    ValueError
        `width` is less than 40.
    """
    fmt = parse_format(fmt)
    if width < 40:
        raise ValueError(f"a drawing must be at least 40 columns wide, not {width}")
    runs = binades(fmt)
    axis = width - 8
    linear = [fmt.max * column / axis for column in range(axis + 1)]
    lines = [
        f"values from 0 to {value_text(fmt.max)}, density along a linear axis",
        "linear |" + _bar(count_values(fmt, linear)).ljust(axis),
    ]
    # a whole number of columns per power of two, or of powers of two per column
    low = floor_log2(fmt.smallest) - 1
    high = floor_log2(fmt.max) + 1
    per_power = max(axis // (high - low), 1)
    powers = -(-(high - low) // axis)
    edges = [Fraction(0)]
    for power in range(low, high, powers):
        base = Fraction(2) ** power
        top = Fraction(2) ** min(power + powers, high)
        edges += [base + (top - base) * part / per_power for part in range(1, per_power + 1)]
    scale = (
        f"{per_power} column{'s' * (per_power > 1)} for a power of two"
        if powers == 1
        else f"1 column for {powers} powers of two"
    )
    lines.append(f"the same along a logarithmic axis, 2^{low} to 2^{high}, {scale}")
    lines.append("log    |" + _bar(count_values(fmt, edges)))
    lines.append("")
    rows = [("values", "how many", "spacing"), *_merge(runs)]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for row in rows:
        cells = (text.ljust(size) for text, size in zip(row, widths, strict=True))
        lines.append("  ".join(cells).rstrip())
    return "\n".join(line.rstrip() for line in lines)


def save_picture(fmts: Sequence[Format | str], path: Path) -> None:
    """Draw positive values of formats, one row of ticks each, on a logarithmic axis, as a PNG.

    Only formats of at most 16 bits: of wider ones nothing could be told apart.

    Raises
    ------
    ValueError
        A format is wider, or there is none.
    """
    formats = [parse_format(fmt) for fmt in fmts]
    if not formats:
        raise ValueError("there must be at least one format to draw")
    for fmt in formats:
        if fmt.bits > 16:
            raise ValueError(f"{fmt.name}: a picture must be of at most 16 bits, not {fmt.bits}")
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 0.55 * len(formats) + 1.1), layout="constrained")
    axes = figure.add_subplot()
    for row, fmt in enumerate(formats):
        if isinstance(fmt, OrderedFormat):
            values = [float(each.value) for each in magnitudes(fmt) if each.value]
        else:
            last = fmt.max_magnitude_code if isinstance(fmt, FloatFormat) else fmt.max_code_integer
            values = [float(fmt.decode(code)) for code in range(1, last + 1)]  # type: ignore[arg-type]
        axes.vlines(values, row - 0.36, row + 0.36, color="#1f4e79", linewidth=0.7)
    axes.set_xscale("log", base=2)
    axes.set_yticks(range(len(formats)), [fmt.name for fmt in formats])
    axes.invert_yaxis()
    axes.set_xlabel("positive values, one tick each")
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    figure.savefig(path, dpi=144)
