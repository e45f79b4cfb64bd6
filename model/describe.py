"""What a format is, for people: a table of its properties and a drawing of its values."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import groupby, pairwise
from pathlib import Path

from macsmith.model.block_formats import (
    NAMED_BLOCK_FORMATS,
    BlockFormat,
    parse_block_format,
)
from macsmith.model.blocks import DEFAULT_POLICY, resolve_rule
from macsmith.model.formats import (
    NAMED_FORMATS,
    DigitFormat,
    FloatFormat,
    FloatSpecials,
    Format,
    IntFormat,
    NamedFormat,
    OrderedFormat,
    PositFormat,
    Radix4Format,
    parse_format,
)
from macsmith.model.ordered_rounding import magnitudes
from macsmith.model.rounding import Overflow, Rounding, default_overflow, encode, floor_log2

__all__ = [
    "Binade",
    "binades",
    "block_format_facts",
    "block_format_table",
    "count_values",
    "draw_values",
    "format_table",
    "named_format_table",
    "quire_bits",
    "save_picture",
    "value_text",
]

_BARS = " ▁▂▃▄▅▆▇█"
#: More binades than this are drawn as runs of equal ones.
_MOST_ROWS = 18


def value_text(value: Fraction) -> str:
    """An exact value as short text: a decimal where that is short, else ``odd * 2^exponent``."""
    if value.denominator == 1 and abs(value.numerator) < 10**7:
        return str(value.numerator)
    exponent = 1 - value.denominator.bit_length()
    odd = value.numerator
    if exponent == 0:  # a large integer
        exponent = (odd & -odd).bit_length() - 1
        odd >>= exponent
    decimal = f"{float(value):.10g}"
    is_exact = Fraction(decimal) == value
    if not is_exact:
        decimal = f"{float(value):.6g}"
    if odd in (1, -1):
        power = f"{'-' if odd < 0 else ''}2^{exponent}"
        return f"{power} {'=' if is_exact else '≈'} {decimal}"
    return decimal if is_exact else f"{odd} * 2^{exponent} ≈ {decimal}"


def _named(fmt: Format) -> NamedFormat | None:
    return next((n for n in NAMED_FORMATS if n.canonical == fmt.name), None)


_SPECIALS_TEXT = {
    FloatSpecials.IEEE: "infinity and NaN in the largest exponent field, as IEEE 754",
    FloatSpecials.FN: "no infinity; NaN only with exponent and fraction all ones",
    FloatSpecials.FNUZ: "no infinity, no negative zero; its code is the only NaN",
    FloatSpecials.IN: "all ones is NaN, the code below it infinity",
    FloatSpecials.INUZ: "all ones is infinity; no negative zero, whose code is the only NaN",
    FloatSpecials.FINITE: "none: every code is a number",
}
_OVERFLOW_TEXT = {
    Overflow.SATURATE: "the largest number (sat)",
    Overflow.INFINITY: "infinity (inf)",
    Overflow.NAN: "NaN (nan)",
    Overflow.PROPAGATE: "the largest number, of an infinity infinity (prop)",
}


def _float_rows(fmt: FloatFormat) -> list[tuple[str, str]]:
    signs = 1 + fmt.is_signed
    finite = signs * (fmt.max_magnitude_code + 1)
    infinities = signs * fmt.has_infinity
    specials = _SPECIALS_TEXT[fmt.specials]
    if fmt.specials is FloatSpecials.IEEE and not fmt.has_infinity:
        specials = "no infinity; NaN is the largest exponent field"
    # both zeros are one number, or the second zero code is NaN
    numbers = finite - fmt.is_signed
    codes = finite if fmt.has_negative_zero else numbers
    fields = f"{fmt.exponent_bits} exponent, {fmt.fraction_bits} fraction"
    return [
        ("bits", f"{fmt.bits}: {'1 sign' if fmt.is_signed else 'no sign'}, {fields}"),
        ("bias", str(fmt.bias)),
        ("precision", f"{fmt.precision} bits, hidden bit included"),
        ("specials", specials),
        (
            "subnormals",
            "yes"
            if fmt.has_subnormals
            else "no: exponent field 0 is a binade too"
            if fmt.has_zero
            else "no, and no zero: exponent field 0 is a binade too",
        ),
        ("largest", value_text(fmt.max)),
        ("smallest normal", value_text(fmt.smallest_normal)),
        ("smallest", value_text(fmt.smallest)),
        ("binades", str(len(binades(fmt)))),
        (
            "codes",
            f"{1 << fmt.bits}: {numbers} numbers"
            + (" and a second zero" if fmt.has_negative_zero else "")
            + (f", {infinities} infinities" if infinities else "")
            + (f", {(1 << fmt.bits) - codes - infinities} NaN" if fmt.has_nan else ""),
        ),
        ("overflow becomes", _OVERFLOW_TEXT[default_overflow(fmt)] + " unless stated"),
    ]


def _int_rows(fmt: IntFormat) -> list[tuple[str, str]]:
    kind = "two's complement" if fmt.is_signed else "unsigned"
    if fmt.is_symmetric:
        kind += ", symmetric: rounding never gives the most negative code"
    return [
        ("bits", f"{fmt.bits}: {kind}"),
        ("fraction", f"{fmt.fraction_bits} bits right of the binary point"),
        ("largest", value_text(fmt.max)),
        ("least", value_text(fmt.min)),
        ("step", value_text(fmt.smallest)),
        ("codes", f"{1 << fmt.bits}: all numbers"),
        (
            "overflow becomes",
            "what its low bits stand for (wrapped)"
            if fmt.wraps
            else "the nearest number (clipped)",
        ),
    ]


def quire_bits(fmt: PositFormat) -> int:
    """Width of a quire with 31 carry bits, as the Posit Standard (2022) has it: 16 N for E = 2."""
    # | sign | 31 carry bits | every product of two posits |
    return 32 + 4 * fmt.max_exponent


def _posit_rows(fmt: PositFormat) -> list[tuple[str, str]]:
    return [
        (
            "bits",
            f"{fmt.bits}: 1 sign, 2 or more regime, up to {fmt.exponent_bits} exponent, up to "
            f"{fmt.fraction_bits} fraction",
        ),
        ("precision", f"up to {fmt.precision} bits, hidden bit included"),
        ("specials", "NaR, for NaN and infinity"),
        ("largest", value_text(fmt.max)),
        ("smallest", value_text(fmt.smallest)),
        ("codes", f"{1 << fmt.bits}: {(1 << fmt.bits) - 1} numbers, NaR"),
        ("quire", f"{quire_bits(fmt)} bits with 31 for carries, unit 2^{2 * fmt.least_exponent}"),
        ("underflow becomes", "the smallest number, never zero"),
        ("overflow becomes", "the largest number (sat)"),
    ]


def _radix4_rows(fmt: Radix4Format) -> list[tuple[str, str]]:
    return [
        ("bits", f"{fmt.bits}: 1 sign, {fmt.exponent_bits} exponent of base 4"),
        ("bias", str(fmt.bias)),
        ("phase", "odd: 2 * 4^n" if fmt.is_odd else "even: 4^n"),
        ("largest", value_text(fmt.max)),
        ("smallest", value_text(fmt.smallest)),
        ("codes", f"{1 << fmt.bits}: {(1 << fmt.bits) - 1} numbers and a second zero"),
        ("overflow becomes", "the largest number (sat)"),
    ]


def _digit_rows(fmt: DigitFormat) -> list[tuple[str, str]]:
    values = "-1, 0 and +1" if fmt.has_zero else "-1 and +1"
    rounding = "1/2 becomes 0" if fmt.has_zero else "halfway values go up: 0 becomes +1"
    count = "3 numbers and a second zero" if fmt.has_zero else "all numbers"
    return [
        ("bits", f"{fmt.bits}: {fmt.digits} digit{'s' * (fmt.digits > 1)} of {values}"),
        ("largest", value_text(fmt.max)),
        ("least", value_text(fmt.min)),
        ("codes", f"{1 << fmt.bits}: {count}"),
        ("rounding", rounding),
        ("overflow becomes", "the nearest number (sat)"),
    ]


def _rows(fmt: Format) -> list[tuple[str, str]]:
    match fmt:
        case FloatFormat():
            return _float_rows(fmt)
        case IntFormat():
            return _int_rows(fmt)
        case PositFormat():
            return _posit_rows(fmt)
        case Radix4Format():
            return _radix4_rows(fmt)
        case DigitFormat():
            return _digit_rows(fmt)


def format_table(fmt: Format | str) -> list[tuple[str, str]]:
    """Properties of a format as rows of name and text.

    Parameters
    ----------
    fmt
        A format, or what `parse_format` reads.

    Returns
    -------
    list of (str, str)
        Name first; title, other names and source where it is a named one.
    """
    fmt = parse_format(fmt)
    rows = [("name", fmt.name)]
    named = _named(fmt)
    if named is not None:
        rows.append(("title", named.title))
        rows.append(("other names", ", ".join(named.aliases)))
        rows.append(("source", named.source))
    rows += _rows(fmt)
    product_bits = 2 * fmt.max_integer.bit_length()
    rows.append(
        (
            "exact product",
            f"at most {product_bits} bits of fixed point, unit 2^{2 * fmt.least_exponent}",
        )
    )
    return rows


def named_format_table() -> list[dict[str, str]]:
    """One row for each named format: name, title, bits, largest, smallest, other names, source."""
    rows = []
    for named in NAMED_FORMATS:
        fmt = parse_format(named.canonical)
        rows.append(
            {
                "name": fmt.name,
                "title": named.title,
                "bits": str(fmt.bits),
                "largest": value_text(fmt.max),
                "smallest": value_text(fmt.smallest),
                "other names": ", ".join(named.aliases),
                "source": named.source,
            }
        )
    return rows


def block_format_table() -> list[dict[str, str]]:
    """One row for each named block format: its facts, title, other names and source."""
    rows = []
    for named in NAMED_BLOCK_FORMATS:
        rows.append(
            dict(block_format_facts(parse_block_format(named.text)))
            | {
                "title": named.title,
                "other names": ", ".join(named.aliases),
                "source": named.source,
            }
        )
    return rows


def block_format_facts(fmt: BlockFormat) -> list[tuple[str, str]]:
    """What a block format is made of, as named texts."""
    return [
        ("name", fmt.name),
        ("grammar", fmt.text),
        ("element", fmt.element.name),
        ("scale", fmt.scale_name),
        ("block", str(fmt.length)),
        ("tensor scale", fmt.tensor_scale.name if fmt.tensor_scale else "none"),
        ("bits per element", str(float(fmt.bits_per_element))),
        ("largest element", value_text(fmt.element.max)),
        ("largest scale", value_text(fmt.scale.max)),
        ("smallest scale", value_text(fmt.scale.smallest)),
        ("scale rule", resolve_rule(fmt, DEFAULT_POLICY).value),
    ]


@dataclass(frozen=True)
class Binade:
    """Positive values of one spacing: from `first` to `last`, `count` of them."""

    first: Fraction
    last: Fraction
    count: int
    spacing: Fraction
    is_subnormal: bool


def binades(fmt: Format) -> list[Binade]:
    """The positive values of a format as runs of equal spacing, largest first.

    An integer format is one run. Where the values of a posit's or another listed format's power of
    two are alone, the spacing is that to the next one.
    """
    if isinstance(fmt, OrderedFormat):
        return _listed_runs(fmt)
    if isinstance(fmt, IntFormat):
        count = fmt.max_code_integer
        return [Binade(fmt.smallest, fmt.max, count, fmt.smallest, False)]
    runs = []
    for field in range((fmt.max_magnitude_code >> fmt.fraction_bits) + 1):
        low = max(field << fmt.fraction_bits, int(fmt.has_zero))
        high = min(((field + 1) << fmt.fraction_bits) - 1, fmt.max_magnitude_code)
        if low > high:
            continue  # field 0 of a format without fraction bits holds nothing but zero
        exponent = max(field - fmt.has_subnormals, 0) + fmt.least_exponent
        runs.append(
            Binade(
                fmt.magnitude_value(low),
                fmt.magnitude_value(high),
                high - low + 1,
                Fraction(2) ** exponent,
                field == 0 and fmt.has_subnormals,
            )
        )
    return runs[::-1]


def _listed_runs(fmt: OrderedFormat) -> list[Binade]:
    values = [each.value for each in magnitudes(fmt) if each.value]
    if isinstance(fmt, DigitFormat):
        spacing = Fraction(1 if fmt.has_zero else 2)
        return [Binade(values[0], values[-1], len(values), spacing, False)]
    runs = []
    for _, group in groupby(range(len(values)), key=lambda index: floor_log2(values[index])):
        indices = list(group)
        first, last = indices[0], indices[-1]
        low = max(min(first, len(values) - 2), 0)
        spacing = values[low + 1] - values[low] if len(values) > 1 else values[0]
        runs.append(Binade(values[first], values[last], len(indices), spacing, False))
    return runs[::-1]


def count_values(fmt: Format, edges: list[Fraction]) -> list[int]:
    """How many positive values lie in each interval ``(edges[i], edges[i + 1]]``.

    `edges` ascend from 0 or more. Works by codes, which are in the order of their values, so
    that the widest formats take no longer.
    """
    if isinstance(fmt, OrderedFormat):
        values = [each.value for each in magnitudes(fmt) if each.value]
        listed = [bisect_right(values, edge) for edge in edges]
        return [high - low for low, high in pairwise(listed)]
    ranks = [
        encode(fmt, edge, Rounding.TOWARD_ZERO, Overflow.SATURATE)
        if fmt.min <= edge
        else -1  # below a format without zero
        for edge in edges
    ]
    return [high - low for low, high in pairwise(ranks)]


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
    low = _floor_log2(fmt.smallest) - 1
    high = _floor_log2(fmt.max) + 1
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


def _floor_log2(value: Fraction) -> int:
    exponent = value.numerator.bit_length() - value.denominator.bit_length()
    return exponent - (Fraction(2) ** exponent > value)


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
