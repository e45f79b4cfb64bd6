"""Shifters, level by level, each no wider than what can arrive there."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value

__all__ = ["place_at", "shift_left", "shift_right_sticky"]


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


def _blocks_of(amounts: range, fine_levels: int) -> range:
    """Values of the amount's bits above the fine ones."""
    return range(amounts[0] >> fine_levels, (amounts[-1] >> fine_levels) + 1)


def _used_blocks(place: int, word_bits: int, amounts: range, fine_levels: int) -> tuple[int, ...]:
    """Blocks whose word reaches a place."""
    return tuple(
        index
        for index in _blocks_of(amounts, fine_levels)
        if 0 <= place - (index << fine_levels) < word_bits
    )


def _best_fine_levels(value_bits: int, amounts: range, places: range) -> int:
    """Levels of multiplexers that give the least area, by the size of what is needed.

    The weights are areas relative to a two-input gate, as in common standard-cell libraries: a
    multiplexer 1.75, an input of an AND-OR gate 0.75, a gate with its share of buffers 2.
    """
    costs: list[float] = []
    for levels in range(amounts[-1].bit_length() + 1):
        widths = [value_bits + min((2 << level) - 1, amounts[-1]) for level in range(levels)]
        word_bits = widths[-1] if widths else value_bits
        used = [_used_blocks(place, word_bits, amounts, levels) for place in places]
        blocks = len(_blocks_of(amounts, levels))
        fills = len({group for group in used if len(group) < blocks})
        cost = 1.75 * sum(widths)
        if blocks > 1:
            cost += 0.75 * sum(map(len, used)) + 0.5 * len(places) + 2 * (fills + blocks)
        costs.append(cost)
    return costs.index(min(costs))


def place_at(
    m: Module,
    name: str,
    value: Value,
    amount: Value,
    amounts: range,
    places: range,
    fill: Value,
) -> Value:
    """Bits `places` of ``value << amount``, with `fill` in all places left and right of the value.

    The low bits of the amount shift by multiplexers, while the word is narrow. The others are
    decoded: every result bit takes its bit from the one block of places that is selected, which
    is cheaper than further multiplexers over the whole width.

    Parameters
    ----------
    amount, amounts
        By how much, and what that can be.
    """
    fine_levels = _best_fine_levels(len(value), amounts, places)
    fine = amount[:fine_levels]
    reach = min((1 << fine_levels) - 1, amounts[-1])
    word = shift_left(m, f"{name}_fine", value, fine, reach, fill)
    blocks = _blocks_of(amounts, fine_levels)
    selected: dict[int, Value] = {}
    for index in blocks:
        select = Signal(name=f"{name}_block_{index}")
        m.d.comb += select.eq(Const(1) if len(blocks) == 1 else amount[fine_levels:] == index)
        selected[index] = select
    outside: dict[tuple[int, ...], Value] = {}
    bits: list[Value] = []
    for place in places:
        used = _used_blocks(place, len(word), amounts, fine_levels)
        bit: Value = Const(0)
        for index in used:
            bit = bit | (selected[index] & word[place - (index << fine_levels)])
        if len(used) < len(blocks):
            if used not in outside:
                filled = Signal(name=f"{name}_fill_{len(outside)}")
                others = Cat(*(selected[index] for index in used)).any() if used else Const(0)
                m.d.comb += filled.eq(fill & ~others)
                outside[used] = filled
            bit = bit | outside[used]
        bits.append(bit)
    return Cat(*bits)
