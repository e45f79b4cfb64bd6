"""The golden model on arrays: the same bits as `macsmith.model.golden`, compiled.

Codes are unsigned integers, values float64 (which holds every value of every format exactly). Wide
numbers (a partial sum or a raw result of more than 64 bits) are arrays with one more axis: 64-bit
words, least significant first.

The kernels are compiled with the system's C++ compiler on first use (`fast_library`); which
arithmetic a matrix product is computed with, and why that gives the same bits, is in `fast_plan`.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
from macsmith.model.config import MacConfig
from macsmith.model.fast_arrays import (
    as_codes,
    check_status,
    checked_random_words,
    pointer,
    squeeze_words,
)
from macsmith.model.fast_block_matmul import has_exact_blocks, sum_blocks
from macsmith.model.fast_conversion import Values, code_dtype, decode, encode, quantise
from macsmith.model.fast_library import CompileError, kernels
from macsmith.model.fast_plan import Engine, Plan, make_plan
from macsmith.model.fast_proofs import wraps
from macsmith.model.fast_random import lfsr_states
from macsmith.model.fast_steps import general_struct, requantise, result, step, without_output_stage
from macsmith.model.fast_structs import AlignedSpecStruct, RandomStruct
from macsmith.model.golden import check_length
from macsmith.model.random_source import Lfsr, lfsr_of
from macsmith.model.widths import PartialSumWidths, mac_widths

__all__ = [
    "CompileError",
    "code_dtype",
    "decode",
    "encode",
    "engine_of",
    "matmul",
    "quantise",
    "result",
    "step",
]


@cache
def _plan(config: MacConfig, length: int) -> Plan:
    return make_plan(config, length)


def engine_of(config: MacConfig, length: int) -> Engine:
    """What `matmul` computes sums of `length` products with."""
    return _plan(without_output_stage(config), length).engine


def _wrap(sums: Values, last: PartialSumWidths) -> Values:
    """Final sums modulo the width of their accumulator; specials stay."""
    finite = np.isfinite(sums)
    integers = np.ldexp(np.where(finite, sums, 0), -last.lsb_exponent).astype(np.int64)
    unused = max(64 - last.integer_bits, 0)
    wrapped = np.ldexp((integers << unused >> unused).astype(np.float64), last.lsb_exponent)
    return np.where(finite, wrapped, sums)


def _encode_sums(config: MacConfig, sums: Values) -> npt.NDArray[np.uint64]:
    """Result codes of final sums, which float64 holds exactly."""
    fmt, last = config.output_format, mac_widths(config).last
    if fmt is not None:
        if wraps(last.accumulator):
            sums = _wrap(sums, last)
        return encode(fmt, sums, config.rounding, config.overflow_of(fmt)).astype(np.uint64)
    integers = np.ldexp(sums, -last.lsb_exponent).astype(np.int64)
    # a register wider than the sums: its upper words are copies of the sign
    words = [integers] + [integers >> 63] * ((last.bits - 1) // 64)
    registers = np.stack(words, axis=-1).view(np.uint64)
    if unused := -last.bits % 64:
        registers[..., -1] &= np.uint64((1 << (64 - unused)) - 1)
    return squeeze_words(registers)


@dataclass(frozen=True)
class _Random:
    """Where random words come from, with the arrays that the kernels are pointed to."""

    starts: npt.NDArray[np.uint64] | None = None
    words: npt.NDArray[np.uint64] | None = None
    lfsr: Lfsr | None = None

    def struct(self, is_swapped: bool = False) -> tuple[RandomStruct, Any]:
        """For the kernels, and what must live as long."""
        struct = RandomStruct()
        if self.words is not None:
            row, column, step = (stride // 8 for stride in self.words.strides)
            if is_swapped:
                row, column = column, row
            struct.words = self.words.ctypes.data
            struct.row_stride, struct.column_stride, struct.step_stride = row, column, step
            return struct, self.words
        if self.starts is None or self.lfsr is None:
            return struct, None
        starts = np.ascontiguousarray(self.starts.T if is_swapped else self.starts)
        struct.lfsr.degree, struct.lfsr.lag = self.lfsr.degree, self.lfsr.lag
        struct.lfsr.word_bits = self.lfsr.word_bits
        struct.starts = starts.ctypes.data
        return struct, starts


def _random_of(
    config: MacConfig, random: npt.ArrayLike | None, rows: int, columns: int, steps: int
) -> _Random:
    bits = config.random_bits
    if random is None:
        if not bits:
            return _Random()
        lfsr = lfsr_of(bits)
        return _Random(
            starts=lfsr_states(lfsr, steps, rows * columns).reshape(rows, columns), lfsr=lfsr
        )
    if not bits:
        raise ValueError("random: must be None, as nothing is random without stochastic rounding")
    words = checked_random_words(config.random_bits, random)
    try:
        return _Random(words=np.broadcast_to(words, (rows, columns, steps)))
    except ValueError:
        raise ValueError(
            f"random: must have the shape {(rows, columns, steps)} of rows, columns and steps, or "
            f"one that extends to it, not {words.shape}"
        ) from None


def _matmul_general(
    config: MacConfig,
    a_codes: npt.NDArray[np.uint32],
    b_codes: npt.NDArray[np.uint32],
    random: _Random,
    scales: Sequence[npt.NDArray[np.uint32] | None] = (None, None),
) -> npt.NDArray[np.uint64]:
    (rows, length), columns = a_codes.shape, b_codes.shape[1]
    struct, words = general_struct(config)
    results = np.empty((rows, columns, struct.result_words), dtype=np.uint64)
    source, _alive = random.struct()
    check_status(
        kernels().macsmith_matmul(
            ctypes.byref(struct),
            words,
            ctypes.c_int64(rows),
            ctypes.c_int64(columns),
            ctypes.c_int64(length),
            pointer(a_codes),
            pointer(b_codes),
            ctypes.byref(source),
            *(None if side is None else pointer(side) for side in scales),
            pointer(results),
        )
    )
    return squeeze_words(results)


def _matmul_scales(
    config: MacConfig, sides: Sequence[npt.ArrayLike | None], rows: int, columns: int, length: int
) -> list[npt.NDArray[np.uint32] | None]:
    """Scales of a matrix product, checked for shape and range."""
    blocks = 0 if config.block is None else -(-length // config.block)
    found: list[npt.NDArray[np.uint32] | None] = []
    for name, fmt, codes, shape in (
        ("a_scales", config.a_scale, sides[0], (rows, blocks)),
        ("b_scales", config.b_scale, sides[1], (blocks, columns)),
    ):
        if fmt is None:
            if codes is not None:
                raise ValueError(f"{name}: must be None, as that operand has no blocks")
            found.append(None)
            continue
        if codes is None or np.shape(codes) != shape:
            got = None if codes is None else np.shape(codes)
            raise ValueError(f"{name}: must have the shape {shape}, not {got}")
        found.append(as_codes(f"{name} ({fmt.name})", codes, fmt.bits))
    return found


def _matmul_tiles(
    plan: Plan, a_values: npt.NDArray[Any], b_values: npt.NDArray[Any], random: _Random
) -> Values:
    dtype = np.float32 if plan.engine is Engine.TILES32 else np.float64
    # columns lie along the vectors; products and their sums do not change if A and B swap places
    is_swapped = b_values.shape[1] < a_values.shape[0] and b_values.shape[1] < 32
    if is_swapped:
        a_values, b_values = b_values.T, a_values.T
    a_values = np.ascontiguousarray(a_values, dtype=dtype)
    b_values = np.ascontiguousarray(b_values, dtype=dtype)
    (rows, length), columns = a_values.shape, b_values.shape[1]
    sums = np.empty((rows, columns), dtype=dtype)
    source, _alive = random.struct(is_swapped)
    run = (
        kernels().macsmith_tiles_float
        if plan.engine is Engine.TILES32
        else kernels().macsmith_tiles_double
    )
    assert plan.tiles is not None
    check_status(
        run(
            ctypes.byref(plan.tiles),
            ctypes.c_int64(rows),
            ctypes.c_int64(columns),
            ctypes.c_int64(length),
            pointer(a_values),
            pointer(b_values),
            ctypes.byref(source),
            pointer(sums),
        )
    )
    return np.asarray(sums.T if is_swapped else sums, dtype=np.float64)


def _matmul_aligned(spec: AlignedSpecStruct, a_values: Values, b_values: Values) -> Values:
    a_values, b_values = np.ascontiguousarray(a_values), np.ascontiguousarray(b_values)
    (rows, length), columns = a_values.shape, b_values.shape[1]
    sums = np.empty((rows, columns))
    check_status(
        kernels().macsmith_aligned(
            ctypes.byref(spec),
            ctypes.c_int64(rows),
            ctypes.c_int64(columns),
            ctypes.c_int64(length),
            pointer(a_values),
            pointer(b_values),
            pointer(sums),
        )
    )
    return sums


def matmul(
    config: MacConfig,
    a_codes: npt.ArrayLike,
    b_codes: npt.ArrayLike,
    random: npt.ArrayLike | None = None,
    a_scales: npt.ArrayLike | None = None,
    b_scales: npt.ArrayLike | None = None,
) -> npt.NDArray[np.uint64]:
    """Result codes of a matrix product, k ascending: `macsmith.model.golden.matmul` on arrays.

    Parameters
    ----------
    a_codes, b_codes
        ``[M, K]`` codes of `config.a`, ``[K, N]`` codes of `config.b`.
    random
        Only with stochastic rounding: the random word of each step, ``[M, N, steps]`` or what
        NumPy extends to that. Without, the words are those of the shift register of
        `macsmith.model.random_source` from its seed, as a single MAC reads them that computes one
        sum after the other, row by row.
    a_scales, b_scales
        Only of block formats, of those operands that have one: ``[M, blocks]`` and ``[blocks, N]``
        codes of scales, one for each block of `config.block` products along K.

    Returns
    -------
    uint64 array
        ``[M, N]``; ``[M, N, words]`` for raw results of more than 64 bits.

    Raises
    ------
    TypeError, ValueError
        Wrong dtype, shape or code; K is no multiple of the lanes, or more than the terms the
        accumulator is built for.
    CompileError
        The kernels cannot be compiled.
    """
    if config.requantise is not None:
        return requantise(config, matmul(without_output_stage(config), a_codes, b_codes, random))
    a = as_codes(f"a ({config.a.name})", a_codes, config.a.bits)
    b = as_codes(f"b ({config.b.name})", b_codes, config.b.bits)
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[0]:
        raise ValueError(f"a and b must be M x K and K x N codes, not {a.shape} and {b.shape}")
    length = a.shape[1]
    check_length(config, length)
    plan = _plan(config, length)
    source = _random_of(config, random, a.shape[0], b.shape[1], length // config.lanes)
    scales = _matmul_scales(config, (a_scales, b_scales), a.shape[0], b.shape[1], length)
    if config.block is not None:
        if not has_exact_blocks(config):
            return _matmul_general(config, a, b, source, scales)
        factors = [
            None if fmt is None or codes is None else decode(fmt, codes)
            for fmt, codes in zip((config.a_scale, config.b_scale), scales, strict=True)
        ]
        sums = sum_blocks(config, decode(config.a, a), decode(config.b, b), *factors)
        return _encode_sums(config, sums)
    if plan.engine is Engine.GENERAL:
        return _matmul_general(config, a, b, source)
    a_values, b_values = decode(config.a, a), decode(config.b, b)
    if plan.aligned is not None:
        return _encode_sums(config, _matmul_aligned(plan.aligned, a_values, b_values))
    if plan.engine in (Engine.TILES32, Engine.TILES64):
        return _encode_sums(config, _matmul_tiles(plan, a_values, b_values, source))
    dtype = np.float32 if plan.engine is Engine.BLAS32 else np.float64
    with np.errstate(invalid="ignore"):  # infinity times 0 is NaN, and meant
        sums = a_values.astype(dtype) @ b_values.astype(dtype)
    # a fixed-point sum has no negative zero
    return _encode_sums(config, sums.astype(np.float64) + 0.0)
