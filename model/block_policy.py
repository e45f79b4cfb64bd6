"""Choices that quantising a block leaves open: the rule for its scale, rounding, specials."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from macsmith.model.block_formats import BlockFormat
from macsmith.model.rounding import Rounding

__all__ = ["DEFAULT_POLICY", "BlockPolicy", "BlockSpecials", "ScaleRule", "resolve_rule"]


class ScaleRule(Enum):
    """How a block's scale follows from `amax`, its largest magnitude.

    With *emax* the exponent of the element format's largest number *max*, the scale is the
    largest number of the scale format that is at most (for ``RCEIL`` the least that is at least,
    for ``MAX`` the nearest to)

    =========  ============================================================
    ``FLOOR``  ``2 ** (floor(log2(amax)) - emax)``; OCP MX v1.0
    ``CEIL``   ``2 ** (ceil(log2(amax)) - emax)``
    ``EVEN``   FLOOR of amax rounded to the element's precision, ties to even
    ``RCEIL``  ``amax / max``: no element overflows
    ``MAX``    ``amax / max``; a tie goes to the even code
    =========  ============================================================

    but never less than the smallest positive one, nor more than the largest. The names are those
    of torchao's ``ScaleCalculationMode``, ``MAX`` apart.
    """

    FLOOR = "floor"
    CEIL = "ceil"
    EVEN = "even"
    RCEIL = "rceil"
    MAX = "max"


class BlockSpecials(Enum):
    """What a NaN or an infinity among the values makes of a block.

    ``NAN``: either makes the scale NaN, and all codes 0. ``SATURATE``: only NaN does; infinities
    do not count for `amax`, and become the largest element. Where the scale has no NaN, NaN is
    left to the element (0 if that has none) and infinities saturate, under both.
    """

    NAN = "nan"
    SATURATE = "sat"


@dataclass(frozen=True)
class BlockPolicy:
    """All that decides a code beside format and values.

    `rule` None takes FLOOR where scales are powers of two, else MAX.
    """

    rule: ScaleRule | None = None
    rounding: Rounding = Rounding.NEAREST_EVEN
    specials: BlockSpecials = BlockSpecials.NAN


DEFAULT_POLICY = BlockPolicy()


def resolve_rule(fmt: BlockFormat, policy: BlockPolicy) -> ScaleRule:
    """The rule of a policy, or a format's default."""
    if policy.rule is not None:
        return policy.rule
    return ScaleRule.FLOOR if fmt.has_power_of_two_scale else ScaleRule.MAX
