"""Float addition and product for FPGAs: LUTs of four inputs and carry chains.

They do what `macsmith.hw.compact_add` and `macsmith.hw.normalised_product` do. What differs is what
costs on an FPGA: two shifters and the swap between them are LUTs, one for each bit and level, while
a `+` of two numbers is a chain. So

- every addition is a single `+` of two numbers: a third one, or a sum of a whole sum, becomes a
  tree of full adders, two LUTs a bit;
- what is subtracted from is not inverted: exponents of products are formed inverted at once;
- every bit of the last level of normalisation also takes in the code of NaN, which goes through
  rounding unchanged, so that there is no logic behind the last chain;
- the leading bit counts as part of the exponent where exponent and fraction are rounded.
"""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from macsmith.hw.block import place
from macsmith.hw.chain import ChainSum
from macsmith.hw.compact_add import CompactAdd
from macsmith.hw.decode import Decode
from macsmith.hw.normalised_product import FloatProduct
from macsmith.hw.round import is_rounded_up
from macsmith.model.formats import FloatFormat
from macsmith.model.rounding import Overflow

__all__ = ["ChainFloatAdd", "ChainProduct"]

#: Places below the last one of the format in a sum before rounding.
_ROUND_PLACES = 3


def _plus(x: Value, y: Value, carry: Value | int) -> Value:
    """``x + y + carry`` of one width as one `+`, without the carry out."""
    width = len(x)
    carried = Cat(carry)[:1] if isinstance(carry, Value) else Const(carry, 1)
    return (Cat(Const(1, 1), x) + Cat(carried, y))[1 : 1 + width]


