"""Fixed-point sums in segments: only those that a product lands in have something to add.

Carries and borrows between segments wait in registers until the next step, in which the segment
above adds them, with or without a product; they are propagated once, when the sum is read out
(`macsmith.hw.read_out`). So no carry runs farther than one segment, and segments that nothing
reaches do not move::

    | segment 2   | segment 1   | segment 0   |
                     | 0 | product |             in segments 0 and 1, the rest of these 0
            carry <-      carry <-

A step adds or subtracts, all of it. One that adds takes the waiting carries in, and leaves the
borrows; one that subtracts takes the borrows. So a segment gets one or the other, never two of
them, and none is waiting when its like comes.
"""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from macsmith.hw.architecture import DEFAULT_ARCHITECTURE, Architecture
from macsmith.hw.block import place
from macsmith.hw.heap import BitHeap
from macsmith.hw.lane import Lane
from macsmith.hw.lanes import LaneFacts, add_lanes, added_flags
from macsmith.hw.segment_plan import SegmentPlan, moves_products, product_placement
from macsmith.hw.shift import shift_left
from macsmith.hw.step_block import StepBlock
from macsmith.model.config import MacConfig
from macsmith.model.widths import mac_widths, signed_bits

__all__ = ["SegmentedStep", "moved_product"]


def moved_product(
    m: Module,
    platform: Any,
    config: MacConfig,
    architecture: Architecture,
    a: Value,
    b: Value,
    fine_levels: int,
) -> tuple[Value, Value, list[Value], LaneFacts]:
    """A step's one product, shifted by the low bits of its exponent.

    Returns
    -------
    word, sign : Value
        Magnitude and sign.
    selects : list
        For each block of `product_placement` whether the word belongs there; at most one does.
    facts : LaneFacts
        Of specials only, whose magnitude is 0.
    """
    placement = product_placement(config, fine_levels)
    lane = Lane(config, zero_specials=True, multiplier=architecture.multiply)
    place(m, platform, "lane", lane)
    m.d.comb += [lane.a.eq(a), lane.b.eq(b)]
    term = lane.term
    word = shift_left(
        m,
        "fine",
        term.significand,
        term.exponent[:fine_levels],
        placement.fine_reach,
    )
    selects: list[Value] = []
    for block in placement.blocks:
        select = Signal(name=f"block_{block}")
        m.d.comb += select.eq(
            term.exponent[fine_levels:] == block if len(placement.blocks) > 1 else 1
        )
        selects.append(select)
    facts = LaneFacts(
        ~term.sign,
        term.sign,
        term.is_nan,
        term.is_infinity & ~term.sign,
        term.is_infinity & term.sign,
    )
    return word, term.sign, selects, facts


