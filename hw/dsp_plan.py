"""Which products of a step go into the DSP blocks of an FPGA, and how many a block forms.

An SB_MAC16 of the iCE40 multiplies 16 x 16 bits, or twice 8 x 8 (Lattice TN1295); an ECP5
MULT18X18D 18 x 18 (Lattice TN1267); a 7-series DSP48E1 25 x 18 signed, that is 24 x 17 unsigned
(AMD UG479).
"""

from dataclasses import dataclass
from functools import cache
from typing import Literal

from macsmith.hw.terms import is_integer_product, operand_shape
from macsmith.model.accumulators import format_accumulator
from macsmith.model.config import MacConfig
from macsmith.model.design import Design
from macsmith.model.formats import IntFormat
from macsmith.model.widths import mac_widths

__all__ = ["DSP_FAMILIES", "DspFamily", "DspPlan", "dsp_blocks", "pack_two", "plan_products"]


@dataclass(frozen=True)
class DspFamily:
    """Multiplier of a family's DSP block.

    Attributes
    ----------
    block
        Its name.
    a_bits, b_bits
        Widest unsigned operands; signed ones may have `signed_bits` more each.
    min_product_bits
        Yosys leaves narrower products in LUTs.
    pair_bits
        Width of the operands when the block works as two multipliers; 0 if it cannot.
    adds
        Whether Yosys also puts the addition behind a product into the block.
    """

    block: str
    a_bits: int
    b_bits: int
    signed_bits: int
    min_product_bits: int
    pair_bits: int
    adds: bool


DSP_FAMILIES = {
    "ice40": DspFamily("SB_MAC16", 16, 16, 0, 11, 8, adds=True),
    "ecp5": DspFamily("MULT18X18D", 18, 18, 0, 9, 0, adds=False),
    "xilinx7": DspFamily("DSP48E1", 24, 17, 1, 9, 0, adds=True),
}

Kind = Literal["lut", "single", "packed", "pair"]


@dataclass(frozen=True)
class DspPlan:
    """How products are formed.

    Attributes
    ----------
    kind
        ``lut``: without blocks. ``single``: one product a block. ``packed``: two products of
        unsigned numbers in one multiplication (`pack_two`). ``pair``: the block works as two
        multipliers.
    a_offset, b_offset
        Of ``packed``: by how much the second operands are shifted.
    leftover
        What a last lane without a partner is: ``lut`` or ``single``.
    """

    kind: Kind
    a_offset: int = 0
    b_offset: int = 0
    leftover: Literal["lut", "single"] = "lut"

    @property
    def products_per_block(self) -> int:
        """Products one block forms; 0 if none are used."""
        return {"lut": 0, "single": 1, "packed": 2, "pair": 2}[self.kind]

    def blocks(self, lanes: int) -> int:
        """Blocks that the products of so many lanes take."""
        if self.kind == "lut":
            return 0
        if self.kind == "single":
            return lanes
        return lanes // 2 + (lanes % 2 if self.leftover == "single" else 0)


@cache
def pack_two(a_bits: int, b_bits: int, a_max_bits: int, b_max_bits: int) -> tuple[int, int] | None:
    """Shifts that put two products of unsigned numbers into one multiplication.

    ``(a0 + a1 * 2**i) * (b0 + b1 * 2**j)`` is
    ``a0*b0 + a1*b0 * 2**i + a0*b1 * 2**j + a1*b1 * 2**(i+j)``: the first and the last product can
    be read off if the two in between lie above the first and their sum stays below the last::

        | a1*b1 | a1*b0 and a0*b1, overlapping | a0*b0 |

    Returns
    -------
    (i, j), the narrowest that fit operands of `a_max_bits` and `b_max_bits`, or None.
    """
    largest = ((1 << a_bits) - 1) * ((1 << b_bits) - 1)
    product_bits = largest.bit_length()
    fits = [
        (i + j, i, j)
        for i in range(product_bits, a_max_bits - a_bits + 1)
        for j in range(product_bits, b_max_bits - b_bits + 1)
        if largest * (1 + (1 << i) + (1 << j)) < 1 << (i + j)
    ]
    return min(fits)[1:] if fits else None


def plan_products(config: MacConfig, family: str) -> DspPlan:
    """How the products of a step are formed where DSP blocks are wanted.

    Products with an operand of one or two bits stay in LUTs, of which they need few.

    Raises
    ------
    ValueError
        The operands are too wide for a block, or the products are rounded.
    """
    entry = DSP_FAMILIES[family]
    if config.product is not None:
        raise ValueError(
            f"dsp=on: products must be exact, not rounded to {config.product.name}; leave it out"
        )
    if is_integer_product(config):
        assert isinstance(config.a, IntFormat)
        assert isinstance(config.b, IntFormat)
        bits = config.a.bits, config.b.bits
        signed = config.a.is_signed or config.b.is_signed
        may_pack = False
    else:
        shapes = operand_shape(config.a), operand_shape(config.b)
        bits = shapes[0].significand_bits, shapes[1].significand_bits
        signed = False
        may_pack = True
    if min(bits) <= 2:
        return DspPlan("lut")
    extra = entry.signed_bits if signed else 0
    # a block with unlike operands takes them in either order
    wide, narrow = max(bits), min(bits)
    if wide > entry.a_bits + extra or narrow > entry.b_bits + extra:
        raise ValueError(
            f"dsp=on: {config.a.name} x {config.b.name} multiplies {bits[0]} x {bits[1]} bits; one "
            f"{entry.block} takes at most {entry.a_bits + extra} x {entry.b_bits + extra}: leave "
            "dsp=on out"
        )
    leftover: Literal["lut", "single"] = "single" if sum(bits) >= entry.min_product_bits else "lut"
    if config.lanes > 1 and may_pack:
        offsets = pack_two(*bits, entry.a_bits, entry.b_bits)
        if offsets is not None:
            return DspPlan("packed", *offsets, leftover=leftover)
    if config.lanes > 1 and wide <= entry.pair_bits:
        return DspPlan("pair", leftover=leftover)
    return DspPlan(leftover)


def dsp_blocks(design: Design) -> int:
    """DSP blocks that a design is built to have.

    Raises
    ------
    ValueError
        See `plan_products`; or the design's sums have no form with DSP blocks.
    """
    implementation = design.implementation
    if implementation.dsp == "off":
        return 0
    for mode in design.modes:
        if mac_widths(mode).inner.format is not None:
            raise ValueError(
                "dsp=on: only sums in fixed point (exact, intN) are built with DSP blocks, not "
                f"{format_accumulator(mode.accumulator)}; leave it out"
            )
    per_step = sum(
        plan_products(mode, implementation.fpga).blocks(mode.lanes) for mode in design.modes
    )
    return per_step * implementation.rows * implementation.columns
