"""Fixed-point sums in a bank of accumulators: the product's exponent says which one takes it.

Each bucket is as wide as a product behind its fine shifter and the carries of all products that a
sum may have; the adder is no wider. The buckets are put in their places and added up once, when the
sum is read out (`macsmith.hw.read_out`)::

                              | carries | product |   bucket 0
                    | carries | product |             bucket 1
          | carries | product |                       bucket 2
"""

from dataclasses import dataclass
from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from macsmith.hw.architecture import DEFAULT_ARCHITECTURE, Architecture
from macsmith.hw.lanes import added_flags
from macsmith.hw.segment_plan import moves_products, product_placement
from macsmith.hw.segmented_step import moved_product
from macsmith.hw.step_block import StepBlock
from macsmith.model.accumulators import IntAccumulator, IntOverflow
from macsmith.model.config import MacConfig
from macsmith.model.widths import mac_widths

__all__ = ["BucketPlan", "BucketStep"]


@dataclass(frozen=True)
class BucketPlan:
    """A bank of accumulators; the state is ``| flags | last bucket | ... | first bucket |``.

    Parameters
    ----------
    places
        First place of each bucket in the integer; may be below 0, where the bits of products are 0
        and are not kept.
    bucket_bits
        Width of a bucket, two's complement, with those that are not kept.
    integer_bits, flag_bits
        Of the partial sum.
    """

    places: tuple[int, ...]
    bucket_bits: int
    integer_bits: int
    flag_bits: int

    @staticmethod
    def of(config: MacConfig, bucket_places: int) -> "BucketPlan":
        """Buckets for exponents of `bucket_places` binades each, a power of two."""
        widths = mac_widths(config).inner
        if widths.format is not None or widths.clips or not moves_products(config):
            raise ValueError(
                "buckets: must be one product a step in a fixed-point sum that does not clip"
            )
        levels = bucket_places.bit_length() - 1
        placement = product_placement(config, levels)
        largest = ((1 << placement.value_bits) - 1) << placement.fine_reach
        places = tuple((block << levels) - placement.places.start for block in placement.blocks)
        # a sum that wraps may have any number of terms, but no more bits than it keeps
        bits = widths.integer_bits - min(places[0], 0)
        accumulator = widths.accumulator
        wraps = isinstance(accumulator, IntAccumulator) and accumulator.overflow is IntOverflow.WRAP
        if widths.max_terms is not None and not wraps:
            bits = min(bits, (widths.max_terms * largest).bit_length() + 1)
        return BucketPlan(
            places,
            bits,
            widths.integer_bits,
            widths.flag_bits,
        )

    @property
    def state_bits(self) -> int:
        """Width of the state."""
        return sum(map(len, self.kept)) + self.flag_bits

    @property
    def kept(self) -> tuple[range, ...]:
        """Bits of the state that each bucket has."""
        spans: list[range] = []
        at = 0
        for place in self.places:
            bits = self.bucket_bits + min(place, 0)
            spans.append(range(at, at + bits))
            at += bits
        return tuple(spans)


class BucketStep(StepBlock):
    """Next state of an inner exact or integer accumulator in buckets; combinational.

    Parameters
    ----------
    config
        What is computed: one product a step in a fixed-point sum that does not clip.
    architecture
        How it is built.
    bucket_places
        Binades of products in one bucket, a power of two.

    Members
    -------
    partial_sum_i, partial_sum_o : In, Out(plan.state_bits)
        Laid out as `BucketPlan` says; all 0 to begin with.
    """

    def __init__(
        self,
        config: MacConfig,
        architecture: Architecture = DEFAULT_ARCHITECTURE,
        bucket_places: int = 16,
    ) -> None:
        self.fine_levels = bucket_places.bit_length() - 1
        self.plan = BucketPlan.of(config, bucket_places)
        super().__init__("bucket_step", config, architecture, self.plan.state_bits)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        plan, state = self.plan, self.partial_sum_i
        bits = plan.bucket_bits
        word, sign, selects, facts = moved_product(
            m, platform, self.config, self.architecture, self.a, self.b, self.fine_levels
        )
        unkept = [bits - len(span) for span in plan.kept]
        buckets = [
            Cat(Const(0, low), state[span.start : span.stop])
            for low, span in zip(unkept, plan.kept, strict=True)
        ]
        chosen: Value = Const(0, bits)
        for bucket, select in zip(buckets, selects, strict=True):
            chosen = chosen | (bucket & select.replicate(bits))
        old = Signal(bits, name="chosen_bucket")
        total = Signal(bits + 1, name="total")
        addend = Cat(word, Const(0, bits - len(word)))[:bits]
        m.d.comb += [
            old.eq(chosen),
            total.eq(Cat(Const(1, 1), old) + Cat(sign, addend ^ sign.replicate(bits))),
        ]
        written = [
            Mux(select, total[1:], bucket)[low:bits]
            for bucket, select, low in zip(buckets, selects, unkept, strict=True)
        ]
        flags = state[plan.kept[-1].stop :] | added_flags(facts, plan.flag_bits)
        m.d.comb += self.partial_sum_o.eq(Cat(*written, flags))
        return m
