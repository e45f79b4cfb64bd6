"""Where a fixed-point partial sum is cut into segments, and how its state is laid out."""

from dataclasses import dataclass

from macsmith.hw.lane import fixed_term_bits
from macsmith.hw.placement import Placement
from macsmith.hw.terms import is_integer_product, rounded_product_shape
from macsmith.model.config import MacConfig
from macsmith.model.widths import mac_widths, signed_bits

__all__ = ["SegmentPlan", "moves_products", "product_placement"]


def moves_products(config: MacConfig) -> bool:
    """Whether a step adds one product, put in its place by its exponent."""
    return config.lanes == 1 and not is_integer_product(config)


def product_placement(config: MacConfig, fine_levels: int) -> Placement:
    """Where the significand of a step's one product goes in the inner accumulator."""
    shape = rounded_product_shape(config)
    dropped = mac_widths(config).term.lsb_exponent - shape.lsb_exponent
    return Placement(
        shape.significand_bits,
        range(shape.min_exponent, shape.max_exponent + 1),
        range(dropped, dropped + fixed_term_bits(config)),
        fine_levels,
    )


@dataclass(frozen=True)
class SegmentPlan:
    """A two's-complement integer in segments, each with a carry of its own into it.

    The state is ``| flags | borrows | carries | integer |``. Segment k > 0 has a carry, which
    counts ``+2**start``, and, where what is added may be subtracted there alone, a borrow, which
    counts ``-2**start``. The state of an empty sum is `start_state`.

    Parameters
    ----------
    starts
        First place of each segment, ascending from 0.
    integer_bits, flag_bits
        Of the partial sum.
    landed
        Segments, the lowest ones, that every step adds something to; 0 where a product lands
        anywhere.
    """

    starts: tuple[int, ...]
    integer_bits: int
    flag_bits: int
    landed: int

    @staticmethod
    def of(config: MacConfig, segment_bits: int) -> "SegmentPlan":
        """Segments of `segment_bits`, a power of two, but for the first and the last one."""
        widths = mac_widths(config).inner
        first, landed = segment_bits, 0
        if moves_products(config):
            # a product's fine shifter ends where a segment begins
            dropped = product_placement(config, 0).places.start
            first = segment_bits - dropped % segment_bits
        starts = [0, *range(first, widths.integer_bits - segment_bits // 2 + 1, segment_bits)]
        if not moves_products(config):
            bits = signed_bits(config.lanes * mac_widths(config).term.max_integer)
            landed = sum(start < bits for start in starts)
        return SegmentPlan(tuple(starts), widths.integer_bits, widths.flag_bits, landed)

    @property
    def segments(self) -> tuple[range, ...]:
        """Places of each segment."""
        stops = (*self.starts[1:], self.integer_bits)
        return tuple(range(start, stop) for start, stop in zip(self.starts, stops, strict=True))

    @property
    def with_borrow(self) -> tuple[int, ...]:
        """Segments that may get a borrow."""
        return tuple(range(max(self.landed, 1), len(self.starts)))

    @property
    def state_bits(self) -> int:
        """Width of the state."""
        return self.integer_bits + len(self.starts) - 1 + len(self.with_borrow) + self.flag_bits

    @property
    def start_state(self) -> int:
        """State of an empty sum: bits 1 and 0 in turn, so that small numbers of either sign are
        added to it without carries that run far."""
        return sum(1 << place for place in range(1, self.integer_bits, 2))
