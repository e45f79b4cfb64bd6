"""Sums of blocks that are built to meet an event: ties, cancellation, overflow, lost blocks.

A block is a few products that are powers of two, with scales that are; so its value is known, and
what it does to a partial sum too. What cannot be built from a design's formats is not required.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache

from macsmith.model import golden
from macsmith.model.config import MacConfig
from macsmith.model.formats import FloatFormat, Format, Special
from macsmith.model.widths import mac_widths
from macsmith.sim.operands import power_of_two_codes
from macsmith.sim.products import Product, product_kit
from macsmith.sim.trace import SumTracer, last_bit_exponent, rounding_events

__all__ = [
    "ZERO_PRODUCT",
    "PlainBlock",
    "add_block",
    "block_events",
    "directed_block_sums",
    "required_block_events",
    "scale_class",
    "scale_classes",
]

#: A sign and an exponent for each product of a block.
Powers = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class PlainBlock:
    """Products of a block, the rest of which are zero, and the codes of its scales."""

    products: tuple[Product, ...]
    scales: tuple[int, ...]


def scale_class(fmt: Format, code: int) -> str:
    """What a scale's code is: NaN, zero, smallest, subnormal, largest or normal."""
    value = fmt.decode(code)
    if isinstance(value, Special):
        return "NaN"
    if value == 0:
        return "zero"
    if value == fmt.smallest:
        return "smallest"
    if value == fmt.max:
        return "largest"
    if isinstance(fmt, FloatFormat) and value < fmt.smallest_normal:
        return "subnormal"
    return "normal"


@cache
def scale_classes(fmt: Format) -> dict[str, int]:
    """Every class that a scale format has, with one of its codes."""
    found: dict[str, int] = {}
    for code in range(1 << fmt.bits):
        found.setdefault(scale_class(fmt, code), code)
    return found


#: Codes of a product of zero, in every format.
ZERO_PRODUCT: Product = (0, 0)


class _Builder:
    """Blocks of powers of two from a configuration's formats."""

    def __init__(self, config: MacConfig) -> None:
        self.config = config
        self.kit = product_kit(config)
        self.scales: dict[int, tuple[int, ...]] = {0: ()}
        for fmt in config.scales:
            powers = power_of_two_codes(fmt)
            self.scales = {
                before + exponent: (*codes, code)
                for before, codes in self.scales.items()
                for exponent, code in powers.items()
            }
        self.reach = sorted(
            {scale + product for scale in self.scales for product in self.kit.powers}
        )

    def block(self, powers: Powers) -> PlainBlock | None:
        """The block that is the sum of these powers; None if the formats have none."""
        assert self.config.block is not None
        if len(powers) > self.config.block:
            return None
        by_distance = sorted(self.scales, key=lambda exponent: abs(exponent - powers[0][1]))
        for scale in by_distance:
            products: list[Product] = []
            for sign, exponent in powers:
                product = self.kit.powers.get(exponent - scale)
                if product is not None and sign < 0:
                    product = self.kit.negative(product)
                if product is None:
                    break
                products.append(product)
            else:
                return PlainBlock(tuple(products), self.scales[scale])
        return None

    def sums(self, blocks: Sequence[Powers]) -> list[PlainBlock] | None:
        """A sum of blocks, or None if one of them cannot be built."""
        built = [self.block(powers) for powers in blocks]
        found = [block for block in built if block is not None]
        return found if len(found) == len(built) else None


def _float_patterns(fmt: FloatFormat, exponent: int) -> Iterator[list[Powers]]:
    """Blocks whose exponents lie around the last bit of 2**exponent."""
    last = exponent - fmt.fraction_bits
    top: Powers = ((1, exponent),)
    for sign in (1, -1):
        yield [top, ((sign, last - 1),)]  # a tie
        yield [top, ((1, last),), ((sign, last - 1),)]  # a tie beside an odd code
        yield [top, ((sign, last - 2),)]
        yield [top, ((sign, last - 1), (sign, last - 2))]
        yield [top, ((sign, last - 6),)]  # lost but for a sticky bit
        yield [((sign, last - 6),), top]
        yield [((sign, last - 1),), top]
        yield [top, ((sign, exponent),)]  # cancels, or a carry
        yield [top, ((sign, exponent - 1),)]
        yield [top, ((1, last),), ((sign, exponent),)]


def _largest_block(config: MacConfig) -> PlainBlock:
    """All products the largest, and the largest scales."""
    assert config.block is not None
    scales = tuple(scale_classes(fmt)["largest"] for fmt in config.scales)
    return PlainBlock((product_kit(config).largest,) * config.block, scales)


def _smallest_block(config: MacConfig) -> PlainBlock:
    """One product of the smallest powers, and the smallest scales."""
    kit = product_kit(config)
    scales = tuple(scale_classes(fmt)["smallest"] for fmt in config.scales)
    return PlainBlock((kit.powers[min(kit.powers)],), scales)


