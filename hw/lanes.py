"""All lanes of a step, put into the bit heap in which they are summed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from amaranth.hdl import Cat, Const, Module, Signal, Value
from macsmith.hw.architecture import DEFAULT_ARCHITECTURE, Architecture
from macsmith.hw.block import place
from macsmith.hw.digits import add_digit_product, has_zero_product
from macsmith.hw.heap import BitHeap
from macsmith.hw.lane import FixedTerm, Lane, fixed_term_bits, term_placement
from macsmith.hw.partial_products import add_product
from macsmith.hw.terms import (
    has_zero_specials,
    is_digit_product,
    is_integer_product,
    least_exponent,
    rounded_product_shape,
)
from macsmith.model.config import MacConfig
from macsmith.model.formats import FloatFormat, FloatSpecials, IntFormat
from macsmith.model.widths import mac_widths

__all__ = [
    "LaneFacts",
    "add_lanes",
    "add_ones_complement",
    "add_ones_complements",
    "added_flags",
]

# When bits reach the heap, in gates: signs come from the codes by one gate, numbers through a
# multiplier and a shifter.
SIGN_ARRIVAL = 2.0
NUMBER_ARRIVAL = 10.0


@dataclass(frozen=True)
class LaneFacts:
    """What is known of all terms of a step beside their sum; each one bit.

    `all_positive` and `all_negative` speak of the sign bits, zeros' included.
    """

    all_positive: Value
    all_negative: Value
    is_nan: Value
    is_positive_infinity: Value
    is_negative_infinity: Value


def add_corrections(
    m: Module,
    platform: Any,
    heap: BitHeap,
    signs: Sequence[Value],
    span: range,
    weight: int = 0,
    *,
    counts: bool = True,
) -> None:
    """Complete numbers whose bits in `span` were inverted where their sign is 1.

    An inverted n-bit magnitude is ``2**n - 1`` more than the negative number, so for each sign 1
    is added at the span's first place and subtracted behind its last.

    Parameters
    ----------
    counts
        The signs are counted once for both: the least area. Otherwise they are put into both
        columns, where they are so early that adding them takes no time.
    """
    low, high = span.start + weight, span.stop + weight
    if not counts or len(signs) < 3:
        for sign in signs:
            heap.add_bit(low, sign, SIGN_ARRIVAL)
            heap.add_negative_bit(high, sign, SIGN_ARRIVAL)
        return
    name = f"{heap.name}_count_{next(heap.serial)}"
    counter = BitHeap(m, platform, name, len(signs).bit_length(), "columns")
    for sign in signs:
        counter.add_bit(0, sign, SIGN_ARRIVAL)
    count = counter.sum()
    for index, arrival in enumerate(counter.arrivals):
        heap.add_bit(low + index, count[index], arrival, None)
        heap.add_negative_bit(high + index, count[index], arrival, None)


def add_ones_complement(heap: BitHeap, number: Value, sign: Value, weight: int = 0) -> None:
    """Put one magnitude into a heap that is inverted if its sign is 1; the sign is extended."""
    heap.add_sign_extended(Cat(number, sign), weight, NUMBER_ARRIVAL)
    heap.add_bit(weight, sign, SIGN_ARRIVAL)


def add_ones_complements(
    m: Module,
    platform: Any,
    heap: BitHeap,
    numbers: Sequence[Value],
    signs: Sequence[Value],
    weight: int = 0,
    *,
    counts: bool = True,
) -> None:
    """Put magnitudes of one width into a heap that are inverted where their sign is 1.

    `counts` as of `add_corrections`.
    """
    if len(numbers) == 1:
        add_ones_complement(heap, numbers[0], signs[0], weight)
        return
    for number in numbers:
        heap.add_unsigned(number, weight, NUMBER_ARRIVAL)
    add_corrections(m, platform, heap, signs, range(len(numbers[0])), weight, counts=counts)


def added_flags(facts: LaneFacts, flag_bits: int) -> Value:
    """Sticky flags of a fixed-point partial sum that the terms of a step set."""
    if flag_bits == 2:
        return Cat(
            facts.is_nan | facts.is_positive_infinity, facts.is_nan | facts.is_negative_infinity
        )
    return facts.is_nan if flag_bits else Const(0, 0)


def add_lanes(
    m: Module,
    platform: Any,
    config: MacConfig,
    a: Value,
    b: Value,
    heap: BitHeap,
    weight: int = 0,
    architecture: Architecture = DEFAULT_ARCHITECTURE,
    negated: Value | None = None,
) -> LaneFacts:
    """Put the terms of all lanes into `heap`, shifted left by `weight`.

    Where `negated` is 1 they are subtracted instead; the facts stay those of the terms. Products of
    integers cannot be.
    """
    if is_integer_product(config):
        return _add_integers(m, config, a, b, heap, weight, architecture)
    if is_digit_product(config) and negated is None:
        return _add_digits(m, config, a, b, heap, weight)
    shape = rounded_product_shape(config)
    fixed_arguments = (
        shape,
        mac_widths(config).term.lsb_exponent,
        fixed_term_bits(config),
        architecture.align,
        architecture.signs,
    )
    placement = term_placement(*fixed_arguments)
    # where one of several blocks of places is selected, dropping a term costs nearly nothing
    drops = shape.has_specials and len(placement.blocks) > 1 and not has_zero_specials(config)
    formats = (config.a, config.b) if config.product is None else (config.product,)
    masks_signs = drops or any(
        isinstance(fmt, FloatFormat) and (fmt.has_infinity or fmt.specials is FloatSpecials.IEEE)
        for fmt in formats
    )
    # a zero that lies in none of the blocks has no place to be inverted in
    loses_zeros = placement.blocks[0] > least_exponent(config) >> placement.fine_levels
    fixed_terms: list[FixedTerm] = []
    numbers: list[Value] = []
    inverted: list[Value] = []
    signs: list[Value] = []
    added_signs: list[Value] = []
    nans: list[Value] = []
    positive: list[Value] = []
    negative: list[Value] = []
    for index in range(config.lanes):
        lane = Lane(config, zero_specials=not drops, multiplier=architecture.multiply)
        place(m, platform, f"lane_{index}", lane)
        fixed = FixedTerm(*fixed_arguments, drops=drops)
        place(m, platform, f"fixed_term_{index}", fixed)
        fixed_terms.append(fixed)
        term = lane.term
        # a special term counts as +0; its exponent may be beyond those of numbers
        sign = Signal(name=f"sign_of_number_{index}")
        added_sign: Value = sign
        m.d.comb += sign.eq(term.sign & ~term.is_special if masks_signs else term.sign)
        if negated is not None:
            added_sign = Signal(name=f"added_sign_{index}")
            flipped = term.sign ^ negated
            if loses_zeros:
                flipped &= term.significand[shape.min_significand.bit_length() - 1 :].any()
            m.d.comb += added_sign.eq(flipped & ~term.is_special if masks_signs else flipped)
        m.d.comb += [
            lane.a.eq(a.word_select(index, config.a.bits)),
            lane.b.eq(b.word_select(index, config.b.bits)),
            fixed.term_sign.eq(added_sign),
            fixed.term_significand.eq(term.significand),
            fixed.term_exponent.eq(term.exponent),
        ]
        if drops:
            m.d.comb += fixed.is_dropped.eq(term.is_special)
        numbers.append(fixed.number)
        signs.append(sign)
        added_signs.append(added_sign)
        if architecture.signs == "block":
            inverted.append(fixed.inverted)
        if lane.shape.has_nan:
            nans.append(term.is_nan)
        if lane.shape.has_infinity:
            positive.append(term.is_infinity & ~term.sign)
            negative.append(term.is_infinity & term.sign)
    counts = architecture.goal == "area"
    if architecture.signs == "word":
        add_ones_complements(m, platform, heap, numbers, added_signs, weight, counts=counts)
    else:
        for number in numbers:
            heap.add_unsigned(number, weight, NUMBER_ARRIVAL)
        for block, span in enumerate(fixed_terms[0].spans):
            if span:
                column = [bits[block] for bits in inverted]
                add_corrections(m, platform, heap, column, span, weight, counts=counts)
    return LaneFacts(
        ~Cat(*signs).any(),
        Cat(*signs).all(),
        Cat(*nans).any() if nans else Const(0),
        Cat(*positive).any() if positive else Const(0),
        Cat(*negative).any() if negative else Const(0),
    )


def _add_integers(
    m: Module,
    config: MacConfig,
    a: Value,
    b: Value,
    heap: BitHeap,
    weight: int,
    architecture: Architecture,
) -> LaneFacts:
    assert isinstance(config.a, IntFormat)
    assert isinstance(config.b, IntFormat)
    zeros: list[Value] = []
    for lane in range(config.lanes):
        a_code = a.word_select(lane, config.a.bits)
        b_code = b.word_select(lane, config.b.bits)
        add_product(
            m,
            heap,
            architecture.multiply,
            a_code,
            config.a.is_signed,
            b_code,
            config.b.is_signed,
            weight,
        )
        zeros.append(~a_code.any() | ~b_code.any())
    # An integer zero is positive. Products that are not zero make no difference: where the facts
    # are asked for, the sum is zero.
    return LaneFacts(Cat(*zeros).all(), Const(0), Const(0), Const(0), Const(0))


def _add_digits(
    m: Module, config: MacConfig, a: Value, b: Value, heap: BitHeap, weight: int
) -> LaneFacts:
    zeros: list[Value] = []
    for lane in range(config.lanes):
        codes = a.word_select(lane, config.a.bits), b.word_select(lane, config.b.bits)
        add_digit_product(heap, (config.a, config.b), codes, weight)
        zeros.append(has_zero_product((config.a, config.b), codes))
    # as of integers: where the facts are asked for, the sum is zero
    return LaneFacts(Cat(*zeros).all(), Const(0), Const(0), Const(0), Const(0))
