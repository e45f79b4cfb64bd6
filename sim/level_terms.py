"""What the accumulators of a configuration add: how small and large, how often."""

from dataclasses import dataclass
from fractions import Fraction

from macsmith.model.accumulators import ChunkedAccumulator, IntAccumulator, IntOverflow
from macsmith.model.config import MacConfig
from macsmith.model.widths import mac_widths
from macsmith.sim.alignment import Alignment
from macsmith.sim.products import product_kit
from macsmith.sim.sum_lengths import longest_steps

__all__ = ["LevelTerms", "inner_terms", "outer_terms"]


@dataclass(frozen=True)
class LevelTerms:
    """What one level of accumulator adds.

    `lowest`, `highest`: exponents of the smallest and largest term that is a power of two.
    `count`: terms that may be added; `grown`: the largest magnitude that adding the same term again
    and again gives at least, None if such growth may overflow on the way.
    """

    lowest: int
    highest: int
    count: int
    grown: Fraction | None
    has_negative: bool


def inner_terms(config: MacConfig) -> LevelTerms | None:
    """Terms of the accumulator that products are added to."""
    kit = product_kit(config)
    if not kit.powers:
        return None
    steps = longest_steps(config)
    if isinstance(config.accumulator, ChunkedAccumulator):
        # the step that ends a chunk is not used to grow
        steps = min(steps, config.accumulator.length // config.lanes - 1)
    first = kit.value(kit.largest) * config.lanes
    grown: Fraction | None = first * steps
    inner = mac_widths(config).inner
    if inner.format is not None and first >= inner.format.max:
        grown = None  # the first step overflows
    return LevelTerms(
        min(kit.powers), max(kit.powers), steps, grown if steps else None, kit.has_negative
    )


def outer_terms(config: MacConfig) -> LevelTerms | None:
    """Terms of the accumulator that chunks are added to: chunks of one power of two, and
    chunks full of the largest product."""
    accumulator = config.accumulator
    assert isinstance(accumulator, ChunkedAccumulator)
    outer = mac_widths(config).outer
    assert outer is not None
    if config.aligned is not None and not Alignment(config).is_kept_alone:
        return None
    kit = product_kit(config)
    kept = kit.chunk_powers
    if not kept:
        return None
    chunk_steps = accumulator.length // config.lanes
    chunks = longest_steps(config) // chunk_steps
    full = kit.value(kit.largest) * accumulator.length
    inner = mac_widths(config).inner
    if inner.format is not None:
        # an inner sum may stall, and lose to rounding what this bound leaves out
        stalled = kit.value(kit.largest) * 2**inner.format.fraction_bits
        if full >= inner.format.max:
            full = Fraction(0)
        full = min(full, stalled) / 2
    elif isinstance(inner.accumulator, IntAccumulator) and (
        inner.accumulator.overflow is not IntOverflow.FORBID
    ):
        half = Fraction(2) ** (inner.integer_bits - 1 + inner.lsb_exponent)
        full = full if full < half else Fraction(0)
    grown: Fraction | None = full * chunks
    if not full or not chunks or (outer.format is not None and full >= outer.format.max):
        grown = None
    return LevelTerms(min(kept), max(kept), chunks, grown, kit.has_negative)
