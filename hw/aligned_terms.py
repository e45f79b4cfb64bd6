"""Terms brought to a common exponent: where each lies, and what is left of it there."""

from dataclasses import dataclass
from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib.wiring import In, Out
from macsmith.hw.block import Block
from macsmith.hw.placement import place_at
from macsmith.hw.terms import TermShape, operand_shape, rounded_product_shape
from macsmith.model.accumulators import AlignedAccumulator
from macsmith.model.config import MacConfig

__all__ = ["AlignPartialSum", "AlignTerm", "AlignedScale"]


@dataclass(frozen=True)
class AlignedScale:
    """Exponents of a step on one scale, and the widths that follow from them.

    A *key* is an exponent above some base: that of a product that is not 0 is at least 1, and 0
    stands for no product at all. Keys of partial sums may be below and beyond; they are brought to
    the nearest at which all of the partial sum, or of the products, is cut off.

    Attributes
    ----------
    accumulator
        What is aligned to what.
    shape
        Of the products.
    base
        Exponent of key 0.
    lift
        From a product's exponent (as `shape` counts it) to its key.
    least_key
        Key of `min_exponent`, None where no term lies below it.
    max_key
        Largest key of a product, `min_exponent` included.
    far_key
        Key of a partial sum that leaves nothing of any product, or the largest there is.
    near_key
        Key of a partial sum of which no product leaves anything; negative as a rule.
    partial_sum_lift
        From a partial sum's exponent, as its decoder counts it, to its key.
    number_bits
        Width of an aligned product.
    partial_sum_bits
        Width of an aligned partial sum.
    width
        Width of the magnitude of the sum.
    """

    accumulator: AlignedAccumulator
    shape: TermShape
    base: int
    lift: int
    least_key: int | None
    max_key: int
    far_key: int
    near_key: int
    partial_sum_lift: int
    number_bits: int
    partial_sum_bits: int
    width: int

    @property
    def key_bits(self) -> int:
        """Width of the keys of products."""
        return self.max_key.bit_length()

    @property
    def position_bits(self) -> int:
        """Width of a product's place: all ones stand for the common exponent."""
        return max(self.max_key, 0 if self.accumulator.is_late else self.far_key).bit_length()

    @staticmethod
    def of(config: MacConfig, accumulator: AlignedAccumulator) -> "AlignedScale":
        """Scale of a configuration."""
        fmt = accumulator.format
        shape = rounded_product_shape(config)
        a, b = operand_shape(config.a), operand_shape(config.b)
        # the point lies behind the hidden bits: products have one or two bits before it
        point = a.significand_bits + b.significand_bits - 2
        to_exponent = shape.lsb_exponent + point
        partial_sum = operand_shape(fmt)
        to_partial_sum = partial_sum.lsb_exponent + fmt.fraction_bits
        lift = 1 - min(shape.min_exponent, 1)
        lowest = shape.min_exponent + to_exponent
        if not accumulator.is_late:
            lowest = min(lowest, partial_sum.min_exponent + to_partial_sum)
        least_key = None
        if accumulator.min_exponent is not None and accumulator.min_exponent > lowest:
            least_key = accumulator.min_exponent - to_exponent + lift
            lift, least_key = lift + max(-least_key, 0), max(least_key, 0)
        bits = accumulator.fraction_bits
        above = max(shape.significand_bits - point, 1)  # bits left of the point and one
        top = max(shape.max_exponent + lift, least_key or 0)
        largest = config.lanes * _at(shape.max_significand, bits - point)
        if not accumulator.is_late:
            largest += _at((2 << fmt.fraction_bits) - 1, bits - fmt.fraction_bits)
        if accumulator.rounds_terms:
            largest += config.lanes + 1
        base = to_exponent - lift
        far = shape.max_exponent + lift + bits + above + accumulator.rounds_terms
        return AlignedScale(
            accumulator,
            shape,
            base,
            lift,
            least_key,
            top,
            max(min(far, partial_sum.max_exponent + to_partial_sum - base), top),
            (shape.min_exponent + lift if least_key is None else least_key) - bits - 3,
            to_partial_sum - base,
            bits + above + accumulator.rounds_terms,
            bits + 1 + accumulator.rounds_terms,
            max(largest.bit_length(), 2),
        )


