"""What happens inside a sum: rounding, ties, overflow, cancellation, step by step.

The golden model does the arithmetic; this module compares the exact value before each rounding
with what came out and names the event. Coverage counts these names.
"""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import cache

from macsmith.model import golden
from macsmith.model.accumulators import AlignedAccumulator, ChunkedAccumulator
from macsmith.model.config import MacConfig
from macsmith.model.formats import FloatFormat, Format, IntFormat, OrderedFormat, Special
from macsmith.model.rounding import encode
from macsmith.model.widths import PartialSumWidths, mac_widths
from macsmith.sim.alignment import Alignment, alignment_events
from macsmith.sim.ordered_codes import ordered_events
from macsmith.sim.products import Product, product_kit
from macsmith.sim.random_words import random_class

__all__ = [
    "SumTracer",
    "floor_log2",
    "last_bit_exponent",
    "rounding_events",
    "rounding_position",
    "sum_tracer",
]


def floor_log2(value: Fraction) -> int:
    """Exponent of the binade of a positive value."""
    exponent = value.numerator.bit_length() - value.denominator.bit_length()
    return exponent if Fraction(2) ** exponent <= value else exponent - 1


def last_bit_exponent(fmt: FloatFormat | IntFormat, value: Fraction) -> int:
    """Exponent of the last bit that `fmt` keeps of a value, were its range unending."""
    if isinstance(fmt, IntFormat):
        return fmt.least_exponent
    exponent = max(floor_log2(abs(value)), fmt.min_normal_exponent)
    return exponent - fmt.fraction_bits


def rounding_position(fmt: FloatFormat | IntFormat, value: Fraction) -> tuple[int, Fraction]:
    """Lower neighbour of |value| in units of its last bit, and the fraction of a unit above it."""
    scaled = abs(value) / Fraction(2) ** last_bit_exponent(fmt, value)
    lower = int(scaled)
    return lower, scaled - lower


def rounding_events(fmt: Format, exact: Fraction) -> Iterator[str]:
    """Names of what rounding an exact value to `fmt` meets."""
    if isinstance(fmt, OrderedFormat):
        yield from ordered_events(fmt, exact)
        return
    if exact == 0:
        yield "exact"
        return
    if abs(exact) >= fmt.max + Fraction(2) ** last_bit_exponent(fmt, fmt.max):
        yield "overflow"
        return
    if isinstance(fmt, FloatFormat):
        if not fmt.has_subnormals and abs(exact) < fmt.smallest:
            yield "underflow"
            return
        if fmt.has_subnormals and abs(exact) < fmt.smallest_normal:
            yield "subnormal"
            if abs(exact) < fmt.smallest:
                yield "underflow"
    lower, remainder = rounding_position(fmt, exact)
    if remainder == 0:
        yield "exact"
    elif remainder < Fraction(1, 2):
        yield "below half"
    elif remainder > Fraction(1, 2):
        yield "above half"
    else:
        yield "tie above odd" if _is_odd_code(fmt, exact, lower) else "tie above even"


def _is_odd_code(fmt: FloatFormat | IntFormat, value: Fraction, lower: int) -> bool:
    """Whether the code of the lower neighbour of |value| is odd."""
    if isinstance(fmt, FloatFormat) and fmt.fraction_bits == 0 and lower:
        # no fraction: the last bit of the code is the exponent's
        return bool((floor_log2(abs(value)) + fmt.bias) & 1)
    return bool(lower & 1)


def _special_event(value: Special) -> str:
    return "NaN" if value is Special.NAN else value.value.replace("inf", "infinity")


