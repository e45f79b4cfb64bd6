"""The addition of a block, with its scales, to the outer accumulator.

The sum of a block's products is exact; so is its product with the scales. Both happen once a
block, whatever its length, and only the addition rounds.
"""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Signal, Value
from amaranth.lib.wiring import In, Out
from macsmith.hw.block import Block, place
from macsmith.hw.convert import flag_specials
from macsmith.hw.decode import Decode
from macsmith.hw.fixed_step import clip
from macsmith.hw.float_add import place_float_add
from macsmith.hw.heap import BitHeap
from macsmith.hw.lane import FixedTerm
from macsmith.hw.lanes import add_ones_complements
from macsmith.hw.multiply import Multiply
from macsmith.hw.terms import Term, TermShape
from macsmith.model.config import MacConfig
from macsmith.model.formats import FloatFormat, Format
from macsmith.model.widths import PartialSumWidths, mac_widths

__all__ = ["BlockStep", "block_shape", "scale_members"]


def scale_members(config: MacConfig, prefix: str = "") -> dict[str, Any]:
    """Signature members ``a_scale`` and ``b_scale``, of those operands that have one."""
    sides = (("a", config.a_scale), ("b", config.b_scale))
    return {f"{prefix}{side}_scale": In(fmt.bits) for side, fmt in sides if fmt is not None}


def block_shape(config: MacConfig) -> TermShape:
    """Shape of the sum of a block's products, as sign and magnitude."""
    inner = mac_widths(config).inner
    # a sum that is kept between steps is whatever its register holds
    largest = 1 << (inner.integer_bits - 1)
    if config.is_block_a_step:
        largest = config.lanes * mac_widths(config).term.max_integer
    return TermShape(
        significand_bits=largest.bit_length(),
        min_significand=1,
        min_significand_above=0,
        max_significand=largest,
        lsb_exponent=inner.lsb_exponent,
        min_exponent=0,
        max_exponent=0,
        is_signed=True,
        has_nan=inner.flag_bits > 0,
        has_infinity=inner.flag_bits == 2,
    )


