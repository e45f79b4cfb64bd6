"""Rounding and overflow by definition: which code stands for an exact value.

One rule serves all formats. The finite values of a format, together with the values its codes
would have if the exponent field had no end, are an ordered set; a value between two neighbours
goes to one of them as the rounding says. Only then is it asked whether the result is beyond the
largest finite number, and overflow decides.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction
from typing import Any

from macsmith.model.formats import FloatFormat, Format, IntFormat, OrderedFormat, Special
from macsmith.model.ordered_rounding import encode_ordered

__all__ = [
    "Overflow",
    "Rounding",
    "RoundingMode",
    "StochasticRounding",
    "check_overflow",
    "check_rounding",
    "default_overflow",
    "encode",
    "floor_log2",
    "parse_stochastic",
    "round_to_multiple",
]

MAX_RANDOM_BITS = 24


class Rounding(Enum):
    """How a value between two neighbouring codes is rounded."""

    NEAREST_EVEN = "rne"  # to the nearer; a tie to the neighbour whose code is even
    NEAREST_AWAY = "rna"  # to the nearer; a tie away from zero
    TOWARD_ZERO = "rtz"
    UP = "rup"  # toward positive infinity
    DOWN = "rdn"  # toward negative infinity
    TO_ODD = "rto"  # between two neighbours to the one whose code is odd; never overflows


@dataclass(frozen=True)
class StochasticRounding:
    """Rounding up with a probability that grows with the distance from the lower neighbour.

    With N random bits R, and d the distance from the lower neighbour in units of the step to the
    upper one, a magnitude goes to the upper neighbour where

    ========  ===============================================
    variant
    ========  ===============================================
    ``a``     ``d + R * 2**-N >= 1``
    ``b``     ``d + (R + 1/2) * 2**-N >= 1``
    ``c``     ``rne(d * 2**N) + R >= 2**N``
    ========  ===============================================

    These are StochasticA, B and C of the IEEE P3109 interim report, version 4.0. A needs the least
    hardware, and rounds too small on average by half of ``2**-N`` steps; B and C do not.

    Raises
    ------
    ValueError
        There is no such variant, or `bits` is not 1 to 24.
    """

    bits: int
    variant: str = "a"

    def __post_init__(self) -> None:
        if self.variant not in ("a", "b", "c"):
            raise ValueError(f"stochastic rounding: variant must be a, b or c, not {self.variant}")
        if not 1 <= self.bits <= MAX_RANDOM_BITS:
            raise ValueError(
                f"stochastic rounding: random bits must be 1 to {MAX_RANDOM_BITS}, not {self.bits}"
            )

    @property
    def text(self) -> str:
        """As in a design text."""
        return f"sr{self.variant if self.variant != 'a' else ''}{self.bits}"

    def __str__(self) -> str:
        return self.text

    def rounds_up(self, distance: Fraction, random: int) -> bool:
        """Whether a magnitude `distance` steps above its lower neighbour goes to the upper one."""
        scale = 1 << self.bits
        if self.variant == "a":
            return distance * scale + random >= scale
        if self.variant == "b":
            return distance * scale + random + Fraction(1, 2) >= scale
        return round(distance * scale) + random >= scale  # `round` ties to even


RoundingMode = Rounding | StochasticRounding

_STOCHASTIC = re.compile(r"sr([abc]?)(\d+)")


def parse_stochastic(value: Any) -> Any:
    """The stochastic rounding that a text such as ``sr8`` or ``srb4`` stands for.

    Anything but a text is returned as it is.

    Raises
    ------
    ValueError
        The text is none, or the number of bits is out of range.
    """
    if not isinstance(value, str):
        return value
    match = _STOCHASTIC.fullmatch(value)
    if match is None:
        raise ValueError(f"stochastic rounding {value!r}: must be srN, sraN, srbN or srcN")
    return StochasticRounding(int(match[2]), match[1] or "a")


class Overflow(Enum):
    """What a value becomes that rounds beyond the largest finite number.

    In the directions that round a magnitude down (toward zero, up for negative, down for positive
    values) and to odd the result is the largest finite number under every policy, as IEEE 754 has
    it. An infinite value becomes the largest finite number under ``SATURATE`` (OFP8's saturating
    mode, P3109's SatFinite), infinity under ``INFINITY`` and under ``PROPAGATE`` (P3109's
    SatPropagate), NaN under ``NAN``.

    A value below the least number of an unsigned format, or a zero where there is none, becomes
    that least number under ``SATURATE`` and ``PROPAGATE``, and NaN otherwise.
    """

    SATURATE = "sat"
    INFINITY = "inf"
    NAN = "nan"
    PROPAGATE = "prop"  # as SATURATE, but an infinite value stays infinite


def default_overflow(fmt: Format) -> Overflow:
    """Infinity where the format has one, else saturation."""
    return Overflow.INFINITY if fmt.has_infinity else Overflow.SATURATE


def check_rounding(fmt: Format, rounding: RoundingMode) -> None:
    """ValueError if the format is not rounded so: posits and their like have one rounding."""
    if isinstance(fmt, OrderedFormat) and rounding is not Rounding.NEAREST_EVEN:
        text = rounding.value if isinstance(rounding, Rounding) else rounding.text
        raise ValueError(f"{fmt.name} has a rounding of its own: leave {text} out")


def check_overflow(fmt: Format, overflow: Overflow) -> None:
    """ValueError if the format has no code for what the policy asks."""
    if isinstance(fmt, OrderedFormat) and overflow is not Overflow.SATURATE:
        raise ValueError(f"{fmt.name} saturates: overflow must be sat, not {overflow.value}")
    if overflow in (Overflow.INFINITY, Overflow.PROPAGATE) and not fmt.has_infinity:
        ways = "sat or nan" if fmt.has_nan else "sat"
        raise ValueError(f"{fmt.name} has no infinity: overflow must be {ways}")
    if overflow is Overflow.NAN and not fmt.has_nan:
        raise ValueError(f"{fmt.name} has no NaN: overflow must be sat")


def _round_magnitude(
    lower_code: int,
    below: Fraction,
    above: Fraction,
    x: Fraction,
    rounding: RoundingMode,
    negative: bool,
    random: int,
) -> int:
    """Code of the neighbour that |x| goes to; `below` <= x <= `above` are the values of
    `lower_code` and the next."""
    if x == below:
        return lower_code
    if isinstance(rounding, StochasticRounding):
        return lower_code + rounding.rounds_up((x - below) / (above - below), random)
    if rounding is Rounding.TOWARD_ZERO:
        return lower_code
    if rounding is Rounding.UP:
        return lower_code + (not negative)
    if rounding is Rounding.DOWN:
        return lower_code + negative
    if rounding is Rounding.TO_ODD:
        return lower_code | 1
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
        lower, lower * unit, (lower + 1) * unit, magnitude, rounding, value < 0, 0
    )
    return -rounded * unit if value < 0 else rounded * unit


def _stays_finite(rounding: RoundingMode, negative: bool) -> bool:
    """Whether no finite magnitude of this sign leaves the finite range."""
    return (
        rounding in (Rounding.TOWARD_ZERO, Rounding.TO_ODD)
        or (rounding is Rounding.UP and negative)
        or (rounding is Rounding.DOWN and not negative)
    )


def _floor_magnitude_code(fmt: FloatFormat, x: Fraction) -> int:
    """Largest magnitude code, in the unending sequence, whose value is at most x >= 0 (0 if it is
    below all)."""
    if x < fmt.smallest:
        return 0
    exponent = max(floor_log2(x), fmt.min_normal_exponent)
    significand = int(x / Fraction(2) ** (exponent - fmt.fraction_bits))
    field = exponent + fmt.bias
    if fmt.has_subnormals:
        # a subnormal has no hidden bit: field 1 minus the missing hidden bit is field 0
        return (field << fmt.fraction_bits) + significand - (1 << fmt.fraction_bits)
    return max((field << fmt.fraction_bits) + significand - (1 << fmt.fraction_bits), 0)


def _check_random(rounding: RoundingMode, random: int | None) -> None:
    bits = rounding.bits if isinstance(rounding, StochasticRounding) else 0
    if (random is None) != (bits == 0):
        what = f"{bits} random bits" if bits else "no random bits"
        raise ValueError(f"rounding {rounding}: must be given {what}, not {random}")
    if random is not None and not 0 <= random < 1 << bits:
        raise ValueError(f"random bits must be 0 to {(1 << bits) - 1}, not {random}")


def encode(
    fmt: Format,
    value: Fraction | int | Special,
    rounding: RoundingMode = Rounding.NEAREST_EVEN,
    overflow: Overflow | None = None,
    *,
    negative_zero: bool = False,
    random: int | None = None,
) -> int:
    """Code of `fmt` that `value` rounds to.

    Parameters
    ----------
    fmt
        Target format.
    value
        Exact value, infinity, or NaN.
    rounding, overflow
        See `Rounding`, `StochasticRounding` and `Overflow`; `overflow` None takes
        `default_overflow`.
    negative_zero
        The sign of a `value` of 0.
    random
        The random bits, 0 to ``2**rounding.bits - 1``, of stochastic rounding, which needs them.

    Returns
    -------
    int
        A code in ``0 .. 2**bits - 1``. A negative value that rounds to zero gives negative zero
        where the format has one; of an unsigned format, any other negative value is beyond the
        least number: see `Overflow`. NaN gives `FloatFormat.nan_code`, and code 0 in a format that
        has no NaN. Integers round to the nearest integer by the same modes and clip (or wrap, if
        the format does; infinities clip), whatever `overflow` asks. Posits, powers of four and
        signed digits are rounded as `macsmith.model.ordered_rounding` says.

    Raises
    ------
    ValueError
        The format lacks the code that `overflow` asks for, or is not rounded so; random bits are
        missing, too many, or given where nothing is random.
    """
    _check_random(rounding, random)
    if overflow is None:
        overflow = default_overflow(fmt)
    if not isinstance(fmt, IntFormat):
        check_overflow(fmt, overflow)
    if isinstance(fmt, OrderedFormat):
        check_rounding(fmt, rounding)
        return encode_ordered(fmt, value)
    if value is Special.NAN:
        return fmt.nan_code if isinstance(fmt, FloatFormat) and fmt.has_nan else 0
    if isinstance(value, Special):
        negative = value is Special.NEGATIVE_INFINITY
        magnitude = None
    else:
        value = Fraction(value)
        negative = value < 0 or (value == 0 and negative_zero)
        magnitude = abs(value)

    if isinstance(fmt, IntFormat):
        if magnitude is None:
            integer = fmt.min_code_integer if negative else fmt.max_code_integer
        else:
            x = magnitude * (1 << fmt.fraction_bits)
            lower = int(x)
            rounded = _round_magnitude(
                lower, Fraction(lower), Fraction(lower + 1), x, rounding, negative, random or 0
            )
            integer = -rounded if negative else rounded
            if fmt.wraps:
                return integer & ((1 << fmt.bits) - 1)
        integer = min(max(integer, fmt.min_code_integer), fmt.max_code_integer)
        return integer & ((1 << fmt.bits) - 1)

    if magnitude is None:
        return _code_beyond(fmt, overflow, negative, is_infinite=True)
    if magnitude == 0 and not fmt.has_zero:
        return _code_beyond(fmt, overflow, negative=True)
    code = _magnitude_code(fmt, magnitude, rounding, negative, random or 0)
    if negative and not fmt.is_signed:
        return _code_beyond(fmt, overflow, negative) if code or not fmt.has_zero else 0
    if code > fmt.max_magnitude_code:
        if not _stays_finite(rounding, negative):
            return _code_beyond(fmt, overflow, negative)
        code = fmt.max_magnitude_code
    if code == 0 and not fmt.has_negative_zero:
        return 0
    return negative << fmt.magnitude_bits | code


def _magnitude_code(
    fmt: FloatFormat, magnitude: Fraction, rounding: RoundingMode, negative: bool, random: int
) -> int:
    """Rounded magnitude code, in the unending sequence."""
    lower_code = _floor_magnitude_code(fmt, magnitude)
    below = fmt.magnitude_value(lower_code)
    if magnitude < below:  # only without zero: all that is below the smallest number becomes it
        return lower_code
    above = fmt.magnitude_value(lower_code + 1)
    return _round_magnitude(lower_code, below, above, magnitude, rounding, negative, random)


def _code_beyond(
    fmt: FloatFormat, overflow: Overflow, negative: bool, *, is_infinite: bool = False
) -> int:
    """Code of what lies beyond the numbers of a format, where its least is not negative too."""
    if negative and not fmt.is_signed:
        saturates = overflow in (Overflow.SATURATE, Overflow.PROPAGATE)
        return 0 if saturates else fmt.nan_code
    sign = negative << fmt.magnitude_bits
    if overflow is Overflow.NAN:
        return fmt.nan_code
    if overflow is Overflow.INFINITY or (overflow is Overflow.PROPAGATE and is_infinite):
        return sign | fmt.infinity_code
    return sign | fmt.max_magnitude_code
