"""The step of a float accumulator with several lanes, or with integer products.

The exact sum of several products can cancel to anything, so the products are summed in fixed
point, and the partial sum is put into the same tree of adders at its place in a window::

    | sign, carry | partial sum at its highest place | sum of the lanes | low bits |
                                                     ^ unit of the products

A partial sum too high for the window is so large that the sum of the lanes is below a quarter of
its last bit (less where random bits decide the rounding), and only its sign and whether it is 0
matter: the window is raised. One too low to have all its bits in the window matters only by a
sticky bit, unless the sum of the lanes is 0; then it is the result.
"""

from typing import Any

from amaranth.hdl import Const, Module, Mux, Shape, Signal, Value
from macsmith.hw.architecture import DEFAULT_ARCHITECTURE, Architecture
from macsmith.hw.block import place
from macsmith.hw.decode import Decode
from macsmith.hw.encode import Encode
from macsmith.hw.heap import BitHeap
from macsmith.hw.lanes import NUMBER_ARRIVAL, LaneFacts, add_lanes, add_ones_complement
from macsmith.hw.placement import Placement, place_word
from macsmith.hw.round import bits_below
from macsmith.hw.round_complement import RoundComplement
from macsmith.hw.round_fixed import RoundFixed
from macsmith.hw.shift import shift_right_sticky
from macsmith.hw.step_block import StepBlock
from macsmith.hw.terms import Term, is_integer_product
from macsmith.model.config import MacConfig
from macsmith.model.formats import FloatFormat
from macsmith.model.rounding import Rounding
from macsmith.model.widths import mac_widths, signed_bits

__all__ = ["Window", "WindowStep"]


class Window:
    """Places in the window, in bits; place 0 is the unit of the products.

    Parameters
    ----------
    config
        What is computed.
    fmt
        Format of the partial sum.

    Attributes
    ----------
    sum_bits
        Width of the two's-complement sum of the lanes.
    lowest_place, highest_place
        Where the last bit of a partial sum's significand can lie, before the window is raised.
    low_bits
        Places below 0.
    is_cut
        Whether a partial sum can lie so low that its last bits fall out of the window.
    max_shift
        Places that a significand can be shifted up inside the window.
    max_raise
        By how much the window can be raised.
    width
        Of the sum, sign included.
    """

    def __init__(self, config: MacConfig, fmt: FloatFormat, max_exponent: int) -> None:
        term = mac_widths(config).term
        self.sum_bits = signed_bits(config.lanes * term.max_integer)
        self.lowest_place = fmt.least_exponent - term.lsb_exponent
        top_place = self.lowest_place + max_exponent - 1
        # |sum of lanes| < 2**(sum_bits - 1): from here on half of a partial sum's last bit (the
        # last bit of what it may cancel to) is so much more that only sign and sticky bit count
        below = bits_below(config.accumulator_rounding)
        highest = max(self.sum_bits + below - 1, self.lowest_place)
        self.max_raise = max(top_place - highest, 0)
        self.highest_place = min(top_place, highest)
        # A partial sum with bits below the cut window is less than 1/4, the sum not less than 3/4
        # unless that of the lanes is 0: precision and the bits below it lie below place -1.
        enough = fmt.precision + below
        self.is_cut = -self.lowest_place > enough
        self.low_bits = min(max(-self.lowest_place, 0), enough)
        # 0 too where every partial sum lies below the window
        self.max_shift = max(self.highest_place - max(self.lowest_place, -self.low_bits), 0)
        largest = ((1 << fmt.precision) - 1) << max(self.highest_place + self.low_bits, 0)
        lanes = config.lanes * term.max_integer << self.low_bits
        self.width = signed_bits(largest + lanes)


