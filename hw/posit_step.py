"""The step of a posit accumulator: an exact sum, rounded once."""

from typing import Any

from amaranth.hdl import Const, Module, Signal
from macsmith.hw.architecture import DEFAULT_ARCHITECTURE, Architecture
from macsmith.hw.block import place
from macsmith.hw.decode import Decode
from macsmith.hw.heap import BitHeap
from macsmith.hw.lane import FixedTerm
from macsmith.hw.lanes import add_lanes, add_ones_complement
from macsmith.hw.posit_round import RoundPosit
from macsmith.hw.step_block import StepBlock
from macsmith.hw.terms import Term, fixed_shape
from macsmith.model.config import MacConfig
from macsmith.model.widths import mac_widths, signed_bits

__all__ = ["PositStep"]


class PositStep(StepBlock):
    """Next partial sum of an inner posit accumulator; combinational.

    The partial sum is decoded to fixed point, the products are added, and the sum is rounded: as
    wide as a quire of one step, for no sum of posits cancels to less.

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
        posit = mac_widths(config).inner.posit
        if posit is None:
            raise ValueError("PositStep: must have a posit accumulator")
        self.format = posit
        super().__init__("posit_step", config, architecture, posit.bits)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config, fmt = self.config, self.format
        widths = mac_widths(config)
        unit = widths.inner.lsb_exponent
        weight = widths.term.lsb_exponent - unit
        # the partial sum comes in units of the smallest posit, which may be larger
        own_weight = fmt.least_exponent - unit
        largest = (fmt.max_integer << own_weight) + (
            config.lanes * widths.term.max_integer << weight
        )
        heap = BitHeap(m, platform, "add", signed_bits(largest), self.architecture.reduce)
        facts = add_lanes(
            m, platform, config, self.a, self.b, heap, weight, architecture=self.architecture
        )
        decode = Decode(fmt)
        place(m, platform, "decode_partial_sum", decode)
        before = decode.term
        fixed = FixedTerm(before.shape, fmt.least_exponent, fmt.max_integer.bit_length())
        place(m, platform, "fix_partial_sum", fixed)
        m.d.comb += [
            decode.code.eq(self.partial_sum_i),
            fixed.term_sign.eq(before.sign),
            fixed.term_significand.eq(before.significand),
            fixed.term_exponent.eq(before.exponent),
        ]
        add_ones_complement(heap, fixed.number, before.sign, own_weight)

        total = heap.sum()
        sign = total[-1]
        magnitude = Signal(len(total), name="magnitude")
        m.d.comb += magnitude.eq((total ^ sign.replicate(len(total))) + sign)
        shape = fixed_shape(len(total), unit, has_nan=True, has_infinity=False)
        is_nan = (
            before.is_nan | facts.is_nan | facts.is_positive_infinity | facts.is_negative_infinity
        )
        rounder = RoundPosit(shape, fmt)
        place(m, platform, "round", rounder)
        Term.of(rounder, "term", shape).drive(
            m, Term(shape, sign, magnitude, Const(0, 1), is_nan, Const(0))
        )
        m.d.comb += self.partial_sum_o.eq(rounder.code)
        return m
