"""Words of a design drawn field by field: its operands, what it keeps of a sum, its result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from macsmith.model.config import MacConfig
from macsmith.model.design import Design
from macsmith.model.formats import (
    DigitFormat,
    FloatFormat,
    Format,
    IntFormat,
    PositFormat,
    Radix4Format,
)
from macsmith.model.widths import PartialSumWidths, mac_widths, signed_bits

__all__ = ["FAMILIES", "Family", "Field", "Word", "design_words", "format_family", "format_fields"]

Kind = Literal["sign", "exponent", "fraction", "integer", "headroom", "flags", "regime", "digits"]
Family = Literal["integer", "float", "block", "posit", "digits", "mixed"]
FAMILIES: tuple[Family, ...] = get_args(Family)


@dataclass(frozen=True)
class Field:
    """Neighbouring bits of one meaning."""

    kind: Kind
    bits: int


@dataclass(frozen=True)
class Word:
    """A word of a design, its most significant field first.

    Attributes
    ----------
    role
        What it is: ``A``, ``B``, ``sum``, ``chunk sum``, ``result``, ``scale of A``, ...
    name
        Format or accumulator.
    """

    role: str
    name: str
    fields: tuple[Field, ...]

    @property
    def bits(self) -> int:
        """Width of the word."""
        return sum(field.bits for field in self.fields)


def _fields(*fields: tuple[Kind, int]) -> tuple[Field, ...]:
    return tuple(Field(kind, bits) for kind, bits in fields if bits > 0)


def format_fields(fmt: Format) -> tuple[Field, ...]:
    """Fields of a format's codes.

    Of a posit, whose fields move, those of 1.0: a regime of two bits and the longest fraction.
    """
    match fmt:
        case FloatFormat():
            return _fields(
                ("sign", int(fmt.is_signed)),
                ("exponent", fmt.exponent_bits),
                ("fraction", fmt.fraction_bits),
            )
        case IntFormat():
            fraction_bits = max(0, min(fmt.fraction_bits, fmt.bits - fmt.is_signed))
            return _fields(
                ("sign", int(fmt.is_signed)),
                ("integer", fmt.bits - fmt.is_signed - fraction_bits),
                ("fraction", fraction_bits),
            )
        case PositFormat():
            rest = fmt.bits - 3
            exponent_bits = min(fmt.exponent_bits, rest)
            return _fields(
                ("sign", 1),
                ("regime", fmt.bits - 1 - rest),
                ("exponent", exponent_bits),
                ("fraction", rest - exponent_bits),
            )
        case Radix4Format():
            return _fields(("sign", 1), ("exponent", fmt.exponent_bits))
        case DigitFormat():
            return _fields(("digits", fmt.bits))


def _sum_fields(widths: PartialSumWidths, largest_term: int) -> tuple[Field, ...]:
    """Fields of a partial sum; `largest_term` is a term's largest magnitude in its last bits."""
    if widths.code_format is not None:
        return format_fields(widths.code_format)
    headroom_bits = max(0, widths.integer_bits - signed_bits(largest_term))
    magnitude_bits = widths.integer_bits - 1 - headroom_bits
    fraction_bits = min(max(0, -widths.lsb_exponent), magnitude_bits)
    return _fields(
        ("flags", widths.flag_bits),
        ("sign", 1),
        ("headroom", headroom_bits),
        ("integer", magnitude_bits - fraction_bits),
        ("fraction", fraction_bits),
    )


def _mode_words(mac: MacConfig) -> list[Word]:
    widths = mac_widths(mac)
    words = [Word("A", mac.a.name, format_fields(mac.a))]
    if mac.a_scale is not None:
        words.append(Word("scale of A", mac.a_scale.name, format_fields(mac.a_scale)))
    words.append(Word("B", mac.b.name, format_fields(mac.b)))
    if mac.b_scale is not None:
        words.append(Word("scale of B", mac.b_scale.name, format_fields(mac.b_scale)))
    outer = widths.outer
    inner = _sum_fields(widths.inner, widths.term.max_integer)
    is_fixed = widths.inner.code_format is None
    name = "fixed point" if is_fixed else str(getattr(widths.inner.code_format, "name", ""))
    words.append(Word("sum" if outer is None else "chunk sum", name, inner))
    if outer is not None:
        if outer.code_format is None:
            # its terms are sums of chunks: no headroom is told apart
            words.append(
                Word("sum", "fixed point", _sum_fields(outer, (1 << (outer.integer_bits - 1)) - 1))
            )
        else:
            words.append(Word("sum", outer.code_format.name, format_fields(outer.code_format)))
    if mac.output_format is not None:
        words.append(Word("result", mac.output_format.name, format_fields(mac.output_format)))
    return words


def design_words(design: Design) -> list[Word]:
    """All words of a design, operands first; of a switchable one those of every mode."""
    modes = design.modes
    if len(modes) == 1:
        return _mode_words(modes[0])
    return [
        Word(f"mode {index}: {word.role}", word.name, word.fields)
        for index, mac in enumerate(modes)
        for word in _mode_words(mac)
    ]


def _family(fmt: Format, *, is_block: bool) -> Family:
    if is_block:
        return "block"
    match fmt:
        case FloatFormat():
            return "float"
        case IntFormat():
            return "integer"
        case PositFormat():
            return "posit"
        case Radix4Format() | DigitFormat():
            return "digits"


def format_family(design: Design) -> Family:
    """What kind of operands a design takes; ``mixed`` where they are of several kinds."""
    kinds = {
        _family(fmt, is_block=mac.block is not None)
        for mac in design.modes
        for fmt in (mac.a, mac.b)
    }
    return kinds.pop() if len(kinds) == 1 else "mixed"
