"""One lane whose multiplier helps to move the product: for wide multipliers, as DSP blocks are.

Low bits of both exponents move the significands before they are multiplied, by places that the
multiplier has to spare; the signs are in the significands too. Where operands are broadcast to the
elements of an array, that is done once for a row or a column. The product then moves by multiples
of ``2**moved_bits`` only.
"""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib.wiring import In, Out
from macsmith.hw.block import Block, place
from macsmith.hw.decode import Decode
from macsmith.hw.shift import shift_left
from macsmith.hw.terms import operand_shape
from macsmith.model.config import MacConfig
from macsmith.model.widths import mac_widths

__all__ = ["MovedLane"]


def _cheapest_levels(bits: int, amounts: range, step: int, places: int) -> int:
    """Levels of multiplexers, the first by `step` places, that leave the fewest LUTs."""

    def luts(levels: int) -> int:
        widths = [bits + ((2 << level) - 1) * step for level in range(levels)]
        reached = [0] * places
        for block in range(amounts[0] >> levels, (amounts[-1] >> levels) + 1):
            start = block * (step << levels)
            for at in range(start, min(start + (widths or [bits])[-1], places)):
                reached[at] += 1
        return sum(widths) + sum(max(count - 1, 1) for count in reached)

    return min(range(amounts[-1].bit_length() + 1), key=luts)


