"""All lanes of a step, put into the bit heap in which they are summed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from amaranth.hdl import Cat, Const, Module, Signal, Value
from macsmith.hw.block import place
from macsmith.hw.heap import BitHeap
from macsmith.hw.lane import FixedTerm, Lane, fixed_term_bits
from macsmith.hw.pipeline import Cuts, delay
from macsmith.model.config import MacConfig
from macsmith.model.formats import FloatFormat, FloatSpecials, IntFormat
from macsmith.model.widths import mac_widths

__all__ = [
    "LaneFacts",
    "add_integer_product",
    "add_lanes",
    "add_ones_complements",
    "is_integer_product",
]


def is_integer_product(config: MacConfig) -> bool:
    """Whether products are of two integers and not rounded: partial products can be summed."""
    return (
        isinstance(config.a, IntFormat)
        and isinstance(config.b, IntFormat)
        and config.product is None
    )


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

    def delayed(self, m: Module, name: str, cycles: int, enable: Value) -> "LaneFacts":
        """The same, some enabled cycles later; constants stay."""

        def later(part: str) -> Value:
            value: Value = getattr(self, part)
            if isinstance(value, Const):
                return value
            return delay(m, f"{name}_{part}", value, cycles, enable)

        return LaneFacts(
            later("all_positive"),
            later("all_negative"),
            later("is_nan"),
            later("is_positive_infinity"),
            later("is_negative_infinity"),
        )


def add_integer_product(
    heap: BitHeap, a: Value, a_signed: bool, b: Value, b_signed: bool, weight: int = 0
) -> None:
    """Put the partial products of two integers into a heap, shifted left by `weight`.

    Partial products with one sign bit count negatively: they are complemented, and their
    constants add up (C. R. Baugh, B. A. Wooley, A Two's Complement Parallel Array Multiplication
    Algorithm, IEEE Transactions on Computers C-22, 1973).
    """
    for a_weight in range(len(a)):
        for b_weight in range(len(b)):
            bit = a[a_weight] & b[b_weight]
            is_a_sign = a_signed and a_weight == len(a) - 1
            is_b_sign = b_signed and b_weight == len(b) - 1
            if is_a_sign != is_b_sign:
                heap.add_negative_bit(weight + a_weight + b_weight, bit)
            else:
                heap.add_bit(weight + a_weight + b_weight, bit)


def add_ones_complements(
    m: Module,
    platform: Any,
    heap: BitHeap,
    numbers: Sequence[Value],
    signs: Sequence[Value],
    weight: int = 0,
) -> None:
    """Put magnitudes into a heap that are inverted where their sign is 1.

    An inverted n-bit magnitude is ``2**n - 1`` more than the negative number, so the signs are
    counted once and ``count - count * 2**n`` is added. A single number is sign-extended instead.
    """
    bits = len(numbers[0])
    if len(numbers) == 1:
        heap.add_sign_extended(Cat(numbers[0], signs[0]), weight)
        heap.add_bit(weight, signs[0])
        return
    for number in numbers:
        heap.add_unsigned(number, weight)
    counter = BitHeap(m, platform, "count_signs", len(signs).bit_length())
    for sign in signs:
        counter.add_bit(0, sign)
    count = counter.sum()
    heap.add_unsigned(count, weight)
    if heap.width > weight + bits:
        negative = Signal(len(count) + 1, name="minus_count")
        m.d.comb += negative.eq(-count)
        heap.add_sign_extended(negative, weight + bits)


def add_lanes(
    m: Module,
    platform: Any,
    config: MacConfig,
    cuts: Cuts,
    a: Value,
    b: Value,
    enable: Value,
    heap: BitHeap,
    weight: int = 0,
) -> LaneFacts:
    """Put the terms of all lanes into `heap`, shifted left by `weight`.

    The heap gets them ``cuts.total - cuts.sum`` enabled cycles after the codes; so do the facts.
    """
    if is_integer_product(config):
        return _add_integers(m, config, cuts, a, b, enable, heap, weight)
    formats = (config.a, config.b) if config.product is None else (config.product,)
    masks_signs = any(
        isinstance(fmt, FloatFormat) and fmt.specials is FloatSpecials.IEEE for fmt in formats
    )
    numbers: list[Value] = []
    signs: list[Value] = []
    nans: list[Value] = []
    positive: list[Value] = []
    negative: list[Value] = []
    for index in range(config.lanes):
        lane = Lane(config, cuts, zero_specials=True)
        place(m, platform, f"lane_{index}", lane)
        unit = mac_widths(config).term.lsb_exponent
        fixed = FixedTerm(lane.shape, unit, fixed_term_bits(config))
        place(m, platform, f"fixed_term_{index}", fixed)
        term = lane.term
        # a special term counts as +0; its exponent may be beyond those of numbers
        sign = Signal(name=f"sign_of_number_{index}")
        m.d.comb += sign.eq(term.sign & ~term.is_special if masks_signs else term.sign)
        m.d.comb += [
            lane.a.eq(a.word_select(index, config.a.bits)),
            lane.b.eq(b.word_select(index, config.b.bits)),
            fixed.term_sign.eq(sign),
            fixed.term_significand.eq(term.significand),
            fixed.term_exponent.eq(term.exponent),
        ]
        if lane.is_clocked:
            m.d.comb += lane.enable.eq(enable)
        numbers.append(delay(m, f"number_{index}", fixed.number, cuts.term, enable))
        signs.append(delay(m, f"sign_{index}", sign, cuts.term, enable))
        if lane.shape.has_nan:
            nans.append(delay(m, f"is_nan_{index}", term.is_nan, cuts.term, enable))
        if lane.shape.has_infinity:
            for name, found, infinity in (
                ("positive", positive, term.is_infinity & ~term.sign),
                ("negative", negative, term.is_infinity & term.sign),
            ):
                found.append(delay(m, f"is_{name}_{index}", infinity, cuts.term, enable))
    add_ones_complements(m, platform, heap, numbers, signs, weight)
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
    cuts: Cuts,
    a: Value,
    b: Value,
    enable: Value,
    heap: BitHeap,
    weight: int,
) -> LaneFacts:
    assert isinstance(config.a, IntFormat)
    assert isinstance(config.b, IntFormat)
    a_codes = delay(m, "a_codes", a, cuts.codes, enable)
    b_codes = delay(m, "b_codes", b, cuts.codes, enable)
    zeros: list[Value] = []
    for lane in range(config.lanes):
        a_code = a_codes.word_select(lane, config.a.bits)
        b_code = b_codes.word_select(lane, config.b.bits)
        add_integer_product(heap, a_code, config.a.is_signed, b_code, config.b.is_signed, weight)
        zeros.append(~a_code.any() | ~b_code.any())
    # An integer zero is positive. Products that are not zero make no difference: where the facts
    # are asked for, the sum is zero.
    return LaneFacts(Cat(*zeros).all(), Const(0), Const(0), Const(0), Const(0))
