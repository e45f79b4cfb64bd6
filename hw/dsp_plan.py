"""Which products of a step go into the DSP blocks of an FPGA, and how many a block forms.

An SB_MAC16 of the iCE40 multiplies 16 x 16 bits, or twice 8 x 8 (Lattice TN1295); an ECP5
MULT18X18D 18 x 18 (Lattice TN1267); a 7-series DSP48E1 25 x 18 signed, that is 24 x 17 unsigned
(AMD UG479).
"""

from dataclasses import dataclass
from functools import cache
from typing import Literal

from macsmith.hw.terms import is_integer_product, operand_shape
from macsmith.model.accumulators import ChunkedAccumulator, format_accumulator
from macsmith.model.config import MacConfig
from macsmith.model.design import Design
from macsmith.model.formats import FloatFormat, IntFormat
from macsmith.model.implementation import Implementation
from macsmith.model.widths import mac_widths

__all__ = [
    "DSP_FAMILIES",
    "DspFamily",
    "DspPlan",
    "dsp_blocks",
    "moved_bits",
    "pack_two",
    "pairs_columns",
    "plan_column_pair",
    "plan_products",
]


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

Kind = Literal["lut", "single", "packed", "pair", "shared"]


@dataclass(frozen=True)
class DspPlan:
    """How products are formed.

    Attributes
    ----------
    kind
        ``lut``: without blocks. ``single``: one product a block. ``packed``: two products of
        unsigned numbers in one multiplication (`pack_two`). ``pair``: the block works as two
        multipliers. ``shared``: two products with the same A, ``a * (b0 + b1 * 2**b_offset)``.
    a_offset, b_offset
        Of ``packed`` and ``shared``: by how much the second operands are shifted.
    leftover
        What a last lane without a partner is: ``lut`` or ``single``.
    columns
        Columns of an array that one step serves. Two products of one block are then those of one
        lane in both columns, otherwise those of two lanes.
    """

    kind: Kind
    a_offset: int = 0
    b_offset: int = 0
    leftover: Literal["lut", "single"] = "lut"
    columns: int = 1

    def blocks(self, lanes: int) -> int:
        """Blocks that a step of so many lanes takes."""
        if self.kind == "lut":
            return 0
        if self.kind == "single" or self.columns > 1:
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


@dataclass(frozen=True)
class _Operands:
    """What is multiplied: widths, and which of the two are two's complement."""

    a_bits: int
    b_bits: int
    a_signed: bool = False
    b_signed: bool = False

    @property
    def is_signed(self) -> bool:
        return self.a_signed or self.b_signed


def _operands(config: MacConfig) -> _Operands:
    if config.product is not None:
        raise ValueError(
            f"dsp=on: products must be exact, not rounded to {config.product.name}; leave it out"
        )
    if is_integer_product(config):
        assert isinstance(config.a, IntFormat)
        assert isinstance(config.b, IntFormat)
        return _Operands(config.a.bits, config.b.bits, config.a.is_signed, config.b.is_signed)
    a, b = operand_shape(config.a), operand_shape(config.b)
    return _Operands(a.significand_bits, b.significand_bits)


def _fits(entry: DspFamily, bits: tuple[int, int], *, is_signed: bool) -> bool:
    """Whether a block multiplies such operands; unlike ones it takes in either order."""
    extra = entry.signed_bits if is_signed else 0
    return max(bits) <= entry.a_bits + extra and min(bits) <= entry.b_bits + extra


def plan_products(config: MacConfig, family: str) -> DspPlan:
    """How the products of a step are formed where DSP blocks are wanted.

    Products with an operand of one or two bits stay in LUTs, of which they need few.

    Raises
    ------
    ValueError
        The operands are too wide for a block, or the products are rounded.
    """
    entry = DSP_FAMILIES[family]
    operands = _operands(config)
    bits = operands.a_bits, operands.b_bits
    if min(bits) <= 2:
        return DspPlan("lut")
    if not _fits(entry, bits, is_signed=operands.is_signed):
        extra = entry.signed_bits if operands.is_signed else 0
        raise ValueError(
            f"dsp=on: {config.a.name} x {config.b.name} multiplies {bits[0]} x {bits[1]} bits; one "
            f"{entry.block} takes at most {entry.a_bits + extra} x {entry.b_bits + extra}: leave "
            "dsp=on out"
        )
    leftover: Literal["lut", "single"] = "single" if sum(bits) >= entry.min_product_bits else "lut"
    if config.lanes > 1 and not is_integer_product(config):
        offsets = pack_two(*bits, entry.a_bits, entry.b_bits)
        if offsets is not None:
            return DspPlan("packed", *offsets, leftover=leftover)
    if config.lanes > 1 and max(bits) <= entry.pair_bits:
        return DspPlan("pair", leftover=leftover)
    return DspPlan(leftover)


