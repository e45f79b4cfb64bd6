"""Sums made to meet a case: ties of both kinds, cancellation, overflow, subnormals, specials.

Each is built step by step with the golden model's partial sum in view: grow it until its last bit
is coarse enough, then add exactly half of that bit, and so on. With stochastic rounding, whose
random words are not known here, that is sure up to the first inexact sum. What a configuration
cannot meet is skipped here; which cases it *must* meet is derived independently in
`macsmith.sim.reachability`, and the coverage check compares.
"""

from collections.abc import Iterator
from fractions import Fraction

from macsmith.model.accumulators import ChunkedAccumulator, IntAccumulator, IntOverflow
from macsmith.model.config import MacConfig
from macsmith.model.formats import FloatFormat, OrderedFormat, PositFormat, Special
from macsmith.model.ordered_rounding import magnitudes
from macsmith.model.widths import mac_widths
from macsmith.sim.alignment import Alignment
from macsmith.sim.operands import corner_codes, power_of_two_codes
from macsmith.sim.products import Product
from macsmith.sim.sum_builder import ZERO_PRODUCT, BuiltSum, Steps, SumBuilder
from macsmith.sim.trace import floor_log2, last_bit_exponent, rounding_position

__all__ = ["directed_sums"]

#: Steps of all directed sums of one kind together, unless chunks are long.
MAX_KIND_STEPS = 8192

#: So many chunks there may be in any case.
MIN_KIND_CHUNKS = 36


def _rounding_sums(builder: SumBuilder, fmt: FloatFormat, *, is_output: bool) -> Iterator[Steps]:
    """Sums that meet each kind of remainder where a sum is rounded to `fmt`.

    At the output the remainder is set up in the fixed-point sum and rounded once at the end;
    in an accumulator the last addition meets it.
    """
    kit = builder.kit
    if not builder.powers:
        return
    lowest = min(builder.powers)
    first = max(lowest + 2, fmt.least_exponent)
    products = [None, kit.largest, kit.least]
    # a few sizes of sum: the smallest whose last bit is coarse enough, and larger ones
    for last_bit in (first, first + 2, first + 7):
        for product in products:
            for quarters in (1, 2, 3, 5, 6, 7):
                total = builder.grown_until(fmt, last_bit, product)
                if total is None:
                    break
                value = builder.value(total)
                assert not isinstance(value, Special)
                unit = Fraction(2) ** last_bit_exponent(fmt, value)
                _, remainder = rounding_position(fmt, value)
                sign = -1 if value < 0 else 1
                wanted = unit * Fraction(quarters, 4) - (remainder * unit if is_output else 0)
                if builder.add_value(total, sign * wanted):
                    yield total.steps
                if quarters == 2 and not is_output:
                    # the same from an odd last bit, in case the sum's was even
                    odd = builder.grown_until(fmt, last_bit, product)
                    assert odd is not None
                    if builder.add_value(odd, sign * unit) and builder.add_value(
                        odd, sign * unit / 2
                    ):
                        yield odd.steps
                    elif product is None:
                        # where two halves of the last bit would be lost, the bit comes first
                        odd = builder.new()
                        if (
                            builder.add_power(odd, floor_log2(unit))
                            and builder.add_power(odd, last_bit + fmt.fraction_bits)
                            and builder.add_value(odd, unit / 2)
                        ):
                            yield odd.steps
                    # and a quarter less than a last bit above: three quarters over
                    other = builder.grown_until(fmt, last_bit, product)
                    assert other is not None
                    if builder.add_value(other, sign * unit) and builder.add_value(
                        other, -sign * unit / 4
                    ):
                        yield other.steps


