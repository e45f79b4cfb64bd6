"""The step of a float accumulator with one product."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Value
from macsmith.hw.architecture import DEFAULT_ARCHITECTURE, Architecture, uses_block
from macsmith.hw.block import place
from macsmith.hw.chain_float import ChainFloatAdd, ChainProduct
from macsmith.hw.compact_add import CompactAdd
from macsmith.hw.dual_path import DualPathAdd
from macsmith.hw.float_add import place_float_add
from macsmith.hw.lane import Lane
from macsmith.hw.loose_term import has_float_product, loose_term
from macsmith.hw.normalised_product import NormalisedProduct
from macsmith.hw.round_term import NormaliseTerm
from macsmith.hw.step_block import StepBlock
from macsmith.model.config import MacConfig
from macsmith.model.formats import FloatFormat
from macsmith.model.widths import mac_widths

__all__ = ["FloatStep"]


class FloatStep(StepBlock):
    """Next partial sum of an inner float accumulator with one lane: product added, rounded once;
    combinational.

    Parameters
    ----------
    config
        What is computed; `lanes` is 1.
    architecture
        How it is built.
    """

    def __init__(
        self, config: MacConfig, architecture: Architecture = DEFAULT_ARCHITECTURE
    ) -> None:
        fmt = mac_widths(config).inner.format
        if fmt is None or config.lanes != 1:
            raise ValueError("FloatStep: must have a float accumulator and 1 lane")
        self.format = fmt
        random_bits = config.random_bits_of(mac_widths(config).inner.accumulator)
        super().__init__("float_step", config, architecture, fmt.bits, random_bits)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        if self.architecture.path == "single":
            self._add_normalised(m, platform)
        else:
            self._add_loose(m, platform)
        return m

    def _add_normalised(self, m: Module, platform: Any) -> None:
        config, fmt = self.config, self.format
        lane = Lane(config, zero_specials=False, multiplier=self.architecture.multiply)
        place(m, platform, "lane", lane)
        term = lane.term
        add = place_float_add(
            m,
            platform,
            ("normalise_term", "float_add"),
            term,
            fmt,
            config.accumulator_rounding,
            config.overflow_of(fmt),
            self.partial_sum_i,
        )
        m.d.comb += [
            lane.a.eq(self.a),
            lane.b.eq(self.b),
            self.partial_sum_o.eq(add.partial_sum_o),
        ]
        if "random" in self.signature.members:
            m.d.comb += add.random.eq(self.random)

    def _add_loose(self, m: Module, platform: Any) -> None:
        config, fmt = self.config, self.format
        shape = loose_term(config, fmt)
        is_dual = self.architecture.path == "dual"
        is_chain = self.architecture.fpga != "none"
        arguments = (shape, fmt, config.rounding, config.overflow_of(fmt))
        add: DualPathAdd | CompactAdd
        if is_chain:
            add = ChainFloatAdd(*arguments)
        elif is_dual:
            add = DualPathAdd(*arguments)
        else:
            add = CompactAdd(*arguments, count=self.architecture.count)
        place(m, platform, "dual_path_add" if is_dual else "compact_add", add)
        a, b = config.a, config.b
        parts: dict[str, Value]
        if has_float_product(config):
            assert isinstance(a, FloatFormat)
            assert isinstance(b, FloatFormat)
            product: NormalisedProduct | ChainProduct
            if is_chain:
                product = ChainProduct(a, b, in_block=uses_block(config, self.architecture))
            else:
                product = NormalisedProduct(a, b, multiplier=self.architecture.multiply)
            place(m, platform, "product", product)
            m.d.comb += [product.a.eq(self.a), product.b.eq(self.b)]
            parts = {name: getattr(product, name) for name in shape.members(is_input=False)}
        else:
            lane = Lane(config, zero_specials=False, multiplier=self.architecture.multiply)
            place(m, platform, "lane", lane)
            normalise = NormaliseTerm(lane.shape, fmt)
            place(m, platform, "normalise_term", normalise)
            term = lane.term
            m.d.comb += [
                lane.a.eq(self.a),
                lane.b.eq(self.b),
                normalise.significand.eq(term.significand),
                normalise.exponent.eq(term.exponent),
            ]
            parts = {
                "term_sign": term.sign,
                "term_significand": Cat(
                    Const(0, shape.significand_bits - lane.shape.significand_bits),
                    normalise.normalised,
                ),
                "term_exponent_a": normalise.internal_exponent,
                "term_exponent_b": Const(0, 1),
                "term_is_zero": ~term.significand.any(),
                "term_is_nan": term.is_nan,
                "term_is_infinity": term.is_infinity,
            }
        for name in shape.members(is_input=True):
            m.d.comb += getattr(add, name).eq(parts[name])
        m.d.comb += [
            add.partial_sum_i.eq(self.partial_sum_i),
            self.partial_sum_o.eq(add.partial_sum_o),
        ]
