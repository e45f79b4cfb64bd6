"""What each component must do, worked out with fractions; used by the tests and, with a bug planted
in the hardware, by the test of the tests.

Each check returns how many vectors it tried and descriptions of those that are wrong.
"""

import itertools
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction

from logic import Logic, block_verilog
from macsmith.hw.align import Align
from macsmith.hw.convert import Convert
from macsmith.hw.decode import Decode
from macsmith.hw.encode import Encode
from macsmith.hw.lane import FixedTerm
from macsmith.hw.multiply import Multiply
from macsmith.hw.normalise import Normalise
from macsmith.hw.partial_products import Multiplier
from macsmith.hw.placement import Alignment, Signs
from macsmith.hw.round import Round
from macsmith.hw.round_term import NormaliseTerm, RoundTerm, TermScale
from macsmith.hw.terms import TermShape, operand_shape, product_shape
from macsmith.model import golden
from macsmith.model.design import parse_design
from macsmith.model.formats import FloatFormat, Special, parse_format
from macsmith.model.rounding import Overflow, Rounding, default_overflow, encode
from macsmith.model.widths import mac_widths


@dataclass
class Outcome:
    """Vectors tried, and the wrong ones as text."""

    count: int = 0
    wrong: list[str] = field(default_factory=list)

    def compare(self, what: str, got: object, want: object) -> None:
        """Note one comparison."""
        self.count += 1
        if got != want:
            self.wrong.append(f"{what}: got {got}, must be {want}")


def _run(block: object, columns: dict[str, list[int]]) -> Iterator[dict[str, int]]:
    logic = Logic(block_verilog(block))  # type: ignore[arg-type]
    outputs = logic(**columns)
    for row in zip(*outputs.values(), strict=True):
        yield dict(zip(outputs, row, strict=True))


def _columns(names: Iterable[str], rows: list[tuple[int, ...]]) -> dict[str, list[int]]:
    return {name: [row[index] for row in rows] for index, name in enumerate(names)}


def _float(name: str) -> FloatFormat:
    fmt = parse_format(name)
    assert isinstance(fmt, FloatFormat)
    return fmt


def term_value(shape: TermShape, sign: int, significand: int, exponent: int) -> Fraction:
    """What a term stands for."""
    value = significand * Fraction(2) ** (shape.lsb_exponent + exponent)
    return -value if sign else value


def check_decode(name: str) -> Outcome:
    """All codes."""
    fmt = parse_format(name)
    shape = operand_shape(fmt)
    outcome = Outcome()
    codes = list(range(1 << fmt.bits))
    for code, out in zip(codes, _run(Decode(fmt), {"code": codes}), strict=True):
        value = fmt.decode(code)
        what = f"{name} code {code:#x}"
        outcome.compare(f"{what} NaN", out.get("term_is_nan", 0), int(value is Special.NAN))
        infinite = value in (Special.POSITIVE_INFINITY, Special.NEGATIVE_INFINITY)
        outcome.compare(f"{what} infinity", out.get("term_is_infinity", 0), int(infinite))
        if value is not Special.NAN:
            outcome.compare(f"{what} sign", out["term_sign"], int(fmt.is_negative(code)))
        if isinstance(value, Fraction):
            got = term_value(shape, out["term_sign"], out["term_significand"], out["term_exponent"])
            outcome.compare(what, got, value)
    return outcome


