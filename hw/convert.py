"""From a partial sum to a result code: rounded once, or passed on as it is."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Shape, Signal, Value
from amaranth.lib.wiring import In, Out
from macsmith.hw.block import Block, place
from macsmith.hw.decode import Decode
from macsmith.hw.encode import Encode
from macsmith.hw.ordered_round import RoundOrdered
from macsmith.hw.output_stage import Requantise
from macsmith.hw.posit_round import RoundPosit
from macsmith.hw.round import is_rounded_up
from macsmith.hw.round_fixed import RoundFixed
from macsmith.hw.round_term import RoundTerm
from macsmith.hw.shift import shift_right_sticky
from macsmith.hw.terms import Term, fixed_shape
from macsmith.model.config import MacConfig
from macsmith.model.formats import FloatFormat, Format, IntFormat, OrderedFormat, PositFormat
from macsmith.model.output_stage import OutputStage
from macsmith.model.widths import PartialSumWidths

__all__ = ["Convert", "clip_integer", "flag_specials", "needs_conversion"]


def flag_specials(flags: Value) -> tuple[Value, Value, Value]:
    """NaN, infinity and its sign from a fixed-point partial sum's flags."""
    if len(flags) == 0:
        return Const(0), Const(0), Const(0)
    if len(flags) == 1:
        return flags[0], Const(0), Const(0)
    return flags[0] & flags[1], flags[0] ^ flags[1], flags[1]


def clip_integer(fmt: IntFormat, sign: Value, magnitude: Value) -> Value:
    """Code of the integer of `fmt` nearest to a sign and a magnitude of any width."""
    largest, least = fmt.max_code_integer, -fmt.min_code_integer
    is_above = magnitude > largest
    is_below = magnitude > least
    positive = Mux(is_above, Const(largest, fmt.bits), magnitude[: fmt.bits])
    negative = Mux(is_below, Const(-least, fmt.bits), (~magnitude[: fmt.bits] + 1)[: fmt.bits])
    return Mux(sign, negative, positive)[: fmt.bits]


def needs_conversion(widths: PartialSumWidths, fmt: Format | None) -> bool:
    """Whether a result in `fmt` (None: raw) is more than the partial sum's own bits."""
    return fmt is not None and fmt != widths.code_format


