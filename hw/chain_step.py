"""The step of an integer or exact accumulator for FPGAs: carry chains, and DSP blocks if asked."""

from collections.abc import Sequence
from typing import Any

from amaranth.hdl import Cat, Module, Signal, Value
from macsmith.hw.architecture import Architecture
from macsmith.hw.block import place
from macsmith.hw.chain import ChainSum
from macsmith.hw.chain_lane import ChainLane, ChainTerm
from macsmith.hw.dsp_multiply import PackedMultiply, PairMultiply
from macsmith.hw.dsp_plan import DSP_FAMILIES, DspPlan, plan_products
from macsmith.hw.fixed_step import clip
from macsmith.hw.lane import Lane, fixed_term_bits
from macsmith.hw.radix4 import add_product_rows
from macsmith.hw.step_block import StepBlock
from macsmith.hw.terms import is_integer_product
from macsmith.model.config import MacConfig
from macsmith.model.formats import IntFormat
from macsmith.model.widths import mac_widths, signed_bits

__all__ = ["ChainStep"]


class ChainStep(StepBlock):
    """Next partial sum of the inner accumulator, an integer or exact one; combinational.

    Parameters
    ----------
    config
        What is computed.
    architecture
        How it is built.
    """

    def __init__(self, config: MacConfig, architecture: Architecture) -> None:
        self.plan = DspPlan("lut")
        if architecture.dsp == "on":
            self.plan = plan_products(config, architecture.fpga)
        self.widths = mac_widths(config).inner
        super().__init__("chain_step", config, architecture, self.widths.bits)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config, widths = self.config, self.widths
        largest = config.lanes * mac_widths(config).term.max_integer
        width = widths.integer_bits
        if widths.clips:
            width = max(signed_bits(largest), width) + 1
        apart = self.architecture.loop == "apart" and (
            config.lanes > 1 or is_integer_product(config)
        )
        chain = ChainSum(m, "add", signed_bits(largest) if apart else width)
        if is_integer_product(config):
            specials: list[Value] = []
            self._add_integers(m, platform, chain)
        else:
            specials = self._add_terms(m, platform, chain)
        if apart:
            lane_sum = chain.sum()
            chain = ChainSum(m, "add_partial_sum", width)
            chain.add(lane_sum, -largest, largest)
        chain.add_partial_sum(self.partial_sum_i[: widths.integer_bits])
        total = Signal(width)
        m.d.comb += total.eq(chain.sum())
        integer = clip(m, "clipped", total, widths.integer_bits) if widths.clips else total
        flags = self.partial_sum_i[widths.integer_bits :]
        if specials:
            flags = flags | Cat(*specials)
        m.d.comb += self.partial_sum_o.eq(Cat(integer, flags))
        return m

    def _add_integers(self, m: Module, platform: Any, chain: ChainSum) -> None:
        config = self.config
        a_format, b_format = config.a, config.b
        assert isinstance(a_format, IntFormat)
        assert isinstance(b_format, IntFormat)
        codes = [
            (self.a.word_select(lane, a_format.bits), self.b.word_select(lane, b_format.bits))
            for lane in range(config.lanes)
        ]
        pairs, singles, others = self._groups()
        products: list[Value] = []
        for first in pairs:
            pair = PairMultiply(
                a_format.bits,
                b_format.bits,
                a_signed=a_format.is_signed,
                b_signed=b_format.is_signed,
            )
            place(m, platform, f"multiply_{first}", pair)
            (a_0, b_0), (a_1, b_1) = codes[first : first + 2]
            m.d.comb += [pair.a_0.eq(a_0), pair.b_0.eq(b_0), pair.a_1.eq(a_1), pair.b_1.eq(b_1)]
            products += [pair.product_0, pair.product_1]
        for lane in singles:
            factors: list[Value] = []
            for value, fmt in zip(codes[lane], (a_format, b_format), strict=True):
                factors.append(value.as_signed() if fmt.is_signed else value)
            product = Signal(a_format.bits + b_format.bits, name=f"product_{lane}")
            m.d.comb += product.eq(factors[0] * factors[1])
            products.append(product)
        corners = [
            x * y
            for x in (a_format.min_code_integer, a_format.max_code_integer)
            for y in (b_format.min_code_integer, b_format.max_code_integer)
        ]
        is_absorbed = bool(singles) and DSP_FAMILIES[self.architecture.fpga].adds
        for formed in products:
            # one after the other, so that each block takes in the addition behind its product
            chain.add(formed, min(corners), max(corners), comes_last=is_absorbed)
        for lane in others:
            add_product_rows(
                m,
                chain,
                f"lane_{lane}",
                codes[lane][0],
                a_format.is_signed,
                codes[lane][1],
                b_format.is_signed,
                digit_adders=self.architecture.fpga != "xilinx7",
            )

    def _groups(self) -> tuple[list[int], list[int], list[int]]:
        """Lanes whose products are formed in one block with the next lane's, in a block of their
        own, and without any."""
        lanes = list(range(self.config.lanes))
        if self.plan.kind == "lut":
            return [], [], lanes
        if self.plan.kind == "single":
            return [], lanes, []
        left = lanes[-1:] if len(lanes) % 2 else []
        is_single = self.plan.leftover == "single"
        return lanes[: len(lanes) - 1 : 2], left if is_single else [], [] if is_single else left

    def _multiply_outside(self, m: Module, platform: Any, lanes: Sequence[ChainLane]) -> None:
        """Form the products of lanes' significands in blocks."""
        plan = self.plan
        pairs, singles, _ = self._groups()
        for first in pairs:
            a, b = (shape.significand_bits for shape in lanes[first].shapes)
            block: PackedMultiply | PairMultiply
            if plan.kind == "packed":
                block = PackedMultiply(a, b, plan.a_offset, plan.b_offset)
            else:
                block = PairMultiply(a, b, a_signed=False, b_signed=False)
            place(m, platform, f"multiply_{first}", block)
            for lane, factor_a, factor_b, product in (
                (lanes[first], block.a_0, block.b_0, block.product_0),
                (lanes[first + 1], block.a_1, block.b_1, block.product_1),
            ):
                m.d.comb += [
                    factor_a.eq(lane.factor_a),
                    factor_b.eq(lane.factor_b),
                    lane.product.eq(product),
                ]
        for index in singles:
            lane = lanes[index]
            m.d.comb += lane.product.eq(lane.factor_a * lane.factor_b)

    def _add_terms(self, m: Module, platform: Any, chain: ChainSum) -> list[Value]:
        """Put all lanes' terms into `chain`; returns what the flags of the partial sum are set by
        (`macsmith.model.widths`)."""
        config = self.config
        bounds = mac_widths(config).term
        nans: list[Value] = []
        positive: list[Value] = []
        negative: list[Value] = []
        inside = self._groups()[2]
        lanes: list[ChainLane] = []
        for index in range(config.lanes):
            lane: Lane | ChainLane
            if config.product is None:
                lane = ChainLane(config, outside=index not in inside)
                lanes.append(lane)
            else:
                lane = Lane(config, zero_specials=True)
            place(m, platform, f"lane_{index}", lane)
            fixed = ChainTerm(lane.shape, bounds.lsb_exponent, fixed_term_bits(config))
            place(m, platform, f"fixed_term_{index}", fixed)
            term = lane.term
            m.d.comb += [
                lane.a.eq(self.a.word_select(index, config.a.bits)),
                lane.b.eq(self.b.word_select(index, config.b.bits)),
                fixed.term_sign.eq(term.sign),
                fixed.term_significand.eq(term.significand),
                fixed.term_exponent.eq(term.exponent),
            ]
            chain.add_ones_complement(fixed.number, term.sign, bounds.max_integer)
            nans.append(term.is_nan)
            positive.append(term.is_infinity & ~term.sign)
            negative.append(term.is_infinity & term.sign)
        self._multiply_outside(m, platform, lanes)
        if bounds.flag_bits == 2:
            is_nan = Cat(*nans).any()
            return [is_nan | Cat(*positive).any(), is_nan | Cat(*negative).any()]
        return [Cat(*nans).any()] if bounds.flag_bits else []
