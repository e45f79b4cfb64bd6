"""Formats and configurations as the compiled kernels read them."""

from __future__ import annotations

from functools import cache

from macsmith.model.accumulators import AlignedAccumulator, SimpleAccumulator
from macsmith.model.config import MacConfig
from macsmith.model.fast_ordered import ordered_address
from macsmith.model.fast_structs import (
    AlignedStruct,
    FormatStruct,
    MacStruct,
    SumStruct,
    TileRoundStruct,
)
from macsmith.model.formats import FloatFormat, Format, IntFormat, OrderedFormat, PositFormat
from macsmith.model.rounding import (
    Overflow,
    Rounding,
    RoundingMode,
    StochasticRounding,
    check_rounding,
    default_overflow,
)
from macsmith.model.widths import PartialSumWidths, mac_widths

__all__ = ["format_struct", "mac_struct", "round_struct", "words_needed"]

_ROUNDINGS = tuple(Rounding)
_VARIANTS = ("a", "b", "c")
_OVERFLOWS = tuple(Overflow)
#: Sizes of wide integer that are compiled, in 64-bit words.
_WIDE_WORDS = (2, 4, 12, 40)


def _rounding_policy(rounding: RoundingMode) -> dict[str, int]:
    if isinstance(rounding, StochasticRounding):
        return {
            "rounding": len(_ROUNDINGS) + _VARIANTS.index(rounding.variant),
            "random_bits": rounding.bits,
        }
    return {"rounding": _ROUNDINGS.index(rounding)}


def format_struct(
    fmt: Format,
    rounding: RoundingMode = Rounding.NEAREST_EVEN,
    overflow: Overflow | None = None,
) -> FormatStruct:
    """A format, with the rounding and overflow of values that are rounded to it."""
    if overflow is None:
        overflow = default_overflow(fmt)
    policy = {**_rounding_policy(rounding), "overflow": _OVERFLOWS.index(overflow)}
    if isinstance(fmt, IntFormat):
        return FormatStruct(
            bits=fmt.bits,
            least_exponent=fmt.least_exponent,
            is_signed=fmt.is_signed,
            min_integer=fmt.min_code_integer,
            max_integer=fmt.max_code_integer,
            infinity_code=-1,
            has_zero=True,
            wraps=fmt.wraps,
            **policy,
        )
    if isinstance(fmt, OrderedFormat):
        check_rounding(fmt, rounding)
        return FormatStruct(
            bits=fmt.bits,
            least_exponent=fmt.least_exponent,
            is_signed=True,
            ordered=ordered_address(fmt),
            **policy,
        )
    return FormatStruct(
        is_float=True,
        bits=fmt.bits,
        fraction_bits=fmt.fraction_bits,
        least_exponent=fmt.least_exponent,
        has_subnormals=fmt.has_subnormals,
        has_negative_zero=fmt.has_negative_zero,
        has_nan=fmt.has_nan,
        # codes of 32 bits may wrap to negative numbers here, and back in the kernels
        max_code=fmt.max_magnitude_code,
        nan_code=fmt.nan_code if fmt.has_nan else 0,
        infinity_code=fmt.infinity_code if fmt.has_infinity else -1,
        is_signed=fmt.is_signed,
        has_zero=fmt.has_zero,
        **policy,
    )


def _sum_struct(config: MacConfig, widths: PartialSumWidths, lsb_exponent: int) -> SumStruct:
    fmt = widths.code_format
    if fmt is None:
        return SumStruct(
            is_fixed=True,
            lsb_exponent=widths.lsb_exponent,
            integer_bits=widths.integer_bits,
            flag_bits=widths.flag_bits,
            clips=widths.clips,
            bits=widths.bits,
        )
    is_outer = widths is mac_widths(config).outer
    rounding = (config.outer_arithmetic if is_outer else config).accumulator_rounding
    return SumStruct(
        format=format_struct(fmt, rounding, config.overflow_of(fmt)),
        lsb_exponent=lsb_exponent,
        bits=fmt.bits,
        aligned=_aligned_struct(config, widths.accumulator),
    )


