"""Which arithmetic gives the bits of the golden model for a matrix product, and why.

=========  ==================================================================================
engine     when
=========  ==================================================================================
`BLAS32`   one fixed-point sum whose every partial sum is an integer below 2**24 in some unit:
           float32 is exact in any order
`BLAS64`   the same below 2**53, in float64
`TILES32`  register tiles on float32 (fast_additions.hpp has the proofs)
`TILES64`  the same on float64
`ALIGNED`  an aligned accumulator whose terms and sums are exact in float64 (fast_aligned.hpp)
`BLOCKS`   block formats whose block sums are exact in float64 (fast_block_matmul)
`GENERAL`  everything else: wide integers, one product after the other
=========  ==================================================================================
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

from macsmith.model.accumulators import AlignedAccumulator, ChunkedAccumulator
from macsmith.model.config import MacConfig
from macsmith.model.fast_block_matmul import has_exact_blocks
from macsmith.model.fast_library import kernels
from macsmith.model.fast_parameters import round_struct
from macsmith.model.fast_proofs import (
    BINARY32,
    FLOAT32,
    FLOAT64,
    Addition,
    Machine,
    addition_of,
    can_round,
    chunk_bound,
    fixed_is_exact,
    is_binary32,
    sees_zero_signs,
    significand_bits,
    split_exponent,
    top_exponent,
    wraps,
)
from macsmith.model.fast_structs import AlignedSpecStruct, TileRoundStruct, TileSpecStruct
from macsmith.model.formats import FloatFormat
from macsmith.model.random_source import lfsr_of
from macsmith.model.rounding import Overflow, Rounding
from macsmith.model.widths import MacWidths, PartialSumWidths, mac_widths

__all__ = ["Engine", "Plan", "make_plan"]


class Engine(Enum):
    """What computes a matrix product."""

    BLAS32 = "float32 matrix product, exact"
    BLAS64 = "float64 matrix product, exact"
    TILES32 = "float32 tiles"
    TILES64 = "float64 tiles"
    ALIGNED = "float64, aligned"
    BLOCKS = "float64 matrix products of blocks"
    GENERAL = "wide integers"


@dataclass(frozen=True)
class Plan:
    """An engine, and what it needs to know."""

    engine: Engine
    tiles: TileSpecStruct | None = None
    aligned: AlignedSpecStruct | None = None


def _tile_round(config: MacConfig, part: PartialSumWidths | None) -> TileRoundStruct:
    if part is None:
        return TileRoundStruct(is_fixed=True)
    if part.code_format is not None:
        return round_struct(
            part.code_format, config.accumulator_rounding, config.overflow_of(part.code_format)
        )
    unit = 2.0**part.lsb_exponent
    half = float(1 << (part.integer_bits - 1)) if part.clips else 0.0
    return TileRoundStruct(
        is_fixed=True,
        clips=part.clips,
        clip_low=-half * unit,
        clip_high=(half - 1) * unit,
    )


def _plan_tiles(
    config: MacConfig, widths: MacWidths, length: int, machine: Machine
) -> TileSpecStruct | None:
    """What the tiles need to know, or None where their proofs do not hold."""
    precision = machine.precision
    # one product is exact
    product_bits = min(
        significand_bits(config.a) + significand_bits(config.b),
        widths.product.max_integer.bit_length(),
    )
    if product_bits > precision:
        return None
    if not machine.least_exponent <= widths.product.lsb_exponent:
        return None
    if top_exponent(widths.product, config.lanes) > machine.most_exponent:
        return None
    special_terms = widths.product.has_nan or widths.product.has_infinity
    term_bits = product_bits
    if config.product is not None:
        assert isinstance(config.product, FloatFormat)
        if not can_round(config.product, machine, special_terms):
            return None
        term_bits = config.product.precision
    # the sum of a step's products is exact, or made with its error
    needs_cascade = False
    if config.lanes > 1:
        term_bits = (config.lanes * widths.term.max_integer).bit_length()
        if term_bits > precision and widths.inner.code_format is not None:
            if machine is not FLOAT64:
                return None
            needs_cascade = True
    special_terms = widths.term.has_nan or widths.term.has_infinity

    # variant b looks at one bit more than there are random ones
    fine_bits = 0
    if config.stochastic is not None:
        fine_bits = config.stochastic.bits + (config.stochastic.variant == "b")
    if config.random_bits and lfsr_of(config.random_bits).degree > machine.word_bits - 1:
        return None

    inner, outer = widths.inner, widths.outer
    chunk_length = 0
    inner_length = length
    if isinstance(config.accumulator, ChunkedAccumulator):
        chunk_length = config.accumulator.length
        inner_length = min(chunk_length, length)
    add = Addition.PLAIN
    split_at = None
    if inner.format is None and config.product is not None:
        return None
    if inner.format is not None:
        if not can_round(inner.format, machine, special_terms, fine_bits):
            return None
        add = addition_of(config, inner.format, widths.term, term_bits, machine)
    elif inner.posit is not None:
        if machine is not FLOAT64:
            return None
        add = addition_of(config, inner.posit, widths.term, term_bits, machine)
    else:
        if not fixed_is_exact(inner, widths.term, inner_length, config.lanes, machine):
            # what is read from such a sum is the number next to it: enough for rounding only
            is_rounded = (
                config.output_format is not None if outer is None else outer.format is not None
            )
            if (
                machine is not FLOAT64
                or not is_rounded
                or inner.clips
                or wraps(inner.accumulator)
                or top_exponent(widths.term, inner_length) > machine.most_exponent
            ):
                return None
            split_at = split_exponent(widths.term, inner_length, machine)
            needs_cascade = split_at is None
        if outer is not None and wraps(inner.accumulator):
            return None  # it would have to wrap at every chunk's end
    if split_at is not None:
        add = Addition.SPLIT
    if needs_cascade:
        add = Addition.CASCADE
    if outer is not None:
        if outer.format is not None:
            chunk_specials = (
                inner.format.has_nan if inner.format is not None else inner.flag_bits > 0
            )
            if not can_round(outer.format, machine, chunk_specials, fine_bits):
                return None
        else:
            chunks = -(-length // chunk_length)
            chunk = chunk_bound(inner, outer, chunk_length, widths.term)
            if not fixed_is_exact(outer, chunk, chunks, 1, machine):
                return None
            if not machine.least_exponent <= chunk.lsb_exponent:
                return None
    rounding = tuple(Rounding).index(config.rounding)
    return TileSpecStruct(
        inner=_tile_round(config, inner),
        outer=_tile_round(config, outer),
        product=(
            round_struct(config.product, config.rounding, config.overflow_of(config.product))
            if isinstance(config.product, FloatFormat)
            else TileRoundStruct(is_fixed=True)
        ),
        split_magic=0.0 if split_at is None else 1.5 * 2.0 ** (split_at + precision - 1),
        lanes=config.lanes,
        chunk_length=chunk_length,
        add=add.value,
        has_product_format=config.product is not None,
        has_integer_operand=sees_zero_signs(config, widths),
        rounding=rounding,
    )


def _plan_native(config: MacConfig, widths: MacWidths) -> TileSpecStruct | None:
    """What tiles need to know whose steps are the machine's fused multiply-adds, or None."""
    inner, outer = widths.inner, widths.outer
    parts = [inner] if outer is None else [inner, outer]
    if (
        any(part.format != BINARY32 for part in parts)
        or not (is_binary32(config.a) and is_binary32(config.b))
        or config.lanes != 1
        or config.product is not None
        or config.random_bits
        or sees_zero_signs(config, widths)
        or config.overflow_of(BINARY32) is not Overflow.INFINITY
        or config.rounding in (Rounding.NEAREST_AWAY, Rounding.TO_ODD)
        or not kernels().macsmith_has_native_tiles()
    ):
        return None
    return TileSpecStruct(
        inner=_tile_round(config, inner),
        outer=_tile_round(config, outer),
        product=TileRoundStruct(is_fixed=True),
        lanes=1,
        chunk_length=getattr(config.accumulator, "length", 0),
        add=Addition.NATIVE.value,
        rounding=tuple(Rounding).index(config.rounding),
    )


