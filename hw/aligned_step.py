"""The step of an aligned accumulator: all terms at the scale of the largest, summed, rounded.

::

    codes - lanes -+- exponents - largest -+- with the partial sum's: common exponent -+
                   |                       +- what is added to each product's exponent  |
                   +- significands -------------- places -- heap -- normalise, round ---+- code

Signs count relative to one term that is always subtracted (the partial sum; the first product if
that is late): its number is the complement of its magnitude without a look at its sign, and the
sum of the complements is one less than the sum, which is what `RoundAligned` takes.
"""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Shape, Signal, Value
from macsmith.hw.aligned_terms import AlignedScale, AlignPartialSum, AlignTerm
from macsmith.hw.architecture import DEFAULT_ARCHITECTURE, Architecture
from macsmith.hw.block import place
from macsmith.hw.carry_select import add_in_groups
from macsmith.hw.decode import Decode
from macsmith.hw.encode import Encode
from macsmith.hw.float_add import place_float_add
from macsmith.hw.heap import BitHeap
from macsmith.hw.lane import Lane
from macsmith.hw.largest_exponent import LargestExponent
from macsmith.hw.round_aligned import RoundAligned
from macsmith.hw.step_block import StepBlock
from macsmith.hw.terms import Term, operand_shape
from macsmith.model.config import MacConfig
from macsmith.model.formats import FloatSpecials
from macsmith.model.rounding import Overflow, Rounding

__all__ = ["AlignedStep"]


def is_not_zero(a: Value, b: Value) -> Value:
    """Whether a product counts for the largest exponent: neither of two codes, without their signs,
    is a zero."""
    return a.any() & b.any()