class BlockStep(Block):
    """Next outer partial sum: a block's sum times its scales, added and rounded once;
    combinational.

    Parameters
    ----------
    config
        What is computed, with block formats.

    Members
    -------
    chunk : In(inner.bits)
        The sum of the block's products.
    a_scale, b_scale : In
        Codes of the scales, of those operands that have one.
    partial_sum_i : In(outer.bits)
    partial_sum_o : Out(outer.bits)
    """

    chunk: Signal
    a_scale: Signal
    b_scale: Signal
    partial_sum_i: Signal
    partial_sum_o: Signal

    def __init__(self, config: MacConfig) -> None:
        widths = mac_widths(config)
        if config.block is None or widths.outer is None:
            raise ValueError("BlockStep: must have block formats")
        self.config = config
        self.inner: PartialSumWidths = widths.inner
        self.outer: PartialSumWidths = widths.outer
        super().__init__(
            "block_step",
            {
                "chunk": In(self.inner.bits),
                **scale_members(config),
                "partial_sum_i": In(self.outer.bits),
                "partial_sum_o": Out(self.outer.bits),
            },
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        term = self._scaled(m, platform)
        if self.outer.format is not None:
            self._add_float(m, platform, self.outer.format, term)
        else:
            self._add_fixed(m, platform, term)
        return m

    def _magnitude(self, m: Module) -> Term:
        """The block's sum as a term; a special one's significand means nothing."""
        shape = block_shape(self.config)
        integer = self.chunk[: self.inner.integer_bits]
        is_nan, is_infinity, infinite_sign = flag_specials(self.chunk[self.inner.integer_bits :])
        sign = integer[-1]
        magnitude = Signal(shape.significand_bits, name="magnitude")
        m.d.comb += magnitude.eq((integer ^ sign.replicate(len(integer))) + sign)
        term_sign: Value = sign
        if shape.has_infinity:
            term_sign = (sign & ~is_infinity) | (infinite_sign & is_infinity)
        return Term(shape, term_sign, magnitude, Const(0, 1), is_nan, is_infinity)

    def _decoded(self, m: Module, platform: Any, side: str, fmt: Format) -> Term:
        decode = Decode(fmt)
        place(m, platform, f"decode_{side}_scale", decode)
        m.d.comb += decode.code.eq(getattr(self, f"{side}_scale"))
        return decode.term

    def _scaled(self, m: Module, platform: Any) -> Term:
        """The block's sum times its scales: those first, as they are narrow."""
        sides = (("a", self.config.a_scale), ("b", self.config.b_scale))
        scales = [self._decoded(m, platform, side, fmt) for side, fmt in sides if fmt is not None]
        factor = scales[0]
        if len(scales) == 2:
            factor = self._product(m, platform, "multiply_scales", *scales)
        # a sum of zero, or times a scale of zero, is +0
        zeros = any(fmt.decode(0) == 0 for fmt in self.config.scales)
        return self._product(m, platform, "scale", self._magnitude(m), factor, positive_zeros=zeros)

    @staticmethod
    def _product(
        m: Module, platform: Any, name: str, a: Term, b: Term, *, positive_zeros: bool = False
    ) -> Term:
        multiply = Multiply(a.shape, b.shape, multiplier="dadda")
        place(m, platform, name, multiply)
        Term.of(multiply, "a", a.shape).drive(m, a)
        Term.of(multiply, "b", b.shape).drive(m, b)
        term = Term.of(multiply, "product", multiply.shape)
        if not positive_zeros:
            return term
        sign = Signal(name=f"{name}_sign")
        m.d.comb += sign.eq(term.sign & (term.significand.any() | term.is_infinity))
        return Term(
            term.shape, sign, term.significand, term.exponent, term.is_nan, term.is_infinity
        )

    def _add_float(self, m: Module, platform: Any, fmt: FloatFormat, term: Term) -> None:
        config = self.config
        add = place_float_add(
            m,
            platform,
            ("normalise", "add_block"),
            term,
            fmt,
            config.rounding,
            config.overflow_of(fmt),
            self.partial_sum_i,
        )
        m.d.comb += [
            self.partial_sum_o.eq(add.partial_sum_o),
        ]

    def _add_fixed(self, m: Module, platform: Any, term: Term) -> None:
        outer, bits = self.outer, term.shape.fixed_bits
        width = outer.integer_bits
        if outer.clips:
            width = max(width, bits + 1) + 1
        heap = BitHeap(m, platform, "add", width)
        fixed = FixedTerm(term.shape, outer.lsb_exponent, bits)
        place(m, platform, "fix_block", fixed)
        # a special block counts as +0
        sign, significand = term.sign, term.significand
        if term.shape.has_specials:
            sign = sign & ~term.is_special
            significand = significand & (~term.is_special).replicate(len(significand))
        m.d.comb += [
            fixed.term_sign.eq(sign),
            fixed.term_significand.eq(significand),
            fixed.term_exponent.eq(term.exponent),
        ]
        add_ones_complements(m, platform, heap, [fixed.number], [sign])
        partial_sum = self.partial_sum_i[: outer.integer_bits]
        if outer.clips:
            heap.add_sign_extended(partial_sum)
        else:
            heap.add_unsigned(partial_sum)
        total = heap.sum()
        if outer.clips:
            total = clip(m, "clipped", total, outer.integer_bits)
        flags: Value = term.is_nan[: outer.flag_bits]
        if outer.flag_bits == 2:
            flags = Cat(
                term.is_nan | (term.is_infinity & ~term.sign),
                term.is_nan | (term.is_infinity & term.sign),
            )
        m.d.comb += self.partial_sum_o.eq(
            Cat(total, self.partial_sum_i[outer.integer_bits :] | flags)
        )