def _at(value: int, shift: int) -> int:
    return value << shift if shift >= 0 else value >> -shift


class AlignTerm(Block):
    """A product at its place below the common exponent, cut off or rounded there; combinational.

    Parameters
    ----------
    scale
        Widths.

    Members
    -------
    sign : In(1)
    significand, exponent : In
        Of the product.
    amount : In(position_bits)
        Added to the exponent, modulo ``2**position_bits``, it gives all ones for a product at the
        common exponent, and one less for each place that it lies below.
    number : Out(scale.number_bits)
        The magnitude that is left, all its bits inverted if the sign is 1.
    up : Out(1)
        Only if terms are rounded: what is left is to be increased by one.
    """

    sign: Signal
    significand: Signal
    exponent: Signal
    amount: Signal
    number: Signal
    up: Signal

    def __init__(self, scale: AlignedScale) -> None:
        self.scale = scale
        shape = scale.shape
        members = {
            "sign": In(1),
            "significand": In(shape.significand_bits),
            "exponent": In(shape.exponent_bits),
            "amount": In(scale.position_bits),
            "number": Out(scale.number_bits),
        }
        if scale.accumulator.rounds_terms:
            members["up"] = Out(1)
        super().__init__(f"align_term_{shape.significand_bits}", members)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        scale, bits, places = self.scale, len(self.significand), self.scale.position_bits
        position = Signal(places)
        inverted = Signal(bits)
        m.d.comb += [
            position.eq(self.exponent + self.amount),
            inverted.eq(self.significand ^ self.sign.replicate(bits)),
        ]
        # at position all ones, the significand's last bit is at this place of the shifted word,
        # and its top bit is that of the number
        top_place = (1 << places) - 1
        lowest = top_place + bits - (scale.number_bits - scale.accumulator.rounds_terms)
        below = bits if scale.accumulator.rounds_terms else 0
        word = place_at(
            m,
            "place",
            inverted,
            position,
            range(1 << places),
            range(lowest - below, lowest + scale.number_bits),
            self.sign,
        )
        m.d.comb += self.number.eq(word[below:])
        if below:
            dropped = Signal(below)
            m.d.comb += [
                dropped.eq(word[:below] ^ self.sign.replicate(below)),
                self.up.eq(dropped[-1] & (dropped[:-1].any() | (word[below] ^ self.sign))),
            ]
        return m


class AlignPartialSum(Block):
    """The partial sum's significand at its place below the common exponent; combinational.

    Parameters
    ----------
    scale
        Widths.

    Members
    -------
    significand : In(precision)
    distance : In
        Places that it lies below the common exponent.
    number : Out(scale.partial_sum_bits)
        What is left, cut off or rounded.
    """

    significand: Signal
    distance: Signal
    number: Signal

    def __init__(self, scale: AlignedScale) -> None:
        self.scale = scale
        super().__init__(
            "align_partial_sum",
            {
                "significand": In(scale.accumulator.format.precision),
                "distance": In((scale.max_key - scale.near_key).bit_length()),
                "number": Out(scale.partial_sum_bits),
            },
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        accumulator = self.scale.accumulator
        bits = accumulator.fraction_bits + 1
        # | bits that may be left | round_bit | sticky |, the latter where there is rounding
        below = max(len(self.significand) + 1, 2) if accumulator.rounds_terms else 0
        width = bits + below
        source = self.significand
        word: Value = (
            Cat(Const(0, width - len(source)), source)
            if width >= len(source)
            else source[len(source) - width :]
        )
        levels = (width - 1).bit_length()
        for level in range(min(levels, len(self.distance))):
            shifted = Signal(width, name=f"shift_{level}")
            m.d.comb += shifted.eq(Mux(self.distance[level], word[1 << level :], word))
            word = shifted
        if len(self.distance) > levels:
            near = ~self.distance[levels:].any()
            word = word & near.replicate(width)
        if not below:
            m.d.comb += self.number.eq(word)
            return m
        up = word[below - 1] & (word[: below - 1].any() | word[below])
        m.d.comb += self.number.eq(word[below:] + up)
        return m