class MovedLane(Block):
    """A pair of codes of floats as a fixed-point number; combinational.

    A place of the number is reached by few blocks of the product, which the high bits of the
    exponents choose from. Where there are two at most, two control bits, shared by all places
    reached by the same blocks, say which of four the place takes, a LUT of four inputs::

        control 1 control 0    place is
        0         0            0
        0         1            its bit of the lower block
        1         0            its bit of the upper block
        1         1            1, above a negative number

    Parameters
    ----------
    config
        What is computed; its products are exact, its operands floats.
    moved_bits
        So many low bits of each operand's exponent move its significand, at least 1.

    Members
    -------
    a, b : In
        Codes.
    factor_a, factor_b : Out
        Moved significands, two's complement; 0 where the operand is special.
    product : In
        Of the two, two's complement.
    number : Out
        Two's complement, in the unit of `macsmith.model.widths.MacWidths.term`.
    sign, is_nan, is_infinity : Out(1)
        Of the product as a whole; of a special one `number` is 0.
    """

    a: Signal
    b: Signal
    factor_a: Signal
    factor_b: Signal
    product: Signal
    number: Signal
    sign: Signal
    is_nan: Signal
    is_infinity: Signal

    def __init__(self, config: MacConfig, moved_bits: int) -> None:
        self.config, self.moved_bits = config, moved_bits
        self.shapes = operand_shape(config.a), operand_shape(config.b)
        self.bound = mac_widths(config).term
        # with sign
        a_bits, b_bits = (shape.significand_bits + (1 << moved_bits) for shape in self.shapes)
        super().__init__(
            f"moved_lane_{moved_bits}",
            {
                "a": In(config.a.bits),
                "b": In(config.b.bits),
                "factor_a": Out(signed(a_bits)),
                "factor_b": Out(signed(b_bits)),
                "product": In(a_bits + b_bits),
                "number": Out(self.bound.max_integer.bit_length() + 1),
                "sign": Out(1),
                "is_nan": Out(1),
                "is_infinity": Out(1),
            },
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        low, exponents = self.moved_bits, list[Value]()
        terms = []
        for name, fmt, code in (("a", self.config.a, self.a), ("b", self.config.b, self.b)):
            decode = Decode(fmt)
            place(m, platform, f"decode_{name}", decode)
            m.d.comb += decode.code.eq(code)
            term = decode.term
            significand = term.significand
            if term.shape.has_specials:
                significand = significand & (~term.is_special).replicate(len(significand))
            moved = shift_left(m, f"moved_{name}", significand, term.exponent[:low], (1 << low) - 1)
            factor = getattr(self, f"factor_{name}")
            m.d.comb += factor.eq(Mux(term.sign, -moved, moved))
            exponents.append(term.exponent[low:])
            terms.append(term)
        a, b = terms
        is_nan: Value = a.is_nan | b.is_nan
        if a.shape.has_infinity or b.shape.has_infinity:
            zero_times_infinity = (a.is_infinity & ~b.significand.any()) | (
                b.is_infinity & ~a.significand.any()
            )
            is_nan = is_nan | zero_times_infinity
            m.d.comb += self.is_infinity.eq((a.is_infinity | b.is_infinity) & ~is_nan)
        m.d.comb += [self.is_nan.eq(is_nan), self.sign.eq(a.sign ^ b.sign)]
        exponent = Signal(self._amounts[-1].bit_length() or 1)
        m.d.comb += [
            exponent.eq(exponents[0] + exponents[1]),
            self.number.eq(Cat(*self._placed(m, exponent))),
        ]
        return m

    @property
    def _amounts(self) -> range:
        low = self.moved_bits
        least = sum(shape.min_exponent >> low for shape in self.shapes)
        return range(least, sum(shape.max_exponent >> low for shape in self.shapes) + 1)

    def _placed(self, m: Module, exponent: Signal) -> list[Value]:
        """Bits of the number."""
        step = 1 << self.moved_bits
        # all numbers are multiples of the unit: what is moved to below it is 0
        dropped = self.bound.lsb_exponent - sum(shape.lsb_exponent for shape in self.shapes)
        places = range(dropped, dropped + len(self.number))
        # two factors of the largest negative value do not occur: the top bit is the sign's double
        product, sign = self.product[:-1], self.product[-1]
        levels = _cheapest_levels(len(product), self._amounts, step, places.stop)
        word: Value = product
        for level in range(levels):
            distance = step << level
            moved = Signal(len(word) + distance, name=f"level_{level}")
            upper = Cat(Const(0, distance), word)
            m.d.comb += moved.eq(Mux(exponent[level], upper, Cat(word, sign.replicate(distance))))
            word = moved
        starts = {
            block: block * (step << levels)
            for block in range(self._amounts[0] >> levels, (self._amounts[-1] >> levels) + 1)
        }
        coarse = exponent[levels:]
        controls: dict[tuple[tuple[int, ...], tuple[int, ...]], Value] = {}
        number: list[Value] = []
        for at in places:
            used = tuple(block for block in starts if 0 <= at - starts[block] < len(word))
            below = tuple(block for block in starts if at - starts[block] >= len(word))
            bits = [word[at - starts[block]] for block in used]
            if len(starts) == 1:
                number.append(bits[0] if bits else sign)
                continue
            if len(used) > 2:
                number.append(_one_of(coarse, used, bits, _is_in(coarse, below) & sign))
                continue
            if (used, below) not in controls:
                made = Signal(2, name=f"control_{len(controls)}")
                fills = _is_in(coarse, below) & sign
                chosen = [coarse == block for block in used]
                m.d.comb += made.eq(Cat(*(one | fills for one in [*chosen, fills, fills][:2])))
                controls[used, below] = made
            control = controls[used, below]
            lower, upper_bit = (*bits, Const(1), Const(1))[:2]
            if len(used) < 2:
                number.append((control[0] & lower) | control[1] if used else control[1])
            else:
                number.append(
                    Mux(control[1], Mux(control[0], Const(1), upper_bit), control[0] & lower)
                )
        return number


def _is_in(value: Value, numbers: tuple[int, ...]) -> Value:
    return Cat(*(value == number for number in numbers)).any() if numbers else Const(0)


def _one_of(coarse: Value, blocks: tuple[int, ...], bits: list[Value], fill: Value) -> Value:
    """The bit of the block that is chosen, or the fill."""
    found = fill
    for block, bit in zip(blocks, bits, strict=True):
        found = found | ((coarse == block) & bit)
    return found
