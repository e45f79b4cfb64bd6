"""What floating-point arithmetic of the machine computes exactly, or rounds as a MAC does."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from fractions import Fraction

from macsmith.model.accumulators import IntAccumulator, IntOverflow, SimpleAccumulator
from macsmith.model.config import MacConfig
from macsmith.model.formats import FloatFormat, Format, IntFormat, PositFormat, Radix4Format
from macsmith.model.rounding import Rounding
from macsmith.model.widths import MacWidths, PartialSumWidths, TermBound

__all__ = [
    "BINARY32",
    "FLOAT32",
    "FLOAT64",
    "Addition",
    "Machine",
    "addition_of",
    "can_round",
    "chunk_bound",
    "fixed_is_exact",
    "is_binary32",
    "sees_zero_signs",
    "significand_bits",
    "split_exponent",
    "top_exponent",
    "wraps",
]


class Addition(Enum):
    """How the tiles add: mirrors `Add` of fast_additions.hpp."""

    PLAIN = 0
    ODD = 1
    SPLIT = 2
    CASCADE = 3
    NATIVE = 4


@dataclass(frozen=True)
class Machine:
    """A floating-point type: its precision P, exponents that keep clear of its limits, all bits."""

    precision: int
    least_exponent: int
    most_exponent: int
    word_bits: int


# Everything that the tiles form, the constant 1.5 * 2**(e + P - p) included, stays within these.
FLOAT32 = Machine(24, -120, 120, 32)
FLOAT64 = Machine(53, -1000, 1000, 64)


def significand_bits(fmt: Format) -> int:
    """Bits of the longest significand of a format's values."""
    if isinstance(fmt, FloatFormat | PositFormat):
        return fmt.precision
    return 1 if isinstance(fmt, Radix4Format) else fmt.max_integer.bit_length()


def top_exponent(bound: TermBound, count: int = 1) -> int:
    """The sum of `count` terms is below 2 to this, in magnitude."""
    return (count * bound.max_integer).bit_length() + bound.lsb_exponent


def can_round(
    fmt: FloatFormat, machine: Machine, has_special_terms: bool, random_bits: int = 0
) -> bool:
    """Whether the tiles can round to a format at all."""
    return (
        (fmt.fraction_bits >= 1 or (machine is FLOAT64 and not random_bits))
        and fmt.precision + random_bits + 2 <= machine.precision
        and (fmt.has_nan or not has_special_terms)
        and fmt.least_exponent - random_bits - 1 >= machine.least_exponent
        and fmt.max_exponent + 2 + machine.precision - fmt.precision <= machine.most_exponent
    )


def addition_of(
    config: MacConfig,
    fmt: FloatFormat | PositFormat,
    term: TermBound,
    term_bits: int,
    machine: Machine,
) -> Addition:
    """PLAIN unless a plain addition in the machine's type could be rounded twice with effect."""
    lsb = min(term.lsb_exponent, fmt.least_exponent)
    largest = fmt.max + config.lanes * term.max_integer * Fraction(2) ** term.lsb_exponent
    if largest / Fraction(2) ** lsb < 1 << machine.precision:
        return Addition.PLAIN  # every sum is exact
    if isinstance(fmt, PositFormat):
        return Addition.ODD
    is_nearest = config.accumulator_rounding in (Rounding.NEAREST_EVEN, Rounding.NEAREST_AWAY)
    is_innocuous = term_bits <= fmt.precision and 2 * fmt.precision + 2 <= machine.precision
    return Addition.PLAIN if is_nearest and is_innocuous else Addition.ODD


def split_exponent(term: TermBound, additions: int, machine: Machine) -> int | None:
    """The bit 2**h at which products are split, so that `additions` high parts and as many low
    parts have exact sums; None if there is none."""
    if machine is not FLOAT64:
        return None
    # low parts are multiples of 2**lsb of at most 2**(h - 1)
    headroom = additions.bit_length()
    h = term.lsb_exponent + machine.precision - headroom
    # high parts are multiples of 2**h of at most the largest term and half a unit
    units = (term.max_integer * Fraction(2) ** term.lsb_exponent) / Fraction(2) ** h + 1
    if additions * units >= 1 << (machine.precision - 2):
        return None
    return h if h + machine.precision <= machine.most_exponent else None


def fixed_is_exact(
    part: PartialSumWidths, term: TermBound, additions: int, per_step: int, machine: Machine
) -> bool:
    """Whether a fixed-point sum of `additions` terms never leaves the machine's exact integers."""
    if part.clips:
        largest = (1 << (part.integer_bits - 1)) + per_step * term.max_integer
    else:
        largest = additions * term.max_integer
    if part.clips and part.flag_bits:
        return False  # a clip would make infinity finite
    return largest < 1 << machine.precision


def wraps(accumulator: SimpleAccumulator) -> bool:
    """Whether a sum is taken modulo the accumulator's width."""
    return isinstance(accumulator, IntAccumulator) and accumulator.overflow is IntOverflow.WRAP


def chunk_bound(
    inner: PartialSumWidths, outer: PartialSumWidths, length: int, term: TermBound
) -> TermBound:
    """What one chunk adds to a fixed-point outer sum."""
    if inner.format is not None:
        unit = Fraction(2) ** outer.lsb_exponent
        return TermBound(outer.lsb_exponent, int(inner.format.max / unit), False, False)
    largest = 1 << (inner.integer_bits - 1)
    if not inner.clips:
        largest = min(largest, length * term.max_integer)
    return TermBound(inner.lsb_exponent, largest, False, False)


def sees_zero_signs(config: MacConfig, widths: MacWidths) -> bool:
    """Whether products whose zeros are all positive give other sums than if they had signs: where a
    partial sum of -0 can meet them."""
    fmt = widths.inner.format
    if not config.has_positive_zeros or fmt is None:
        return False
    if config.product is not None:
        return True
    is_exact_near_zero = (
        isinstance(fmt, FloatFormat)
        and fmt.has_subnormals
        and fmt.least_exponent <= widths.product.lsb_exponent
    )
    return config.rounding is Rounding.DOWN or not is_exact_near_zero


BINARY32 = FloatFormat(8, 23)


def is_binary32(fmt: Format) -> bool:
    """Whether binary32 has all values of a format."""
    return (
        isinstance(fmt, FloatFormat | IntFormat)
        and significand_bits(fmt) <= BINARY32.precision
        and fmt.least_exponent >= BINARY32.least_exponent
        and fmt.max <= BINARY32.max
    )
