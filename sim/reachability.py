"""Which events a configuration must meet, derived from its formats alone.

`required_events` says what a check has to show; every other event is excluded, with the reason.
Nothing here builds a sum: `macsmith.sim.directed` does, and the coverage check compares the two,
so that a mistake in either shows. Where a derivation would be long, an event is left out rather
than guessed; if it is met all the same, the coverage report shows it.

Throughout, ``2**lowest`` and ``2**highest`` are the smallest and largest products that are powers
of two, and a rounding with every kind of remainder is sure where a partial sum of ``2**E`` can meet
products of a quarter of its last bit: ``E >= lowest + fraction_bits + 2``.
"""

from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache
from itertools import pairwise

from macsmith.model.accumulators import IntAccumulator, IntOverflow
from macsmith.model.config import MacConfig
from macsmith.model.formats import FloatFormat, OrderedFormat, PositFormat, Special
from macsmith.model.ordered_rounding import magnitudes
from macsmith.model.rounding import Overflow, floor_log2
from macsmith.model.widths import PartialSumWidths, mac_widths
from macsmith.sim.alignment import ALIGNMENT_EVENTS, Alignment
from macsmith.sim.level_terms import LevelTerms, inner_terms, outer_terms
from macsmith.sim.products import product_kit
from macsmith.sim.random_words import RANDOM_CLASSES
from macsmith.sim.trace import rounding_events

__all__ = ["REMAINDER_EVENTS", "RequiredEvents", "required_events"]

REMAINDER_EVENTS = ("below half", "tie above even", "tie above odd", "above half")


def _keeps_infinity(overflow: Overflow) -> bool:
    """Whether an infinite value stays infinite."""
    return overflow in (Overflow.INFINITY, Overflow.PROPAGATE)


@dataclass(frozen=True)
class RequiredEvents:
    """Events that must occur, and those that need not, each with the reason."""

    required: frozenset[str]
    excluded: dict[str, str]


