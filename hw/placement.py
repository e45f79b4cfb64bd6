"""A word put to its place among many: the alignment of a fixed-point sum.

The low bits of the exponent shift by multiplexers, while the word is narrow. The others are
decoded: every place takes its bit from the one block of places that is selected, which is cheaper
than further multiplexers over the whole width::

                        | word |      fine shift, by the low bits
    | block 2 | block 1 | block 0 |   one of them holds the shifted word, all others are 0
"""

from dataclasses import dataclass
from typing import Literal

from amaranth.hdl import Cat, Const, Module, Signal, Value
from macsmith.hw.shift import shift_left

__all__ = ["Alignment", "Placement", "Signs", "place_at", "place_blocks", "place_word"]

Alignment = Literal["shift", "split"]
Signs = Literal["word", "block"]


@dataclass(frozen=True)
class Placement:
    """Where the bits of ``word << amount`` go.

    Parameters
    ----------
    value_bits
        Width of the word.
    amounts
        By how much it is shifted.
    places
        Which bits of the result are wanted.
    fine_levels
        Low bits of the amount that multiplexers take care of.
    """

    value_bits: int
    amounts: range
    places: range
    fine_levels: int

    @staticmethod
    def choose(
        value_bits: int, amounts: range, places: range, align: Alignment, signs: Signs
    ) -> "Placement":
        """``shift``: multiplexers only; ``split``: the fine levels that give the least area."""
        most = amounts[-1].bit_length()
        ways = [Placement(value_bits, amounts, places, levels) for levels in range(most + 1)]
        if align == "shift":
            return ways[-1]
        return min(ways, key=lambda way: way._cost(signs))

    @property
    def blocks(self) -> range:
        """Values of the amount's bits above the fine ones."""
        return range(
            self.amounts[0] >> self.fine_levels, (self.amounts[-1] >> self.fine_levels) + 1
        )

    @property
    def fine_reach(self) -> int:
        """The farthest that the fine levels shift."""
        return min((1 << self.fine_levels) - 1, self.amounts[-1])

    @property
    def word_bits(self) -> int:
        """Width of the word behind the fine levels."""
        return self.value_bits + self.fine_reach

    def span(self, block: int) -> range:
        """Indices into `places` that the word reaches in a block."""
        low = (block << self.fine_levels) - self.places.start
        return range(max(low, 0), min(low + self.word_bits, len(self.places)))

    def reaching(self, index: int) -> tuple[int, ...]:
        """Blocks whose word reaches the place of that index."""
        return tuple(block for block in self.blocks if index in self.span(block))

    def _cost(self, signs: Signs) -> float:
        """What is needed, as areas relative to a two-input gate in common standard-cell libraries:
        a multiplexer 1.75, an input of an AND-OR gate 0.75, a gate with its share of buffers 2."""
        widths = [
            self.value_bits + min((2 << level) - 1, self.amounts[-1])
            for level in range(self.fine_levels)
        ]
        reaching = [self.reaching(index) for index in range(len(self.places))]
        blocks = len(self.blocks)
        cost = 1.75 * sum(widths)
        if blocks > 1:
            cost += 0.75 * sum(map(len, reaching)) + 0.5 * len(self.places) + 2 * blocks
            if signs == "word":
                cost += 2 * len({group for group in reaching if len(group) < blocks})
        if signs == "block":
            # an exclusive OR for every bit, and signs to be counted for every block
            cost += 1.75 * self.fine_reach + 6 * blocks
        return cost


def _selects(
    m: Module, name: str, placement: Placement, amount: Value, is_dropped: Value | None
) -> dict[int, Value]:
    """For every block whether the word lies there; none of them if it is dropped."""
    selects: dict[int, Value] = {}
    for block in placement.blocks:
        select = Signal(name=f"{name}_block_{block}")
        chosen: Value = Const(1)
        if len(placement.blocks) > 1:
            chosen = amount[placement.fine_levels :] == block
        m.d.comb += select.eq(chosen if is_dropped is None else chosen & ~is_dropped)
        selects[block] = select
    return selects


def _gather(
    placement: Placement, selects: dict[int, Value], word: Value, index: int
) -> tuple[Value, tuple[int, ...]]:
    """The bit for one place, and the blocks that it can come from."""
    reaching = placement.reaching(index)
    bit: Value = Const(0, 1)
    for block in reaching:
        offset = index + placement.places.start - (block << placement.fine_levels)
        bit = bit | (selects[block] & word[offset])
    return bit, reaching


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

    Parameters
    ----------
    amount, amounts
        By how much, and what that can be.
    """
    placement = Placement.choose(len(value), amounts, places, "split", "word")
    return place_word(m, name, placement, value, amount, fill)


def place_word(
    m: Module,
    name: str,
    placement: Placement,
    value: Value,
    amount: Value,
    fill: Value,
    is_dropped: Value | None = None,
) -> Value:
    """``value << amount``, with `fill` in all places left and right of the value.

    With the sign as `fill`, the complement of a value becomes the complement of the number.

    Parameters
    ----------
    is_dropped
        All places become 0; `fill` must be 0 then.
    """
    word = shift_left(
        m, f"{name}_fine", value, amount[: placement.fine_levels], placement.fine_reach, fill
    )
    selects = _selects(m, name, placement, amount, is_dropped)
    outside: dict[tuple[int, ...], Value] = {}
    bits: list[Value] = []
    for index in range(len(placement.places)):
        bit, reaching = _gather(placement, selects, word, index)
        others = tuple(block for block in placement.blocks if block not in reaching)
        if others:
            if others not in outside:
                filled = Signal(name=f"{name}_fill_{len(outside)}")
                is_other = (
                    Cat(*(selects[block] for block in others)).any()
                    if len(others) <= len(reaching)
                    else ~Cat(*(selects[block] for block in reaching)).any()
                )
                m.d.comb += filled.eq(fill & is_other)
                outside[others] = filled
            bit = bit | outside[others]
        bits.append(bit)
    return Cat(*bits)


def place_blocks(
    m: Module,
    name: str,
    placement: Placement,
    value: Value,
    amount: Value,
    sign: Value,
    is_dropped: Value | None = None,
) -> tuple[Value, Value]:
    """``value << amount``, inverted within the block that holds it if `sign` is 1.

    Parameters
    ----------
    is_dropped
        The value counts as 0.

    Returns
    -------
    bits : Value
        For each of the places; 0 outside the block.
    signs : Value
        For each of the blocks whether it is inverted there.
    """
    word = shift_left(
        m, f"{name}_fine", value, amount[: placement.fine_levels], placement.fine_reach
    )
    inverted = Signal(len(word), name=f"{name}_inverted")
    m.d.comb += inverted.eq(word ^ sign.replicate(len(word)))
    selects = _selects(m, name, placement, amount, is_dropped)
    bits = [
        _gather(placement, selects, inverted, index)[0] for index in range(len(placement.places))
    ]
    return Cat(*bits), Cat(*(select & sign for select in selects.values()))
