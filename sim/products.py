"""Products to build sums from: powers of two, the largest one, their negatives.

Works on the configuration's terms, that is, on products after the rounding that a configuration
with a product format asks for.
"""

from fractions import Fraction
from functools import cache, cached_property

from macsmith.model import golden
from macsmith.model.config import MacConfig
from macsmith.model.formats import FloatFormat, Format, OrderedFormat, Special
from macsmith.model.widths import mac_widths
from macsmith.sim.operands import power_of_two_codes
from macsmith.sim.ordered_codes import between, negated_ordered

__all__ = ["Product", "ProductKit", "extreme_codes", "negated_code", "product_kit"]

#: Codes of A and B.
Product = tuple[int, int]


def negated_code(fmt: Format, code: int) -> int | None:
    """Code of the negative of a finite code's value; None if the format has none."""
    if isinstance(fmt, FloatFormat):
        if code & ((1 << fmt.magnitude_bits) - 1) == 0 and not fmt.has_negative_zero:
            return code
        return code ^ (1 << fmt.magnitude_bits) if fmt.is_signed else None
    if isinstance(fmt, OrderedFormat):
        return negated_ordered(fmt, code)
    if code == 0:
        return 0
    if not fmt.is_signed or code == 1 << (fmt.bits - 1):
        return None
    return (1 << fmt.bits) - code


def extreme_codes(fmt: Format) -> tuple[int, ...]:
    """Codes of the greatest and the least finite value, and of one step inside the latter."""
    if isinstance(fmt, FloatFormat):
        negated = negated_code(fmt, fmt.max_magnitude_code)
        return (fmt.max_magnitude_code,) + (() if negated is None else (negated,))
    if isinstance(fmt, OrderedFormat):
        largest = between(fmt, fmt.max)
        assert largest is not None
        return largest.positive_code, largest.negative_code
    if not fmt.is_signed:
        return ((1 << fmt.bits) - 1,)
    top = 1 << (fmt.bits - 1)
    return top - 1, top, top + 1


class ProductKit:
    """Products of one configuration by their values; see `product_kit`."""

    def __init__(self, config: MacConfig) -> None:
        self.config = config
        self._terms: dict[Product, golden.Term] = {}

    def term(self, product: Product) -> golden.Term:
        """What a product adds, from the golden model."""
        if product not in self._terms:
            self._terms[product] = golden.product(self.config, *product)
        return self._terms[product]

    def value(self, product: Product) -> Fraction:
        """Finite value of a product; ValueError for a special one."""
        value = self.term(product).value
        if isinstance(value, Special):
            raise ValueError(f"product {product} is {value.value}")
        return value

    def negative(self, product: Product) -> Product | None:
        """The product with the other sign; None if the formats have none."""
        a, b = product
        if (negated := negated_code(self.config.a, a)) is not None:
            return negated, b
        if (negated := negated_code(self.config.b, b)) is not None:
            return a, negated
        return None

    @cached_property
    def powers(self) -> dict[int, Product]:
        """Exponent to a product that is exactly that power of two."""
        found: dict[int, Product] = {}
        a_powers = power_of_two_codes(self.config.a)
        b_powers = power_of_two_codes(self.config.b)
        for a_exponent, a in a_powers.items():
            for b_exponent, b in b_powers.items():
                exponent = a_exponent + b_exponent
                if exponent in found:
                    continue
                if self.term((a, b)).value == Fraction(2) ** exponent:
                    found[exponent] = (a, b)
        return dict(sorted(found.items()))

    @cached_property
    def has_every_power(self) -> bool:
        """Whether `powers` has no gaps; products of powers of four have."""
        return len(self.powers) == max(self.powers) - min(self.powers) + 1 if self.powers else False

    @cached_property
    def has_zero(self) -> bool:
        """Whether codes 0 and 0, which unused lanes get, add nothing; of binary digits they do."""
        return self.term((0, 0)).value == 0

    @cached_property
    def chunk_powers(self) -> dict[int, Product]:
        """Those of `powers` that, alone in a chunk, reach the outer accumulator as they are."""
        widths = mac_widths(self.config)
        kept = self.powers
        for part in (widths.inner, widths.outer):
            if part is None:
                continue
            fmt = part.format
            if fmt is None:
                top = part.integer_bits - 1 + part.lsb_exponent
                kept = {e: pair for e, pair in kept.items() if e < top}
                continue
            # without subnormals the smallest power of two is a binade above the smallest number
            least = fmt.least_exponent if fmt.has_subnormals else fmt.min_normal_exponent + 1
            kept = {e: pair for e, pair in kept.items() if least <= e <= fmt.max_exponent}
        return kept

    @cached_property
    def _extremes(self) -> list[Product]:
        """Products among which are the greatest and the least finite one."""
        config = self.config
        products = [(a, b) for a in extreme_codes(config.a) for b in extreme_codes(config.b)]
        # with product rounding all of those may overflow; a power of two then serves
        for product in list(self.powers.values())[-1:]:
            products += [product, self.negative(product) or product]
        return [p for p in products if not isinstance(self.term(p).value, Special)]

    @cached_property
    def largest(self) -> Product:
        """The product of greatest finite value."""
        return max(self._extremes, key=self.value)

    @cached_property
    def least(self) -> Product:
        """The product of least finite value: the most negative, or 0 if none is negative."""
        return min([(0, 0), *self._extremes], key=self.value)

    @cached_property
    def has_negative(self) -> bool:
        """Whether a product can be negative."""
        return self.config.a.is_signed or self.config.b.is_signed


@cache
def product_kit(config: MacConfig) -> ProductKit:
    """The kit of a configuration, made once."""
    return ProductKit(config)