class _Derivation:
    """Collects required and excluded events."""

    def __init__(self, config: MacConfig) -> None:
        self.config = config
        self.widths = mac_widths(config)
        self.kit = product_kit(config)
        self.required: set[str] = set()
        self.excluded: dict[str, str] = {}

    def decide(self, event: str, is_required: bool, reason: str) -> None:
        """Require an event, or exclude it for a reason; the last word counts."""
        self.required.discard(event)
        self.excluded.pop(event, None)
        if is_required:
            self.required.add(event)
        else:
            self.excluded[event] = reason

    def special_products(self) -> tuple[bool, bool]:
        """Whether a product is sure to be NaN and infinite for some operands: because an operand
        is (one that only overflows depends on the rounding and is left out)."""
        bound, fmt = self.widths.product, self.config.product
        if fmt is None:
            return bound.has_nan, bound.has_infinity
        assert isinstance(fmt, FloatFormat)
        keeps_infinity = fmt.has_infinity and _keeps_infinity(self.config.overflow_of(fmt))
        return bound.has_nan and fmt.has_nan, bound.has_infinity and keeps_infinity

    # -- products -----------------------------------------------------------------------------
    def products(self) -> None:
        """Special products, and the rounding of products where there is one."""
        fmt = self.config.product
        has_nan, has_infinity = self.special_products()
        self.decide("product: NaN", has_nan, "no operand or product is NaN")
        self.decide("product: infinity", has_infinity, "no operand or product is infinite")
        self.decide(
            "product: -infinity",
            has_infinity and self.kit.has_negative,
            "no product is infinite, or none is negative",
        )
        if fmt is None or self.config.a.bits + self.config.b.bits > 16:
            return
        magnitudes = []
        for side in (self.config.a, self.config.b):
            values = (side.decode(code) for code in range(1 << side.bits))
            magnitudes.append({abs(value) for value in values if not isinstance(value, Special)})
        products = {a * b for a in magnitudes[0] for b in magnitudes[1]}
        found = {event for value in products for event in rounding_events(fmt, value)}
        self.required |= {f"product: {event}" for event in found}

    # -- additions ----------------------------------------------------------------------------
    def float_level(self, level: str, fmt: FloatFormat, terms: LevelTerms) -> None:
        """Events of a float partial sum."""
        needed = terms.lowest + fmt.fraction_bits + 2
        lowest_sum = max(needed, fmt.min_normal_exponent)
        is_direct = lowest_sum <= min(terms.highest, fmt.max_exponent)
        # growing stalls where the term is no more than half a last bit: 2**precision terms up
        is_grown = (
            terms.grown is not None
            and min(terms.grown, terms.grown / terms.count * 2**fmt.fraction_bits) / 4
            >= Fraction(2) ** lowest_sum
            and lowest_sum <= fmt.max_exponent
        )
        is_single = self.adds_single_terms(level)
        is_rounded = terms.count >= 3 and is_single and (is_direct or is_grown)
        for event in REMAINDER_EVENTS:
            self.decide(
                f"{level}: {event}",
                # with all terms positive, more than half needs a product with two bits set
                is_rounded
                and (event != "above half" or terms.has_negative)
                # an odd last bit is made by adding it, and more than half of it by coming back
                and (event in ("below half", "tie above even") or terms.highest - terms.lowest > 1),
                f"partial sums do not reach 2**{needed} in {terms.count} terms: none is rounded",
            )
        self.random_events(level)
        self.range_events(level, fmt, terms)
        fits = terms.lowest <= fmt.max_exponent and terms.highest >= (
            fmt.least_exponent if fmt.has_subnormals else fmt.min_normal_exponent + 1
        )
        self.decide(
            f"{level}: cancellation to zero",
            terms.has_negative and fits and terms.count >= 2,
            "no term is negative, or one term is all",
        )
        top = min(terms.highest, floor_log2(fmt.max))  # of numbers that are all subnormal, too
        bits = max(fmt.fraction_bits, 1)
        self.decide(
            f"{level}: cancellation of leading bits",
            terms.has_negative
            and fmt.fraction_bits > 0
            and terms.count >= 3
            and top - bits >= max(terms.lowest, fmt.least_exponent)
            and top >= fmt.min_normal_exponent
            and is_single,
            f"no terms are {bits} binades apart",
        )

    def adds_single_terms(self, level: str) -> bool:
        """Whether sums of powers of two, one a step and each binade of them, are made for sure."""
        is_alone = self.kit.has_zero or (self.config.lanes == 1 and level == "partial sum")
        return is_alone and self.kit.has_every_power

    def random_events(self, level: str) -> None:
        """Both directions of a rounding for every kind of random bits.

        Remainders of a quarter and three quarters, which are met, go up and down with some bits of
        either half if there are at least two. All ones or all zeros decide alone, and are rare.
        """
        stochastic = self.config.stochastic
        if stochastic is None:
            return
        is_met = all(f"{level}: {event}" in self.required for event in ("below half", "above half"))
        for way in ("up", "down"):
            for kind in RANDOM_CLASSES:
                is_extreme = kind.startswith("all")
                self.decide(
                    f"{level}: rounded {way}, random bits {kind}",
                    is_met and stochastic.bits > 2 and not is_extreme,
                    "random bits all alike are rare, and with few bits they are all there are"
                    if is_extreme or stochastic.bits <= 2
                    else "remainders below and above a half are not met for sure",
                )

    def range_events(self, level: str, fmt: FloatFormat, terms: LevelTerms) -> None:
        """Overflow, subnormal results and underflow where values are rounded to `fmt`."""
        last_bit = Fraction(2) ** (fmt.max_exponent - fmt.fraction_bits)
        largest = Fraction(2) ** terms.highest
        grows_over = (
            terms.grown is not None
            and terms.grown >= 4 * fmt.max
            and terms.grown / terms.count >= 2 * last_bit
        )
        self.decide(
            f"{level}: overflow",
            largest >= 2 * fmt.max or grows_over,
            f"{terms.count} terms do not add up to 4 times {float(fmt.max):g} for sure",
        )
        self.decide(
            f"{level}: subnormal",
            fmt.has_subnormals and Fraction(2) ** terms.lowest < fmt.smallest_normal,
            f"no term is below {float(fmt.smallest_normal):g}, or there are no subnormals",
        )
        self.decide(
            f"{level}: underflow",
            Fraction(2) ** terms.lowest < fmt.smallest,
            f"no term is below {float(fmt.smallest):g}",
        )

    def posit_level(self, level: str, fmt: PositFormat, terms: LevelTerms) -> None:
        """Events of a posit partial sum, as far as they are sure: 1 and a half of its last bit
        make a tie, with a quarter more or less of it what lies beside."""
        needed = {-fmt.fraction_bits - bits for bits in (1, 2)} | {0}
        is_sure = needed <= self.kit.powers.keys() and terms.count >= 3 and fmt.fraction_bits > 0
        for event in ("below half", "tie above even", "above half"):
            self.decide(f"{level}: {event}", is_sure, "no short sum of products is such a value")
        self.decide(
            f"{level}: cancellation to zero",
            terms.has_negative and terms.count >= 2,
            "no term is negative, or one term is all",
        )

    def fixed_level(self, level: str, widths: PartialSumWidths, terms: LevelTerms) -> None:
        """Events of a fixed-point partial sum."""
        half = Fraction(2) ** (widths.integer_bits - 1 + widths.lsb_exponent)
        is_bounded = not (
            isinstance(widths.accumulator, IntAccumulator)
            and widths.accumulator.overflow is not IntOverflow.FORBID
        )
        self.decide(
            f"{level}: overflow",
            not is_bounded and terms.grown is not None and terms.grown >= 2 * half,
            "the register is wide enough for every sum"
            if is_bounded
            else f"{terms.count} terms do not fill {widths.integer_bits} bits",
        )
        self.decide(
            f"{level}: cancellation to zero",
            terms.has_negative and terms.count >= 2,
            "no term is negative, or one term is all",
        )

    def level(self, level: str, widths: PartialSumWidths, terms: LevelTerms | None) -> None:
        """All events of one accumulator."""
        fmt = widths.format
        has_nan, has_infinity = self.special_products()
        if widths.posit is not None:
            has_infinity = False  # it becomes NaR
        if fmt is not None:
            has_nan = has_nan and fmt.has_nan
            is_kept = _keeps_infinity(self.config.overflow_of(fmt))
            has_infinity = has_infinity and fmt.has_infinity and is_kept
        if level.startswith("outer"):
            # only what the inner sum is sure to show arrives
            has_nan = has_nan and "partial sum: NaN" in self.required
            has_infinity = has_infinity and "partial sum: infinity" in self.required
        self.decide(f"{level}: NaN", has_nan, "no NaN is added, or there is no code for it")
        count = terms.count if terms is not None else 0
        has_both = has_infinity and self.kit.has_negative
        for event, is_met in (
            ("infinity", has_infinity),
            ("-infinity", has_both),
            ("infinities of both signs", has_both and count >= 2),
        ):
            self.decide(
                f"{level}: {event}",
                is_met,
                "no infinity of that sign is added, or there is no code for it",
            )
        if terms is None:
            return
        self.required.add(f"{level}: positive")
        self.decide(f"{level}: negative", terms.has_negative, "no term is negative")
        if widths.posit is not None:
            self.posit_level(level, widths.posit, terms)
        elif fmt is None:
            self.fixed_level(level, widths, terms)
        elif self.config.aligned is None or level.startswith("outer"):
            self.float_level(level, fmt, terms)
        else:
            self.aligned_level(level, fmt, terms)

    def aligned_level(self, level: str, fmt: FloatFormat, terms: LevelTerms) -> None:
        """Events of an aligned partial sum: what alignment leaves of those of a float."""
        alignment = Alignment(self.config)
        sure = alignment.pairs() if terms.count >= 2 else {}
        for event in ALIGNMENT_EVENTS:
            self.decide(event, event in sure, "no powers of two lie so, as far as is sure")
        accumulator = alignment.accumulator
        if accumulator.is_late:
            # single products reach the float addition as they are
            grown = None if terms.grown is None else terms.grown / 4
            late = replace(terms, grown=grown)
            if alignment.is_kept_alone:
                self.float_level(level, fmt, late)
            return
        if terms.highest < alignment.stalls_below():
            terms = replace(terms, grown=None)
        if not alignment.is_kept_alone:
            return
        if alignment.has_remainders:
            self.float_level(level, alignment.kept, terms)
        else:
            reason = "alignment cuts off what would be rounded, as far as is sure"
            for event in REMAINDER_EVENTS:
                self.decide(f"{level}: {event}", False, reason)
            self.decide(
                f"{level}: cancellation to zero",
                terms.has_negative and terms.count >= 2 and bool(alignment.held),
                "no term is negative, or one term is all",
            )
            self.range_events(level, fmt, terms)
        self.decide(
            f"{level}: cancellation of leading bits",
            terms.has_negative and terms.count >= 3 and alignment.leading_bits_cancel(),
            f"no terms are {alignment.near.fraction_bits} binades apart",
        )

    # -- conversions --------------------------------------------------------------------------
    def chunk_conversion(self, terms: LevelTerms | None) -> None:
        """Rounding of a chunk's sum to the outer format."""
        outer, inner = self.widths.outer, self.widths.inner
        if outer is None or outer.format is None or terms is None:
            return
        fmt = outer.format
        needed = max(terms.lowest + fmt.fraction_bits + 2, fmt.min_normal_exponent)
        is_wide = inner.format is None or (
            inner.format.fraction_bits >= fmt.fraction_bits + 2
            and inner.format.least_exponent <= terms.lowest
            and needed <= inner.format.max_exponent
        )
        for event in REMAINDER_EVENTS:
            self.decide(
                f"chunk: {event}",
                is_wide and needed <= min(terms.highest, fmt.max_exponent) and terms.count >= 4,
                "a chunk's sum has no more bits than the outer format, as far as is sure",
            )

    def ordered_output(self, fmt: OrderedFormat, terms: LevelTerms) -> None:
        """Rounding of a fixed-point sum to a format that lists its magnitudes."""
        last = self.widths.last
        unit = Fraction(2) ** terms.lowest
        half = Fraction(2) ** (last.integer_bits - 1 + last.lsb_exponent)
        powers = self.kit.chunk_powers if self.widths.outer is not None else self.kit.powers

        def is_sum(value: Fraction) -> bool:
            """Whether a value is a short sum of products that are powers of two."""
            integer = value / unit
            if value <= 0 or integer.denominator != 1 or value >= half:
                return False
            bits = [bit for bit in range(int(integer).bit_length()) if int(integer) >> bit & 1]
            return len(bits) <= terms.count and all(terms.lowest + bit in powers for bit in bits)

        # sums are made for the first and last magnitudes in any case
        listed = magnitudes(fmt)
        pairs = [each for each in pairwise(listed) if each[0] in (*listed[:2], *listed[-2:])]
        bounds = [(low, low.boundary, high) for low, high in pairs if low.boundary is not None]
        met = {
            "exact": any(is_sum(each.value) for each in listed[:2]),
            "below half": any(is_sum(at - unit) and low.value < at - unit for low, at, _ in bounds),
            "above half": any(
                is_sum(at + unit) and at + unit < high.value for _, at, high in bounds
            ),
            "tie above even": any(is_sum(at) and not low.positive_goes_up for low, at, _ in bounds),
            "tie above odd": any(is_sum(at) and low.positive_goes_up for low, at, _ in bounds),
            "overflow": is_sum(fmt.max + unit) or is_sum(2 * fmt.max),
            "underflow": is_sum(unit) and unit < fmt.smallest,
        }
        for event, is_met in met.items():
            self.decide(f"output: {event}", is_met, "no short sum of products is such a value")

    def output_conversion(self, terms: LevelTerms | None) -> None:
        """Rounding of a fixed-point sum on the way out."""
        fmt, last = self.config.output_format, self.widths.last
        if fmt is None or last.code_format is not None:
            return
        level = "outer partial sum" if self.widths.outer is not None else "partial sum"
        for event in ("NaN", "infinity", "-infinity"):
            is_met = f"{level}: {event}" in self.required
            self.decide(f"output: {event}", is_met, "the sum has none, as far as is sure")
        if isinstance(fmt, OrderedFormat) and terms is not None:
            self.ordered_output(fmt, terms)
        if not isinstance(fmt, FloatFormat) or terms is None:
            return
        needed = max(terms.lowest + fmt.fraction_bits + 2, fmt.min_normal_exponent)
        # a register that wraps or clips may be too narrow for such a sum
        top = min(terms.highest, fmt.max_exponent, last.integer_bits - 2 + last.lsb_exponent)
        is_direct = needed <= top and terms.count >= 4
        for event in REMAINDER_EVENTS:
            self.decide(
                f"output: {event}",
                is_direct,
                f"no single product reaches 2**{needed}: sums have at most {fmt.precision} bits, "
                "as far as is sure",
            )
        self.range_events("output", fmt, terms)
        # the register itself may be too narrow to hold what the format cannot
        half = Fraction(2) ** (last.integer_bits - 1 + last.lsb_exponent)
        if half < 4 * fmt.max and "output: overflow" in self.required:
            self.required.remove("output: overflow")
            self.excluded["output: overflow"] = "the partial sum holds nothing so large"


@cache
def required_events(config: MacConfig) -> RequiredEvents:
    """Events that every check of a configuration must show.

    Names are those of `macsmith.sim.trace.SumTracer`.
    """
    derivation = _Derivation(config)
    derivation.products()
    inner = inner_terms(config)
    derivation.level("partial sum", derivation.widths.inner, inner)
    last = inner
    if derivation.widths.outer is not None:
        last = outer_terms(config)
        derivation.level("outer partial sum", derivation.widths.outer, last)
        derivation.chunk_conversion(inner)
    derivation.output_conversion(last)
    return RequiredEvents(frozenset(derivation.required), derivation.excluded)
