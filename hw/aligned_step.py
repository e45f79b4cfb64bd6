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

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib.wiring import In, Out
from macsmith.hw.aligned_terms import AlignedScale, AlignPartialSum, AlignTerm
from macsmith.hw.architecture import DEFAULT_ARCHITECTURE, Architecture
from macsmith.hw.block import Block, place
from macsmith.hw.decode import Decode
from macsmith.hw.encode import Encode
from macsmith.hw.float_add import FloatAdd
from macsmith.hw.heap import BitHeap
from macsmith.hw.lane import Lane, delay_term
from macsmith.hw.largest_exponent import LargestExponent
from macsmith.hw.pipeline import Cuts, delay
from macsmith.hw.round_aligned import RoundAligned
from macsmith.hw.round_term import NormaliseTerm
from macsmith.hw.terms import Term
from macsmith.model.config import MacConfig
from macsmith.model.rounding import Rounding

__all__ = ["AlignedStep"]


class AlignedStep(Block):
    """Next partial sum of an inner aligned accumulator.

    Parameters
    ----------
    config
        What is computed.
    cuts
        Pipeline registers between the codes and the partial sum.
    architecture
        How it is built.

    Members
    -------
    a : In(lanes * config.a.bits)
    b : In(lanes * config.b.bits)
        Lane 0 in the lowest bits.
    enable : In(1)
        Only with registers: they hold while it is 0.
    partial_sum_i : In(inner.bits)
        Meets the operands that came ``cuts.total`` enabled cycles before.
    partial_sum_o : Out(inner.bits)
        Combinational in `partial_sum_i`.
    """

    a: Signal
    b: Signal
    enable: Signal
    partial_sum_i: Signal
    partial_sum_o: Signal

    def __init__(
        self, config: MacConfig, cuts: Cuts, architecture: Architecture = DEFAULT_ARCHITECTURE
    ) -> None:
        if config.aligned is None:
            raise ValueError("AlignedStep: must have an aligned accumulator")
        self.config, self.cuts, self.accumulator = config, cuts, config.aligned
        self.format = config.aligned.format
        self.scale = AlignedScale.of(config, config.aligned)
        self.architecture = architecture
        members = {
            "a": In(config.lanes * config.a.bits),
            "b": In(config.lanes * config.b.bits),
            "partial_sum_i": In(self.format.bits),
            "partial_sum_o": Out(self.format.bits),
        }
        if cuts.is_clocked:
            members["enable"] = In(1)
        super().__init__("aligned_step", members, is_clocked=cuts.is_clocked)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        enable = self.enable if self.is_clocked else Const(1)
        terms, largest = self._lanes(m, platform, enable)
        if self.accumulator.is_late:
            code = self._late_sum(m, platform, terms, largest)
            code = delay(m, "product_sum", code, self.cuts.sum, enable)
            self._add_late(m, platform, code)
        else:
            self._sum_with(m, platform, terms, largest)
        return m

    # -- products -----------------------------------------------------------------------------
    def _lanes(self, m: Module, platform: Any, enable: Value) -> tuple[list[Term], Value]:
        """Products, and the largest exponent of those that are not 0, plus one where 0 is among
        the exponents; 0 if all products are."""
        config, cuts, shape = self.config, self.cuts, self.scale.shape
        lift = self._key_lift
        key_bits = (shape.max_exponent + lift).bit_length()
        before = cuts.codes + cuts.decode + cuts.multiply
        terms: list[Term] = []
        keys: list[Value] = []
        for index in range(config.lanes):
            lane = Lane(config, cuts, zero_specials=False)
            place(m, platform, f"lane_{index}", lane)
            a = self.a.word_select(index, config.a.bits)
            b = self.b.word_select(index, config.b.bits)
            m.d.comb += [lane.a.eq(a), lane.b.eq(b)]
            if lane.is_clocked:
                m.d.comb += lane.enable.eq(enable)
            is_number = Signal(name=f"is_not_zero_{index}")
            m.d.comb += is_number.eq(a[:-1].any() & b[:-1].any())
            counts = delay(m, f"counts_{index}", is_number, before, enable)
            key = Signal(key_bits, name=f"key_{index}")
            m.d.comb += key.eq((lane.term.exponent + lift) & counts.replicate(key_bits))
            keys.append(key)
            terms.append(delay_term(m, f"term_{index}", lane.term, cuts.term, enable))
        tree = LargestExponent(config.lanes, key_bits)
        place(m, platform, "largest_exponent", tree)
        m.d.comb += tree.exponents.eq(Cat(*keys))
        return terms, delay(m, "largest_key", tree.largest, cuts.term, enable)

    @property
    def _key_lift(self) -> int:
        return 0 if self.scale.shape.min_exponent else 1

    def _product_level(self, m: Module, largest: Value) -> Value:
        """Level of the largest product; 0 if all are 0."""
        level = Signal(self.scale.max_level.bit_length(), name="product_level")
        offset = self.scale.product_offset - self._key_lift
        m.d.comb += level.eq(Mux(largest.any(), largest + offset, 0))
        return level

    def _at_least(self, m: Module, level: Value) -> Value:
        """A level, or the least that is aligned to if that is larger."""
        least = self.scale.least
        if least <= 1:
            return level
        clamped = Signal(len(level), name="clamped_level")
        m.d.comb += clamped.eq(Mux(level < least, least, level))
        return clamped

    # -- the sum ------------------------------------------------------------------------------
    def _heap_sum(
        self,
        m: Module,
        platform: Any,
        terms: list[Term],
        level: Value,
        partial_sum: tuple[Value, Value] | None,
    ) -> tuple[Value, Value]:
        """Sum less one, two's complement, and whether it has the other sign.

        `partial_sum` is the sign and the aligned magnitude.
        """
        scale = self.scale
        amount, amount_bits = self._amount(m, level)
        reference = terms[0].sign if partial_sum is None else partial_sum[0]
        heap = BitHeap(m, platform, "add", scale.width + 1)
        counter = BitHeap(m, platform, "count_signs", len(terms).bit_length())
        low_counter = BitHeap(m, platform, "count_ups", len(terms).bit_length())
        rounds = self.accumulator.rounds_terms
        for index, term in enumerate(terms):
            align = AlignTerm(scale, amount_bits)
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

    def _amount(self, m: Module, level: Value) -> tuple[Value, int]:
        """What is added to a product's exponent so that all ones stand for the common exponent."""
        scale = self.scale
        # further down nothing is left of any product
        most = scale.shape.max_exponent + scale.reach + 1
        bits = most.bit_length()
        all_ones = (1 << bits) - 1
        amount = Signal(bits, name="amount")
        full = all_ones + scale.product_offset - level
        is_far = level > most + scale.product_offset
        if scale.max_level > most + scale.product_offset:
            m.d.comb += amount.eq(full & (~is_far).replicate(bits))
        else:
            m.d.comb += amount.eq(full)
        return amount, bits

    def _rounder(self, level: Value) -> tuple[RoundAligned, Value, int]:
        """Rounding of the sum, the exponent of its top bit, and bits put on top of it."""
        scale, fmt = self.scale, self.format
        # a top bit below the smallest binade gets company above
        above = scale.width - 1 - self.accumulator.fraction_bits
        to_top = scale.base + above - fmt.min_normal_exponent
        lift = max(-(scale.least + to_top), 0)
        max_exponent = max(scale.max_level + to_top + lift, 1)
        rounder = RoundAligned(
            scale.width + lift,
            fmt,
            self.accumulator.kept_bits,
            self.config.rounding,
            max_exponent,
            is_limited=scale.least + to_top + lift < scale.width + lift,
        )
        return rounder, level + (to_top + lift), lift

    def _round(self, m: Module, platform: Any, total: Value, flips: Value, level: Value) -> Encode:
        """The sum's magnitude and sign at the encoder, whose special flags are left to drive."""
        rounder, exponent, lift = self._rounder(level)
        place(m, platform, "round_sum", rounder)
        m.d.comb += [
            rounder.total.eq(Cat(total, total[-1].replicate(lift))),
            rounder.flips.eq(flips),
            rounder.exponent.eq(exponent),
        ]
        shape = self.scale.shape
        has_infinity = shape.has_infinity or (
            not self.accumulator.is_late and self.format.has_infinity
        )
        has_nan = shape.has_nan or has_infinity
        encode = Encode(
            self.format,
            Rounding.NEAREST_EVEN,  # overflow follows its policy in every rounding
            self.config.overflow_of(self.format),
            len(rounder.code),
            has_nan=has_nan or (not self.accumulator.is_late and self.format.has_nan),
            has_infinity=has_infinity,
        )
        place(m, platform, "encode", encode)
        m.d.comb += encode.magnitude.eq(rounder.code)
        self._rounded_sign = rounder.sign
        return encode

    def _specials(self, m: Module, encode: Encode, terms: list[Term]) -> None:
        """Drive the encoder's flags and sign: beside the datapath."""
        sign = self._rounded_sign
        is_positive = Cat(*(term.is_infinity & ~term.sign for term in terms)).any()
        is_negative = Cat(*(term.is_infinity & term.sign for term in terms)).any()
        if encode.has_nan:
            is_nan = Cat(*(term.is_nan for term in terms)).any()
            m.d.comb += encode.is_nan.eq(is_nan | (is_positive & is_negative))
        if encode.has_infinity:
            m.d.comb += encode.is_infinity.eq(is_positive | is_negative)
            sign = Mux(encode.is_infinity, is_negative, sign)
        m.d.comb += encode.sign.eq(sign)

    def _sum_with(self, m: Module, platform: Any, terms: list[Term], largest: Value) -> None:
        """Align products and partial sum, and round their sum."""
        scale = self.scale
        assert scale.partial_sum_offset is not None
        decode = Decode(self.format)
        place(m, platform, "decode_partial_sum", decode)
        m.d.comb += decode.code.eq(self.partial_sum_i)
        partial_sum = decode.term
        product_level = self._product_level(m, largest)
        own_level = Signal(len(product_level))
        own = partial_sum.exponent + scale.partial_sum_offset
        lowest_product = scale.shape.min_exponent + scale.product_offset
        if partial_sum.shape.min_exponent + scale.partial_sum_offset > lowest_product:
            # a zero must not be what others are aligned to
            own = Mux(partial_sum.significand.any(), own, 0)
        level = Signal(len(product_level))
        distance = Signal(len(product_level) + 1)
        m.d.comb += own_level.eq(own)
        if scale.least <= 1:
            is_below = Signal(name="products_are_larger")
            m.d.comb += [
                distance.eq(product_level - own_level),
                is_below.eq(~distance[-1]),
                level.eq(Mux(is_below, product_level, own_level)),
            ]
            reach = distance[:-1] & is_below.replicate(len(product_level))
        else:
            m.d.comb += [
                level.eq(
                    self._at_least(m, Mux(product_level > own_level, product_level, own_level))
                ),
                distance.eq(level - own_level),
            ]
            reach = distance[:-1]
        align = AlignPartialSum(scale)
        place(m, platform, "align_partial_sum", align)
        m.d.comb += [
            align.significand.eq(partial_sum.significand),
            align.distance.eq(reach),
        ]
        total, flips = self._heap_sum(m, platform, terms, level, (partial_sum.sign, align.number))
        encode = self._round(m, platform, total, flips, level)
        self._specials(m, encode, [*terms, partial_sum])
        m.d.comb += self.partial_sum_o.eq(encode.code)

    # -- a late partial sum -------------------------------------------------------------------
    def _late_sum(self, m: Module, platform: Any, terms: list[Term], largest: Value) -> Value:
        """Code of the rounded sum of the products."""
        level = self._at_least(m, self._product_level(m, largest))
        total, flips = self._heap_sum(m, platform, terms, level, None)
        encode = self._round(m, platform, total, flips, level)
        self._specials(m, encode, terms)
        return encode.code

    def _add_late(self, m: Module, platform: Any, code: Value) -> None:
        """Add the rounded sum of the products as floats add, to nearest."""
        fmt = self.format
        decode = Decode(fmt)
        place(m, platform, "decode_product_sum", decode)
        term = decode.term
        normalise = NormaliseTerm(term.shape, fmt)
        place(m, platform, "normalise_product_sum", normalise)
        overflow = self.config.overflow_of(fmt)
        add = FloatAdd(term.shape, fmt, Rounding.NEAREST_EVEN, overflow)
        place(m, platform, "add_product_sum", add)
        m.d.comb += [
            decode.code.eq(code),
            normalise.significand.eq(term.significand),
            normalise.exponent.eq(term.exponent),
            add.term_sign.eq(term.sign),
            add.term_significand.eq(normalise.normalised),
            add.term_internal_exponent.eq(normalise.internal_exponent),
            add.partial_sum_i.eq(self.partial_sum_i),
            self.partial_sum_o.eq(add.partial_sum_o),
        ]
        if term.shape.has_nan:
            m.d.comb += add.term_is_nan.eq(term.is_nan)
        if term.shape.has_infinity:
            m.d.comb += add.term_is_infinity.eq(term.is_infinity)
