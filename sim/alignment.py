"""What aligned accumulators meet: alignment, told from the terms; and what of it is sure to occur.

`alignment_events` names what happened to the terms of one step; `Alignment` derives, from formats
and widths alone, what sums of powers of two can show.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property

from macsmith.model import golden
from macsmith.model.accumulators import AlignedAccumulator
from macsmith.model.config import MacConfig
from macsmith.model.formats import FloatFormat
from macsmith.sim.products import Product, product_kit

__all__ = ["ALIGNMENT_EVENTS", "Alignment", "alignment_events"]

ALIGNMENT_EVENTS = (
    "alignment: to a product",
    "alignment: to the partial sum",
    "alignment: to the least exponent",
    "alignment: a product cut",
    "alignment: the partial sum cut",
)


def alignment_events(
    accumulator: AlignedAccumulator, terms: Sequence[golden.Term], before: golden.Term | None
) -> Iterator[str]:
    """Names of what the finite terms of a step meet; `before` is an aligned partial sum."""
    included = [*terms] if before is None else [*terms, before]
    aligned = golden.align(accumulator, included)
    if aligned.exponent is None:
        return
    largest = max((term.exponent for term in terms if term.value), default=None)
    own = before.exponent if before is not None and before.value else None
    if aligned.exponent > max(e for e in (largest, own) if e is not None):
        yield "alignment: to the least exponent"
    elif largest is not None and (own is None or largest > own):
        yield "alignment: to a product"
    elif own is not None and (largest is None or own > largest):
        yield "alignment: to the partial sum"
    cut = [term.value != kept for term, kept in zip(included, aligned.terms, strict=True)]
    if any(cut[: len(terms)]):
        yield "alignment: a product cut"
    if before is not None and cut[-1]:
        yield "alignment: the partial sum cut"


class Alignment:
    """What a configuration with an aligned accumulator is sure to meet.

    Works on products that are powers of two, of which each has an exponent that it is aligned by:
    more than its logarithm where an operand is subnormal.
    """

    def __init__(self, config: MacConfig) -> None:
        assert config.aligned is not None
        self.config, self.accumulator = config, config.aligned
        self.kit = product_kit(config)

    @cached_property
    def kept(self) -> FloatFormat:
        """The accumulator's format with no more fraction bits than a sum keeps."""
        return replace(self.accumulator.format, fraction_bits=self.accumulator.kept_bits)

    @cached_property
    def near(self) -> FloatFormat:
        """The format with no more fraction bits than are kept and aligned."""
        bits = min(self.accumulator.kept_bits, self.accumulator.fraction_bits)
        return replace(self.accumulator.format, fraction_bits=bits)

    def aligned_by(self, product: Product) -> int:
        """The exponent that a product is aligned by."""
        return self.kit.term(product).exponent

    @cached_property
    def slack(self) -> int:
        """How much more than the logarithm of a power of two that can be, at most."""
        return max((self.aligned_by(p) - e for e, p in self.kit.powers.items()), default=0)

    @property
    def is_kept_alone(self) -> bool:
        """Whether every power of two comes through alignment when it is the only term."""
        least = self.accumulator.min_exponent
        return all(
            max(self.aligned_by(p), e if least is None else least)
            <= e + self.accumulator.fraction_bits
            for e, p in self.kit.powers.items()
        )

    @property
    def has_remainders(self) -> bool:
        """Whether a quarter of a sum's last bit is never cut off."""
        needed = self.accumulator.kept_bits + 2 + self.slack
        return self.is_kept_alone and self.accumulator.fraction_bits >= needed

    @cached_property
    def held(self) -> dict[int, Product]:
        """Powers of two that the partial sum holds exactly."""
        fmt = self.accumulator.format
        least = fmt.least_exponent if fmt.has_subnormals else fmt.min_normal_exponent + 1
        if not self.is_kept_alone:
            return {}
        return {e: p for e, p in self.kit.powers.items() if least <= e <= fmt.max_exponent}

    def pairs(self) -> dict[str, tuple[list[Product], list[Product]]]:
        """For each event a first step and a second one that meets it (empty: none is needed)."""
        found: dict[str, tuple[list[Product], list[Product]]] = {}
        powers = self.kit.powers
        if not powers:
            return found
        bits, least = self.accumulator.fraction_bits, self.accumulator.min_exponent
        by_alignment = sorted(powers.values(), key=self.aligned_by)
        low, high = by_alignment[0], by_alignment[-1]
        top = self.aligned_by(high)
        if least is not None and top <= least:
            top = least
        else:
            found["alignment: to a product"] = ([], [high])
        if least is not None and self.aligned_by(low) < least:
            found["alignment: to the least exponent"] = ([], [low])
        smallest = min(powers)
        held = self.held
        is_early = not self.accumulator.is_late
        if self.config.lanes > 1 and smallest < top - bits:
            found["alignment: a product cut"] = ([], [powers[smallest], high])
        if is_early and held:
            highest = max(held)
            if self.aligned_by(low) < highest and (least is None or highest > least):
                found["alignment: to the partial sum"] = ([held[highest]], [low])
            if smallest < highest - bits:
                found.setdefault("alignment: a product cut", ([held[highest]], [powers[smallest]]))
            if min(held) < top - bits:
                found["alignment: the partial sum cut"] = ([held[min(held)]], [high])
        return found

    def leading_bits_cancel(self) -> bool:
        """Whether all but the last bits of `near` can cancel between two powers of two."""
        bits = self.near.fraction_bits
        held = self.held
        least = self.accumulator.min_exponent
        return any(
            e - bits in held
            and max(
                self.aligned_by(held[e - bits]),
                self.aligned_by(held[e]),
                e if least is None else least,
            )
            <= e - bits + self.accumulator.fraction_bits
            and e >= self.near.min_normal_exponent
            for e in held
        )

    def stalls_below(self) -> int:
        """Exponent that a product must have to count beside the largest partial sum."""
        return self.accumulator.format.max_exponent + 2 - self.accumulator.fraction_bits