class AlignedStep(StepBlock):
    """Next partial sum of an inner aligned accumulator; combinational.

    Parameters
    ----------
    config
        What is computed.
    architecture
        How it is built.
    """

    def __init__(
        self, config: MacConfig, architecture: Architecture = DEFAULT_ARCHITECTURE
    ) -> None:
        if config.aligned is None:
            raise ValueError("AlignedStep: must have an aligned accumulator")
        self.accumulator = config.aligned
        self.format = config.aligned.format
        self.scale = AlignedScale.of(config, config.aligned)
        super().__init__("aligned_step", config, architecture, self.format.bits)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        terms, largest = self._lanes(m, platform)
        if self.accumulator.is_late:
            self._add_late(m, platform, self._late_sum(m, platform, terms, largest))
        else:
            self._sum_with(m, platform, terms, largest)
        return m

    # -- products -----------------------------------------------------------------------------
    def _lanes(self, m: Module, platform: Any) -> tuple[list[Term], Value]:
        """Products, and the largest key of those that are not 0, `min_exponent` included."""
        config, scale = self.config, self.scale
        terms: list[Term] = []
        keys: list[Value] = []
        magnitude_bits = [fmt.bits - fmt.is_signed for fmt in (config.a, config.b)]
        for index in range(config.lanes):
            lane = Lane(config, zero_specials=False, multiplier=self.architecture.multiply)
            place(m, platform, f"lane_{index}", lane)
            a = self.a.word_select(index, config.a.bits)
            b = self.b.word_select(index, config.b.bits)
            m.d.comb += [lane.a.eq(a), lane.b.eq(b)]
            is_number = Signal(name=f"is_not_zero_{index}")
            a_magnitude, b_magnitude = a[: magnitude_bits[0]], b[: magnitude_bits[1]]
            m.d.comb += is_number.eq(is_not_zero(a_magnitude, b_magnitude))
            key = Signal(scale.key_bits, name=f"key_{index}")
            m.d.comb += key.eq((lane.term.exponent + scale.lift) & is_number.replicate(len(key)))
            keys.append(key)
            terms.append(lane.term)
        tree = LargestExponent(config.lanes, scale.key_bits)
        place(m, platform, "largest_exponent", tree)
        m.d.comb += tree.exponents.eq(Cat(*keys))
        largest = tree.largest
        if scale.least_key:  # no key lies below 0
            clamped = Signal(scale.key_bits, name="largest_or_least")
            m.d.comb += clamped.eq(Mux(largest < scale.least_key, scale.least_key, largest))
            largest = clamped
        return terms, largest

    # -- the sum ------------------------------------------------------------------------------
    def _heap_sum(
        self,
        m: Module,
        platform: Any,
        terms: list[Term],
        key: Value,
        partial_sum: tuple[Value, Value] | None,
    ) -> tuple[Value, Value]:
        """Sum less one, two's complement, and whether it has the other sign.

        `key` is the common one; `partial_sum` is the sign and the aligned magnitude.
        """
        scale = self.scale
        # all ones less the key: with a product's own key that gives all ones at the common one
        amount = Signal(scale.position_bits, name="amount")
        m.d.comb += amount.eq(~key + scale.lift if scale.lift else ~key)
        reference = terms[0].sign if partial_sum is None else partial_sum[0]
        heap = BitHeap(
            m,
            platform,
            "add",
            scale.width + 1,
            add=add_in_groups if self.architecture.goal == "speed" else None,
        )
        counter = BitHeap(m, platform, "count_signs", len(terms).bit_length())
        low_counter = BitHeap(m, platform, "count_ups", len(terms).bit_length())
        rounds = self.accumulator.rounds_terms
        for index, term in enumerate(terms):
            align = AlignTerm(scale)
            place(m, platform, f"align_{index}", align)
            is_reference = partial_sum is None and index == 0
            sign = Signal(name=f"subtracts_{index}")
            m.d.comb += [
                sign.eq(1 if is_reference else ~(term.sign ^ reference)),
                align.sign.eq(sign),
                align.significand.eq(term.significand),
                align.exponent.eq(term.exponent),
                align.amount.eq(amount),
            ]
            heap.add_unsigned(align.number)
            if not is_reference:
                counter.add_bit(0, sign)
            if rounds:
                low_counter.add_bit(0, sign ^ align.up)
        # The complement of an n-bit number is 2**n - 1 more than its negative. One such 1 is not
        # given back: the sum comes less one. -(count + 1) is the complement of the count.
        count = counter.sum()
        top = scale.number_bits
        bits = max(scale.width + 1 - top, 0)
        if partial_sum is None:
            heap.add_unsigned((~Cat(count, Const(0, bits)))[:bits], top)
        else:
            number = partial_sum[1]
            heap.add_unsigned(~number)
            heap.add_constant(-(1 << len(number)))
            negative = Signal(bits, name="minus_count")
            m.d.comb += negative.eq(-count)
            heap.add_unsigned(negative, top)
        if rounds:
            # what is rounded up is one more, or one less where it is subtracted
            heap.add_unsigned(low_counter.sum())
            if partial_sum is None:
                heap.add_constant(-1)  # the reference counted too
        else:
            heap.add_unsigned(count)
        return heap.sum(), ~reference

    def _round(
        self,
        m: Module,
        platform: Any,
        total: Value,
        flips: Value,
        key: Value,
        is_single: Value | None,
    ) -> RoundAligned:
        """Round a sum at the scale of a key, which may be that of a large partial sum."""
        scale, accumulator, fmt = self.scale, self.accumulator, self.format
        smallest = operand_shape(fmt).min_exponent + scale.partial_sum_lift
        least = 1 if scale.least_key is None else scale.least_key
        highest = scale.max_key
        if is_single is not None:
            least = min(least, smallest) if scale.least_key is None else least
            highest = max(highest, operand_shape(fmt).max_exponent + 1 + scale.partial_sum_lift)
        # a top bit below the smallest binade gets company above
        to_top = scale.width - 1 - accumulator.fraction_bits - smallest
        lift = max(-(least + to_top), 0)
        width = scale.width + lift
        if least + to_top + lift >= width:
            limit = "none"
        elif (
            is_single is not None
            and scale.least_key is None
            and 1 + to_top + lift >= width
            # rounded, a single term could gain a bit
            and (not accumulator.rounds_terms or accumulator.fraction_bits >= fmt.fraction_bits)
        ):
            limit = "single"  # a product not 0, though aligned to itself, is above all that
        else:
            limit = "exponent"
        rounder = RoundAligned(
            width,
            fmt,
            accumulator.kept_bits,
            self.config.rounding,
            max(highest + to_top + lift, 1),
            limit=limit,
            single_shift=width - 1 - accumulator.fraction_bits,
            is_parallel=self.architecture.goal == "speed",
        )
        place(m, platform, "round_sum", rounder)
        m.d.comb += [
            rounder.total.eq(Cat(total, total[-1].replicate(lift))),
            rounder.flips.eq(flips),
            rounder.exponent.eq(key + (to_top + lift)),
        ]
        if limit == "single" and is_single is not None:
            m.d.comb += rounder.is_single.eq(is_single)
        return rounder

    def _never_overflows(self) -> bool:
        """Whether no sum is beyond the largest number, and an infinite or NaN partial sum, taken
        for a number of the last exponent, comes out with its exponent and without other terms."""
        scale, fmt, accumulator = self.scale, self.format, self.accumulator
        keeps = accumulator.kept_bits == fmt.fraction_bits
        is_exact = self.config.rounding is Rounding.TOWARD_ZERO or keeps
        # a partial sum at this exponent leaves nothing of products, and these add up to less
        highest = scale.base + scale.far_key + 1 + self.config.lanes.bit_length()
        return (
            not accumulator.is_late
            and not accumulator.rounds_terms
            and is_exact
            and fmt.has_subnormals
            and fmt.specials is FloatSpecials.IEEE
            and fmt.has_infinity
            and self.config.overflow_of(fmt) is Overflow.INFINITY
            and highest + 2 <= fmt.max_exponent
        )

    def _encode(self, m: Module, platform: Any, rounder: RoundAligned, terms: list[Term]) -> Value:
        """The code, with what specials among the terms make of it."""
        fmt = self.format
        has_infinity = any(term.shape.has_infinity for term in terms)
        has_nan = has_infinity or any(term.shape.has_nan for term in terms)
        is_positive = Cat(*(term.is_infinity & ~term.sign for term in terms)).any()
        is_negative = Cat(*(term.is_infinity & term.sign for term in terms)).any()
        is_nan = Cat(*(term.is_nan for term in terms)).any()
        if has_infinity:
            is_nan = is_nan | (is_positive & is_negative)
        if self._never_overflows():
            sign: Value = rounder.sign
            magnitude = rounder.code[: fmt.magnitude_bits]
            if self.scale.shape.has_infinity:
                is_infinity = is_positive | is_negative
                sign = Mux(is_infinity, is_negative, sign)
                field = fmt.infinity_code
                magnitude = Mux(is_infinity, Const(field, fmt.magnitude_bits), magnitude)
            code = Signal(fmt.bits, name="code")
            m.d.comb += code.eq(Mux(is_nan, Const(fmt.nan_code, fmt.bits), Cat(magnitude, sign)))
            return code
        encode = Encode(
            fmt,
            Rounding.NEAREST_EVEN,  # overflow follows its policy in every rounding
            self.config.overflow_of(fmt),
            len(rounder.code),
            has_nan=has_nan,
            has_infinity=has_infinity,
        )
        place(m, platform, "encode", encode)
        sign = rounder.sign
        if has_nan:
            m.d.comb += encode.is_nan.eq(is_nan)
        if has_infinity:
            m.d.comb += encode.is_infinity.eq(is_positive | is_negative)
            sign = Mux(encode.is_infinity, is_negative, sign)
        m.d.comb += [encode.magnitude.eq(rounder.code), encode.sign.eq(sign)]
        return encode.code

    def _sum_with(self, m: Module, platform: Any, terms: list[Term], largest: Value) -> None:
        """Align products and partial sum, and round their sum."""
        scale = self.scale
        decode = Decode(self.format)
        place(m, platform, "decode_partial_sum", decode)
        m.d.comb += decode.code.eq(self.partial_sum_i)
        partial_sum = decode.term
        lift, shape = scale.partial_sum_lift, partial_sum.shape
        lowest, highest = shape.min_exponent + lift, shape.max_exponent + lift + 1
        own = Signal(Shape.cast(range(min(lowest, -1), highest + 1)), name="own_key")
        m.d.comb += own.eq(partial_sum.exponent + lift)
        # as near as it can matter
        first, last = max(lowest, scale.near_key), min(highest, scale.far_key)
        near: Value = own
        if lowest < scale.near_key:
            near = Mux(
                own < scale.near_key, Const(scale.near_key, Shape.cast(range(first, 1))), near
            )
        if highest > scale.far_key:
            near = Mux(own > scale.far_key, scale.far_key, near)
        if lowest > (1 if scale.least_key is None else scale.least_key):
            # a zero must not be what others are aligned to
            near = Mux(partial_sum.significand.any(), near, 0)
        partial_key = Signal(
            Shape.cast(range(min(first, -1), max(last, 1) + 1)), name="partial_key"
        )
        difference = Signal(
            Shape.cast(range(-max(last, 1), scale.max_key - min(first, -1) + 1)), name="difference"
        )
        has_products = Signal()
        is_below = Signal(name="products_are_larger")
        m.d.comb += [
            partial_key.eq(near),
            difference.eq(largest - partial_key),
            has_products.eq(largest.any() if scale.least_key is None else 1),
            is_below.eq(has_products & ~difference[-1]),
        ]
        common = Signal(scale.position_bits, name="common_key")
        m.d.comb += common.eq(Mux(is_below, largest, partial_key))
        align = AlignPartialSum(scale)
        place(m, platform, "align_partial_sum", align)
        m.d.comb += [
            align.significand.eq(partial_sum.significand),
            align.distance.eq(difference[:-1] & is_below.replicate(len(difference) - 1)),
        ]
        total, flips = self._heap_sum(m, platform, terms, common, (partial_sum.sign, align.number))
        exact_key = Mux(is_below, largest, own)
        rounder = self._round(m, platform, total, flips, exact_key, ~has_products)
        m.d.comb += self.partial_sum_o.eq(self._encode(m, platform, rounder, [*terms, partial_sum]))

    # -- a late partial sum -------------------------------------------------------------------
    def _late_sum(self, m: Module, platform: Any, terms: list[Term], largest: Value) -> Value:
        """Code of the rounded sum of the products."""
        total, flips = self._heap_sum(m, platform, terms, largest, None)
        rounder = self._round(m, platform, total, flips, largest, None)
        return self._encode(m, platform, rounder, terms)

    def _add_late(self, m: Module, platform: Any, code: Value) -> None:
        """Add the rounded sum of the products as floats add, to nearest."""
        fmt = self.format
        decode = Decode(fmt)
        place(m, platform, "decode_product_sum", decode)
        term = decode.term
        overflow = self.config.overflow_of(fmt)
        add = place_float_add(
            m,
            platform,
            ("normalise_product_sum", "add_product_sum"),
            term,
            fmt,
            Rounding.NEAREST_EVEN,
            overflow,
            self.partial_sum_i,
        )
        m.d.comb += [
            decode.code.eq(code),
            self.partial_sum_o.eq(add.partial_sum_o),
        ]
