"""What a partial sum is held in, and how it is named in design text."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from macsmith.model.formats import FloatFormat, PositFormat, parse_format

__all__ = [
    "Accumulator",
    "AlignedAccumulator",
    "ChunkedAccumulator",
    "ExactAccumulator",
    "FloatAccumulator",
    "IntAccumulator",
    "IntOverflow",
    "PositAccumulator",
    "SimpleAccumulator",
    "accumulator_parts",
    "dump_accumulator",
    "format_accumulator",
    "int_overflow_of",
    "parse_accumulator",
]

MAX_INT_ACCUMULATOR_BITS = 1024
#: Most fraction bits that terms can be aligned to: sums of 65 such terms fit in 128 bits.
MAX_ALIGNED_FRACTION_BITS = 64


class IntOverflow(Enum):
    """What an integer accumulator does with a sum that it cannot hold."""

    FORBID = "forbid"  # it must be wide enough for the terms asked, or the configuration fails
    WRAP = "wrap"  # two's complement, modulo 2**bits
    CLIP = "clip"  # saturates at the largest and least sum after every step


@dataclass(frozen=True)
class ExactAccumulator:
    """Fixed-point register in which no product is ever rounded; its width is derived."""


@dataclass(frozen=True)
class IntAccumulator:
    """Two's-complement register of `bits`, in units of the last bit of an exact product."""

    bits: int
    overflow: IntOverflow = IntOverflow.FORBID


@dataclass(frozen=True)
class FloatAccumulator:
    """Partial sum in a float format, rounded once after each step's addition."""

    format: FloatFormat


@dataclass(frozen=True)
class PositAccumulator:
    """Partial sum in a posit format, rounded once after each step's addition."""

    format: PositFormat


@dataclass(frozen=True)
class AlignedAccumulator:
    """Partial sum in a float format; the terms of a step are aligned to their largest exponent.

    Parameters
    ----------
    format
        Of the partial sum.
    fraction_bits
        Bits that each term keeps below the largest exponent of the step.
    kept_bits
        Fraction bits that a sum keeps when it is rounded, at most those of the format.
    min_exponent
        Exponent below which terms are never aligned; None: no bound.
    is_late
        The partial sum is not aligned: the products' sum is rounded, then added by a float
        addition (to nearest, ties to even).
    rounds_terms
        Terms are rounded to nearest, ties to even; otherwise they are truncated toward zero.
    """

    format: FloatFormat
    fraction_bits: int
    kept_bits: int
    min_exponent: int | None = None
    is_late: bool = False
    rounds_terms: bool = False


SimpleAccumulator = (
    ExactAccumulator | IntAccumulator | FloatAccumulator | PositAccumulator | AlignedAccumulator
)


@dataclass(frozen=True)
class ChunkedAccumulator:
    """`length` products are summed in `inner`; that sum is converted to and added in `outer`."""

    inner: SimpleAccumulator
    length: int
    outer: SimpleAccumulator


Accumulator = SimpleAccumulator | ChunkedAccumulator

_INT = re.compile(r"int(\d+)")
_ALIGNED = re.compile(
    r"(?P<format>\w+)_aligned(?P<fraction>\d+)(_keep(?P<keep>\d+))?(_emin(?P<emin>\d+))?"
    r"(?P<late>_late)?(?P<rne>_rne)?"
)


def _parse_aligned(text: str) -> AlignedAccumulator:
    match = _ALIGNED.fullmatch(text)
    if match is None:
        raise ValueError(
            f"accumulator {text!r}: must be FORMAT_alignedBITS[_keepBITS][_eminEXPONENT][_late]"
            "[_rne], such as fp32_aligned25 or fp32_aligned13_keep13_emin132"
        )
    fmt = parse_format(match["format"])
    if not isinstance(fmt, FloatFormat):
        raise ValueError(f"accumulator {text!r}: must have a float format, not {fmt.name}")
    fraction_bits = int(match["fraction"])
    if not 1 <= fraction_bits <= MAX_ALIGNED_FRACTION_BITS:
        raise ValueError(
            f"accumulator {text!r}: terms must be aligned to 1 to {MAX_ALIGNED_FRACTION_BITS} "
            f"fraction bits, not {fraction_bits}"
        )
    kept_bits = fmt.fraction_bits if match["keep"] is None else int(match["keep"])
    if match["keep"] is not None:
        if not fmt.fraction_bits:
            raise ValueError(
                f"accumulator {text!r}: keep must be left out, {fmt.name} has no fraction bits"
            )
        if not 1 <= kept_bits <= fmt.fraction_bits:
            raise ValueError(
                f"accumulator {text!r}: keep must be 1 to the {fmt.fraction_bits} fraction bits "
                f"of {fmt.name}, not {kept_bits}"
            )
        if kept_bits < fmt.fraction_bits and not fmt.has_subnormals:
            raise ValueError(
                f"accumulator {text!r}: keep must be left out, {fmt.name} has no subnormals"
            )
    return AlignedAccumulator(
        fmt,
        fraction_bits,
        kept_bits,
        None if match["emin"] is None else -int(match["emin"]),
        match["late"] is not None,
        match["rne"] is not None,
    )


