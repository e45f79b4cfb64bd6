"""A block of floats becomes one scale and the codes of its elements, each rounded once.

This is also how results go out in a block format: the source is the accumulator's format then. A
scale that is a power of two costs an addition of exponents for each element; for others each
significand is divided, bit by bit, as far as the rounding needs it.
"""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib.wiring import In, Out
from macsmith.hw.block import Block, place
from macsmith.hw.decode import Decode
from macsmith.hw.divide import DivideSignificands
from macsmith.hw.normalise import shift_out_leading_zeros
from macsmith.hw.round_integer import RoundToInteger
from macsmith.hw.round_term import RoundTerm
from macsmith.hw.terms import Term, TermShape
from macsmith.model.block_formats import BlockFormat, fraction_bits_at_top
from macsmith.model.block_policy import BlockPolicy, BlockSpecials, ScaleRule, resolve_rule
from macsmith.model.formats import FloatFormat, Format, IntFormat
from macsmith.model.rounding import Overflow, Rounding

__all__ = ["BlockQuantise", "check_rule"]


def normalised(m: Module, name: str, term: Term) -> Term:
    """A term with its top bit 1 (unless it is 0), whose exponent may have become negative: `bias`
    is added to it, so that it is not."""
    shape = term.shape
    significand, shift = shift_out_leading_zeros(m, name, term.significand, shape.max_leading_zeros)
    room = shape.max_leading_zeros
    exponent = Signal((shape.max_exponent + room).bit_length(), name=f"{name}_exponent")
    m.d.comb += exponent.eq(term.exponent + room - shift)
    least = 1 << (shape.significand_bits - 1)
    changed = TermShape(
        shape.significand_bits,
        least,
        least,
        shape.max_significand,
        shape.lsb_exponent - room,
        shape.min_exponent,
        shape.max_exponent + room,
        shape.is_signed,
        shape.has_nan,
        shape.has_infinity,
    )
    return Term(changed, term.sign, significand, exponent, term.is_nan, term.is_infinity)


def check_rule(fmt: BlockFormat, policy: BlockPolicy) -> None:
    """ValueError unless there is hardware for the rule that a block's scale follows."""
    rule = resolve_rule(fmt, policy)
    divides = rule in (ScaleRule.MAX, ScaleRule.RCEIL)
    if not fmt.has_power_of_two_scale and not divides:
        raise ValueError(
            f"{fmt.name}: its quantiser takes the rules max and rceil, not {rule.value}"
        )
    if fmt.has_power_of_two_scale and rule is ScaleRule.MAX:
        raise ValueError(
            f"{fmt.name}: its quantiser takes the rules floor, rceil, ceil and even, not max"
        )