def _ordered_output_sums(builder: SumBuilder, fmt: OrderedFormat) -> Iterator[Steps]:
    """Sums on both sides of the boundaries of listed magnitudes, at them, and beyond the last."""
    if not builder.powers:
        return
    unit = Fraction(2) ** min(builder.powers)
    listed = magnitudes(fmt)
    # all of them where there are few; the first and the last ones in any case
    stride = max(1, len(listed) // 48)
    chosen = [*listed[:2], *listed[2:-2:stride], *listed[-2:]] if len(listed) > 4 else listed
    values = [unit, fmt.smallest / 2, fmt.max + unit, 2 * fmt.max]
    for each in chosen:
        values.append(each.value)
        if each.boundary is not None:
            values += [each.boundary, each.boundary - unit, each.boundary + unit]
    for value in dict.fromkeys(values):
        for signed in (value, -value):
            total = builder.new()
            if value and builder.add_value(total, signed):
                yield total.steps


def _posit_sums(builder: SumBuilder, fmt: PositFormat) -> Iterator[Steps]:
    """1, and the last one or two of its last bits in halves and quarters, added bit by bit."""
    last_bit = Fraction(1, 1 << fmt.fraction_bits)
    for start in (Fraction(1), 1 + last_bit):
        for quarters in (1, 2, 3):
            for sign in (1, -1):
                total = builder.new()
                rest = quarters * last_bit / 4
                if builder.add_value(total, sign * start) and _add_at_once(
                    builder, total, sign * rest
                ):
                    yield total.steps


def _add_at_once(builder: SumBuilder, total: BuiltSum, value: Fraction) -> bool:
    """Add a value as one product, or as two half as large and larger."""
    kit = builder.kit
    exact = [kit.powers[e] for e in kit.powers if Fraction(2) ** e == abs(value)]
    for product in exact:
        signed = kit.negative(product) if value < 0 else product
        return signed is not None and builder.add(total, signed)
    for a in power_of_two_codes(builder.config.a).values():
        for b in corner_codes(builder.config.b):
            if kit.term((a, b)).value == value:
                return builder.add(total, (a, b))
    return False


def _overflow_sums(builder: SumBuilder, largest: Fraction) -> Iterator[Steps]:
    """Sums that go beyond `largest` in either direction, and come back."""
    kit = builder.kit
    for product in (kit.largest, kit.least):
        if kit.value(product) == 0:
            continue
        total = builder.new()
        previous: Fraction | Special = Fraction(0)
        while builder.grow(total, product):
            value = builder.value(total)
            beyond = (
                isinstance(value, Special)
                or abs(value) >= largest
                or (value < 0) != (kit.value(product) < 0)
            )
            if beyond:
                yield list(total.steps)
                builder.grow(total, product)
                back = kit.negative(product) or (
                    kit.least if product == kit.largest else kit.largest
                )
                builder.grow(total, back)
                yield total.steps
                break
            if value == previous:
                break
            previous = value


def _cancelling_sums(builder: SumBuilder) -> Iterator[Steps]:
    """Sums of a product and its negative, with a third one before, between or after."""
    kit = builder.kit
    powers = list(builder.powers.values())
    for product in [kit.largest, kit.least, *powers[:: max(1, len(powers) // 6)]]:
        negated = kit.negative(product)
        if negated is None or kit.value(product) == 0:
            continue
        if not kit.has_zero:
            total = builder.new()
            if builder.grow(total, product) and builder.grow(total, negated):
                yield total.steps
        for third in [None, *powers[:1], *powers[-1:]]:
            for order in (0, 1, 2):
                sequence = [product, negated]
                if third is not None:
                    sequence.insert(order, third)
                total = builder.new()
                if all(builder.add(total, each) for each in sequence):
                    yield total.steps
                if third is None:
                    break


def _neighbour_sums(builder: SumBuilder, fmt: FloatFormat) -> Iterator[Steps]:
    """Differences of close numbers: all but the last bits of `fmt` cancel."""
    kit = builder.kit
    top = [exponent for exponent in builder.powers if exponent <= fmt.max_exponent]
    for exponent in sorted(top, reverse=True):
        negated = kit.negative(builder.powers[exponent])
        for below in sorted({1, 2, max(fmt.fraction_bits, 1), fmt.fraction_bits + 1}, reverse=True):
            if negated is None or exponent - below not in builder.powers:
                continue
            total = builder.new()
            close = Fraction(2) ** exponent + Fraction(2) ** (exponent - below)
            if builder.add_value(total, close) and builder.add(total, negated):
                yield total.steps


def _small_sums(builder: SumBuilder, fmt: FloatFormat) -> Iterator[Steps]:
    """Sums around the smallest numbers of `fmt`."""
    kit = builder.kit
    edge = fmt.min_normal_exponent
    near = [
        product
        for exponent, product in kit.powers.items()
        if fmt.least_exponent - 3 <= exponent <= edge + 1
    ]
    for first in near:
        total = builder.new()
        if builder.add(total, first):
            yield list(total.steps)
        for second in near[:4]:
            total = builder.new()
            negated = kit.negative(second)
            if builder.add(total, first) and builder.add(total, negated or second):
                yield total.steps


def _special_sums(builder: SumBuilder) -> Iterator[Steps]:
    """Sums with NaN and infinities in every order with finite products."""
    config, kit = builder.config, builder.kit
    kinds: dict[object, Product] = {}
    corners_a, corners_b = corner_codes(config.a), corner_codes(config.b)
    for a in corners_a:
        for b in corners_b:
            term = kit.term((a, b))
            if isinstance(term.value, Special):
                # NaN by an operand and NaN by infinity times zero are two kinds
                a_value, b_value = config.a.decode(a), config.b.decode(b)
                is_by_zero = Special.NAN not in (a_value, b_value)
                kinds.setdefault((term.value, is_by_zero), (a, b))
    finite = list(kit.powers.values())[-1:] or [ZERO_PRODUCT]
    for special in kinds.values():
        for sequence in ([special], [special, finite[0]], [finite[0], special]):
            total = builder.new()
            if all(builder.add(total, each) for each in sequence):
                yield total.steps
        for other in kinds.values():
            total = builder.new()
            if builder.add(total, special) and builder.add(total, other):
                yield total.steps


def _alignment_sums(config: MacConfig, builder: SumBuilder) -> Iterator[Steps]:
    """Sums of one or two steps in which each thing happens that can happen to aligned terms."""
    for first, second in Alignment(config).pairs().values():
        for negate in (False, True):
            total = builder.new()
            steps = [first, second] if first else [second]
            if negate:
                # the other sign everywhere, where there is one
                steps = [[builder.kit.negative(p) or p for p in step] for step in steps]
            if all(total.add(step) for step in steps):
                yield total.steps


def _within_budget(sums: Iterator[Steps], budget_steps: int) -> Iterator[Steps]:
    """The first sums, up to a number of steps in all."""
    total = 0
    for steps in sums:
        total += len(steps)
        if total > budget_steps:
            return
        yield steps


def directed_sums(config: MacConfig) -> list[Steps]:
    """All directed sums of a configuration."""
    kinds: list[Iterator[Steps]] = []
    widths = mac_widths(config)
    for is_outer in (False, True):
        level = widths.outer if is_outer else widths.inner
        if level is None:
            continue
        builder = SumBuilder(config, is_outer)
        kinds += [_special_sums(builder), _cancelling_sums(builder)]
        if level.posit is not None:
            kinds += [
                _posit_sums(builder, level.posit),
                _ordered_output_sums(builder, level.posit),
                _overflow_sums(builder, level.posit.max),
            ]
        elif level.format is not None:
            kept = near = level.format
            if config.aligned is not None and not is_outer:
                kinds.append(_alignment_sums(config, builder))
                if not config.aligned.is_late:
                    alignment = Alignment(config)
                    kept, near = alignment.kept, alignment.near
            kinds += [
                _rounding_sums(builder, kept, is_output=False),
                _overflow_sums(builder, level.format.max),
                _small_sums(builder, level.format),
                _neighbour_sums(builder, near),
            ]
        elif (
            isinstance(level.accumulator, IntAccumulator)
            and level.accumulator.overflow is not IntOverflow.FORBID
        ):
            unit = Fraction(2) ** level.lsb_exponent
            kinds.append(_overflow_sums(builder, unit * (1 << (level.integer_bits - 1))))
    if widths.outer is not None and widths.outer.format is not None:
        # the conversion of a chunk's sum
        kinds.append(_rounding_sums(SumBuilder(config, False), widths.outer.format, is_output=True))
    output = config.output_format
    if isinstance(output, FloatFormat) and widths.last.code_format is None:
        builder = SumBuilder(config, widths.outer is not None)
        kinds += [
            _rounding_sums(builder, output, is_output=True),
            _overflow_sums(builder, output.max),
            _small_sums(builder, output),
        ]
    if isinstance(output, OrderedFormat) and widths.last.code_format is None:
        kinds.append(_ordered_output_sums(SumBuilder(config, widths.outer is not None), output))
    budget_steps = MAX_KIND_STEPS
    if isinstance(config.accumulator, ChunkedAccumulator):
        chunk_steps = config.accumulator.length // config.lanes
        budget_steps = max(budget_steps, MIN_KIND_CHUNKS * chunk_steps)
    return [steps for kind in kinds for steps in _within_budget(kind, budget_steps)]
