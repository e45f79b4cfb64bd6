"""Widths derived from a `MacConfig`: how wide products, partial sums and results are.

Golden model and hardware read the same derivations from here; the arithmetic is their own.
A partial sum is one word, most significant bit first::

    simple, float        | code |
    simple, fixed point  | flags (0, 1 or 2 bits) | two's-complement integer |
    chunked              | outer partial sum | inner partial sum |
    blocks, one a step   | outer partial sum |

A fixed-point partial sum stands for ``integer * 2**lsb_exponent``. Its flags are sticky: with
infinities there are two, ``| a negative infinity was added | a positive one was |`` and both set
mean NaN; with NaN only there is one. A special product adds 0 to the integer.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import TYPE_CHECKING

from macsmith.model.accumulators import (
    AlignedAccumulator,
    ChunkedAccumulator,
    ExactAccumulator,
    FloatAccumulator,
    IntAccumulator,
    IntOverflow,
    PositAccumulator,
    SimpleAccumulator,
    format_accumulator,
)
from macsmith.model.formats import FloatFormat, PositFormat
from macsmith.model.rounding import Overflow, Rounding, encode

if TYPE_CHECKING:
    from macsmith.model.config import MacConfig

__all__ = ["DEFAULT_TERMS", "MacWidths", "PartialSumWidths", "TermBound", "mac_widths"]

#: Products per result that an exact accumulator is built for when the design does not say.
DEFAULT_TERMS = 2048


@dataclass(frozen=True)
class TermBound:
    """What can be added to a partial sum in one addition.

    All finite terms are multiples of ``2**lsb_exponent`` of magnitude at most
    ``max_integer * 2**lsb_exponent``; NaN and infinity occur only where flagged.
    """

    lsb_exponent: int
    max_integer: int
    has_nan: bool
    has_infinity: bool

    @property
    def flag_bits(self) -> int:
        """Sticky flag bits that a fixed-point sum of such terms needs."""
        return 2 if self.has_infinity else int(self.has_nan)


@dataclass(frozen=True)
class PartialSumWidths:
    """Layout of one simple accumulator's partial sum.

    `format` is its float format; a fixed-point one has `format` None, `integer_bits` of two's
    complement in units of ``2**lsb_exponent`` and `flag_bits` above them. Of a posit both are
    None and 0, and `posit` is its format.
    """

    accumulator: SimpleAccumulator
    format: FloatFormat | None
    lsb_exponent: int
    integer_bits: int
    flag_bits: int
    max_terms: int | None
    posit: PositFormat | None = None

    @property
    def code_format(self) -> FloatFormat | PositFormat | None:
        """The format of which the partial sum is a code; None if it is fixed point."""
        return self.format or self.posit

    @property
    def bits(self) -> int:
        """Width of the partial sum."""
        if self.code_format is not None:
            return self.code_format.bits
        return self.integer_bits + self.flag_bits

    @property
    def clips(self) -> bool:
        """Whether an integer sum saturates."""
        return (
            isinstance(self.accumulator, IntAccumulator)
            and self.accumulator.overflow is IntOverflow.CLIP
        )


@dataclass(frozen=True)
class MacWidths:
    """All widths of a configuration.

    `product` bounds one exact product, `term` what is added (the product after rounding, where
    the configuration rounds products); `inner` is the partial sum that products are added to,
    `outer` the one that chunks are added to (None unless chunked); `max_terms` the most products
    a result may sum (None: any number). `block` bounds the sum of a block times its scales;
    None without block formats. `inner_state_bits` is how much of `inner` is kept between steps:
    nothing where each step adds a whole block.
    """

    product: TermBound
    term: TermBound
    inner: PartialSumWidths
    outer: PartialSumWidths | None
    max_terms: int | None
    output_bits: int
    block: TermBound | None
    inner_state_bits: int

    @property
    def last(self) -> PartialSumWidths:
        """The partial sum that the result is read from."""
        return self.outer or self.inner

    @property
    def partial_sum_bits(self) -> int:
        """Width of the whole state of an accumulator."""
        return self.inner_state_bits + (self.outer.bits if self.outer else 0)


def signed_bits(max_integer: int) -> int:
    """Two's-complement bits that hold -max_integer .. max_integer."""
    return max_integer.bit_length() + 1


def _product_bound(config: MacConfig) -> TermBound:
    a, b = config.a, config.b
    return TermBound(
        a.least_exponent + b.least_exponent,
        a.max_integer * b.max_integer,
        a.has_nan or b.has_nan,
        a.has_infinity or b.has_infinity,
    )


def _lsb_after_rounding(fmt: FloatFormat, lsb_exponent: int, *, saturates: bool) -> int:
    """Unit of multiples of ``2**lsb_exponent`` after rounding to `fmt`.

    With subnormals, rounding a multiple of 2**l gives a multiple of 2**l, unless it `saturates`:
    the largest number is a multiple of its own last bit. Without subnormals it may give the
    smallest number, which is a multiple of the format's own last bit only.
    """
    if not fmt.has_subnormals:
        return fmt.least_exponent
    lsb = max(lsb_exponent, fmt.least_exponent)
    return min(lsb, fmt.max_exponent - fmt.fraction_bits) if saturates else lsb