def check_multiply(a_name: str, b_name: str, multiplier: Multiplier = "array") -> Outcome:
    """All pairs of significands and signs, and all classes."""
    a_shape, b_shape = (operand_shape(parse_format(name)) for name in (a_name, b_name))
    shape = product_shape(a_shape, b_shape)
    names: list[str] = []
    ranges: list[list[int]] = []
    for prefix, operand in (("a", a_shape), ("b", b_shape)):
        for member in operand.members(prefix, is_input=True):
            names.append(member)
            if member.endswith("significand"):
                ranges.append(list(range(operand.max_significand + 1)))
            elif member.endswith("exponent"):
                ranges.append(sorted({operand.min_exponent, operand.max_exponent}))
            else:
                ranges.append([0, 1])
    rows = list(itertools.product(*ranges))
    columns = _columns(names, rows)
    outcome = Outcome()
    block = Multiply(
        a_shape, b_shape, zero_specials=True, positive_zeros=False, multiplier=multiplier
    )
    for row, out in zip(rows, _run(block, columns), strict=True):
        at = dict(zip(names, row, strict=True))
        a_nan, b_nan = at.get("a_is_nan", 0), at.get("b_is_nan", 0)
        a_inf, b_inf = at.get("a_is_infinity", 0), at.get("b_is_infinity", 0)
        if (a_nan and a_inf) or (b_nan and b_inf):
            continue
        nan = a_nan or b_nan or (a_inf and not at["b_significand"])
        nan = nan or (b_inf and not at["a_significand"])
        infinity = (a_inf or b_inf) and not nan
        what = str(at)
        outcome.compare(f"{what} NaN", out.get("product_is_nan", 0), int(bool(nan)))
        outcome.compare(f"{what} inf", out.get("product_is_infinity", 0), int(bool(infinity)))
        got = term_value(
            shape, out["product_sign"], out["product_significand"], out["product_exponent"]
        )
        want = Fraction(0)
        if not (nan or infinity):
            want = term_value(
                a_shape, at["a_sign"], at["a_significand"], at["a_exponent"]
            ) * term_value(b_shape, at["b_sign"], at["b_significand"], at["b_exponent"])
        outcome.compare(what, got, want)
    return outcome


def check_normalise(width: int, exponent_bits: int) -> Outcome:
    """All values with all exponents."""
    rows = list(itertools.product(range(1 << width), range(1 << exponent_bits)))
    outcome = Outcome()
    block = Normalise(width, exponent_bits, width - 1)
    for (value, exponent), out in zip(
        rows, _run(block, _columns(("value", "exponent"), rows)), strict=True
    ):
        if value == 0:
            outcome.compare(f"{value}, {exponent}", out["normalised"], 0)
            continue
        shift = min(width - value.bit_length(), exponent)
        got = (out["normalised"], out["normalised_exponent"])
        outcome.compare(f"{value:#x}, {exponent}", got, (value << shift, exponent - shift))
    return outcome


def check_normalise_term(a_name: str, target: str) -> Outcome:
    """All products of two operands: same value, leading bit on top as far as promised."""
    operand = operand_shape(parse_format(a_name))
    shape = product_shape(operand, operand)
    fmt = _float(target)
    scale = TermScale.of(shape, fmt)
    rows = [
        (significand, exponent)
        for significand in range(1 << shape.significand_bits)
        for exponent in range(shape.min_exponent, shape.max_exponent + 1)
        if exponent == shape.min_exponent or significand >= shape.min_significand_above
    ]
    outcome = Outcome()
    block = NormaliseTerm(shape, fmt)
    bits = block.internal_exponent.shape().width
    for (significand, exponent), out in zip(
        rows, _run(block, _columns(("significand", "exponent"), rows)), strict=True
    ):
        what = f"{significand:#x} * 2**{exponent}"
        got, internal = out["normalised"], out["internal_exponent"]
        internal -= (internal >> (bits - 1)) << bits
        if significand == 0:
            outcome.compare(what, got, 0)
            continue
        top = internal - 1 + fmt.min_normal_exponent - (shape.significand_bits - 1)
        outcome.compare(what, got * Fraction(2) ** top, term_value(shape, 0, significand, exponent))
        on_top = bool(got >> (shape.significand_bits - 1))
        if significand >= shape.min_significand:
            outcome.compare(f"{what} top", on_top or (scale.is_limited and internal == 1), True)
    return outcome


