"""The definition of every result bit: integers and fractions, one product at a time.

Short and slow on purpose; `macsmith.model.fast` is the same function on arrays, and hardware is
compared with either. Nothing here is shared with the hardware but the configuration and the
derived widths.

To be read after `macsmith.model.exact_terms`, which has the terms of a sum; accumulators that align
theirs are in `macsmith.model.aligned_sum`.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import islice

from macsmith.model.accumulators import AlignedAccumulator, ChunkedAccumulator
from macsmith.model.aligned_sum import (
    AlignedSum,
    accumulate_aligned,
    align,
    aligned_code,
    aligned_partial_sum,
)
from macsmith.model.config import MacConfig
from macsmith.model.exact_terms import (
    NAN_TERM,
    Term,
    decode_term,
    exact_sum,
    round_term,
    signed_infinity,
    significand_exponent,
)
from macsmith.model.formats import IntFormat, Special
from macsmith.model.lfsr import random_words
from macsmith.model.random_source import lfsr_of
from macsmith.model.rounding import encode
from macsmith.model.widths import MacWidths, PartialSumWidths, mac_widths

__all__ = [
    "AlignedSum",
    "Term",
    "accumulate",
    "align",
    "aligned_code",
    "aligned_partial_sum",
    "check_length",
    "dot",
    "matmul",
    "product",
    "result",
    "scaled",
    "step",
]


def product(config: MacConfig, a_code: int, b_code: int) -> Term:
    """The term that one pair of operand codes contributes.

    NaN times anything, and infinity times zero, is NaN. A zero product of two floats has the
    sign IEEE 754 gives it; with any other operand it is positive.
    """
    a, b = decode_term(config.a, a_code), decode_term(config.b, b_code)
    negative = a.negative != b.negative
    if Special.NAN in (a.value, b.value):
        term = NAN_TERM
    elif isinstance(a.value, Special) or isinstance(b.value, Special):
        term = NAN_TERM if 0 in (a.value, b.value) else signed_infinity(negative)
    else:
        value = a.value * b.value
        if value == 0 and config.has_positive_zeros:
            negative = False
        exponent = significand_exponent(config.a, a.value) + significand_exponent(config.b, b.value)
        term = Term(value, negative, exponent)
    if config.product is None:
        return term
    return decode_term(config.product, round_term(config, config.product, term))


def _flags(widths: PartialSumWidths, value: Special) -> int:
    if widths.flag_bits == 1 or value is Special.NAN:
        return (1 << widths.flag_bits) - 1
    return 0b01 if value is Special.POSITIVE_INFINITY else 0b10


def _partial_sum_term(widths: PartialSumWidths, bits: int) -> Term:
    """What the bits of a partial sum stand for."""
    if widths.code_format is not None:
        return decode_term(widths.code_format, bits)
    flags = bits >> widths.integer_bits
    integer = bits & ((1 << widths.integer_bits) - 1)
    if flags:
        if flags == (1 << widths.flag_bits) - 1:
            return NAN_TERM
        return signed_infinity(flags == 0b10)
    integer -= (integer >> (widths.integer_bits - 1)) << widths.integer_bits
    value = integer * Fraction(2) ** widths.lsb_exponent
    return Term(value, value < 0)


def accumulate(
    config: MacConfig,
    widths: PartialSumWidths,
    bits: int,
    terms: Sequence[Term],
    random: int | None = None,
) -> int:
    """Add the terms of one step to a simple accumulator's partial sum.

    A float partial sum is the exact sum of itself and all terms, rounded once, with the bits
    `random` where that is stochastic; an aligned one what `align` leaves of them, summed exactly
    and rounded (`round_aligned`). A fixed-point one adds finite terms in its own units, keeps
    `flags` for the special ones, and then wraps or clips as it was built to.
    """
    if isinstance(widths.accumulator, AlignedAccumulator):
        return accumulate_aligned(config, widths.accumulator, bits, terms)
    if widths.code_format is not None:
        before = decode_term(widths.code_format, bits)
        total = exact_sum([before, *terms], config.rounding)
        return encode(
            widths.code_format,
            total.value,
            config.accumulator_rounding,
            config.overflow_of(widths.code_format),
            negative_zero=total.negative,
            random=random,
        )
    half = 1 << (widths.integer_bits - 1)
    flags = bits >> widths.integer_bits
    integer = bits & (2 * half - 1)
    integer -= (integer & half) << 1
    for term in terms:
        if isinstance(term.value, Special):
            flags |= _flags(widths, term.value)
        else:
            units = term.value / Fraction(2) ** widths.lsb_exponent
            if units.denominator != 1:
                raise AssertionError(f"term {term.value} is no multiple of the accumulator's unit")
            integer += units.numerator
    if widths.clips:
        integer = min(max(integer, -half), half - 1)
    return flags << widths.integer_bits | integer & (2 * half - 1)


def _check_random(config: MacConfig, random: int | None) -> None:
    bits = config.random_bits
    if (random is None) != (bits == 0):
        what = f"a random word of {bits} bits" if bits else "no random word"
        raise ValueError(f"a step must be given {what}, not {random}")
    if random is not None and not 0 <= random < 1 << bits:
        raise ValueError(f"a random word must be 0 to {(1 << bits) - 1}, not {random}")


def _split_random(
    config: MacConfig, widths: MacWidths, random: int | None
) -> tuple[int | None, int | None]:
    """The bits of a random word for the inner and for the outer accumulator."""
    if random is None:
        return None, None
    inner_bits = config.random_bits_of(widths.inner.accumulator)
    inner = random & ((1 << inner_bits) - 1) if inner_bits else None
    has_outer = widths.outer is not None and config.random_bits_of(widths.outer.accumulator)
    return inner, random >> inner_bits if has_outer else None


def step(
    config: MacConfig,
    partial_sum: int,
    a_codes: Sequence[int],
    b_codes: Sequence[int],
    *,
    chunk_end: bool = False,
    random: int | None = None,
    scales: Sequence[int] = (),
) -> int:
    """One step: the next partial sum from the present one and `lanes` operand pairs.

    Parameters
    ----------
    partial_sum
        Bits as laid out in `macsmith.model.widths`; all zero to begin with.
    a_codes, b_codes
        `lanes` codes each.
    chunk_end
        Only for a chunked accumulator: after this step, the inner sum is converted to the outer
        accumulator's format (rounded once, if that is a float), added to the outer sum, and
        cleared.
    random
        Only with stochastic rounding, which needs it: `config.random_bits` bits, those of the inner
        accumulator lowest. The conversion at a chunk's end is not random.
    scales
        Only of block formats: the codes of the scales of A and B, of those that have one. They
        count in the step that ends a block, where the block's exact sum times its scales is added
        to the outer partial sum; that is each step where a step adds a whole block.

    Raises
    ------
    ValueError
        The wrong number of codes; random bits are missing, too many, or given where nothing is
        random.
    """
    if len(a_codes) != config.lanes or len(b_codes) != config.lanes:
        raise ValueError(
            f"a step takes {config.lanes} operand pairs, not {len(a_codes)} and {len(b_codes)}"
        )
    widths = mac_widths(config)
    _check_random(config, random)
    if len(scales) != len(config.scales):
        raise ValueError(f"a step must be given {len(config.scales)} scales, not {len(scales)}")
    inner_random, outer_random = _split_random(config, widths, random)
    terms = [product(config, a, b) for a, b in zip(a_codes, b_codes, strict=True)]
    inner_mask = (1 << widths.inner_state_bits) - 1
    inner = accumulate(config, widths.inner, partial_sum & inner_mask, terms, inner_random)
    if widths.outer is None:
        return inner
    outer = partial_sum >> widths.inner_state_bits
    if chunk_end or config.is_block_a_step:
        chunk = _partial_sum_term(widths.inner, inner)
        if config.block is not None:
            chunk = scaled(config, chunk, scales)
        elif widths.outer.format is not None:
            code = round_term(config.outer_arithmetic, widths.outer.format, chunk)
            chunk = decode_term(widths.outer.format, code)
        outer = accumulate(config.outer_arithmetic, widths.outer, outer, [chunk], outer_random)
        inner = 0
    return outer << widths.inner_state_bits | inner


def scaled(config: MacConfig, block: Term, scales: Sequence[int]) -> Term:
    """The sum of a block times its scales: NaN where a scale is, or of infinity times zero."""
    value = block.value
    for fmt, code in zip(config.scales, scales, strict=True):
        scale = fmt.decode(code)
        if value is Special.NAN or isinstance(scale, Special):
            return NAN_TERM
        if isinstance(value, Special):
            if scale == 0:
                return NAN_TERM
        else:
            value *= scale
    return Term(value, block.negative and value != 0)


def result(config: MacConfig, partial_sum: int) -> int:
    """Result code of a finished sum: read from the last accumulator, rounded to the output format,
    or its raw bits."""
    widths = mac_widths(config)
    bits = partial_sum >> (widths.inner_state_bits if widths.outer else 0)
    fmt = config.output_format
    if fmt is None or fmt == widths.last.code_format:
        return bits
    if config.requantise is not None:
        assert isinstance(fmt, IntFormat)
        half = 1 << (widths.last.integer_bits - 1)
        return config.requantise.code(fmt, (bits ^ half) - half, config.rounding)
    return round_term(config, fmt, _partial_sum_term(widths.last, bits))


def check_length(config: MacConfig, length: int) -> None:
    """ValueError unless a sum of `length` products is one the configuration is built for."""
    limit = mac_widths(config).max_terms
    if length < 1 or length % config.lanes:
        raise ValueError(
            f"K must be a positive multiple of the {config.lanes} lanes, not {length} "
            "(pad with zeros)"
        )
    if limit is not None and length > limit:
        raise ValueError(
            f"K must be at most the {limit} terms the accumulator is built for, not {length} "
            f"(state terms{length})"
        )


def dot(
    config: MacConfig,
    a_codes: Sequence[int],
    b_codes: Sequence[int],
    random: Sequence[int] | None = None,
    scales: Sequence[Sequence[int]] | None = None,
) -> int:
    """Result code of the sum of ``a[k] * b[k]``, k ascending.

    Parameters
    ----------
    random
        Only with stochastic rounding: the random word of each step. Without, the words are those
        of the shift register of `macsmith.model.random_source` from its seed.
    scales
        Only of block formats, which need it: for each block, the last maybe a partial one, the
        codes of the scales of A and B, of those that have one.

    Raises
    ------
    ValueError
        Lengths differ, are no multiple of the lanes, or exceed the terms the accumulator is for;
        random words are not one for each step, or out of range.
    """
    if len(a_codes) != len(b_codes):
        raise ValueError(f"a and b must be of one length, not {len(a_codes)} and {len(b_codes)}")
    length = len(a_codes)
    check_length(config, length)
    steps = length // config.lanes
    words: Sequence[int | None]
    if random is not None:
        words = list(random)
    elif config.random_bits:
        words = list(islice(random_words(lfsr_of(config.random_bits)), steps))
    else:
        words = [None] * steps
    if len(words) != steps:
        raise ValueError(f"there must be {steps} random words, one for each step, not {len(words)}")
    chunk = (
        config.accumulator.length if isinstance(config.accumulator, ChunkedAccumulator) else length
    )
    if (blocks := 0 if config.block is None else -(-length // chunk)) != len(scales or ()):
        raise ValueError(f"there must be scales of {blocks} blocks, not of {len(scales or ())}")
    partial_sum = 0
    for k in range(0, length, config.lanes):
        after = k + config.lanes
        partial_sum = step(
            config,
            partial_sum,
            a_codes[k:after],
            b_codes[k:after],
            chunk_end=after % chunk == 0 or after == length,
            random=words[k // config.lanes],
            scales=scales[k // chunk] if scales is not None else (),
        )
    return result(config, partial_sum)


def matmul(
    config: MacConfig,
    a_codes: Sequence[Sequence[int]],
    b_codes: Sequence[Sequence[int]],
    random: Sequence[Sequence[Sequence[int]]] | None = None,
    a_scales: Sequence[Sequence[int]] | None = None,
    b_scales: Sequence[Sequence[int]] | None = None,
) -> list[list[int]]:
    """Result codes, M x N, of the matrix product of M x K and K x N operand codes.

    Parameters
    ----------
    random
        Only with stochastic rounding: the random word of each step of each sum, M x N x steps.
        Without, the words of the shift register of `macsmith.model.random_source` from its seed,
        as a single MAC reads them that computes one sum after the other, row by row.
    a_scales, b_scales
        Only of block formats: the scales' codes, M x blocks and blocks x N, of those operands that
        have one.
    """
    columns = list(zip(*b_codes, strict=True))
    b_columns = None if b_scales is None else list(zip(*b_scales, strict=True))
    if random is None and config.random_bits:
        steps = len(b_codes) // config.lanes
        stream = random_words(lfsr_of(config.random_bits))
        random = [[list(islice(stream, steps)) for _ in columns] for _ in a_codes]
    return [
        [
            dot(
                config,
                a_row,
                column,
                None if random is None else random[row][index],
                _block_scales(
                    None if a_scales is None else a_scales[row],
                    None if b_columns is None else b_columns[index],
                ),
            )
            for index, column in enumerate(columns)
        ]
        for row, a_row in enumerate(a_codes)
    ]


def _block_scales(a: Sequence[int] | None, b: Sequence[int] | None) -> list[tuple[int, ...]] | None:
    """Scales of A and B, block by block, of those that are there."""
    sides = [side for side in (a, b) if side is not None]
    return list(zip(*sides, strict=True)) if sides else None
