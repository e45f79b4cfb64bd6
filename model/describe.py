"""What a format is, for people: tables of its properties, and of all named formats.

Its values are counted in `macsmith.model.format_values` and drawn in
`macsmith.model.format_drawing`; their functions can be had from here too.
"""

from __future__ import annotations

from macsmith.model.block_formats import (
    NAMED_BLOCK_FORMATS,
    BlockFormat,
    parse_block_format,
)
from macsmith.model.blocks import DEFAULT_POLICY, resolve_rule
from macsmith.model.format_drawing import draw_values, save_picture
from macsmith.model.format_values import Binade, binades, count_values, value_text
from macsmith.model.formats import (
    NAMED_FORMATS,
    DigitFormat,
    FloatFormat,
    FloatSpecials,
    Format,
    IntFormat,
    NamedFormat,
    PositFormat,
    Radix4Format,
    parse_format,
)
from macsmith.model.rounding import Overflow, default_overflow

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