def check_align(term_bits: int, sum_bits: int, guard_bits: int) -> Outcome:
    """Random normalised pairs, close exponents, zeros and least exponents."""
    rng = random.Random(1)
    shape = TermScale.of(operand_shape(parse_format("e5m2")), _float("e5m3")).exponent_shape
    exponent_bits = 5
    width = max(term_bits, sum_bits)
    rows = []
    for _ in range(20000):
        term = rng.getrandbits(term_bits) | 1 << (term_bits - 1)
        other = rng.getrandbits(sum_bits) | 1 << (sum_bits - 1)
        term_exponent = rng.randint(1, 31)
        exponent = min(max(term_exponent + rng.randint(-width - 4, width + 4), 1), 31)
        match rng.randrange(8):
            case 0:
                term = 0
            case 1:
                exponent, other = 1, rng.getrandbits(sum_bits)
            case 2:
                exponent, other = 1, 0
            case 3:
                exponent = term_exponent
        rows.append((term, term_exponent, other, exponent))
    names = ("term_significand", "term_exponent", "partial_sum_significand", "partial_sum_exponent")
    block = Align(term_bits, sum_bits, shape, exponent_bits, guard_bits, 5)
    outcome = Outcome()
    for row, out in zip(rows, _run(block, _columns(names, rows)), strict=True):
        term, term_exponent, other, exponent = row
        term_value_ = Fraction(term << (width - term_bits)) * 2**term_exponent
        other_value = Fraction(other << (width - sum_bits)) * 2**exponent
        is_larger = term_value_ > other_value
        what = str(row)
        outcome.compare(f"{what} order", bool(out["is_term_larger"]), is_larger)
        large, small = (term_value_, other_value) if is_larger else (other_value, term_value_)
        scale = term_exponent if is_larger else exponent
        outcome.compare(f"{what} larger", out["larger"] * Fraction(2) ** scale, large)
        outcome.compare(f"{what} exponent", out["exponent"], scale)
        exact = small / Fraction(2) ** (scale - guard_bits)
        kept = int(exact)
        outcome.compare(f"{what} smaller", out["smaller"], kept | (exact != kept))
    return outcome


def check_round(name: str, rounding: Rounding, width: int = 7) -> Outcome:
    """All significands of a few exponents, smallest binade included, and both signs."""
    fmt = _float(name)
    top = max(fmt.max_exponent - fmt.min_normal_exponent, 0)
    rows = [
        (sign, significand, exponent)
        for sign in (0, 1)
        for exponent in sorted({0, 1, 2, top, top + 1} | {max(top - 1, 0)})
        for significand in range(1 << width)
        if significand >> (width - 1) or exponent == 0 or significand == 0
    ]
    block = Round(fmt, rounding, width, max(top + 1, 2))
    outcome = Outcome()
    for row, out in zip(
        rows, _run(block, _columns(("sign", "significand", "exponent"), rows)), strict=True
    ):
        sign, significand, exponent = row
        value = significand * Fraction(2) ** (fmt.min_normal_exponent + exponent - width + 1)
        outcome.compare(
            f"{name} {rounding.value} {row}", out["code"], _magnitude(fmt, value, sign, rounding)
        )
    return outcome


def _magnitude(fmt: FloatFormat, value: Fraction, sign: int, rounding: Rounding) -> int:
    """Magnitude code as if the exponent field had no end, by walking up the codes."""
    low, high = 0, 1
    while fmt.magnitude_value(high) <= value:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        if fmt.magnitude_value(middle) <= value:
            low = middle
        else:
            high = middle
    below, above = fmt.magnitude_value(low), fmt.magnitude_value(low + 1)
    if value == below:
        return low
    twice = 2 * value - below - above
    match rounding:
        case Rounding.TOWARD_ZERO:
            up = False
        case Rounding.UP:
            up = not sign
        case Rounding.DOWN:
            up = bool(sign)
        case Rounding.TO_ODD:
            up = low % 2 == 0
        case Rounding.NEAREST_AWAY:
            up = twice >= 0
        case Rounding.NEAREST_EVEN:
            up = twice > 0 or (twice == 0 and low % 2 == 1)
    return low + up


def check_encode(name: str, rounding: Rounding, overflow: Overflow) -> Outcome:
    """All magnitudes up to twice the largest, both signs, all flags."""
    fmt = _float(name)
    bits = fmt.magnitude_bits + 2
    rows = list(itertools.product(range(1 << bits), (0, 1), (0, 1), (0, 1)))
    names = ("magnitude", "sign", "is_nan", "is_infinity")
    block = Encode(fmt, rounding, overflow, bits, has_nan=True, has_infinity=True)
    outcome = Outcome()
    for row, out in zip(rows, _run(block, _columns(names, rows)), strict=True):
        magnitude, sign, nan, infinity = row
        value: Fraction | Special = fmt.magnitude_value(magnitude) * (-1 if sign else 1)
        if infinity:
            value = Special.NEGATIVE_INFINITY if sign else Special.POSITIVE_INFINITY
        if nan:
            value = Special.NAN
        want = encode(fmt, value, rounding, overflow, negative_zero=bool(sign))
        outcome.compare(f"{name} {rounding.value} {overflow.value} {row}", out["code"], want)
    return outcome


