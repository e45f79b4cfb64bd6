"""Quantising blocks, by definition: the scale of a block, and the codes of its elements.

Integers and fractions only; `macsmith.model.fast_blocks` is the same function on arrays. Every
element is rounded once, from its exact quotient by the scale.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from macsmith.model.block_formats import BlockFormat, fraction_bits_at_top
from macsmith.model.block_policy import (
    DEFAULT_POLICY,
    BlockPolicy,
    BlockSpecials,
    ScaleRule,
    resolve_rule,
)
from macsmith.model.formats import FloatFormat, Format, Special
from macsmith.model.rounding import Overflow, encode, floor_log2

__all__ = [
    "DEFAULT_POLICY",
    "BlockPolicy",
    "BlockSpecials",
    "QuantisedBlock",
    "ScaleRule",
    "block_scale",
    "dequantise_block",
    "quantise_block",
    "resolve_rule",
    "tensor_scale",
]

Number = Fraction | int | float | Special


@dataclass(frozen=True)
class QuantisedBlock:
    """Code of the scale, and of each element."""

    scale: int
    codes: tuple[int, ...]


def smallest_scale_code(scale: Format) -> int:
    """Code of the smallest positive scale."""
    return 1 if scale.decode(0) == 0 else 0


def largest_scale_code(scale: Format) -> int:
    """Code of the largest scale; all codes below it are smaller scales."""
    return scale.max_magnitude_code if isinstance(scale, FloatFormat) else (1 << scale.bits) - 1


def _floor_code(scale: Format, value: Fraction) -> int:
    """Largest code of a scale that is at most `value`, kept within the positive scales."""
    low, high = smallest_scale_code(scale), largest_scale_code(scale)
    while low < high:
        middle = (low + high + 1) // 2
        if _scale_value(scale, middle) <= value:
            low = middle
        else:
            high = middle - 1
    return low


def _scale_value(scale: Format, code: int) -> Fraction:
    value = scale.decode(code)
    assert not isinstance(value, Special)
    return value


def block_scale(fmt: BlockFormat, amax: Fraction, rule: ScaleRule) -> int:
    """Code of the scale of a block whose largest magnitude is `amax`.

    A block of zeros has code 0: the smallest scale of E8M0, zero in formats that have one.
    """
    scale, largest = fmt.scale, fmt.element.max
    if amax == 0:
        return 0
    if rule in (ScaleRule.RCEIL, ScaleRule.MAX):
        target = amax / largest
        code = _floor_code(scale, target)
        below = _scale_value(scale, code)
        if below >= target or code == largest_scale_code(scale):
            return code
        if rule is ScaleRule.RCEIL:
            return code + 1
        middle = (below + _scale_value(scale, code + 1)) / 2
        return code + (target > middle or (target == middle and code % 2 == 1))
    exponent = floor_log2(amax)
    if rule is ScaleRule.CEIL:
        exponent += Fraction(2) ** exponent < amax
    elif rule is ScaleRule.EVEN:
        # the tie has an odd last bit below it, so it goes up to the next binade
        tie = 2 - Fraction(1, 2 << fraction_bits_at_top(fmt.element))
        exponent += tie * Fraction(2) ** exponent <= amax
    return _floor_code(scale, Fraction(2) ** (exponent - floor_log2(largest)))


def tensor_scale(fmt: BlockFormat, amax: Fraction) -> Fraction:
    """The second scale of a tensor whose largest magnitude is `amax`; 1 where there is none.

    ``amax / (largest element * largest scale)``, rounded to nearest even in its format, but at
    least its smallest number; 1 for a tensor of zeros.
    """
    if fmt.tensor_scale is None or amax == 0:
        return Fraction(1)
    largest = fmt.element.max * _scale_value(fmt.scale, largest_scale_code(fmt.scale))
    code = encode(fmt.tensor_scale, amax / largest, overflow=Overflow.SATURATE)
    value = fmt.tensor_scale.decode(max(code, 1))
    assert not isinstance(value, Special)
    return value


def _exact(number: Number) -> tuple[Fraction | Special, bool]:
    """A number and its sign, which zero has too."""
    if isinstance(number, float):
        negative = math.copysign(1.0, number) < 0
        if math.isnan(number):
            return Special.NAN, False
        if math.isinf(number):
            return (Special.NEGATIVE_INFINITY if negative else Special.POSITIVE_INFINITY), negative
        return Fraction(number), negative
    if isinstance(number, Special):
        return number, number is Special.NEGATIVE_INFINITY
    return Fraction(number), number < 0


def quantise_block(
    fmt: BlockFormat,
    values: Sequence[Number],
    policy: BlockPolicy = DEFAULT_POLICY,
    tensor: Fraction = Fraction(1),
) -> QuantisedBlock:
    """Scale and codes of one block.

    Parameters
    ----------
    values
        At most `fmt.length` of them; a float -0.0 is a negative zero.
    tensor
        The tensor's scale, of a format with two levels.

    Returns
    -------
    QuantisedBlock
        Each element is its value divided by scale and tensor's scale, rounded once and clipped to
        the largest element. A zero keeps its sign where the element has two.

    Raises
    ------
    ValueError
        There are too many values.
    """
    if len(values) > fmt.length:
        raise ValueError(f"{fmt.name}: a block has {fmt.length} values, not {len(values)}")
    exact = [_exact(value) for value in values]
    specials = {value for value, _ in exact if isinstance(value, Special)}
    if fmt.scale.has_nan and specials:
        assert isinstance(fmt.scale, FloatFormat)
        if Special.NAN in specials or policy.specials is BlockSpecials.NAN:
            return QuantisedBlock(fmt.scale.nan_code, (0,) * len(values))
    finite = [value for value, _ in exact if not isinstance(value, Special)]
    amax = max((abs(value) for value in finite), default=Fraction(0)) / tensor
    code = block_scale(fmt, amax, resolve_rule(fmt, policy))
    factor = _scale_value(fmt.scale, code) * tensor
    codes = []
    for value, negative in exact:
        quotient = value
        if not isinstance(value, Special):
            quotient = value / factor if factor else Fraction(0)
        codes.append(
            encode(
                fmt.element, quotient, policy.rounding, Overflow.SATURATE, negative_zero=negative
            )
        )
    return QuantisedBlock(code, tuple(codes))


def dequantise_block(
    fmt: BlockFormat, block: QuantisedBlock, tensor: Fraction = Fraction(1)
) -> list[Fraction | Special]:
    """Exact values of a block; all NaN where the scale is."""
    scale = fmt.scale.decode(block.scale)
    if isinstance(scale, Special):
        return [Special.NAN] * len(block.codes)
    values: list[Fraction | Special] = []
    for code in block.codes:
        value = fmt.element.decode(code)
        values.append(value if isinstance(value, Special) else value * scale * tensor)
    return values