def plan_column_pair(config: MacConfig, family: str) -> DspPlan | None:
    """How the products of two neighbouring columns of an array, which have A in common, are formed
    two in a block; None if a block cannot, or LUTs do better.

    The product of the second column lies above that of the first, whose sign bit is borrowed from
    it::

        | a * b1, less 1 where a * b0 is negative | a * b0 |

    Raises
    ------
    ValueError
        The products are rounded.
    """
    entry = DSP_FAMILIES[family]
    operands = _operands(config)
    bits = operands.a_bits, operands.b_bits
    if min(bits) <= 2:
        return None
    if max(bits) <= entry.pair_bits:
        return DspPlan("pair", columns=2)
    offset = sum(bits)
    # with signs one bit more: the borrow, or the 0 above an operand that has none
    packed = offset + operands.b_bits + operands.is_signed
    shared = operands.a_bits + (operands.is_signed and not operands.a_signed)
    if not _fits(entry, (shared, packed), is_signed=operands.is_signed):
        return None
    return DspPlan("shared", b_offset=offset, columns=2)


def moved_bits(config: MacConfig, family: str, plan: DspPlan) -> int:
    """Low bits of both operands' exponents that can be spent on moving significands, with sign,
    before a block multiplies them; 0 where products are not of floats, or are packed."""
    floats = isinstance(config.a, FloatFormat) and isinstance(config.b, FloatFormat)
    if not floats or plan.kind not in ("pair", "single") or config.product is not None:
        return 0
    entry = DSP_FAMILIES[family]
    shapes = operand_shape(config.a), operand_shape(config.b)
    room = entry.pair_bits if plan.kind == "pair" else min(entry.a_bits, entry.b_bits)
    # the widest unsigned operand is as wide as the widest signed one, or one bit less
    spare = room - 1 - max(shape.significand_bits for shape in shapes)
    most = min(shape.max_exponent.bit_length() for shape in shapes)
    return min((spare + 1).bit_length() - 1, most)


def pairs_columns(config: MacConfig, implementation: Implementation) -> bool:
    """Whether the elements of an array are made for two columns each, to share DSP blocks.

    Unless it is asked for (``pair``), wherever that takes fewer blocks for more products.

    Raises
    ------
    ValueError
        It was asked for and cannot be.
    """
    if implementation.pair == "off" or implementation.dsp == "off":
        return False
    if implementation.is_weight_stationary:
        return False
    family = implementation.fpga
    accumulator = config.accumulator
    if mac_widths(config).inner.format is not None:
        if implementation.pair == "columns":
            raise ValueError(
                "pair=columns: must have a sum in fixed point (exact, intN), not "
                f"{format_accumulator(accumulator)}; leave it out"
            )
        return False
    plan = plan_column_pair(config, family)
    has_chunks = isinstance(accumulator, ChunkedAccumulator)
    if implementation.pair == "columns":
        if plan is None:
            raise ValueError(
                f"pair=columns: a {DSP_FAMILIES[family].block} cannot form two products of "
                f"{config.a.name} x {config.b.name} with the same A; leave it out"
            )
        if has_chunks:
            raise ValueError(
                "pair=columns: must have one accumulator, not chunks as "
                f"{format_accumulator(accumulator)} has; leave it out"
            )
        return True
    if plan is None or has_chunks or implementation.columns % 2 or not implementation.is_array:
        return False
    apart = plan_products(config, family)
    return apart.kind in ("lut", "single") or (config.lanes % 2 == 1)


def dsp_blocks(design: Design) -> int:
    """DSP blocks that a design is built to have.

    Raises
    ------
    ValueError
        See `plan_products`.
    """
    implementation = design.implementation
    if implementation.dsp == "off":
        return 0
    elements = implementation.rows * implementation.columns
    if pairs_columns(design.mac, implementation):
        plan = plan_column_pair(design.mac, implementation.fpga)
        assert plan is not None
        return plan.blocks(design.mac.lanes) * elements // plan.columns
    per_step = sum(
        plan_products(mode, implementation.fpga).blocks(mode.lanes) for mode in design.modes
    )
    return per_step * elements