def _parse_simple(text: str, int_overflow: IntOverflow) -> SimpleAccumulator:
    if text == "exact":
        return ExactAccumulator()
    if match := _INT.fullmatch(text):
        bits = int(match[1])
        if not 2 <= bits <= MAX_INT_ACCUMULATOR_BITS:
            raise ValueError(
                f"accumulator {text}: width must be 2 to {MAX_INT_ACCUMULATOR_BITS} bits, "
                f"not {bits}"
            )
        return IntAccumulator(bits, int_overflow)
    if "_aligned" in text:
        return _parse_aligned(text)
    try:
        fmt = parse_format(text)
    except ValueError as error:
        raise ValueError(
            f"accumulator {text!r}: must be exact, intN, a float format, FORMAT_alignedBITS, or "
            f"INNER/LENGTH[/OUTER]: {error}"
        ) from None
    if isinstance(fmt, PositFormat):
        return PositAccumulator(fmt)
    if not isinstance(fmt, FloatFormat):
        raise ValueError(f"accumulator {text!r}: must be exact, intN, a float or a posit format")
    return FloatAccumulator(fmt)


def parse_accumulator(value: Any, int_overflow: IntOverflow = IntOverflow.FORBID) -> Accumulator:
    """The accumulator a text such as ``e6m9/64`` or ``int24:wrap`` stands for.

    Parameters
    ----------
    value
        The text, or an accumulator, which is returned as it is.
    int_overflow
        Overflow of an ``intN`` part, unless the text states it.

    Raises
    ------
    ValueError
        What is wrong and what it must be.
    """
    if isinstance(value, SimpleAccumulator | ChunkedAccumulator):
        return value
    if not isinstance(value, str):
        raise ValueError(f"accumulator must be a text such as 'e6m9/64', not {value!r}")
    text, _, stated = value.strip().lower().partition(":")
    if stated:
        if stated not in {mode.value for mode in IntOverflow}:
            raise ValueError(
                f"accumulator {value!r}: overflow must be wrap or clip, not {stated!r}"
            )
        int_overflow = IntOverflow(stated)
    parts = text.split("/")
    result: Accumulator
    if len(parts) == 1:
        result = _parse_simple(parts[0], int_overflow)
        has_int = isinstance(result, IntAccumulator)
    elif len(parts) in (2, 3):
        inner = _parse_simple(parts[0], int_overflow)
        outer = inner
        if isinstance(inner, AlignedAccumulator):
            outer = FloatAccumulator(inner.format)
        if len(parts) == 3:
            outer = _parse_simple(parts[2], int_overflow)
        if isinstance(outer, AlignedAccumulator):
            raise ValueError(
                f"accumulator {text!r}: the outer one must be exact, intN or a float format: one "
                "chunk at a time has nothing to be aligned with"
            )
        if not re.fullmatch(r"-?\d+", parts[1]):
            raise ValueError(
                f"accumulator {text!r}: chunk must be a whole number, not {parts[1]!r}"
            )
        length = int(parts[1])
        if length < 1:
            raise ValueError(f"{parts[0]}: chunk must be at least 1 product, not {length}")
        if length > 1 << 20:
            raise ValueError(f"{parts[0]}: chunk must be at most {1 << 20} products, not {length}")
        result = ChunkedAccumulator(inner, length, outer)
        has_int = isinstance(inner, IntAccumulator) or isinstance(outer, IntAccumulator)
    else:
        raise ValueError(f"accumulator {text!r}: must be INNER/LENGTH or INNER/LENGTH/OUTER")
    if int_overflow is not IntOverflow.FORBID and not has_int:
        raise ValueError(f"accumulator {text!r}: {int_overflow.value} is for an intN accumulator")
    return result


def _format_simple(accumulator: SimpleAccumulator) -> str:
    match accumulator:
        case ExactAccumulator():
            return "exact"
        case IntAccumulator(bits=bits):
            return f"int{bits}"
        case FloatAccumulator(format=fmt):
            return fmt.name
        case PositAccumulator(format=posit):
            return posit.name
        case AlignedAccumulator(format=fmt):
            return _format_aligned(accumulator)


def _format_aligned(accumulator: AlignedAccumulator) -> str:
    fmt = accumulator.format
    text = f"{fmt.name}_aligned{accumulator.fraction_bits}"
    if accumulator.kept_bits != fmt.fraction_bits:
        text += f"_keep{accumulator.kept_bits}"
    if accumulator.min_exponent is not None:
        text += f"_emin{-accumulator.min_exponent}"
    return text + "_late" * accumulator.is_late + "_rne" * accumulator.rounds_terms


def format_accumulator(accumulator: Accumulator) -> str:
    """Canonical text, without the overflow of an ``intN`` (an option of its own)."""
    if not isinstance(accumulator, ChunkedAccumulator):
        return _format_simple(accumulator)
    inner = _format_simple(accumulator.inner)
    text = f"{inner}/{accumulator.length}"
    if replace(accumulator, outer=accumulator.inner) != accumulator:
        text += f"/{_format_simple(accumulator.outer)}"
    return text


def accumulator_parts(accumulator: Accumulator) -> tuple[SimpleAccumulator, ...]:
    """The accumulator itself, or inner and outer of a chunked one."""
    if isinstance(accumulator, ChunkedAccumulator):
        return accumulator.inner, accumulator.outer
    return (accumulator,)


def int_overflow_of(accumulator: Accumulator) -> IntOverflow:
    """Overflow of the ``intN`` part, FORBID where there is none."""
    for part in accumulator_parts(accumulator):
        if isinstance(part, IntAccumulator):
            return part.overflow
    return IntOverflow.FORBID


def dump_accumulator(accumulator: Accumulator) -> str:
    """Text with the overflow of an ``intN``, which `parse_accumulator` reads back."""
    overflow = int_overflow_of(accumulator)
    text = format_accumulator(accumulator)
    return text if overflow is IntOverflow.FORBID else f"{text}:{overflow.value}"
