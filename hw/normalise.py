"""Leading zeros are counted and shifted out in one go."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib.wiring import In, Out
from macsmith.hw.block import Block

__all__ = ["Normalise", "shift_out_leading_zeros"]


def shift_out_leading_zeros(
    m: Module,
    name: str,
    value: Value,
    max_shift: int,
    limit: Value | None = None,
    fill: Value | None = None,
    forced: tuple[Value, int] | None = None,
) -> tuple[Value, Value]:
    """Shift `value` left by its leading zeros, at most by `limit`.

    Each level looks at the top ``2**k`` bits and shifts them out if they are 0 and the limit
    allows; so the levels taken are the bits of the smaller of the two counts.

    Parameters
    ----------
    max_shift
        Most leading zeros of a value that is not 0.
    limit
        Unsigned; None: no limit.
    fill
        What comes in from below; None: 0.
    forced
        Where the first is 1, the shift is the second whatever the value.

    Returns
    -------
    normalised : Value
        As wide as `value`. A 1 in its top bit, or the limit was reached, or it is 0.
    shift : Value
        By how much; at most ``2**max_shift.bit_length() - 1``.
    """
    levels = max_shift.bit_length()
    # Is what is left of the limit above all that the levels to come can ask for?
    is_free: Value = Const(1) if limit is None else limit[levels:].any()
    taken: list[Value] = []
    for level in reversed(range(levels)):
        distance = 1 << level
        is_clear = ~value[-distance:].any() if distance < len(value) else ~value.any()
        allowed = is_free
        if limit is not None:
            bit = limit[level] if level < len(limit) else Const(0)
            allowed = is_free | bit
            # a level not needed although allowed: fewer zeros are left than limit
            is_free = is_free | (bit & ~is_clear)
        step = Signal(name=f"{name}_step_{level}")
        taken_here = is_clear & allowed
        if forced is not None:
            condition, places = forced
            taken_here = taken_here | condition if places >> level & 1 else taken_here & ~condition
        m.d.comb += step.eq(taken_here)
        taken.append(step)
        shifted = Signal(len(value), name=f"{name}_{level}")
        below = Const(0, distance) if fill is None else fill.replicate(distance)
        m.d.comb += shifted.eq(Mux(step, Cat(below, value), value))
        value = shifted
    return value, Cat(*reversed(taken)) if taken else Const(0, 1)


class Normalise(Block):
    """Shift leading zeros out of a significand as far as its exponent allows; combinational.

    Parameters
    ----------
    width
        Bits of the significand.
    exponent_bits
        Bits of the exponent.
    max_shift
        Most leading zeros of a significand that is not 0.

    Members
    -------
    value : In(width)
    exponent : In(exponent_bits)
        Unsigned; also the most that may be shifted out, so that what is left is never below 0.
    normalised : Out(width)
        The top bit is 0 only if the exponent was used up or the value is 0.
    normalised_exponent : Out(exponent_bits)
        `exponent` less the shift.
    """

    value: Signal
    exponent: Signal
    normalised: Signal
    normalised_exponent: Signal

    def __init__(self, width: int, exponent_bits: int, max_shift: int) -> None:
        self.width, self.exponent_bits, self.max_shift = width, exponent_bits, max_shift
        super().__init__(
            f"normalise_{width}_{exponent_bits}_{max_shift}",
            {
                "value": In(width),
                "exponent": In(exponent_bits),
                "normalised": Out(width),
                "normalised_exponent": Out(exponent_bits),
            },
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        normalised, shift = shift_out_leading_zeros(
            m, "level", self.value, self.max_shift, self.exponent
        )
        m.d.comb += [
            self.normalised.eq(normalised),
            self.normalised_exponent.eq(self.exponent - shift),
        ]
        return m
