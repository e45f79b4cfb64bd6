"""Integer sums brought to a narrow integer format: bias, multiplier and shift, zero point, ReLU."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib.wiring import In, Out
from macsmith.hw.block import Block
from macsmith.model.formats import IntFormat
from macsmith.model.output_stage import OutputStage
from macsmith.model.rounding import Rounding

__all__ = ["Requantise"]


def _rounds_up(
    rounding: Rounding, sign: Value, last: Value, round_bit: Value, rest: Value
) -> Value:
    """Whether a two's-complement number goes to the integer above what is kept of it, that is, up,
    not away from zero."""
    is_inexact = round_bit | rest
    match rounding:
        case Rounding.NEAREST_EVEN:
            return round_bit & (rest | last)
        case Rounding.NEAREST_AWAY:
            return round_bit & (rest | ~sign)
        case Rounding.TOWARD_ZERO:
            return is_inexact & sign
        case Rounding.UP:
            return is_inexact
        case Rounding.DOWN:
            return Const(0)
        case Rounding.TO_ODD:
            return is_inexact & ~last


class Requantise(Block):
    """Add a bias, multiply by a constant, shift with one rounding, add the zero point, clip.

    Combinational.

    Parameters
    ----------
    bits
        Width of the sum.
    stage
        The constants.
    fmt, rounding
        Format of the result and how it is rounded.

    Members
    -------
    sum : In(bits)
        Two's complement.
    code : Out(fmt.bits)
    """

    sum: Signal
    code: Signal

    def __init__(self, bits: int, stage: OutputStage, fmt: IntFormat, rounding: Rounding) -> None:
        self.bits, self.stage, self.format, self.rounding = bits, stage, fmt, rounding
        super().__init__(
            f"requantise_{bits}_to_{fmt.name}", {"sum": In(bits), "code": Out(fmt.bits)}
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        stage, fmt = self.stage, self.format
        # | sum + bias: one bit more than the wider of both | times multiplier |
        biased_bits = max(self.bits, stage.bias.bit_length() + 1) + (stage.bias != 0)
        product_bits = biased_bits + stage.multiplier.bit_length()
        product = Signal(signed(product_bits), name="product")
        biased = Signal(signed(biased_bits), name="biased")
        m.d.comb += [
            biased.eq(self.sum.as_signed() + stage.bias),
            product.eq(biased * Const(stage.multiplier, signed(stage.multiplier.bit_length() + 1))),
        ]
        shift = stage.shift
        if shift:
            # | kept, at least its sign | round_bit | rest |
            word = Cat(product, product[-1].replicate(max(shift + 1 - product_bits, 0)))
            kept = word[shift:].as_signed()
            up = _rounds_up(
                self.rounding, word[-1], word[shift], word[shift - 1], word[: shift - 1].any()
            )
        else:
            kept, up = product, Const(0)
        low, high = stage.range_in(fmt)
        bits = max(len(kept), fmt.bits + 1) + 2
        result = Signal(signed(bits), name="unclipped")
        m.d.comb += [
            result.eq(kept + Cat(up, Const(0, 1)).as_signed() + stage.zero_point),
            self.code.eq(
                Mux(
                    result < low,
                    Const(low & ((1 << fmt.bits) - 1), fmt.bits),
                    Mux(
                        result > high,
                        Const(high & ((1 << fmt.bits) - 1), fmt.bits),
                        result.as_unsigned()[: fmt.bits],
                    ),
                )
            ),
        ]
        return m