def check_round_term(source: str, target: str, rounding: Rounding) -> Outcome:
    """All codes of a format, rounded to another."""
    fmt, to = _float(source), _float(target)
    shape = operand_shape(fmt)
    codes = [code for code in range(1 << fmt.bits) if isinstance(fmt.decode(code), Fraction)]
    rows = []
    for code in codes:
        magnitude = code & ((1 << fmt.magnitude_bits) - 1)
        biased = magnitude >> fmt.fraction_bits
        hidden = biased > 0 if fmt.has_subnormals else magnitude > 0
        fraction = magnitude & ((1 << fmt.fraction_bits) - 1)
        exponent = max(biased, 1) if fmt.has_subnormals else biased
        rows.append((int(fmt.is_negative(code)), fraction | hidden << fmt.fraction_bits, exponent))
    columns = _columns(("term_sign", "term_significand", "term_exponent"), rows)
    for flag in ("term_is_nan", "term_is_infinity"):
        if flag in shape.members("term", is_input=True):
            columns[flag] = [0] * len(rows)
    overflow = default_overflow(to)
    outcome = Outcome()
    for code, out in zip(
        codes, _run(RoundTerm(shape, to, rounding, overflow), columns), strict=True
    ):
        value = fmt.decode(code)
        want = encode(to, value, rounding, overflow, negative_zero=fmt.is_negative(code))
        outcome.compare(f"{source} {code:#x} to {target} {rounding.value}", out["code"], want)
    return outcome


def check_fixed_term(
    name: str, align: Alignment = "split", signs: Signs = "word", *, drops: bool = False
) -> Outcome:
    """All finite codes as fixed-point numbers: with what is to be added for each inverted span,
    they are the signed value; 0 where dropped."""
    fmt = _float(name)
    shape = operand_shape(fmt)
    bits = fmt.max_integer.bit_length()
    block = FixedTerm(shape, fmt.least_exponent, bits, align, signs, drops=drops)
    rows = [
        (sign, significand, exponent, 0)
        for sign in (0, 1)
        for significand in range(1 << fmt.precision)
        for exponent in range(shape.min_exponent, shape.max_exponent + 1)
        if term_value(shape, 0, significand, exponent) <= fmt.max
    ]
    if drops:  # anything, also exponents that no number has
        rows += [
            (sign if signs == "block" else 0, significand, exponent, 1)
            for sign in (0, 1)
            for significand in range(1 << fmt.precision)
            for exponent in range(1 << shape.exponent_bits)
        ]
    names = ["term_sign", "term_significand", "term_exponent", *["is_dropped"] * drops]
    outcome = Outcome()
    for row, out in zip(rows, _run(block, _columns(names, rows)), strict=True):
        sign, significand, exponent, is_dropped = row
        magnitude = term_value(shape, 0, significand, exponent) / Fraction(2) ** fmt.least_exponent
        want = 0 if is_dropped else -int(magnitude) if sign else int(magnitude)
        got = out["number"]
        for index, span in enumerate(block.spans):
            if out["inverted"] >> index & 1:
                got += (1 << span.start) - (1 << span.stop)
        outcome.compare(f"{name} {row}", got, want)
    return outcome


def check_convert(text: str, count: int = 3000) -> Outcome:
    """Partial sums of all kinds as result codes, against the definition."""
    config = parse_design(text).mac
    widths = mac_widths(config).last
    rng = random.Random(text)
    sums = [rng.getrandbits(widths.bits) for _ in range(count)]
    if widths.bits <= 12:
        sums = list(range(1 << widths.bits))
    elif widths.format is None:  # small magnitudes of both signs, no flags
        for index in range(0, count, 2):
            value = rng.getrandbits(rng.randint(1, widths.integer_bits - 1))
            sums[index] = (value * rng.choice((-1, 1))) % (1 << widths.integer_bits)
    outcome = Outcome()
    block = Convert(config, widths, config.output_format)
    for bits, out in zip(sums, _run(block, {"partial_sum": sums}), strict=True):
        outcome.compare(f"{text} {bits:#x}", out["code"], golden.result(config, bits))
    return outcome
