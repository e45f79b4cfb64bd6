"""Switchable designs: several modes in one unit, and the layouts they have in common.

Each mode is a `MacConfig` of its own; a result in a mode is bit for bit that of the single design
of this mode. What the modes share is where bits lie:

**Operands.** A lane's slot is as wide as the widest operand of any mode. A mode with `rate`
products in a lane (``2e2m1`` has two) has code *k* at bits ``[k // rate * slot + k % rate * w +:
w]``, w the width of its format. Bits of a slot that a mode does not use are not looked at.

**Partial sums.** All fixed-point modes have an integer as wide as the widest of them needs, and as
many flags above it as the one with most; the integer is in the units of the mode's own
accumulator, ``2**lsb_exponent`` of `macsmith.model.widths`, and sign-extended. A mode with one flag
(NaN) sets all. A float mode has its code in the lowest bits and zeros above. With chunks this holds
for the outer and the inner partial sum apart.

**Results.** In the lowest bits of a port as wide as the widest result, zeros above.

The mode belongs to a sum: it must be the same in all its steps. A sum during which it changes has a
meaningless result (its integer was counted in the units of several modes); the next sum is right.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from macsmith.model.widths import PartialSumWidths, mac_widths

if TYPE_CHECKING:
    from macsmith.model.config import MacConfig

__all__ = ["MAX_MODES", "CommonSum", "SwitchWidths", "check_modes", "switch_widths"]

MAX_MODES = 8

#: What modes may differ in; all else is of the whole design.
_OWN_FIELDS = {"a", "b", "lanes", "accumulator"}


def check_modes(modes: Sequence[MacConfig]) -> None:
    """ValueError unless the configurations can be modes of one design."""
    first = modes[0]
    if len(modes) > MAX_MODES:
        raise ValueError(f"modes must be at most {MAX_MODES}, not {len(modes)}")
    if len(set(modes)) < len(modes):
        raise ValueError("modes must differ from each other: state each pair of operands once")
    for mode in modes:
        what = f"mode {mode.a.name}x{mode.b.name}"
        for name in type(mode).model_fields:
            if name not in _OWN_FIELDS and getattr(mode, name) != getattr(first, name):
                raise ValueError(
                    f"{what}: {name} must be that of mode 0, {getattr(first, name)}, not "
                    f"{getattr(mode, name)}"
                )
        rate, rest = divmod(mode.lanes, first.lanes)
        if rest or not rate:
            raise ValueError(
                f"{what}: lanes must be a multiple of the {first.lanes} of mode 0, not {mode.lanes}"
            )
        for side in ("a", "b"):
            bits = getattr(mode, side).bits
            slot = max(getattr(each, side).bits for each in modes if each.lanes == first.lanes)
            if rate > 1 and rate * bits > slot:
                raise ValueError(
                    f"{what}: {rate} products in a lane must have operands of at most "
                    f"{slot // rate} bits, not {bits}: a lane has {slot} bits of {side.upper()}"
                )
        if (mac_widths(mode).outer is None) != (mac_widths(first).outer is None):
            raise ValueError("modes must all have chunks or none")


@dataclass(frozen=True)
class CommonSum:
    """Layout that the partial sums of one accumulator have in all modes.

    ``| flags | integer |`` in a fixed-point mode, a code in a float mode, zeros above either.
    """

    modes: tuple[PartialSumWidths, ...]
    integer_bits: int
    flag_bits: int

    @staticmethod
    def of(modes: Sequence[PartialSumWidths]) -> CommonSum:
        """The common layout of the modes' own ones."""
        fixed = [widths for widths in modes if widths.format is None]
        return CommonSum(
            tuple(modes),
            max((widths.integer_bits for widths in fixed), default=0),
            max((widths.flag_bits for widths in fixed), default=0),
        )

    @property
    def bits(self) -> int:
        """Width in all modes."""
        codes = [widths.bits for widths in self.modes if widths.format is not None]
        return max([self.integer_bits + self.flag_bits, *codes])

    def common(self, mode: int, word: int) -> int:
        """The common word for a mode's own one."""
        own = self.modes[mode]
        if own.format is not None:
            return word
        flags = word >> own.integer_bits
        integer = word & ((1 << own.integer_bits) - 1)
        integer -= (integer >> (own.integer_bits - 1)) << own.integer_bits
        if own.flag_bits == 1 and flags:
            flags = (1 << self.flag_bits) - 1
        return flags << self.integer_bits | integer & ((1 << self.integer_bits) - 1)

    def own(self, mode: int, word: int) -> int:
        """A mode's own word for the common one; the inverse of `common`."""
        own = self.modes[mode]
        if own.format is not None:
            return word & ((1 << own.bits) - 1)
        flags = word >> self.integer_bits & ((1 << own.flag_bits) - 1)
        return flags << own.integer_bits | word & ((1 << own.integer_bits) - 1)


@dataclass(frozen=True)
class SwitchWidths:
    """Ports of a switchable design.

    `rates`: products in a lane, by mode. `outer` is None without chunks.
    """

    lanes: int
    rates: tuple[int, ...]
    a_slot_bits: int
    b_slot_bits: int
    inner: CommonSum
    outer: CommonSum | None
    output_bits: int

    @property
    def mode_bits(self) -> int:
        """Width of the number of a mode."""
        return max((len(self.rates) - 1).bit_length(), 1)

    @property
    def last(self) -> CommonSum:
        """The partial sum that results are read from."""
        return self.outer or self.inner

    @property
    def partial_sum_bits(self) -> int:
        """Width of the whole state."""
        return self.inner.bits + (self.outer.bits if self.outer else 0)

    def common(self, mode: int, word: int) -> int:
        """The common partial sum for that of a mode's single design."""
        if self.outer is None:
            return self.inner.common(mode, word)
        bits = self.inner.modes[mode].bits
        inner = self.inner.common(mode, word & ((1 << bits) - 1))
        return self.outer.common(mode, word >> bits) << self.inner.bits | inner

    def own(self, mode: int, word: int) -> int:
        """The inverse of `common`."""
        inner = self.inner.own(mode, word & ((1 << self.inner.bits) - 1))
        if self.outer is None:
            return inner
        outer = self.outer.own(mode, word >> self.inner.bits)
        return outer << self.inner.modes[mode].bits | inner


@cache
def switch_widths(modes: tuple[MacConfig, ...]) -> SwitchWidths:
    """Layouts that modes have in common (one mode: its own)."""
    widths = [mac_widths(mode) for mode in modes]
    rates = tuple(mode.lanes // modes[0].lanes for mode in modes)
    outers = [each.outer for each in widths if each.outer is not None]
    return SwitchWidths(
        modes[0].lanes,
        rates,
        max(rate * mode.a.bits for rate, mode in zip(rates, modes, strict=True)),
        max(rate * mode.b.bits for rate, mode in zip(rates, modes, strict=True)),
        CommonSum.of([each.inner for each in widths]),
        CommonSum.of(outers) if outers else None,
        max(each.output_bits for each in widths),
    )
