"""Which parts of a computation go together; what does not is refused in one line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from macsmith.model.accumulators import (
    AlignedAccumulator,
    ChunkedAccumulator,
    ExactAccumulator,
    FloatAccumulator,
    PositAccumulator,
    accumulator_parts,
    format_accumulator,
)
from macsmith.model.block_formats import BLOCK_LENGTHS, check_scale
from macsmith.model.formats import FloatFormat, Format, IntFormat
from macsmith.model.output_stage import OutputStage
from macsmith.model.rounding import Rounding, check_overflow, check_rounding
from macsmith.model.widths import mac_widths

if TYPE_CHECKING:
    from macsmith.model.config import MacConfig

__all__ = ["MAX_LANES", "RAW", "check_config"]

MAX_LANES = 64
#: Widest sum of which a result keeps the low bits.
MAX_WRAPPED_BITS = 63
RAW = "raw"


def check_config(config: MacConfig) -> None:
    """ValueError unless the parts of a configuration go together."""
    what = f"{config.a.name}x{config.b.name}:{format_accumulator(config.accumulator)}"
    if not 1 <= config.lanes <= MAX_LANES:
        raise ValueError(f"{what}: lanes must be 1 to {MAX_LANES}, not {config.lanes}")
    if config.terms is not None and config.terms < 1:
        raise ValueError(f"{what}: terms must be at least 1 product, not {config.terms}")
    if config.terms is not None and config.terms < config.lanes:
        raise ValueError(
            f"{what}: terms must be at least the {config.lanes} lanes of one step, "
            f"not {config.terms}"
        )
    if isinstance(config.accumulator, ChunkedAccumulator):
        length = config.accumulator.length
        if length % config.lanes:
            raise ValueError(
                f"{what}: the chunk of {length} products must be a multiple of the "
                f"{config.lanes} lanes summed per step"
            )
    if config.aligned is not None:
        for fmt in (config.a, config.b):
            if not isinstance(fmt, FloatFormat):
                raise ValueError(
                    f"{what}: an aligned accumulator must have float operands, not {fmt.name}"
                )
        if config.product is not None:
            raise ValueError(
                f"{what}: products are aligned as they are: mul{config.product.name} must be "
                "left out"
            )
    for fmt in (config.a, config.b):
        if isinstance(fmt, FloatFormat) and not fmt.has_zero:
            raise ValueError(
                f"{what}: an operand's code 0 must be zero, which {fmt.name} has not: use it "
                "for scales"
            )
    for fmt in config.float_formats:
        if not fmt.is_signed:
            raise ValueError(
                f"{what}: accumulators, rounded products and results must have a sign, which "
                f"{fmt.name} has not"
            )
    if config.overflow is not None:
        for fmt in config.float_formats:
            check_overflow(fmt, config.overflow)
    if config.stochastic is not None:
        _check_stochastic(config, what)
    for part in accumulator_parts(config.accumulator):
        if isinstance(part, PositAccumulator):
            check_rounding(part.format, config.rounding)
            if isinstance(config.accumulator, ChunkedAccumulator):
                raise ValueError(f"{what}: a posit accumulator must be the only one")
    if config.output_format is not None:
        _check_output(config, what, config.output_format)
    _check_blocks(config, what)
    if config.requantise is not None:
        _check_output_stage(config, what, config.requantise)
    # the widths are derived here once, so that a too narrow accumulator fails at birth
    mac_widths(config)


def _check_output(config: MacConfig, what: str, fmt: Format) -> None:
    check_rounding(fmt, config.rounding)
    if isinstance(fmt, IntFormat) and fmt.wraps:
        widths = mac_widths(config).last
        if widths.code_format is not None or widths.integer_bits > MAX_WRAPPED_BITS:
            raise ValueError(
                f"{what}: a result in {fmt.name}, which wraps, must come from a fixed-point "
                f"accumulator of at most {MAX_WRAPPED_BITS} bits"
            )


def _check_output_stage(config: MacConfig, what: str, stage: OutputStage) -> None:
    fmt = config.output_format
    if not isinstance(fmt, IntFormat) or fmt.wraps or fmt.fraction_bits:
        raise ValueError(
            f"{what}: {stage} gives integers: state outintN or outuintN, without fraction bits "
            f"or wrapping, not {fmt.name if fmt else RAW}"
        )
    last = mac_widths(config).last
    if last.code_format is not None or last.flag_bits or last.integer_bits > MAX_WRAPPED_BITS:
        raise ValueError(
            f"{what}: {stage} takes an integer sum: the last accumulator must be intN or exact "
            f"of at most {MAX_WRAPPED_BITS} bits, without NaN or infinity among the operands"
        )
    stage.range_in(fmt)


def _check_stochastic(config: MacConfig, what: str) -> None:
    parts = accumulator_parts(config.accumulator)
    if any(isinstance(part, AlignedAccumulator) for part in parts):
        raise ValueError(
            f"{what}: an aligned accumulator rounds as it states: leave {config.stochastic} out"
        )
    formats = [part.format for part in parts if isinstance(part, FloatAccumulator)]
    if not formats:
        raise ValueError(
            f"{what}: stochastic rounding needs a float accumulator; a fixed-point one never rounds"
        )
    if config.rounding is not Rounding.NEAREST_EVEN:
        raise ValueError(
            f"{what}: beside {config.stochastic}, which rounds the accumulators, all else must "
            f"round to nearest even, not {config.rounding.value}"
        )
    for fmt in formats:
        if not fmt.has_subnormals:
            raise ValueError(
                f"{what}: stochastic rounding needs an accumulator with subnormals, which "
                f"{fmt.name} has not: no power of two divides its step above 0"
            )


def _check_blocks(config: MacConfig, what: str) -> None:
    if config.block is None:
        if config.scales:
            raise ValueError(f"{what}: a scale needs the length of its blocks: state block")
        return
    if not config.scales:
        raise ValueError(f"{what}: blocks must have a scale of A, of B, or of both")
    for scale in config.scales:
        check_scale(scale)
    if config.block not in BLOCK_LENGTHS:
        raise ValueError(
            f"{what}: a block must have {BLOCK_LENGTHS.start} to {BLOCK_LENGTHS.stop - 1} "
            f"elements, not {config.block}"
        )
    chunked = config.accumulator
    if (
        not isinstance(chunked, ChunkedAccumulator)
        or not isinstance(chunked.inner, ExactAccumulator)
        or isinstance(chunked.outer, AlignedAccumulator)
        or chunked.length != config.block
    ):
        raise ValueError(
            f"{what}: the products of a block are summed exactly: the accumulator must be the "
            f"one that blocks are added to, such as fp32, or exact/{config.block}/fp32"
        )
    if config.requantise is not None:
        raise ValueError(f"{what}: an output stage is not built for blocks: leave it out")
    if config.product is not None or config.stochastic is not None:
        option = f"mul{config.product.name}" if config.product else str(config.stochastic)
        raise ValueError(f"{what}: {option} is not built for blocks: leave it out")
