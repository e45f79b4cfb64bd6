"""Sums built step by step, with the golden model's partial sum in view."""

from fractions import Fraction

from macsmith.model.accumulators import ChunkedAccumulator
from macsmith.model.config import MacConfig
from macsmith.model.formats import FloatFormat, Special
from macsmith.model.widths import mac_widths
from macsmith.sim.products import Product, product_kit
from macsmith.sim.sum_lengths import longest_steps
from macsmith.sim.trace import SumTracer, floor_log2, last_bit_exponent, sum_tracer

__all__ = ["ZERO_PRODUCT", "BuiltSum", "Steps", "SumBuilder"]

#: Steps of one sum; each has `lanes` products.
Steps = list[list[Product]]

ZERO_PRODUCT: Product = (0, 0)


class BuiltSum:
    """A sum being built, with the golden partial sum after its last step."""

    def __init__(self, config: MacConfig) -> None:
        self.config = config
        self.steps: Steps = []
        self.partial_sum = 0
        self._widths = mac_widths(config)
        self._tracer = sum_tracer(config)
        self._limit = longest_steps(config)
        accumulator = config.accumulator
        self._chunk_steps = (
            accumulator.length // config.lanes if isinstance(accumulator, ChunkedAccumulator) else 0
        )

    def add(self, products: list[Product]) -> bool:
        """One step of up to `lanes` products, the other lanes zero; False if the sum is full."""
        if len(self.steps) >= self._limit:
            return False
        padded = products + [ZERO_PRODUCT] * (self.config.lanes - len(products))
        self.steps.append(padded)
        self.partial_sum, _ = self._tracer.step(
            self.partial_sum,
            padded,
            chunk_end=self.is_at_chunk_end,
            random=self._tracer.middle_word,
        )
        return True

    @property
    def is_at_chunk_end(self) -> bool:
        """Whether the last step ended a chunk."""
        return bool(self._chunk_steps) and len(self.steps) % self._chunk_steps == 0

    def end_chunk(self) -> bool:
        """Zero products up to the end of the chunk."""
        while len(self.steps) % self._chunk_steps:
            if not self.add([]):
                return False
        return True

    def inner_value(self) -> Fraction | Special:
        """The partial sum that products are added to."""
        bits = self.partial_sum & ((1 << self._widths.inner.bits) - 1)
        return SumTracer.partial_sum_value(self._widths.inner, bits)

    def outer_value(self) -> Fraction | Special:
        """The partial sum that chunks are added to."""
        assert self._widths.outer is not None
        bits = self.partial_sum >> self._widths.inner.bits
        return SumTracer.partial_sum_value(self._widths.outer, bits)


class SumBuilder:
    """Builds directed sums at one level: of products, or of chunks."""

    def __init__(self, config: MacConfig, is_outer: bool) -> None:
        self.config = config
        self.is_outer = is_outer
        self.kit = product_kit(config)
        self.powers = self.kit.chunk_powers if is_outer else self.kit.powers

    def new(self) -> BuiltSum:
        return BuiltSum(self.config)

    def value(self, total: BuiltSum) -> Fraction | Special:
        return total.outer_value() if self.is_outer else total.inner_value()

    def add(self, total: BuiltSum, product: Product) -> bool:
        """Add one product, in a chunk of its own at the outer level."""
        return total.add([product]) and (not self.is_outer or total.end_chunk())

    def grow(self, total: BuiltSum, product: Product) -> bool:
        """Add a product in every lane; at the outer level in every step of a chunk. False if the
        sum is full, or a chunk ended whose inner sum was meant."""
        filled = [product] * self.config.lanes
        if not total.add(filled):
            return False
        if not self.is_outer:
            return not total.is_at_chunk_end
        while not total.is_at_chunk_end:
            if not total.add(filled):
                return False
        return True

    def add_value(self, total: BuiltSum, value: Fraction) -> bool:
        """Add an exact value as products that are powers of two; False if there are none such,
        or the chunk ends before."""
        powers = self.powers
        if not powers:
            return False
        highest = max(powers)
        remaining = abs(value)
        while remaining:
            exponent = min(floor_log2(remaining), highest)
            if exponent not in powers:
                return False
            product: Product | None = powers[exponent]
            if value < 0:
                product = self.kit.negative(powers[exponent])
            if product is None or not self.add(total, product):
                return False
            remaining -= Fraction(2) ** exponent
            if remaining and not self.is_outer and total.is_at_chunk_end:
                return False
        return True

    def add_power(self, total: BuiltSum, exponent: int) -> bool:
        """Add a power of two, as one product or as two of the half; False if there are none."""
        for part, count in ((exponent, 1), (exponent - 1, 2)):
            if (power := self.powers.get(part)) is not None:
                return all(self.add(total, power) for _ in range(count))
        return False

    def grown_until(
        self, fmt: FloatFormat, bit_exponent: int, product: Product | None
    ) -> BuiltSum | None:
        """A sum whose last bit, in `fmt`, is at least ``2**bit_exponent``: one power of two, or
        if a product is given, that product as often as it takes. None if it does not get there."""
        total = self.new()
        if product is None:
            is_added = self.add_power(total, bit_exponent + fmt.fraction_bits)
            return None if not is_added or isinstance(self.value(total), Special) else total
        previous: Fraction | Special = Fraction(0)
        while True:
            if not self.grow(total, product):
                return None
            value = self.value(total)
            if isinstance(value, Special) or value == previous:
                return None
            if last_bit_exponent(fmt, value) >= bit_exponent:
                return total
            previous = value
