"""Rounding and overflow by definition: which code stands for an exact value.

One rule serves all formats. The finite values of a format, together with the values its codes
would have if the exponent field had no end, are an ordered set; a value between two neighbours
goes to one of them as the rounding says. Only then is it asked whether the result is beyond the
largest finite number, and overflow decides.
"""

from __future__ import annotations

from enum import Enum
from fractions import Fraction

from macsmith.model.formats import FloatFormat, Format, Special

__all__ = [
    "Overflow",
    "Rounding",
    "check_overflow",
    "default_overflow",
    "encode",
    "floor_log2",
    "round_to_multiple",
]


class Rounding(Enum):
    """How a value between two neighbouring codes is rounded."""

    NEAREST_EVEN = "rne"  # to the nearer; a tie to the neighbour whose code is even
    NEAREST_AWAY = "rna"  # to the nearer; a tie away from zero
    TOWARD_ZERO = "rtz"
    UP = "rup"  # toward positive infinity
    DOWN = "rdn"  # toward negative infinity


class Overflow(Enum):
    """What a value becomes that rounds beyond the largest finite number.

    In the directions that round a magnitude down (toward zero, up for negative, down for positive
    values) the result is the largest finite number under every policy, as IEEE 754 has it.
    An infinite value becomes the largest finite number under ``SATURATE`` (OFP8's saturating
    mode), infinity under ``INFINITY``, NaN under ``NAN``.
    """

    SATURATE = "sat"
    INFINITY = "inf"
    NAN = "nan"


def default_overflow(fmt: Format) -> Overflow:
    """Infinity where the format has one, else saturation."""
    return Overflow.INFINITY if fmt.has_infinity else Overflow.SATURATE


def check_overflow(fmt: Format, overflow: Overflow) -> None:
    """ValueError if the format has no code for what the policy asks."""
    if overflow is Overflow.INFINITY and not fmt.has_infinity:
        ways = "sat or nan" if fmt.has_nan else "sat"
        raise ValueError(f"{fmt.name} has no infinity: overflow must be {ways}")
    if overflow is Overflow.NAN and not fmt.has_nan:
        raise ValueError(f"{fmt.name} has no NaN: overflow must be sat")


def _round_magnitude(
    lower_code: int,
    below: Fraction,
    above: Fraction,
    x: Fraction,
    rounding: Rounding,
    negative: bool,
) -> int:
    """Code of the neighbour that |x| goes to; `below` <= x <= `above` are the values of
    `lower_code` and the next."""
    if x == below:
        return lower_code
    if rounding is Rounding.TOWARD_ZERO:
        return lower_code
    if rounding is Rounding.UP:
        return lower_code + (not negative)
    if rounding is Rounding.DOWN:
        return lower_code + negative
    middle = (below + above) / 2
    if x != middle:
        return lower_code + (x > middle)
    if rounding is Rounding.NEAREST_AWAY:
        return lower_code + 1
    return lower_code + (lower_code & 1)


def floor_log2(x: Fraction) -> int:
    """Exponent of the binade of x > 0."""
    # by integer bit lengths, no floating point involved
    exponent = x.numerator.bit_length() - x.denominator.bit_length()
    return exponent if Fraction(2) ** exponent <= x else exponent - 1


def round_to_multiple(value: Fraction, unit: Fraction, rounding: Rounding) -> Fraction:
    """`value` as a multiple of `unit`, of which a tie to even takes the even multiple."""
    magnitude = abs(value)
    lower = int(magnitude / unit)
    rounded = _round_magnitude(
        lower, lower * unit, (lower + 1) * unit, magnitude, rounding, value < 0
    )
    return -rounded * unit if value < 0 else rounded * unit


def _rounds_down(rounding: Rounding, negative: bool) -> bool:
    """Whether every inexact magnitude of this sign is rounded down."""
    return (
        rounding is Rounding.TOWARD_ZERO
        or (rounding is Rounding.UP and negative)
        or (rounding is Rounding.DOWN and not negative)
    )


def _floor_magnitude_code(fmt: FloatFormat, x: Fraction) -> int:
    """Largest magnitude code, in the unending sequence, whose value is at most x >= 0."""
    if x < fmt.smallest:
        return 0
    exponent = max(floor_log2(x), fmt.min_normal_exponent)
    significand = int(x / Fraction(2) ** (exponent - fmt.fraction_bits))
    field = exponent + fmt.bias
    if fmt.has_subnormals:
        # a subnormal has no hidden bit: field 1 minus the missing hidden bit is field 0
        return (field << fmt.fraction_bits) + significand - (1 << fmt.fraction_bits)
    return max((field << fmt.fraction_bits) + significand - (1 << fmt.fraction_bits), 0)


def encode(
    fmt: Format,
    value: Fraction | int | Special,
    rounding: Rounding = Rounding.NEAREST_EVEN,
    overflow: Overflow | None = None,
    *,
    negative_zero: bool = False,
) -> int:
    """Code of `fmt` that `value` rounds to.

    Parameters
    ----------
    fmt
        Target format.
    value
        Exact value, infinity, or NaN.
    rounding, overflow
        See `Rounding` and `Overflow`; `overflow` None takes `default_overflow`.
    negative_zero
        The sign of a `value` of 0.

    Returns
    -------
    int
        A code in ``0 .. 2**bits - 1``. A negative value that rounds to zero gives negative zero
        where the format has one. NaN gives `FloatFormat.nan_code`, and code 0 in a format that
        has no NaN. Integers round to the nearest integer by the same modes and clip, whatever
        `overflow` asks.
    """
    if overflow is None:
        overflow = default_overflow(fmt)
    if isinstance(fmt, FloatFormat):
        check_overflow(fmt, overflow)
    if value is Special.NAN:
        return fmt.nan_code if isinstance(fmt, FloatFormat) and fmt.has_nan else 0
    if isinstance(value, Special):
        negative = value is Special.NEGATIVE_INFINITY
        magnitude = None
    else:
        value = Fraction(value)
        negative = value < 0 or (value == 0 and negative_zero)
        magnitude = abs(value)

    if not isinstance(fmt, FloatFormat):
        if magnitude is None:
            integer = fmt.min_code_integer if negative else fmt.max_code_integer
        else:
            x = magnitude * (1 << fmt.fraction_bits)
            lower = int(x)
            rounded = _round_magnitude(
                lower, Fraction(lower), Fraction(lower + 1), x, rounding, negative
            )
            integer = -rounded if negative else rounded
        integer = min(max(integer, fmt.min_code_integer), fmt.max_code_integer)
        return integer & ((1 << fmt.bits) - 1)

    sign = negative << fmt.magnitude_bits
    if magnitude is not None:
        lower_code = _floor_magnitude_code(fmt, magnitude)
        code = _round_magnitude(
            lower_code,
            fmt.magnitude_value(lower_code),
            fmt.magnitude_value(lower_code + 1),
            magnitude,
            rounding,
            negative,
        )
        if code <= fmt.max_magnitude_code:
            if code == 0 and not fmt.has_negative_zero:
                return 0
            return sign | code
        if _rounds_down(rounding, negative):
            return sign | fmt.max_magnitude_code
    if overflow is Overflow.SATURATE:
        return sign | fmt.max_magnitude_code
    if overflow is Overflow.INFINITY:
        return sign | fmt.infinity_code
    return fmt.nan_code