def _special_blocks(config: MacConfig) -> Iterator[PlainBlock]:
    """Every class of scale of either side with a plain product, and special products with each."""
    kit = product_kit(config)
    plain = kit.powers[max(kit.powers)]
    negative = kit.negative(plain) or plain
    products = [plain, negative, ZERO_PRODUCT]
    for side, fmt in enumerate((config.a, config.b)):
        if not isinstance(fmt, FloatFormat):
            continue
        codes = [fmt.nan_code] if fmt.has_nan else []
        if fmt.has_infinity:
            codes += [fmt.infinity_code, fmt.infinity_code | 1 << fmt.magnitude_bits]
        products += [(code, plain[1]) if side == 0 else (plain[0], code) for code in codes]
    choices: list[tuple[int, ...]] = [()]
    for fmt in config.scales:
        choices = [(*before, code) for before in choices for code in scale_classes(fmt).values()]
    for scales in choices:
        for product in products:
            yield PlainBlock((product,), scales)


def directed_block_sums(config: MacConfig) -> list[list[PlainBlock]]:
    """Sums of blocks that meet what random ones may miss."""
    builder = _Builder(config)
    sums: list[list[PlainBlock] | None] = [[block] for block in _special_blocks(config)]
    largest, smallest = _largest_block(config), _smallest_block(config)
    sums += [[largest], [largest, largest, largest], [smallest], [smallest, largest]]
    sums += [[largest, smallest], [smallest, smallest]]
    least = product_kit(config).least
    negative = PlainBlock((least,) * (config.block or 1), largest.scales)
    sums += [[negative], [negative, negative, negative], [largest, negative]]
    outer = mac_widths(config).outer
    assert outer is not None
    if isinstance(outer.format, FloatFormat):
        fmt = outer.format
        inside = [
            exponent
            for exponent in builder.reach
            if fmt.min_normal_exponent <= exponent <= fmt.max_exponent
        ]
        for exponent in {inside[at * (len(inside) - 1) // 8] for at in range(9)} if inside else ():
            sums += [builder.sums(pattern) for pattern in _float_patterns(fmt, exponent)]
        for below in range(4):
            sums.append(builder.sums([((1, fmt.least_exponent - below),)]))
            sums.append(builder.sums([((-1, fmt.least_exponent - below),)]))
            step = ((1, fmt.least_exponent + 1),)
            sums.append(builder.sums([step, ((-1, fmt.least_exponent - below),)]))
        sums.append(builder.sums([((1, fmt.max_exponent),), ((1, fmt.max_exponent),)]))
    else:
        low, high = builder.reach[0], builder.reach[-1]
        middle = builder.reach[len(builder.reach) // 2]
        for first, second in ((low, high), (high, low), (middle, middle), (low, low)):
            for sign in (1, -1):
                sums.append(builder.sums([((1, first),), ((sign, second),)]))
    return [blocks for blocks in sums if blocks is not None]


def block_events(
    config: MacConfig, partial_sum: int, products: Sequence[Product], scales: Sequence[int]
) -> set[str]:
    """Names of what the end of a block meets, whose products are these.

    Parameters
    ----------
    partial_sum
        Of the outer accumulator, before.
    """
    widths = mac_widths(config)
    outer = widths.outer
    assert outer is not None
    terms = [golden.product(config, *product) for product in products]
    inner = golden.accumulate(config, widths.inner, 0, terms)
    block_sum = SumTracer.partial_sum_value(widths.inner, inner)
    chunk = golden.Term(block_sum, not isinstance(block_sum, Special) and block_sum < 0)
    value = golden.scaled(config, chunk, scales).value
    before = SumTracer.partial_sum_value(outer, partial_sum)
    events = {f"block: {_name(block_sum)}", f"scaled block: {_name(value)}"}
    if isinstance(value, Special) or isinstance(before, Special):
        return events
    total = before + value
    if isinstance(outer.format, FloatFormat):
        events |= {f"sum: {event}" for event in rounding_events(outer.format, total)}
        if before and value:
            if not total:
                events.add("sum: cancels")
            quarter = Fraction(1, 4)
            if abs(value) < quarter * Fraction(2) ** last_bit_exponent(outer.format, before):
                events.add("sum: block only sticky")
            if abs(before) < quarter * Fraction(2) ** last_bit_exponent(outer.format, value):
                events.add("sum: partial sum only sticky")
    else:
        half = Fraction(2) ** (outer.integer_bits - 1 + outer.lsb_exponent)
        events.add("sum: beyond" if not -half <= total < half else f"sum: {_name(total)}")
    return events


def _name(value: Fraction | Special) -> str:
    if isinstance(value, Special):
        return value.value
    return "zero" if value == 0 else "positive" if value > 0 else "negative"


@cache
def required_block_events(config: MacConfig) -> frozenset[str]:
    """Events that the directed sums meet: all that can be built from powers of two."""
    required: set[str] = set()
    outer = mac_widths(config).outer
    assert outer is not None
    for blocks in directed_block_sums(config):
        partial_sum = 0
        for block in blocks:
            required |= block_events(config, partial_sum, block.products, block.scales)
            partial_sum = add_block(config, partial_sum, block)
    return frozenset(required)


def add_block(config: MacConfig, partial_sum: int, block: PlainBlock) -> int:
    """The outer partial sum after a block, by the definition."""
    widths = mac_widths(config)
    outer = widths.outer
    assert outer is not None
    terms = [golden.product(config, *product) for product in block.products]
    inner = golden.accumulate(config, widths.inner, 0, terms)
    value = SumTracer.partial_sum_value(widths.inner, inner)
    chunk = golden.Term(value, not isinstance(value, Special) and value < 0)
    scaled = golden.scaled(config, chunk, block.scales)
    return golden.accumulate(config, outer, partial_sum, [scaled])