#: No number of the aligned engine is beyond 2 to this, in either direction.
_ALIGNED_EXPONENT = 400


def _plan_aligned(
    config: MacConfig, widths: MacWidths, length: int, accumulator: AlignedAccumulator
) -> AlignedSpecStruct | None:
    """What the aligned engine needs to know, or None where its arithmetic would not be exact."""
    a, b, fmt = config.a, config.b, accumulator.format
    assert isinstance(a, FloatFormat)
    assert isinstance(b, FloatFormat)
    special_terms = widths.product.has_nan or widths.product.has_infinity
    terms = 4 * config.lanes + 2  # in units of the largest exponent
    reach = accumulator.fraction_bits + terms.bit_length()
    kept = replace(fmt, fraction_bits=accumulator.kept_bits)
    least = a.min_normal_exponent + b.min_normal_exponent
    if not accumulator.is_late:
        least = min(least, fmt.min_normal_exponent)
    if accumulator.min_exponent is not None:
        least = max(least, accumulator.min_exponent)
    if (
        reach > FLOAT64.precision
        or not can_round(kept, FLOAT64, special_terms)
        or not can_round(fmt, FLOAT64, special_terms)
        or widths.product.lsb_exponent < -_ALIGNED_EXPONENT
        or top_exponent(widths.product, config.lanes) > _ALIGNED_EXPONENT
        or abs(least) > _ALIGNED_EXPONENT
    ):
        return None
    outer, chunk_length = widths.outer, 0
    if outer is not None:
        assert isinstance(config.accumulator, ChunkedAccumulator)
        chunk_length = config.accumulator.length
        if outer.format is not None:
            if not can_round(outer.format, FLOAT64, fmt.has_nan):
                return None
        else:
            chunk = chunk_bound(widths.inner, outer, chunk_length, widths.term)
            chunks = -(-length // chunk_length)
            if not fixed_is_exact(outer, chunk, chunks, 1, FLOAT64):
                return None
            if not FLOAT64.least_exponent <= chunk.lsb_exponent:
                return None
    # sums are rounded as if there were no largest number; what is beyond it is seen to afterwards
    rounded = round_struct(kept, config.rounding, config.overflow_of(fmt))
    rounded.max, rounded.max_exponent = 2.0 ** (_ALIGNED_EXPONENT + 60), _ALIGNED_EXPONENT + 60
    return AlignedSpecStruct(
        sum=rounded,
        format=round_struct(fmt, Rounding.NEAREST_EVEN, config.overflow_of(fmt)),
        outer=_tile_round(config, outer),
        a_least=2.0**a.min_normal_exponent,
        b_least=2.0**b.min_normal_exponent,
        format_least=2.0**fmt.min_normal_exponent,
        least=2.0**least,
        lanes=config.lanes,
        chunk_length=chunk_length,
        fraction_bits=accumulator.fraction_bits,
        is_late=accumulator.is_late,
        rounds_terms=accumulator.rounds_terms,
        rounding=tuple(Rounding).index(config.rounding),
    )


def make_plan(config: MacConfig, length: int) -> Plan:
    """How to compute sums of `length` products."""
    widths = mac_widths(config)
    last = widths.last
    if config.block is not None:
        return Plan(Engine.BLOCKS if has_exact_blocks(config) else Engine.GENERAL)
    if config.aligned is not None:
        aligned = _plan_aligned(config, widths, length, config.aligned)
        return Plan(Engine.GENERAL if aligned is None else Engine.ALIGNED, aligned=aligned)
    if config.output_format is None and last.flag_bits:
        return Plan(Engine.GENERAL)  # the integer under a special's flags is part of the result
    is_one_sum = (
        widths.outer is None
        and widths.inner.code_format is None
        and not widths.inner.clips
        and config.product is None
    )
    blas = ((Engine.BLAS32, FLOAT32), (Engine.BLAS64, FLOAT64))
    tiles = ((Engine.TILES32, FLOAT32), (Engine.TILES64, FLOAT64))
    if is_one_sum:
        for engine, machine in blas:
            if (
                length * widths.term.max_integer < 1 << machine.precision
                and machine.least_exponent <= widths.term.lsb_exponent
                and top_exponent(widths.term, length) <= machine.most_exponent
            ):
                return Plan(engine)
    native = _plan_native(config, widths)
    if native is not None:
        return Plan(Engine.TILES32, native)
    for engine, machine in tiles:
        spec = _plan_tiles(config, widths, length, machine)
        if spec is not None:
            return Plan(engine, spec)
    return Plan(Engine.GENERAL)