class SegmentedStep(StepBlock):
    """Next state of an inner integer or exact accumulator in segments; combinational.

    Parameters
    ----------
    config
        What is computed; the accumulator is a fixed-point one that does not clip.
    architecture
        How it is built.
    segment_bits
        Width of a segment, a power of two.

    Members
    -------
    partial_sum_i, partial_sum_o : In, Out(plan.state_bits)
        Laid out as `macsmith.hw.segment_plan.SegmentPlan` says.
    """

    def __init__(
        self,
        config: MacConfig,
        architecture: Architecture = DEFAULT_ARCHITECTURE,
        segment_bits: int = 16,
    ) -> None:
        widths = mac_widths(config).inner
        if widths.format is not None or widths.clips:
            raise ValueError("SegmentedStep: must have a fixed-point sum that does not clip")
        self.fine_levels = segment_bits.bit_length() - 1
        self.plan = SegmentPlan.of(config, segment_bits)
        super().__init__("segmented_step", config, architecture, self.plan.state_bits)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        plan = self.plan
        state = self.partial_sum_i
        count = len(plan.starts)
        carries = {k: state[plan.integer_bits + k - 1] for k in range(1, count)}
        first_borrow = plan.integer_bits + count - 1
        borrows = {k: state[first_borrow + i] for i, k in enumerate(plan.with_borrow)}
        if moves_products(self.config):
            facts, sign, addends, subtracts = self._one_product(m, platform, borrows)
        else:
            facts, sign, addends, subtracts = self._sum_of_lanes(m, platform, borrows)
        totals: list[Value] = []
        next_carries: list[Value] = []
        next_borrows: list[Value] = []
        for k, places in enumerate(plan.segments):
            is_fixed = k < plan.landed
            carry_in = Signal(name=f"carry_in_{k}")
            if k == 0:
                m.d.comb += carry_in.eq(subtracts[0])
            elif is_fixed:
                m.d.comb += carry_in.eq(carries[k])
            else:
                m.d.comb += carry_in.eq(Mux(subtracts[k], ~borrows[k], carries[k] & ~sign))
            # 1 + carry below the lowest place carries exactly carry into it: one plain '+'
            total = Signal(len(places) + 2, name=f"segment_{k}")
            old = state[places.start : places.stop]
            m.d.comb += total.eq(Cat(Const(1, 1), old) + Cat(carry_in, addends[k]))
            totals.append(total[1:-1])
            above = k + 1
            if above == count:
                continue
            carry = total[-1]
            if above not in borrows:
                next_carries.append(carry)
                continue
            # below the sign extension of a sum every segment is added to, by it as by a carry
            borrow = ~carry if is_fixed else subtracts[k] & ~carry
            next_carries.append(Mux(sign, carries[above], carry))
            next_borrows.append(Mux(sign, borrow, borrows[above]))
        flags = state[len(state) - plan.flag_bits :] if plan.flag_bits else Const(0, 0)
        m.d.comb += self.partial_sum_o.eq(
            Cat(*totals, *next_carries, *next_borrows, flags | added_flags(facts, plan.flag_bits))
        )
        return m

    def _one_product(
        self, m: Module, platform: Any, borrows: dict[int, Value]
    ) -> tuple[LaneFacts, Value, list[Value], list[Value]]:
        """What each segment adds, and whether it subtracts: where a negative product lands, or
        where one meets a borrow."""
        placement = product_placement(self.config, self.fine_levels)
        magnitude, sign, selects, facts = moved_product(
            m, platform, self.config, self.architecture, self.a, self.b, self.fine_levels
        )
        word = Signal(len(magnitude), name="word")
        m.d.comb += word.eq(magnitude ^ sign.replicate(len(word)))
        addends: list[Value] = []
        subtracts: list[Value] = []
        for k, places in enumerate(self.plan.segments):
            landing = [
                select
                for block, select in zip(placement.blocks, selects, strict=True)
                if set(placement.span(block)) & set(places)
            ]
            is_moved: Value = Cat(*landing).any() if landing else Const(0)
            if k in borrows:
                is_moved = is_moved | borrows[k]
            subtract = Signal(name=f"subtracts_{k}")
            m.d.comb += subtract.eq(sign & is_moved)
            fills: dict[tuple[int, ...], Value] = {}
            bits: list[Value] = []
            for index in places:
                bit: Value = Const(0, 1)
                reaching: list[int] = []
                for at, block in enumerate(placement.blocks):
                    if index in placement.span(block):
                        reaching.append(at)
                        offset = index + placement.places.start - (block << self.fine_levels)
                        bit = bit | (selects[at] & word[offset])
                key = tuple(reaching)
                if key not in fills:
                    fills[key] = Signal(name=f"fill_{k}_{len(fills)}")
                    reached = Cat(*(selects[at] for at in reaching)).any() if reaching else Const(0)
                    m.d.comb += fills[key].eq(subtract & ~reached)
                bits.append(bit | fills[key])
            addend = Signal(len(places), name=f"addend_{k}")
            m.d.comb += addend.eq(Cat(*bits))
            addends.append(addend)
            subtracts.append(subtract)
        return facts, sign, addends, subtracts

    def _sum_of_lanes(
        self, m: Module, platform: Any, borrows: dict[int, Value]
    ) -> tuple[LaneFacts, Value, list[Value], list[Value]]:
        """The sum of all products in two's complement, and what is left of its sign above it."""
        config = self.config
        largest = config.lanes * mac_widths(config).term.max_integer
        heap = BitHeap(m, platform, "add_lanes", signed_bits(largest), self.architecture.reduce)
        facts = add_lanes(m, platform, config, self.a, self.b, heap, architecture=self.architecture)
        total = heap.sum()
        sign = total[-1]
        addends: list[Value] = []
        subtracts: list[Value] = []
        for k, places in enumerate(self.plan.segments):
            if k < self.plan.landed:
                part = total[places.start : places.stop]
                addends.append(Cat(part, sign.replicate(len(places) - len(part))))
                subtracts.append(Const(0))
            else:
                subtract = sign & borrows[k]
                addends.append(subtract.replicate(len(places)))
                subtracts.append(subtract)
        return facts, sign, addends, subtracts