def _aligned_struct(config: MacConfig, accumulator: SimpleAccumulator) -> AlignedStruct:
    if not isinstance(accumulator, AlignedAccumulator):
        return AlignedStruct()
    assert isinstance(config.a, FloatFormat)
    assert isinstance(config.b, FloatFormat)
    least = accumulator.min_exponent
    return AlignedStruct(
        is_aligned=True,
        fraction_bits=accumulator.fraction_bits,
        kept_bits=accumulator.kept_bits,
        min_exponent=-(1 << 31) if least is None else least,
        is_late=accumulator.is_late,
        rounds_terms=accumulator.rounds_terms,
        product_fraction_bits=config.a.fraction_bits + config.b.fraction_bits,
    )


def _accumulator_lsb(config: MacConfig, widths: PartialSumWidths) -> int:
    """Unit of the exact sums that a float accumulator rounds: of its format and its terms."""
    assert widths.code_format is not None
    all_widths = mac_widths(config)
    is_of_blocks = all_widths.block is not None and widths is all_widths.outer
    term = all_widths.block if is_of_blocks else all_widths.term
    assert term is not None
    return min(widths.code_format.least_exponent, term.lsb_exponent)


def words_needed(config: MacConfig) -> int:
    """64-bit words of the wide integer that holds every exact sum of the configuration."""
    widths = mac_widths(config)
    headroom = config.lanes.bit_length() + 2  # the terms of a step, the partial sum, a sign
    term = widths.term
    term_top = term.max_integer.bit_length() + term.lsb_exponent
    needed = 0
    for part in (widths.inner, widths.outer):
        if part is None:
            continue
        if part.code_format is None:
            lsb, top = part.lsb_exponent, part.lsb_exponent + part.integer_bits
        else:
            lsb, top = _accumulator_lsb(config, part), part.code_format.max_exponent + 1
        if part is widths.inner:
            top = max(top, term_top)
        elif widths.block is not None:
            top = max(top, widths.block.max_integer.bit_length() + widths.block.lsb_exponent)
        elif widths.inner.format is not None:
            top = max(top, widths.inner.format.max_exponent + 1)
        else:
            top = max(top, widths.inner.lsb_exponent + widths.inner.integer_bits)
        needed = max(needed, top - lsb + headroom)
    words = -(-needed // 64)
    for available in _WIDE_WORDS:
        if words <= available:
            return available
    raise ValueError(f"a sum of {needed} bits is too wide: the most is {64 * _WIDE_WORDS[-1]}")


def round_struct(
    fmt: Format,
    rounding: RoundingMode = Rounding.NEAREST_EVEN,
    overflow: Overflow | None = None,
) -> TileRoundStruct:
    """A format with its extremes, for kernels that round vectors."""
    return TileRoundStruct(
        format=format_struct(fmt, rounding, overflow),
        max=float(fmt.max),
        smallest=float(fmt.smallest),
        max_exponent=fmt.max_exponent if isinstance(fmt, FloatFormat | PositFormat) else 0,
        is_fixed=not isinstance(fmt, FloatFormat | PositFormat),
    )


@cache
def mac_struct(config: MacConfig) -> MacStruct:
    """The configuration as the kernels read it."""
    widths = mac_widths(config)
    output = config.output_format
    is_raw = output is None or output == widths.last.code_format

    def rounded(fmt: Format | None) -> FormatStruct:
        if fmt is None:
            return FormatStruct()
        return format_struct(fmt, config.rounding, config.overflow_of(fmt))

    def layout(part: PartialSumWidths | None) -> SumStruct:
        if part is None:
            return SumStruct()
        lsb = 0 if part.code_format is None else _accumulator_lsb(config, part)
        return _sum_struct(config, part, lsb)

    return MacStruct(
        a=format_struct(config.a),
        b=format_struct(config.b),
        product=rounded(config.product),
        output=rounded(output),
        inner=layout(widths.inner),
        outer=layout(widths.outer),
        has_product_format=config.product is not None,
        has_integer_operand=config.has_positive_zeros,
        lanes=config.lanes,
        chunk_length=getattr(config.accumulator, "length", 0),
        is_raw_output=is_raw,
        rounding=_ROUNDINGS.index(config.rounding),
        partial_sum_words=-(-widths.partial_sum_bits // 64),
        result_words=-(-widths.output_bits // 64),
        scales=tuple(format_struct(scale) for scale in config.scales),
        scale_count=len(config.scales),
        is_block_a_step=config.is_block_a_step,
        inner_state_bits=widths.inner_state_bits,
    )
