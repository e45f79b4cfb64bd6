"""The step of a switchable design whose modes all add in fixed point: one tree of adders for all.

Every mode counts in its own units from place 0, so a lane's product is put to its place by the same
shifter in all modes::

    | sum | ... | product of the widest mode   |
                          | of a narrower mode |
                     | low bits of an integer  |  and the partial products of its high bits

Nothing in the tree depends on the mode: lanes give 0 where a mode has no use for them. A lane that
takes several narrow products at once has a small multiplier and shifter more for each but the
first.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from amaranth.hdl import Cat, Const, Module, Signal, Value
from macsmith.hw.architecture import DEFAULT_ARCHITECTURE, Architecture
from macsmith.hw.block import Block, place
from macsmith.hw.heap import BitHeap
from macsmith.hw.lane import FixedTerm, term_placement
from macsmith.hw.lanes import NUMBER_ARRIVAL, add_corrections, add_ones_complement
from macsmith.hw.placement import Alignment, Signs
from macsmith.hw.switch_lane import SwitchLane, integer_modes
from macsmith.hw.switch_step import step_members
from macsmith.hw.terms import TermShape
from macsmith.hw.union_terms import UnionScale, is_one_of, union_products
from macsmith.model.accumulators import IntOverflow, int_overflow_of
from macsmith.model.config import MacConfig
from macsmith.model.formats import PositFormat
from macsmith.model.switch import switch_widths
from macsmith.model.widths import mac_widths, signed_bits

__all__ = ["SwitchFixedStep", "can_share_fixed"]


def can_share_fixed(modes: Sequence[MacConfig]) -> bool:
    """Whether one tree of adders can serve all modes: sums in fixed point that never overflow, of
    products that are not rounded, and not of posits, whose smallest ones have zeros below the last
    place of the sum."""
    return all(
        mac_widths(mode).inner.format is None
        and mode.aligned is None
        and mode.product is None
        and not any(isinstance(fmt, PositFormat) for fmt in (mode.a, mode.b))
        and int_overflow_of(mode.accumulator) is IntOverflow.FORBID
        for mode in modes
    )


@dataclass
class _Found:
    """What the lanes gave beside their numbers: corrections due by span of places, and specials."""

    signs: dict[range, list[Value]] = field(default_factory=dict)
    nans: list[Value] = field(default_factory=list)
    positive: list[Value] = field(default_factory=list)
    negative: list[Value] = field(default_factory=list)


class SwitchFixedStep(Block):
    """Next inner partial sum of the present mode, all modes in one tree of adders.

    Combinational.

    Parameters
    ----------
    modes
        What is computed in each mode; `can_share_fixed` holds.
    architecture
        How it is built.

    Members
    -------
    mode, a, b, partial_sum_i, partial_sum_o
        As those of `macsmith.hw.switch_step.SeparateSteps`.
    """

    mode: Signal
    a: Signal
    b: Signal
    partial_sum_i: Signal
    partial_sum_o: Signal

    def __init__(
        self,
        modes: tuple[MacConfig, ...],
        architecture: Architecture = DEFAULT_ARCHITECTURE,
    ) -> None:
        self.modes, self.architecture = modes, architecture
        self.widths = switch_widths(modes)
        self._serial = count()
        super().__init__("switch_fixed_step", step_members(modes))

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        inner = self.widths.inner
        width = inner.integer_bits
        largest = max(mode.lanes * mac_widths(mode).term.max_integer for mode in self.modes)
        apart = self.architecture.loop == "apart"
        heap = BitHeap(
            m,
            platform,
            "add_lanes" if apart else "add",
            signed_bits(largest) if apart else width,
            self.architecture.reduce,
        )
        found = _Found()
        for lane in range(self.widths.lanes):
            for part in range(max(self.widths.rates)):
                self._add_product(m, platform, heap, lane, part, found)
        counts = self.architecture.goal == "area"
        for span, signs in found.signs.items():
            add_corrections(m, platform, heap, signs, span, counts=counts)
        flags = [
            Cat(*each).any() if each else Const(0)
            for each in (found.nans, found.positive, found.negative)
        ]
        if apart:
            lane_sum = heap.sum()
            heap = BitHeap(m, platform, "add", width, self.architecture.reduce)
            heap.add_sign_extended(lane_sum, parity=None)
        heap.add_unsigned(self.partial_sum_i[:width], parity=None)
        is_nan, is_positive, is_negative = flags
        new = [is_nan | is_positive, is_nan | is_negative][: inner.flag_bits]
        kept = self.partial_sum_i[width : width + inner.flag_bits]
        m.d.comb += self.partial_sum_o.eq(Cat(heap.sum(), kept | Cat(*new) if new else kept))
        return m

    def _code(
        self, m: Module, modes: tuple[MacConfig | None, ...], side: str, slot: Value, part: int
    ) -> Value:
        """The code of one product in a slot. Modes with codes of several widths have it at several
        places, but for the first."""
        bits_of = {
            index: getattr(mode, side).bits for index, mode in enumerate(modes) if mode is not None
        }
        code = Signal(max(bits_of.values()), name=f"{side}_code_{next(self._serial)}")
        if part == 0:
            m.d.comb += code.eq(slot)
            return code
        chosen: Value = Const(0, len(code))
        for bits in dict.fromkeys(bits_of.values()):
            numbers = [index for index, each in bits_of.items() if each == bits]
            own = slot[part * bits : (part + 1) * bits]
            if len(numbers) < len(bits_of):
                own = own & is_one_of(self.mode, numbers, len(modes)).replicate(bits)
            chosen = chosen | own
        m.d.comb += code.eq(chosen)
        return code

    def _add_product(
        self,
        m: Module,
        platform: Any,
        heap: BitHeap,
        index: int,
        part: int,
        found: _Found,
    ) -> None:
        """Put one product of a lane into the heap: `part` counts those that share a slot."""
        widths, architecture = self.widths, self.architecture
        modes = tuple(
            mode if rate > part else None
            for mode, rate in zip(self.modes, widths.rates, strict=True)
        )
        name = f"{index}_{part}" if part else f"{index}"
        a_slot, b_slot = widths.a_slot_bits, widths.b_slot_bits
        a = self._code(m, modes, "a", self.a[index * a_slot : (index + 1) * a_slot], part)
        b = self._code(m, modes, "b", self.b[index * b_slot : (index + 1) * b_slot], part)
        shape, placing, drops = self._placing(modes)
        lane = SwitchLane(
            modes,
            widths.mode_bits,
            len(a),
            len(b),
            is_common=False,
            zero_specials=not drops,
            multiplier=architecture.multiply,
        )
        place(m, platform, f"lane_{name}", lane)
        m.d.comb += [lane.mode.eq(self.mode), lane.a.eq(a), lane.b.eq(b)]
        if lane.integers:
            lane.add_integers(m, heap, architecture.multiply)
        if shape is None:
            return
        term = lane.term
        fixed = FixedTerm(shape, *placing, drops=drops)
        place(m, platform, f"fixed_term_{name}", fixed)
        sign = Signal(name=f"sign_of_number_{name}")
        m.d.comb += [
            # a special term counts as +0
            sign.eq(term.sign & ~term.is_special),
            fixed.term_sign.eq(sign),
            fixed.term_significand.eq(term.significand),
            fixed.term_exponent.eq(term.exponent),
        ]
        if drops:
            m.d.comb += fixed.is_dropped.eq(term.is_special)
        if widths.lanes * max(widths.rates) == 1 and fixed.signs == "word":
            add_ones_complement(heap, fixed.number, fixed.inverted)
        else:
            heap.add_unsigned(fixed.number, 0, NUMBER_ARRIVAL)
            for span, bit in zip(fixed.spans, fixed.inverted, strict=True):
                if span:
                    found.signs.setdefault(span, []).append(bit)
        if shape.has_nan:
            found.nans.append(term.is_nan)
        if shape.has_infinity:
            found.positive.append(term.is_infinity & ~term.sign)
            found.negative.append(term.is_infinity & term.sign)

    def _placing(
        self, modes: tuple[MacConfig | None, ...]
    ) -> tuple[TermShape | None, tuple[int, int, Alignment, Signs], bool]:
        """Shape of a lane's terms, how they are placed, and whether special ones are dropped there;
        None for a lane of integers."""
        integers = integer_modes(modes)
        own = tuple(None if index in integers else mode for index, mode in enumerate(modes))
        align, signs = self.architecture.align, self.architecture.signs
        present = [mode for mode in own if mode is not None]
        if not present:
            return None, (0, 0, align, signs), False
        shape = union_products(
            UnionScale(tuple(None if mode is None else mode.a for mode in own), False),
            UnionScale(tuple(None if mode is None else mode.b for mode in own), False),
        )
        bits = max(mac_widths(mode).term.max_integer.bit_length() for mode in present)
        placing = (shape.unit_exponent, max(bits, shape.significand_bits), align, signs)
        drops = shape.has_specials and len(term_placement(shape, *placing).blocks) > 1
        return shape, placing, drops