class SumTracer:
    """Computes sums with the golden model and names the events of each step.

    Event names are ``"product: ..."``, ``"partial sum: ..."``, and for a chunked accumulator
    ``"chunk: ..."`` (conversion of an inner sum) and ``"outer partial sum: ..."``, and
    ``"output: ..."``. An aligned accumulator has ``"alignment: ..."`` (`macsmith.sim.alignment`)
    and, where its partial sum is late, ``"product sum: ..."``.
    """

    def __init__(self, config: MacConfig) -> None:
        self.config = config
        self.widths = mac_widths(config)
        self._kit = product_kit(config)
        self._known_products: dict[Product, frozenset[str]] = {}
        self._known: dict[
            tuple[int, tuple[Product, ...], bool, int | None], tuple[int, frozenset[str]]
        ] = {}

    @property
    def middle_word(self) -> int | None:
        """A random word with which sums are rounded to about the nearest; None if nothing is
        random."""
        config = self.config
        if config.stochastic is None:
            return None
        half = 1 << (config.stochastic.bits - 1)
        parts = config.random_bits // config.stochastic.bits
        return sum(half << part * config.stochastic.bits for part in range(parts))

    def _random_parts(self, random: int | None) -> tuple[int | None, int | None]:
        """The bits for the inner and for the outer accumulator."""
        if random is None:
            return None, None
        bits = self.config.random_bits_of(self.widths.inner.accumulator)
        return (random & ((1 << bits) - 1) if bits else None), random >> bits

    def product_events(self, product: Product) -> frozenset[str]:
        """Names of what one product meets by itself."""
        if product not in self._known_products:
            self._known_products[product] = frozenset(self._new_product_events(product))
        return self._known_products[product]

    def _new_product_events(self, product: Product) -> Iterator[str]:
        value = self._kit.term(product).value
        if isinstance(value, Special):
            yield f"product: {_special_event(value)}"
        if self.config.product is None:
            return
        a, b = self.config.a.decode(product[0]), self.config.b.decode(product[1])
        if not isinstance(a, Special) and not isinstance(b, Special):
            for event in rounding_events(self.config.product, a * b):
                yield f"product: {event}"

    def _sum_events(
        self,
        widths: PartialSumWidths,
        before: Fraction | Special,
        terms: Sequence[Fraction | Special],
        after: Fraction | Special,
        level: str,
        random: int | None = None,
    ) -> Iterator[str]:
        """Names of what one addition met: `before` and all `terms` gave `after`, with the random
        bits `random`."""
        values = [before, *terms]
        finite = [value for value in values if not isinstance(value, Special)]
        if isinstance(after, Special):
            yield f"{level}: {_special_event(after)}"
        if len(finite) < len(values):
            infinities = {value for value in values if isinstance(value, Special)} - {Special.NAN}
            if len(infinities) > 1:
                yield f"{level}: infinities of both signs"
            return
        exact = sum(finite, Fraction(0))
        largest = max(abs(value) for value in finite)
        if exact == 0 and largest:
            yield f"{level}: cancellation to zero"
        if exact:
            yield f"{level}: {'negative' if exact < 0 else 'positive'}"
        fmt = widths.code_format
        if fmt is not None:
            events = list(rounding_events(fmt, exact))
            if isinstance(after, Special) and "overflow" not in events:
                events.append("overflow")  # it was rounded up beyond the largest number
            for event in events:
                yield f"{level}: {event}"
            if 0 < abs(exact) <= largest / 2 ** max(fmt.fraction_bits, 1):
                yield f"{level}: cancellation of leading bits"
            bits = self.config.random_bits_of(widths.accumulator)
            if bits and random is not None and not isinstance(after, Special) and after != exact:
                way = "up" if abs(after) > abs(exact) else "down"
                yield f"{level}: rounded {way}, random bits {random_class(random, bits)}"
            return
        units = exact / Fraction(2) ** widths.lsb_exponent
        half = 1 << (widths.integer_bits - 1)
        if not -half <= units < half:
            yield f"{level}: overflow"
        elif units >= half // 2 or units < -(half // 2):
            yield f"{level}: uses the top bit"

    def _aligned_events(
        self,
        accumulator: AlignedAccumulator,
        bits: int,
        terms: Sequence[golden.Term],
        after: Fraction | Special,
    ) -> Iterator[str]:
        """Names of what the step of an aligned accumulator met."""
        before = golden.aligned_partial_sum(accumulator, bits)
        level, included = "partial sum", [*terms, before]
        if accumulator.is_late:
            code = golden.aligned_code(self.config, accumulator, terms)
            value = accumulator.format.decode(code)
            yield from self._sum_events(self.widths.inner, before.value, [value], after, level)
            level, included, after = "product sum", [*terms], value
        if any(isinstance(term.value, Special) for term in included):
            values = [term.value for term in included]
            yield from self._sum_events(self.widths.inner, values[0], values[1:], after, level)
            return
        yield from alignment_events(accumulator, terms, None if accumulator.is_late else before)
        aligned = golden.align(accumulator, included)
        largest, total = max(map(abs, aligned.terms)), aligned.total
        if total == 0:
            if largest:
                yield f"{level}: cancellation to zero"
            return
        yield f"{level}: {'negative' if total < 0 else 'positive'}"
        if isinstance(after, Special):
            yield f"{level}: {_special_event(after)}"
        fmt, widest = accumulator.format, Alignment(self.config)
        if abs(total) >= fmt.magnitude_value(fmt.max_magnitude_code + 1):
            yield f"{level}: overflow"
            return
        for event in rounding_events(widest.kept, total):
            yield f"{level}: {event}"
        if abs(total) <= largest / 2 ** max(widest.near.fraction_bits, 1):
            yield f"{level}: cancellation of leading bits"

    @staticmethod
    def partial_sum_value(widths: PartialSumWidths, bits: int) -> Fraction | Special:
        """What the bits of a simple partial sum stand for."""
        if widths.code_format is not None:
            return widths.code_format.decode(bits)
        flags = bits >> widths.integer_bits
        if flags:
            if flags == (1 << widths.flag_bits) - 1:
                return Special.NAN
            return Special.NEGATIVE_INFINITY if flags == 0b10 else Special.POSITIVE_INFINITY
        integer = bits & ((1 << widths.integer_bits) - 1)
        integer -= (integer >> (widths.integer_bits - 1)) << widths.integer_bits
        return integer * Fraction(2) ** widths.lsb_exponent

    def step(
        self,
        partial_sum: int,
        products: Sequence[Product],
        *,
        chunk_end: bool,
        random: int | None = None,
    ) -> tuple[int, frozenset[str]]:
        """Next partial sum after one step of `lanes` products, and the events.

        Remembers what it computed: directed sums share most of their steps.
        """
        key = (partial_sum, tuple(products), chunk_end, random)
        if key not in self._known:
            after, events = self._new_step(partial_sum, products, chunk_end, random)
            self._known[key] = after, frozenset(events)
        return self._known[key]

    def _new_step(
        self, partial_sum: int, products: Sequence[Product], chunk_end: bool, random: int | None
    ) -> tuple[int, set[str]]:
        widths = self.widths
        events: set[str] = set()
        for product in products:
            events.update(self.product_events(product))
        terms = [self._kit.term(product) for product in products]
        inner_before = partial_sum & ((1 << widths.inner.bits) - 1)
        inner_random, outer_random = self._random_parts(random)
        inner = golden.accumulate(self.config, widths.inner, inner_before, terms, inner_random)
        inner_value = self.partial_sum_value(widths.inner, inner)
        if self.config.aligned is not None:
            events.update(
                self._aligned_events(self.config.aligned, inner_before, terms, inner_value)
            )
        else:
            events.update(
                self._sum_events(
                    widths.inner,
                    self.partial_sum_value(widths.inner, inner_before),
                    [term.value for term in terms],
                    inner_value,
                    "partial sum",
                    inner_random,
                )
            )
        if widths.outer is None:
            return inner, events
        outer_before = partial_sum >> widths.inner.bits
        if not chunk_end:
            return outer_before << widths.inner.bits | inner, events
        after = golden.step(
            self.config,
            partial_sum,
            [a for a, _ in products],
            [b for _, b in products],
            chunk_end=True,
            random=random,
        )
        chunk = inner_value
        fmt = widths.outer.format
        if fmt is not None:
            if not isinstance(chunk, Special):
                events.update(f"chunk: {event}" for event in rounding_events(fmt, chunk))
            overflow = self.config.overflow_of(fmt)
            chunk = fmt.decode(encode(fmt, chunk, self.config.outer_arithmetic.rounding, overflow))
        events.update(
            self._sum_events(
                widths.outer,
                self.partial_sum_value(widths.outer, outer_before),
                [chunk],
                self.partial_sum_value(widths.outer, after >> widths.inner.bits),
                "outer partial sum",
                outer_random,
            )
        )
        return after, events

    def result_events(self, partial_sum: int) -> set[str]:
        """Events of reading the result."""
        fmt = self.config.output_format
        last = self.widths.last
        if fmt is None or fmt == last.code_format:
            return set()
        bits = partial_sum >> (self.widths.inner.bits if self.widths.outer else 0)
        value = self.partial_sum_value(last, bits)
        if isinstance(value, Special):
            return {f"output: {_special_event(value)}"}
        return {f"output: {event}" for event in rounding_events(fmt, value)}

    def trace(
        self, steps: Sequence[Sequence[Product]], random: Sequence[int] | None = None
    ) -> set[str]:
        """Events of a whole sum of steps, with the random word of each."""
        accumulator = self.config.accumulator
        chunk_steps = (
            accumulator.length // self.config.lanes
            if isinstance(accumulator, ChunkedAccumulator)
            else len(steps)
        )
        partial_sum = 0
        events: set[str] = set()
        for index, products in enumerate(steps):
            is_end = (index + 1) % chunk_steps == 0 or index + 1 == len(steps)
            word = None if random is None else random[index]
            partial_sum, more = self.step(partial_sum, products, chunk_end=is_end, random=word)
            events |= more
        return events | self.result_events(partial_sum)


@cache
def sum_tracer(config: MacConfig) -> SumTracer:
    """The tracer of a configuration, made once."""
    return SumTracer(config)