class ChainFloatAdd(CompactAdd):
    """Next partial sum of a float accumulator; combinational.

    Parameters, members and limits are those of `CompactAdd`.
    """

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        fmt, precision = self.format, self.format.precision
        decode = Decode(fmt)
        place(m, platform, "decode_partial_sum", decode)
        m.d.comb += decode.code.eq(self.partial_sum_i)
        is_subtraction = Signal()
        m.d.comb += is_subtraction.eq(self.term_sign ^ decode.term.sign)
        term, inverted = self._inverted_term(m)
        bits = len(inverted)
        field = self.partial_sum_i[fmt.fraction_bits : fmt.magnitude_bits]
        wide_field = Cat(field, Const(0, bits - len(field)))
        own = Cat(self.partial_sum_i[: fmt.fraction_bits], Const(1, 1))
        below = max(precision - len(term), 0)
        other = Cat(Const(0, below), term)[len(term) + below - precision :]

        compared = Signal(precision - below + bits)
        is_below = Signal()  # by magnitude, or the term is 0 and has any exponent
        is_term_larger = Signal()
        difference = Signal(bits)
        m.d.comb += [
            # own - other; its top bit is the carry, which says that the term is not larger
            compared.eq(
                _plus(
                    Cat(self.partial_sum_i[below : fmt.fraction_bits], wide_field, Const(0, 1)),
                    Cat(~other[below:-1], inverted, Const(0, 1)),
                    1,
                )
            ),
            is_below.eq(~compared[-1]),
            is_term_larger.eq(is_below & ~self.term_is_zero),
            # field - exponent, or one less: the complement of the difference the other way round
            difference.eq(_plus(wide_field, inverted, ~is_below)),
        ]

        # | 1 . fraction | guard | round |, and a sticky bit apart
        width = precision + 2
        levels = (width - 1).bit_length()
        distance = difference ^ is_below.replicate(bits)
        is_far = Signal()
        keep = Signal()
        sticky = Signal()
        larger, smaller = (Signal(precision, name=name) for name in ("larger", "smaller"))
        exponent = Signal(bits)
        total = Signal(width + 1)
        m.d.comb += [
            is_far.eq(distance[levels:].any()),
            keep.eq(~is_far & ~self.term_is_zero),
            larger.eq(Mux(is_term_larger, other, own)),
            smaller.eq(Mux(is_term_larger, own, other) & keep.replicate(precision)),
            exponent.eq(Mux(is_term_larger, ~inverted, wide_field)),
        ]
        aligned, lost = self._align(m, Cat(Const(0, 2), smaller), distance[:levels])
        m.d.comb += [
            # never 0, the smaller number is lost as a whole
            sticky.eq(lost | (is_far & ~self.term_is_zero)),
            total.eq(
                (
                    Cat(Const(1, 1), Const(0, 2), larger)
                    + Cat(is_subtraction & ~sticky, aligned ^ is_subtraction.replicate(width))
                )[1:]
            ),
        ]
        normalised, zeros = self._shift_out_zeros(m, Cat(total[:-1], total[-1] & ~is_subtraction))
        larger_sign = Mux(is_term_larger, self.term_sign, decode.term.sign)
        both_are_zero = self.term_is_zero & ~self.partial_sum_i[: fmt.magnitude_bits].any()
        sign = larger_sign & normalised[-1] & ~(both_are_zero & is_subtraction)
        if self.passes_nan:
            is_nan = Signal()
            term_is_nan = self.term_is_nan if self.shape.has_nan else Const(0)
            m.d.comb += is_nan.eq(term_is_nan | decode.term.is_nan)
            rounded = self._rounded(m, normalised, zeros, exponent, sticky, is_nan)
            has_sign = fmt.nan_code >> fmt.magnitude_bits & 1
            code_sign = sign | is_nan if has_sign else sign & ~is_nan
            m.d.comb += self.partial_sum_o.eq(Cat(rounded[: fmt.magnitude_bits], code_sign))
        else:
            rounded = self._rounded(m, normalised, zeros, exponent, sticky, None)
            self._encode(m, platform, rounded, sign, decode.term, is_subtraction)
        return m

    @property
    def passes_nan(self) -> bool:
        """Whether NaN is all that is not rounded like a number: it is put in before rounding.

        An infinite partial sum then counts as the number its code would be, and stays that.
        """
        fmt = self.format
        return (
            fmt.has_nan
            and not (self.range.can_overflow or self.shape.has_infinity)
            and (not fmt.has_infinity or self.overflow is Overflow.INFINITY)
        )

    def _inverted_term(self, m: Module) -> tuple[Value, Value]:
        """The term with its leading bit on top, and its exponent inverted, as wide as results need
        it: ``~(a + b + top)`` is ``~a + ~b + 1 - top``."""
        bits = self.exponent_bits
        term, top = self.term_significand, self.term_significand[-1]
        normalised = Signal(len(term), name="term_normalised")
        parts = [Signal(bits, name=f"term_exponent_{name}") for name in "ab"]
        total = Signal(bits, name="inverted_exponents")
        inverted = Signal(bits, name="inverted_exponent")
        m.d.comb += [
            normalised.eq(Mux(top, term, Cat(Const(0, 1), term[:-1]))),
            parts[0].eq(self.term_exponent_a),
            parts[1].eq(self.term_exponent_b),
            total.eq(_plus(~parts[0], ~parts[1], ~top)),
            inverted.eq(total + -self.range.offset % (1 << bits)),
        ]
        return normalised, inverted

    def _rounded(
        self,
        m: Module,
        normalised: Value,
        zeros: Value,
        exponent: Value,
        sticky: Value,
        is_nan: Value | None,
    ) -> Value:
        """Exponent and fraction of the result, rounded in one addition, or the code of NaN."""
        fmt, bits = self.format, len(exponent)
        hidden = normalised[-1]
        places: Value = normalised[:-1]
        lowered = Signal(bits)
        # the leading bit, behind which one place less was shifted out, adds 1 to the exponent
        m.d.comb += lowered.eq(_plus(exponent, Cat(~zeros, Const(-1, bits - len(zeros))), 1))
        code_exponent: Value = lowered & hidden.replicate(bits)
        leading: Value = hidden
        if is_nan is not None:
            fraction = fmt.nan_code % (1 << fmt.fraction_bits)
            nan_field = fmt.nan_code % (1 << fmt.magnitude_bits) >> fmt.fraction_bits

            def put(value: Value, pattern: int) -> Value:
                return Cat(
                    *(
                        bit | is_nan if pattern >> at & 1 else bit & ~is_nan
                        for at, bit in enumerate(value)
                    )
                )

            places = put(places, fraction << _ROUND_PLACES)
            code_exponent = put(code_exponent, max(nan_field - 1, 0))
            leading = leading | is_nan if nan_field else leading & ~is_nan
            sticky = sticky & ~is_nan
        kept = Signal(len(places), name="kept")
        up = Signal()
        rounded = Signal(fmt.fraction_bits + bits)
        fraction_bits = kept[_ROUND_PLACES:]
        m.d.comb += [
            kept.eq(places),
            up.eq(
                is_rounded_up(
                    self.rounding,
                    Const(0),
                    fraction_bits[0] if len(fraction_bits) else code_exponent[0] ^ leading,
                    kept[_ROUND_PLACES - 1],
                    kept[: _ROUND_PLACES - 1].any() | sticky,
                )
            ),
            rounded.eq(
                _plus(
                    Cat(fraction_bits, code_exponent),
                    Cat(Const(0, fmt.fraction_bits), leading, Const(0, bits - 1)),
                    up,
                )
            ),
        ]
        return rounded


class ChainProduct(FloatProduct):
    """A `FloatProduct` of carry chains.

    Parameters
    ----------
    a, b
        Formats of the operands.
    in_block
        The significands are multiplied by one `*`, which a DSP block takes, not by chains.
    """

    def __init__(self, a: FloatFormat, b: FloatFormat, *, in_block: bool) -> None:
        self.in_block = in_block
        super().__init__("chain_product", a, b)

    def multiply(self, m: Module, platform: Any, a: Value, b: Value) -> Value:
        # rows of the one with the wider fraction
        if len(a) < len(b):
            a, b = b, a
        whole = Cat(a, Const(1, 1))
        if self.in_block:
            product = Signal(self.shape.significand_bits, name="product")
            m.d.comb += product.eq(whole * Cat(b, Const(1, 1)))
            return product
        chain = ChainSum(m, "product", self.shape.significand_bits)
        top = (1 << len(whole)) - 1
        for at, bit in enumerate(b):
            chain.add(whole & bit.replicate(len(whole)), 0, top, at)
        chain.add(whole, 1 << len(a), top, len(b))
        return chain.sum()