class WindowStep(StepBlock):
    """Next partial sum of an inner float accumulator: all products added exactly, rounded once;
    combinational.

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
        fmt = mac_widths(config).inner.format
        if fmt is None:
            raise ValueError("WindowStep: must have a float accumulator")
        self.format = fmt
        random_bits = config.random_bits_of(mac_widths(config).inner.accumulator)
        super().__init__("window_step", config, architecture, fmt.bits, random_bits)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config, fmt = self.config, self.format
        decode = Decode(fmt)
        place(m, platform, "decode_partial_sum", decode)
        m.d.comb += decode.code.eq(self.partial_sum_i)
        partial_sum = decode.term
        # binades above the smallest one; without subnormals that one has field 0
        base = 1 if fmt.has_subnormals else 0
        max_exponent = partial_sum.shape.max_exponent - base + 1
        window = Window(config, fmt, max_exponent)
        binade = Signal(max((max_exponent - 1).bit_length(), 1))
        m.d.comb += binade.eq(partial_sum.exponent - base)

        apart = self.architecture.loop == "apart"
        weight = 0 if apart else window.low_bits
        heap = BitHeap(
            m,
            platform,
            "add_lanes" if apart else "add",
            window.sum_bits if apart else window.width,
            self.architecture.reduce,
        )
        # The sum times the sign of the partial sum: that one is positive then, which takes fewer
        # adders. It does not suit a pipeline, into whose last stage the partial sum comes, nor
        # directed roundings.
        negated: Value | None = None
        if (
            not apart
            and fmt.has_subnormals
            and not is_integer_product(config)
            and config.rounding not in (Rounding.UP, Rounding.DOWN)
        ):
            negated = partial_sum.sign
        facts = add_lanes(
            m, platform, config, self.a, self.b, heap, weight, self.architecture, negated
        )
        if apart:
            lane_sum = heap.sum()
            heap = BitHeap(m, platform, "add", window.width, self.architecture.reduce)
            heap.add_sign_extended(lane_sum, window.low_bits)

        lowest = max(window.lowest_place, -window.low_bits) + window.low_bits
        if negated is None:
            number, raised, is_low = self._placed(m, window, partial_sum, binade, partial_sum.sign)
            add_ones_complement(heap, number, partial_sum.sign, lowest)
        else:
            number, raised, is_low = self._placed(m, window, partial_sum, binade, Const(0))
            heap.add_unsigned(number, lowest, NUMBER_ARRIVAL)
        total = heap.sum()
        sign = Signal()
        # one less than the magnitude if the sum is negative
        complement = Signal(window.width - 1)
        m.d.comb += [
            sign.eq(total[-1]),
            complement.eq(total[:-1] ^ sign.replicate(len(complement))),
        ]
        rounding = (
            len(complement),
            mac_widths(config).term.lsb_exponent - window.low_bits,
            fmt,
            config.accumulator_rounding,
            window.max_raise,
        )
        rounder: RoundComplement | RoundFixed
        if fmt.has_subnormals:
            rounder = RoundComplement(*rounding)
            m.d.comb += rounder.complement.eq(complement)
        else:
            rounder = RoundFixed(*rounding)
            m.d.comb += rounder.magnitude.eq(complement + sign)
        place(m, platform, "round_sum", rounder)
        m.d.comb += rounder.sign.eq(sign)
        if window.max_raise:
            m.d.comb += rounder.raised.eq(raised)
        if config.stochastic is not None:
            m.d.comb += rounder.random.eq(self.random)

        # A zero is negative if all that was added is; if signs differ, only when rounding down.
        zero_sign = facts.all_negative & partial_sum.sign
        if config.rounding is Rounding.DOWN:
            zero_sign = zero_sign | ~(facts.all_positive & ~partial_sum.sign)
            result_sign: Value = Mux(total.any(), sign, zero_sign)
        elif negated is not None:
            assert isinstance(rounder, RoundComplement)
            result_sign = Mux(rounder.is_zero, zero_sign, sign ^ negated)
        else:  # where all that is added is negative, only a zero has no sign
            result_sign = sign | zero_sign
        code: Value = rounder.code
        if window.is_cut:
            # The sum of the lanes is 0 where nothing is left at place -1 and above. (What is there
            # otherwise is at least three quarters of place 0, so one less makes no difference.)
            is_kept = is_low & ~complement[window.low_bits - 1 :].any()
            code = Mux(is_kept, self.partial_sum_i[: fmt.magnitude_bits], code)
            kept_sign = Mux(partial_sum.significand.any(), partial_sum.sign, zero_sign)
            result_sign = Mux(is_kept, kept_sign, result_sign)
        self._encode(m, platform, code, result_sign, facts, partial_sum)
        return m

    def _placed(
        self, m: Module, window: Window, partial_sum: Term, binade: Value, sign: Value
    ) -> tuple[Value, Value, Value]:
        """The partial sum's magnitude in the window, inverted where `sign` is 1, by how much the
        window is raised, and whether the magnitude lies so low that bits fell to the sticky bit."""
        significand: Value = partial_sum.significand
        amount: Value = binade
        is_low: Value = Const(0)
        if window.is_cut:
            # binades below the window's end first count down to it
            cut = -window.lowest_place - window.low_bits
            above = Signal(Shape(max(len(binade), cut.bit_length()) + 2, signed=True))
            below = Signal(cut.bit_length())
            is_low = Signal(name="is_low")
            m.d.comb += [
                above.eq(binade - cut),
                is_low.eq(above[-1]),
                below.eq(Mux(is_low, cut - binade, 0)),
            ]
            # the window's lowest place is sticky: nothing more of the partial sum counts below it
            significand = shift_right_sticky(m, "lower", significand, below, len(significand))
            amount = Mux(is_low, 0, above)[: len(binade)]
        raised: Value = Const(0)
        if window.max_raise:
            excess = Signal(Shape(len(binade) + 2, signed=True), name="excess")
            is_high = Signal(name="is_high")
            raised = Signal(window.max_raise.bit_length(), name="raised")
            m.d.comb += [
                excess.eq(amount - window.max_shift),
                is_high.eq(excess > 0),
                raised.eq(Mux(is_high, excess, 0)),
            ]
            amount = Mux(is_high, window.max_shift, amount)
        amount = amount[: max(window.max_shift.bit_length(), 1)]
        inverted = Signal(len(significand), name="inverted")
        m.d.comb += inverted.eq(significand ^ sign.replicate(len(significand)))
        number = place_word(
            m,
            "raise",
            Placement.choose(
                len(inverted),
                range(window.max_shift + 1),
                range(len(inverted) + window.max_shift),
                self.architecture.align,
                "word",
            ),
            inverted,
            amount,
            sign,
        )
        return number, raised, is_low

    def _encode(
        self,
        m: Module,
        platform: Any,
        magnitude: Value,
        sign: Value,
        facts: LaneFacts,
        partial_sum: Term,
    ) -> None:
        """Specials beside the datapath."""
        term = mac_widths(self.config).term
        has_infinity = term.has_infinity or partial_sum.shape.has_infinity
        encode = Encode(
            self.format,
            self.config.rounding,
            self.config.overflow_of(self.format),
            len(magnitude),
            has_nan=term.has_nan or partial_sum.shape.has_nan or has_infinity,
            has_infinity=has_infinity,
        )
        place(m, platform, "encode", encode)
        is_positive = facts.is_positive_infinity | (partial_sum.is_infinity & ~partial_sum.sign)
        is_negative = facts.is_negative_infinity | (partial_sum.is_infinity & partial_sum.sign)
        if encode.has_nan:
            m.d.comb += encode.is_nan.eq(
                facts.is_nan | partial_sum.is_nan | (is_positive & is_negative)
            )
        if has_infinity:
            m.d.comb += encode.is_infinity.eq(is_positive | is_negative)
            sign = Mux(encode.is_infinity, is_negative, sign)
        m.d.comb += [
            encode.magnitude.eq(magnitude),
            encode.sign.eq(sign),
            self.partial_sum_o.eq(encode.code),
        ]
