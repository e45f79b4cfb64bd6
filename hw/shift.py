"""Shifters, level by level, each no wider than what can arrive there."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value

__all__ = ["shift_left", "shift_right_sticky"]


def shift_left(
    m: Module, name: str, value: Value, amount: Value, max_amount: int, fill: Value | None = None
) -> Value:
    """``value << amount``, ``len(value) + max_amount`` bits.

    Parameters
    ----------
    amount
        At most `max_amount`; what comes out beyond it means nothing.
    fill
        What fills the places below and above `value`; None: 0. With the sign as `fill`, the
        complement of a value is shifted to the complement of the shifted value.

    Small shifts come first, while the word is narrow.
    """
    start = len(value)
    for level in range(len(amount)):
        distance = 1 << level
        if distance > max_amount:
            break
        pad = Const(0, distance) if fill is None else fill.replicate(distance)
        # the widest word that shifts of up to 2 * distance - 1 and at most max_amount give
        width = start + min(2 * distance - 1, max_amount)
        shifted = Signal(width, name=f"{name}_{level}")
        m.d.comb += shifted.eq(Mux(amount[level], Cat(pad, value), Cat(value, pad)))
        value = shifted
    return value


def shift_right_sticky(m: Module, name: str, value: Value, amount: Value, width: int) -> Value:
    """`value`, at the top of `width` bits, shifted right by any `amount`.

    The last of the `width` bits is sticky: it is also 1 if a 1 was shifted out below it.
    """
    if len(value) > width:
        raise ValueError(f"{name}: {width} bits must hold the {len(value)} of the value")
    # Where all bits are gone to the sticky bit, larger amounts change nothing.
    levels = (width - 1).bit_length()
    word: Value = Cat(Const(0, width - len(value)), value)
    count = min(levels, len(amount))
    is_far = amount[levels:].any() if len(amount) > levels else Const(0)
    for level in range(count):
        distance = 1 << level
        kept = Cat((word[: distance + 1]).any(), word[distance + 1 :], Const(0, distance))
        shifted = Signal(width, name=f"{name}_{level}")
        if level < count - 1:
            m.d.comb += shifted.eq(Mux(amount[level], kept, word))
        else:
            # the last level also drops everything, at no cost: two selects and no multiplexer
            stays = Signal(name=f"{name}_stays")
            moves = Signal(name=f"{name}_moves")
            dropped = Cat(is_far & word.any(), Const(0, width - 1))
            m.d.comb += [
                stays.eq(~amount[level] & ~is_far),
                moves.eq(amount[level] & ~is_far),
                shifted.eq(
                    (word & stays.replicate(width)) | (kept & moves.replicate(width)) | dropped
                ),
            ]
        word = shifted
    return word
