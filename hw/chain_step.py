"""The step of an integer or exact accumulator for FPGAs: carry chains, and DSP blocks if asked."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib.wiring import In
from macsmith.hw.architecture import Architecture
from macsmith.hw.block import place
from macsmith.hw.chain import ChainSum
from macsmith.hw.chain_lane import ChainLane, ChainTerm
from macsmith.hw.dsp_multiply import PackedMultiply, PairMultiply, SharedMultiply
from macsmith.hw.dsp_plan import (
    DSP_FAMILIES,
    DspPlan,
    moved_bits,
    plan_column_pair,
    plan_products,
)
from macsmith.hw.fixed_step import clip
from macsmith.hw.lane import Lane, fixed_term_bits
from macsmith.hw.moved_lane import MovedLane
from macsmith.hw.radix4 import add_product_rows
from macsmith.hw.step_block import StepBlock
from macsmith.hw.terms import is_integer_product
from macsmith.model.config import MacConfig
from macsmith.model.formats import IntFormat
from macsmith.model.widths import mac_widths, signed_bits

__all__ = ["ChainStep"]


@dataclass(frozen=True)
class _Product:
    """A product of one lane and column, and a bit that is still to be added to it."""

    bits: Value
    owed: tuple[tuple[int, Value], ...] = ()


class ChainStep(StepBlock):
    """Next partial sum of the inner accumulator, an integer or exact one; combinational.

    Where the architecture pairs the columns of an array (``pair``), those of two columns: B and
    both partial sums hold the first column's in the lower half.

    Parameters
    ----------
    config
        What is computed.
    architecture
        How it is built.

    Members
    -------
    is_first : In(1)
        Only with ``loop=restart``: the sum is that of this step's products alone.
    """

    is_first: Signal

    def __init__(self, config: MacConfig, architecture: Architecture) -> None:
        self.plan = DspPlan("lut")
        if architecture.dsp == "on":
            self.plan = plan_products(config, architecture.fpga)
        if architecture.pair == "columns":
            plan = plan_column_pair(config, architecture.fpga)
            assert plan is not None
            self.plan = plan
        self.widths = mac_widths(config).inner
        # where operands are broadcast, they are moved once for all elements that they go to
        is_moved = architecture.feed == "broadcast"
        self.moved_bits = moved_bits(config, architecture.fpga, self.plan) if is_moved else 0
        self.restarts = architecture.loop == "restart"
        super().__init__(
            "chain_step",
            config,
            architecture,
            self.widths.bits,
            columns=self.plan.columns,
            members={"is_first": In(1)} if self.restarts else {},
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config, columns = self.config, self.plan.columns
        b_bits = len(self.b) // columns
        b = [self.b.word_select(column, b_bits) for column in range(columns)]
        sums = [
            self.partial_sum_i.word_select(column, self.widths.bits) for column in range(columns)
        ]
        largest = config.lanes * mac_widths(config).term.max_integer
        prefixes = [f"column_{column}_" if columns > 1 else "" for column in range(columns)]
        chains = [ChainSum(m, f"{prefix}add", self._width(largest)) for prefix in prefixes]
        specials: list[list[Value]] = [[] for _ in chains]
        if is_integer_product(config):
            self._add_integers(m, platform, chains, b, prefixes)
        else:
            specials = self._add_terms(m, platform, chains, b, prefixes)
        results: list[Value] = []
        for chain, prefix, before, set_flags in zip(chains, prefixes, sums, specials, strict=True):
            results.append(self._finish(m, chain, prefix, before, set_flags, largest))
        m.d.comb += self.partial_sum_o.eq(Cat(*results))
        return m

    @property
    def _adds_apart(self) -> bool:
        """Whether the lanes are summed apart from the partial sum."""
        is_several = self.config.lanes > 1 or is_integer_product(self.config)
        return self.restarts or (self.architecture.loop == "apart" and is_several)

    def _sum_width(self, largest: int) -> int:
        width = self.widths.integer_bits
        return max(signed_bits(largest), width) + 1 if self.widths.clips else width

    def _width(self, largest: int) -> int:
        """Width of the sum of the products."""
        return signed_bits(largest) if self._adds_apart else self._sum_width(largest)

    def _finish(
        self,
        m: Module,
        chain: ChainSum,
        prefix: str,
        partial_sum: Value,
        set_flags: list[Value],
        largest: int,
    ) -> Value:
        """The next partial sum of one column."""
        widths, width = self.widths, self._sum_width(largest)
        lane_sum: Value | None = None
        if self._adds_apart:
            lane_sum = chain.sum()
            chain = ChainSum(m, f"{prefix}add_partial_sum", width)
            chain.add(lane_sum, -largest, largest)
        chain.add_partial_sum(partial_sum[: widths.integer_bits])
        total = Signal(width, name=f"{prefix}total")
        m.d.comb += total.eq(chain.sum())
        integer: Value = total
        if self.restarts:
            # in one LUT with the adder's bit: the carry beside it is not looked at
            assert lane_sum is not None
            alone = Signal(signed(len(lane_sum)), name=f"{prefix}alone")
            restarted = Signal(signed(width), name=f"{prefix}restarted")
            m.d.comb += [alone.eq(lane_sum), restarted.eq(Mux(self.is_first, alone, total))]
            integer = restarted
        if widths.clips:
            integer = clip(m, f"{prefix}clipped", total, widths.integer_bits)
        flags = partial_sum[widths.integer_bits :]
        if self.restarts:
            flags = flags & (~self.is_first).replicate(len(flags))
        if set_flags:
            flags = flags | Cat(*set_flags)
        return Cat(integer, flags)

    def _add_integers(
        self,
        m: Module,
        platform: Any,
        chains: list[ChainSum],
        b: list[Value],
        prefixes: list[str],
    ) -> None:
        config = self.config
        a_format, b_format = config.a, config.b
        assert isinstance(a_format, IntFormat)
        assert isinstance(b_format, IntFormat)
        signs = a_format.is_signed, b_format.is_signed
        a_codes = [self.a.word_select(lane, a_format.bits) for lane in range(config.lanes)]
        b_codes = [
            [codes.word_select(lane, b_format.bits) for lane in range(config.lanes)] for codes in b
        ]
        pairs, singles, others = self._groups()
        products: list[list[_Product]] = [[] for _ in chains]
        if self.plan.columns > 1:
            for lane in range(config.lanes):
                formed = self._shared_products(
                    m, platform, lane, a_codes[lane], b_codes[0][lane], b_codes[1][lane], signs
                )
                for column, product in enumerate(formed):
                    products[column].append(product)
        for first in pairs:
            factors = [(a_codes[lane], b_codes[0][lane]) for lane in (first, first + 1)]
            products[0] += self._pair_products(m, platform, first, factors, signs)
        for lane in singles:
            values: list[Value] = []
            for value, fmt in zip(
                (a_codes[lane], b_codes[0][lane]), (a_format, b_format), strict=True
            ):
                values.append(value.as_signed() if fmt.is_signed else value)
            formed_bits = Signal(a_format.bits + b_format.bits, name=f"product_{lane}")
            m.d.comb += formed_bits.eq(values[0] * values[1])
            products[0].append(_Product(formed_bits))
        corners = [
            x * y
            for x in (a_format.min_code_integer, a_format.max_code_integer)
            for y in (b_format.min_code_integer, b_format.max_code_integer)
        ]
        is_absorbed = bool(singles) and DSP_FAMILIES[self.architecture.fpga].adds
        for chain, of_column in zip(chains, products, strict=True):
            for formed_product in of_column:
                # one after the other, so that each block takes in the addition behind its product
                chain.add(
                    formed_product.bits,
                    min(corners),
                    max(corners),
                    owed=formed_product.owed,
                    comes_last=is_absorbed,
                )
        for lane in others:
            add_product_rows(
                m,
                chains[0],
                f"{prefixes[0]}lane_{lane}",
                a_codes[lane],
                a_format.is_signed,
                b_codes[0][lane],
                b_format.is_signed,
                digit_adders=self.architecture.fpga != "xilinx7",
            )

    def _pair_products(
        self,
        m: Module,
        platform: Any,
        index: int,
        factors: Sequence[tuple[Value, Value]],
        signs: tuple[bool, bool],
    ) -> list[_Product]:
        """Two products in a block that works as two multipliers."""
        (a_0, b_0), (a_1, b_1) = factors
        pair = PairMultiply(len(a_0), len(b_0), a_signed=signs[0], b_signed=signs[1])
        place(m, platform, f"multiply_{index}", pair)
        m.d.comb += [pair.a_0.eq(a_0), pair.b_0.eq(b_0), pair.a_1.eq(a_1), pair.b_1.eq(b_1)]
        return [_Product(pair.product_0), _Product(pair.product_1)]

    def _shared_products(
        self,
        m: Module,
        platform: Any,
        lane: int,
        a: Value,
        b_0: Value,
        b_1: Value,
        signs: tuple[bool, bool],
    ) -> list[_Product]:
        """The products of a lane in both columns, in one block."""
        if self.plan.kind == "pair":
            return self._pair_products(m, platform, lane, [(a, b_0), (a, b_1)], signs)
        shared = SharedMultiply(len(a), len(b_0), a_signed=signs[0], b_signed=signs[1])
        place(m, platform, f"multiply_{lane}", shared)
        m.d.comb += [shared.a.eq(a), shared.b_0.eq(b_0), shared.b_1.eq(b_1)]
        owed = ((0, shared.borrow),) if any(signs) else ()
        return [_Product(shared.product_0), _Product(shared.product_1, owed)]

    def _groups(self) -> tuple[list[int], list[int], list[int]]:
        """Lanes whose products are formed in one block with the next lane's, in a block of their
        own, and without any; none of a pair of columns, whose lanes have a block each."""
        lanes = list(range(self.config.lanes))
        if self.plan.columns > 1:
            return [], [], []
        if self.plan.kind == "lut":
            return [], [], lanes
        if self.plan.kind == "single":
            return [], lanes, []
        left = lanes[-1:] if len(lanes) % 2 else []
        is_single = self.plan.leftover == "single"
        return lanes[: len(lanes) - 1 : 2], left if is_single else [], [] if is_single else left

    def _multiply_outside(
        self, m: Module, platform: Any, lanes: list[list[ChainLane | MovedLane]]
    ) -> None:
        """Form the products of lanes' significands in blocks."""
        plan = self.plan
        signs = (bool(self.moved_bits), bool(self.moved_bits))
        if plan.columns > 1:
            for index, (first, second) in enumerate(zip(*lanes, strict=True)):
                products = self._shared_products(
                    m,
                    platform,
                    index,
                    first.factor_a,
                    first.factor_b,
                    second.factor_b,
                    signs,
                )
                for lane, product in zip((first, second), products, strict=True):
                    m.d.comb += lane.product.eq(product.bits)
            return
        pairs, singles, _ = self._groups()
        for index in pairs:
            one, other = lanes[0][index : index + 2]
            if plan.kind == "packed":
                a, b = (shape.significand_bits for shape in one.shapes)
                block = PackedMultiply(a, b, plan.a_offset, plan.b_offset)
                place(m, platform, f"multiply_{index}", block)
                m.d.comb += [
                    block.a_0.eq(one.factor_a),
                    block.b_0.eq(one.factor_b),
                    block.a_1.eq(other.factor_a),
                    block.b_1.eq(other.factor_b),
                    one.product.eq(block.product_0),
                    other.product.eq(block.product_1),
                ]
                continue
            factors = [(lane.factor_a, lane.factor_b) for lane in (one, other)]
            products = self._pair_products(m, platform, index, factors, signs)
            for lane, product in zip((one, other), products, strict=True):
                m.d.comb += lane.product.eq(product.bits)
        for index in singles:
            lane = lanes[0][index]
            m.d.comb += lane.product.eq(lane.factor_a * lane.factor_b)

    def _add_terms(
        self,
        m: Module,
        platform: Any,
        chains: list[ChainSum],
        b: list[Value],
        prefixes: list[str],
    ) -> list[list[Value]]:
        """Put all lanes' terms into the chains; returns, for each, what the flags of the partial
        sum are set by (`macsmith.model.widths`)."""
        lanes: list[list[ChainLane | MovedLane]] = []
        flags: list[list[Value]] = []
        for chain, codes, prefix in zip(chains, b, prefixes, strict=True):
            add_column = self._add_moved_column if self.moved_bits else self._add_column
            found, set_flags = add_column(m, platform, chain, codes, prefix)
            lanes.append(found)
            flags.append(set_flags)
        self._multiply_outside(m, platform, lanes)
        return flags

    def _add_column(
        self, m: Module, platform: Any, chain: ChainSum, b: Value, prefix: str
    ) -> tuple[list[ChainLane | MovedLane], list[Value]]:
        """Put the terms of one column into its chain; returns its lanes, unless products are
        rounded, and what sets its flags."""
        config = self.config
        bounds = mac_widths(config).term
        nans: list[Value] = []
        positive: list[Value] = []
        negative: list[Value] = []
        inside = self._groups()[2]
        lanes: list[ChainLane | MovedLane] = []
        for index in range(config.lanes):
            lane: Lane | ChainLane
            if config.product is None:
                lane = ChainLane(
                    config, outside=index not in inside, masks_each=self.plan.columns > 1
                )
                lanes.append(lane)
            else:
                lane = Lane(config, zero_specials=True)
            place(m, platform, f"{prefix}lane_{index}", lane)
            fixed = ChainTerm(lane.shape, bounds.lsb_exponent, fixed_term_bits(config))
            place(m, platform, f"{prefix}fixed_term_{index}", fixed)
            term = lane.term
            m.d.comb += [
                lane.a.eq(self.a.word_select(index, config.a.bits)),
                lane.b.eq(b.word_select(index, config.b.bits)),
                fixed.term_sign.eq(term.sign),
                fixed.term_significand.eq(term.significand),
                fixed.term_exponent.eq(term.exponent),
            ]
            chain.add_ones_complement(fixed.number, term.sign, bounds.max_integer)
            nans.append(term.is_nan)
            positive.append(term.is_infinity & ~term.sign)
            negative.append(term.is_infinity & term.sign)
        if bounds.flag_bits == 2:
            is_nan = Cat(*nans).any()
            return lanes, [is_nan | Cat(*positive).any(), is_nan | Cat(*negative).any()]
        return lanes, [Cat(*nans).any()] if bounds.flag_bits else []

    def _add_moved_column(
        self, m: Module, platform: Any, chain: ChainSum, b: Value, prefix: str
    ) -> tuple[list[ChainLane | MovedLane], list[Value]]:
        """The same, where the multipliers help to move the products."""
        config, bounds = self.config, mac_widths(self.config).term
        lanes: list[ChainLane | MovedLane] = []
        for index in range(config.lanes):
            lane = MovedLane(config, self.moved_bits)
            place(m, platform, f"{prefix}lane_{index}", lane)
            lanes.append(lane)
            m.d.comb += [
                lane.a.eq(self.a.word_select(index, config.a.bits)),
                lane.b.eq(b.word_select(index, config.b.bits)),
            ]
            chain.add(lane.number, -bounds.max_integer, bounds.max_integer)
        found = [lane for lane in lanes if isinstance(lane, MovedLane)]
        is_nan = Cat(*(lane.is_nan for lane in found)).any()
        if bounds.flag_bits == 2:
            positive = Cat(*(lane.is_infinity & ~lane.sign for lane in found)).any()
            negative = Cat(*(lane.is_infinity & lane.sign for lane in found)).any()
            return lanes, [is_nan | positive, is_nan | negative]
        return lanes, [is_nan] if bounds.flag_bits else []