def _rounded_bound(term: TermBound, fmt: FloatFormat, overflow: Overflow) -> TermBound:
    """Bound of a term after rounding to `fmt`."""
    largest = term.max_integer * Fraction(2) ** term.lsb_exponent
    overflows = largest > fmt.max
    # an infinite term may become the largest number, however small the finite ones are
    saturates = overflows or term.has_infinity
    code = (
        fmt.max_magnitude_code
        if saturates
        else encode(fmt, largest, Rounding.UP, Overflow.SATURATE)
    )
    lsb = _lsb_after_rounding(fmt, term.lsb_exponent, saturates=saturates)
    return TermBound(
        lsb,
        max(int(fmt.magnitude_value(code) / Fraction(2) ** lsb), 1),
        fmt.has_nan and (term.has_nan or (overflows and overflow is Overflow.NAN)),
        fmt.has_infinity
        and (
            (term.has_infinity and overflow in (Overflow.INFINITY, Overflow.PROPAGATE))
            or (overflows and overflow is Overflow.INFINITY)
        ),
    )


def _sum_bound(widths: PartialSumWidths, config: MacConfig) -> TermBound:
    """Bound of a finished partial sum, as a term of the outer accumulator."""
    if widths.format is None:
        return TermBound(
            widths.lsb_exponent,
            1 << (widths.integer_bits - 1),
            widths.flag_bits > 0,
            widths.flag_bits == 2,
        )
    fmt = widths.format
    # repeated rounding up can lift a float sum to the largest number, whatever was added
    lsb = _lsb_after_rounding(fmt, widths.lsb_exponent, saturates=True)
    return TermBound(
        lsb,
        int(fmt.max / Fraction(2) ** lsb),
        fmt.has_nan,
        fmt.has_infinity and config.overflow_of(fmt) is Overflow.INFINITY,
    )


def _block_bound(config: MacConfig, term: TermBound, length: int) -> TermBound:
    """Bound of the exact sum of a block times its scales."""
    lsb_exponent, max_integer = term.lsb_exponent, length * term.max_integer
    has_nan = term.has_nan
    for scale in config.scales:
        lsb_exponent += scale.least_exponent
        max_integer *= scale.max_integer
        # infinity times a scale of zero is NaN
        has_nan |= scale.has_nan or (term.has_infinity and scale.decode(0) == 0)
    return TermBound(lsb_exponent, max_integer, has_nan, term.has_infinity)


def _simple_widths(
    what: str,
    accumulator: SimpleAccumulator,
    term: TermBound,
    terms: int | None,
    unit: str,
    *,
    default_terms: int,
    least_terms: int = 1,
) -> PartialSumWidths:
    """Layout of an accumulator that adds up to `terms` terms.

    Where `terms` is None, an exact one is built for `default_terms`, and an integer one must hold
    at least `least_terms`.
    """
    match accumulator:
        case FloatAccumulator(format=fmt) | AlignedAccumulator(format=fmt):
            return PartialSumWidths(accumulator, fmt, term.lsb_exponent, 0, 0, terms)
        case PositAccumulator(format=posit):
            # a sum is exact in the smaller of both units
            lsb_exponent = min(term.lsb_exponent, posit.least_exponent)
            return PartialSumWidths(accumulator, None, lsb_exponent, 0, 0, terms, posit)
        case ExactAccumulator():
            count = terms if terms is not None else default_terms
            return PartialSumWidths(
                accumulator,
                None,
                term.lsb_exponent,
                signed_bits(count * term.max_integer),
                term.flag_bits,
                count,
            )
        case IntAccumulator(bits=bits, overflow=overflow):
            if overflow is IntOverflow.FORBID:
                fits = ((1 << (bits - 1)) - 1) // term.max_integer
                asked = terms if terms is not None else least_terms
                if fits < asked:
                    raise ValueError(
                        f"{what}: int{bits} is too narrow for {asked} {unit}{'s' * (asked != 1)}: "
                        f"it needs int{signed_bits(asked * term.max_integer)} (or state wrap or "
                        "clip)"
                    )
                terms = terms if terms is not None else fits
            return PartialSumWidths(
                accumulator, None, term.lsb_exponent, bits, term.flag_bits, terms
            )


@cache
def mac_widths(config: MacConfig) -> MacWidths:
    """Derive all widths.

    Raises
    ------
    ValueError
        An integer accumulator is too narrow for the terms asked; the message has the width needed.
    """
    accumulator = config.accumulator
    what = f"{config.a.name}x{config.b.name}:{format_accumulator(accumulator)}"
    product = _product_bound(config)
    term = product
    if config.product is not None:
        if not isinstance(config.product, FloatFormat):
            raise ValueError(
                f"{what}: products are rounded to a float format, not {config.product}"
            )
        term = _rounded_bound(product, config.product, config.overflow_of(config.product))
    outer = block = None
    if isinstance(accumulator, ChunkedAccumulator):
        length = accumulator.length
        inner = _simple_widths(
            what, accumulator.inner, term, length, "product", default_terms=length
        )
        chunk_term = _sum_bound(inner, config)
        if config.block is not None:
            chunk_term = block = _block_bound(config, term, length)
        chunks = None if config.terms is None else -(-config.terms // length)
        default_chunks = -(-DEFAULT_TERMS // length)
        outer = _simple_widths(
            what, accumulator.outer, chunk_term, chunks, "chunk", default_terms=default_chunks
        )
        max_terms = config.terms
        if max_terms is None and outer.max_terms is not None:
            max_terms = outer.max_terms * length
    else:
        inner = _simple_widths(
            what,
            accumulator,
            term,
            config.terms,
            "product",
            default_terms=DEFAULT_TERMS,
            least_terms=config.lanes,
        )
        max_terms = inner.max_terms
    last = outer or inner
    output = config.output_format
    return MacWidths(
        product,
        term,
        inner,
        outer,
        max_terms,
        last.bits if output is None else output.bits,
        block,
        0 if config.is_block_a_step else inner.bits,
    )