class Convert(Block):
    """Read an accumulator's value out in a format; combinational.

    Parameters
    ----------
    config
        Rounding and overflow.
    widths
        Layout of the partial sum.
    fmt
        Format of the result; None, or the partial sum's own float format unless `canonical`: its
        bits as they are.
    canonical
        Round also to the partial sum's own format, which maps its special codes to those that
        the overflow policy asks for.

    Members
    -------
    partial_sum : In(widths.bits)
    code : Out
    """

    partial_sum: Signal
    code: Signal

    def __init__(
        self,
        config: MacConfig,
        widths: PartialSumWidths,
        fmt: Format | None,
        *,
        canonical: bool = False,
    ) -> None:
        self.config, self.widths = config, widths
        self.format = fmt if canonical or needs_conversion(widths, fmt) else None
        bits = widths.bits if fmt is None else fmt.bits
        super().__init__(
            f"convert_to_{fmt.name if fmt else 'raw'}",
            {"partial_sum": In(widths.bits), "code": Out(bits)},
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        source = self.widths.code_format
        match self.format:
            case None:
                m.d.comb += self.code.eq(self.partial_sum)
            case FloatFormat() as fmt if source is not None:
                self._float_to_float(m, platform, source, fmt)
            case FloatFormat() as fmt:
                self._fixed_to_float(m, platform, fmt)
            case IntFormat() as fmt if self.config.requantise is not None:
                self._requantised(m, platform, fmt, self.config.requantise)
            case IntFormat() as fmt if source is not None:
                self._float_to_integer(m, platform, source, fmt)
            case IntFormat() as fmt:
                self._fixed_to_integer(m, fmt)
            case fmt:
                self._to_ordered(m, platform, fmt)
        return m

    def _decoded(self, m: Module, platform: Any, source: FloatFormat | PositFormat) -> Term:
        decode = Decode(source)
        place(m, platform, "decode", decode)
        m.d.comb += decode.code.eq(self.partial_sum)
        return decode.term

    def _sign_and_magnitude(self, m: Module) -> tuple[Value, Value]:
        integer = self.partial_sum[: self.widths.integer_bits]
        sign = integer[-1]
        magnitude = Signal(len(integer), name="magnitude")
        m.d.comb += magnitude.eq((integer ^ sign.replicate(len(integer))) + sign)
        return sign, magnitude

    def _to_ordered(self, m: Module, platform: Any, fmt: OrderedFormat) -> None:
        source = self.widths.code_format
        if source is not None:
            term = self._decoded(m, platform, source)
        else:
            sign, magnitude = self._sign_and_magnitude(m)
            is_nan, is_infinity, infinite_sign = flag_specials(
                self.partial_sum[self.widths.integer_bits :]
            )
            sign = Mux(is_infinity, infinite_sign, sign)
            shape = fixed_shape(
                len(magnitude),
                self.widths.lsb_exponent,
                has_nan=self.widths.flag_bits > 0,
                has_infinity=self.widths.flag_bits == 2,
            )
            term = Term(shape, sign, magnitude, Const(0, 1), is_nan, is_infinity)
        rounder: RoundPosit | RoundOrdered
        if isinstance(fmt, PositFormat):
            rounder = RoundPosit(term.shape, fmt)
        else:
            rounder = RoundOrdered(term.shape, fmt)
        place(m, platform, "round_to_result", rounder)
        Term.of(rounder, "term", term.shape).drive(m, term)
        m.d.comb += self.code.eq(rounder.code)

    def _float_to_float(
        self, m: Module, platform: Any, source: FloatFormat | PositFormat, fmt: FloatFormat
    ) -> None:
        term = self._decoded(m, platform, source)
        rounder = RoundTerm(term.shape, fmt, self.config.rounding, self.config.overflow_of(fmt))
        place(m, platform, "round_to_result", rounder)
        Term.of(rounder, "term", term.shape).drive(m, term)
        m.d.comb += self.code.eq(rounder.code)

    def _fixed_to_float(self, m: Module, platform: Any, fmt: FloatFormat) -> None:
        sign, magnitude = self._sign_and_magnitude(m)
        is_nan, is_infinity, infinite_sign = flag_specials(
            self.partial_sum[self.widths.integer_bits :]
        )
        sign = Mux(is_infinity, infinite_sign, sign)
        rounder = RoundFixed(len(magnitude), self.widths.lsb_exponent, fmt, self.config.rounding)
        place(m, platform, "round_to_result", rounder)
        encode = Encode(
            fmt,
            self.config.rounding,
            self.config.overflow_of(fmt),
            len(rounder.code),
            has_nan=self.widths.flag_bits > 0,
            has_infinity=self.widths.flag_bits == 2,
        )
        place(m, platform, "encode", encode)
        m.d.comb += [
            rounder.sign.eq(sign),
            rounder.magnitude.eq(magnitude),
            encode.magnitude.eq(rounder.code),
            encode.sign.eq(sign),
            self.code.eq(encode.code),
        ]
        if encode.has_nan:
            m.d.comb += encode.is_nan.eq(is_nan)
        if encode.has_infinity:
            m.d.comb += encode.is_infinity.eq(is_infinity)

    def _requantised(self, m: Module, platform: Any, fmt: IntFormat, stage: OutputStage) -> None:
        block = Requantise(self.widths.integer_bits, stage, fmt, self.config.rounding)
        place(m, platform, "requantise", block)
        m.d.comb += [block.sum.eq(self.partial_sum), self.code.eq(block.code)]

    def _fixed_to_integer(self, m: Module, fmt: IntFormat) -> None:
        sign, magnitude = self._sign_and_magnitude(m)
        is_nan, is_infinity, infinite_sign = flag_specials(
            self.partial_sum[self.widths.integer_bits :]
        )
        # the partial sum's last bit against the format's: | kept | round_bit | sticky bits |
        shift = self.widths.lsb_exponent - fmt.least_exponent
        if shift >= 0:
            rounded: Value = Cat(Const(0, shift), magnitude)
        else:
            extended = Cat(magnitude, Const(0, max(-shift + 1 - len(magnitude), 0)))
            kept = extended[-shift:]
            up = is_rounded_up(
                self.config.rounding,
                sign,
                kept[0],
                extended[-shift - 1],
                extended[: -shift - 1].any(),
            )
            rounded = Signal(len(kept) + 1, name="rounded")
            m.d.comb += rounded.eq(kept + up)
        if fmt.wraps:
            m.d.comb += self.code.eq(
                self._wrapped(fmt, sign, rounded, is_nan, is_infinity, infinite_sign)
            )
            return
        # an infinity counts as the widest magnitude, which must be beyond the format
        wide = Cat(rounded, Const(0, max(fmt.bits + 1 - len(rounded), 0)))
        code = clip_integer(
            fmt,
            Mux(is_infinity, infinite_sign, sign),
            wide | is_infinity.replicate(len(wide)),
        )
        m.d.comb += self.code.eq(Mux(is_nan, 0, code))

    @staticmethod
    def _wrapped(
        fmt: IntFormat,
        sign: Value,
        magnitude: Value,
        is_nan: Value,
        is_infinity: Value,
        infinite_sign: Value,
    ) -> Value:
        """The low bits of the integer; infinities clip all the same, and NaN is 0."""
        bits = fmt.bits
        low = Cat(magnitude, Const(0, max(bits - len(magnitude), 0)))[:bits]
        integer = ((low ^ sign.replicate(bits)) + sign)[:bits]
        largest, least = Const(fmt.max_code_integer, bits), Const(fmt.min_code_integer, bits)
        code = Mux(is_infinity, Mux(infinite_sign, least, largest), integer)
        return Mux(is_nan, 0, code)[:bits]

    def _float_to_integer(
        self, m: Module, platform: Any, source: FloatFormat | PositFormat, fmt: IntFormat
    ) -> None:
        term = self._decoded(m, platform, source)
        shape = term.shape
        # | integer, one bit more than any code needs | round_bit | sticky bit |, and the
        # significand at its top: there its exponent is `top`; a larger one exceeds the format.
        integer_bits = fmt.bits + 1
        width = max(shape.significand_bits, integer_bits + 2)
        top = fmt.least_exponent + integer_bits - shape.significand_bits - shape.lsb_exponent
        distance = Signal(
            Shape.cast(range(min(top - shape.max_exponent, -1), max(top, 0) + 1)), name="distance"
        )
        is_far = Signal()
        m.d.comb += [distance.eq(top - term.exponent), is_far.eq(distance < 0)]
        word = shift_right_sticky(m, "shift", term.significand, distance.as_unsigned()[:-1], width)
        kept = word[width - integer_bits :]
        round_at = width - integer_bits - 1
        up = is_rounded_up(
            self.config.rounding, term.sign, kept[0], word[round_at], word[:round_at].any()
        )
        magnitude = Signal(integer_bits + 1, name="magnitude")
        exceeds = term.is_infinity | (is_far & term.significand.any())
        m.d.comb += magnitude.eq(
            Mux(
                exceeds,
                Const((2 << integer_bits) - 1, integer_bits + 1),
                Mux(is_far, 0, kept + up),
            )
        )
        code = clip_integer(fmt, term.sign, magnitude)
        m.d.comb += self.code.eq(Mux(term.is_nan, 0, code))