class BlockQuantise(Block):
    """Scale and element codes of a block; combinational.

    Parameters
    ----------
    fmt
        What to quantise to; where it has a tensor's scale, values are to be divided by it before.
    source
        Float format of the values.
    policy
        As of `macsmith.model.blocks.quantise_block`, which defines every bit.

    Members
    -------
    values : In(fmt.length * source.bits)
        Value 0 in the lowest bits.
    scale : Out(fmt.scale.bits)
    codes : Out(fmt.length * fmt.element.bits)

    Raises
    ------
    ValueError
        Scales that are not powers of two with a rule for those, or the other way round.
    """

    values: Signal
    scale: Signal
    codes: Signal

    def __init__(
        self, fmt: BlockFormat, source: FloatFormat, policy: BlockPolicy | None = None
    ) -> None:
        self.policy = policy or BlockPolicy()
        self.rule = resolve_rule(fmt, self.policy)
        check_rule(fmt, self.policy)
        self.format, self.source = fmt, source
        super().__init__(
            f"quantise_{source.name}_to_{fmt.name}",
            {
                "values": In(fmt.length * source.bits),
                "scale": Out(fmt.scale.bits),
                "codes": Out(fmt.length * fmt.element.bits),
            },
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        source, fmt = self.source, self.format
        terms: list[Term] = []
        magnitudes: list[Value] = []
        for index in range(fmt.length):
            code = self.values.word_select(index, source.bits)
            decode = Decode(source)
            place(m, platform, f"decode_{index}", decode)
            m.d.comb += decode.code.eq(code)
            terms.append(normalised(m, f"normalise_{index}", decode.term))
            magnitude = code[: source.magnitude_bits]
            if source.has_specials:
                finite = ~(decode.term.is_nan | decode.term.is_infinity)
                magnitude = magnitude & finite.replicate(len(magnitude))
            magnitudes.append(magnitude)
        amax = self._largest(m, magnitudes)
        decode = Decode(source)
        place(m, platform, "decode_amax", decode)
        m.d.comb += decode.code.eq(amax)
        largest = normalised(m, "normalise_amax", decode.term)

        derived = Signal(fmt.scale.bits, name="derived_scale")
        m.d.comb += derived.eq(
            self._power_of_two(m, largest)
            if fmt.has_power_of_two_scale
            else self._quotient(m, platform, largest)
        )
        is_zero = ~amax.any()
        is_nan = Signal(name="is_nan_block")
        if isinstance(fmt.scale, FloatFormat) and fmt.scale.has_nan:
            poisons = [term.is_nan for term in terms]
            if self.policy.specials is BlockSpecials.NAN:
                poisons += [term.is_infinity for term in terms]
            m.d.comb += is_nan.eq(Cat(*poisons).any())
        code = Mux(is_zero, 0, derived)
        if isinstance(fmt.scale, FloatFormat) and fmt.scale.has_nan:
            code = Mux(is_nan, fmt.scale.nan_code, code)
        m.d.comb += self.scale.eq(code)

        # the scale's own value, as the codes are rounded by it; of a block of zeros any will do
        decode = Decode(fmt.scale)
        place(m, platform, "decode_scale", decode)
        m.d.comb += decode.code.eq(derived)
        factor = normalised(m, "normalise_scale", decode.term)
        elements = []
        for index, term in enumerate(terms):
            rounded = self._element(m, platform, index, term, factor)
            elements.append(rounded & (~is_nan).replicate(len(rounded)))
        m.d.comb += self.codes.eq(Cat(*elements))
        return m

    @staticmethod
    def _largest(m: Module, magnitudes: list[Value]) -> Value:
        """The largest of magnitude codes, which are ordered as their values are."""
        level = 0
        while len(magnitudes) > 1:
            following: list[Value] = []
            for index in range(0, len(magnitudes) - 1, 2):
                first, second = magnitudes[index], magnitudes[index + 1]
                larger = Signal(len(first), name=f"larger_{level}_{index // 2}")
                m.d.comb += larger.eq(Mux(first > second, first, second))
                following.append(larger)
            if len(magnitudes) % 2:
                following.append(magnitudes[-1])
            magnitudes, level = following, level + 1
        return magnitudes[0]

    def _power_of_two(self, m: Module, amax: Term) -> Value:
        """Code of a scale that is a power of two, kept within the format."""
        scale, element = self.format.scale, self.format.element
        assert isinstance(scale, FloatFormat)
        fraction = amax.significand[:-1]
        up: Value = Const(0)
        top = element.max
        exponent_of_max = (top.numerator.bit_length() - 1) - (top.denominator.bit_length() - 1)
        match self.rule:
            case ScaleRule.CEIL:
                up = fraction.any()
            case ScaleRule.EVEN:
                # all ones down to the bit below the element's last: it rounds to the next binade
                bits = fraction_bits_at_top(element) + 1
                up = fraction[-bits:].all() if bits <= len(fraction) else Const(0)
            case ScaleRule.RCEIL:
                # | fraction | against that of the largest element, in as many bits or more
                significand = top.numerator
                width = max(significand.bit_length() - 1, len(fraction))
                limit = (significand << (width + 1 - significand.bit_length())) - (1 << width)
                up = Cat(Const(0, width - len(fraction)), fraction) > limit
            case _:
                pass
        shape = amax.shape
        # exponent field of 2**(exponent of amax - exponent of max), where code 0 may be a number
        offset = shape.lsb_exponent + shape.significand_bits - 1 - exponent_of_max + scale.bias
        least = 0 if not scale.has_zero else 1
        most = scale.max_magnitude_code
        wide = Signal(range(-1024, 1024), name="scale_field")
        return_code = Signal(scale.bits, name="power_code")
        m.d.comb += [
            wide.eq(amax.exponent + offset + up),
            return_code.eq(Mux(wide < least, least, Mux(wide > most, most, wide))),
        ]
        return return_code

    def _quotient(self, m: Module, platform: Any, amax: Term) -> Value:
        """Code of ``amax / largest element``, rounded to the scale's format."""
        scale, largest = self.format.scale, self.format.element.max
        divisor = largest.numerator
        while divisor % 2 == 0:
            divisor //= 2
        width = divisor.bit_length()
        constant = TermShape(
            width,
            divisor,
            divisor,
            divisor,
            (largest / divisor).numerator.bit_length()
            - (largest / divisor).denominator.bit_length(),
            0,
            0,
            False,
            False,
            False,
        )
        factor = Term(constant, Const(0), Const(divisor, width), Const(0, 1), Const(0), Const(0))
        positive = Term(amax.shape, Const(0), amax.significand, amax.exponent, Const(0), Const(0))
        quotient = self._divided(m, platform, "amax", positive, factor, scale)
        rounding = Rounding.UP if self.rule is ScaleRule.RCEIL else Rounding.NEAREST_EVEN
        code = self._rounded(m, platform, "scale", quotient, scale, rounding)
        # never zero, which would lose the whole block
        return code | Cat(~code.any(), Const(0, len(code) - 1))

    def _divided(
        self, m: Module, platform: Any, name: str, term: Term, factor: Term, target: Format
    ) -> Term:
        """``term / factor``, with all bits that a rounding to `target` looks at, and sticky."""
        a, b = term.shape, factor.shape
        exponent_room = b.max_exponent
        exponent = Signal((a.max_exponent + exponent_room).bit_length(), name=f"{name}_ratio")
        m.d.comb += exponent.eq(term.exponent + exponent_room - factor.exponent)
        significand, bits, least = term.significand, a.significand_bits, a.min_significand
        lsb = a.lsb_exponent - b.lsb_exponent - (b.significand_bits - 1) - exponent_room
        if b.significand_bits > 1:
            kept = target.precision if isinstance(target, FloatFormat) else target.bits
            divide = DivideSignificands(bits, b.significand_bits, kept + 2)
            place(m, platform, f"divide_{name}", divide)
            m.d.comb += [
                divide.dividend.eq(term.significand),
                divide.divisor.eq(factor.significand),
            ]
            significand, bits, least = divide.quotient, kept + 3, 1 << (kept + 1)
            # first bits stand for first bits
            lsb = a.lsb_exponent + a.significand_bits - 1 - (bits - 1)
            lsb -= b.lsb_exponent + b.significand_bits - 1 + exponent_room
        shape = TermShape(
            bits,
            least,
            least,
            (1 << bits) - 1,
            lsb,
            a.min_exponent + exponent_room - b.max_exponent,
            a.max_exponent + exponent_room,
            a.is_signed,
            a.has_nan,
            a.has_infinity,
        )
        return Term(shape, term.sign, significand, exponent, term.is_nan, term.is_infinity)

    @staticmethod
    def _rounded(
        m: Module, platform: Any, name: str, term: Term, target: Format, rounding: Rounding
    ) -> Value:
        """Code of a term, saturated."""
        rounder: RoundTerm | RoundToInteger
        if isinstance(target, IntFormat):
            rounder = RoundToInteger(term.shape, target, rounding)
        else:
            assert isinstance(target, FloatFormat)
            rounder = RoundTerm(term.shape, target, rounding, Overflow.SATURATE)
        place(m, platform, f"round_{name}", rounder)
        Term.of(rounder, "term", term.shape).drive(m, term)
        return rounder.code

    def _element(self, m: Module, platform: Any, index: int, term: Term, factor: Term) -> Value:
        element = self.format.element
        quotient = self._divided(m, platform, f"value_{index}", term, factor, element)
        return self._rounded(
            m, platform, f"element_{index}", quotient, element, self.policy.rounding
        )
