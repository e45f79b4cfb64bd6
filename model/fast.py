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
from macsmith.model.config import RAW, MacConfig
from macsmith.model.fast_block_matmul import has_exact_blocks, sum_blocks
from macsmith.model.fast_library import (
    AlignedSpecStruct,
    CompileError,
    MacStruct,
    OutputStageStruct,
    RandomStruct,
    ValueSourceStruct,
    format_struct,
    kernels,
    lfsr_states,
    mac_struct,
    round_struct,
    words_needed,
)
from macsmith.model.fast_plan import Engine, Plan, make_plan, wraps
from macsmith.model.formats import Format, IntFormat, parse_format
from macsmith.model.golden import check_length
from macsmith.model.random_source import Lfsr, lfsr_of
from macsmith.model.rounding import (
    Overflow,
    Rounding,
    RoundingMode,
    StochasticRounding,
    check_overflow,
    parse_stochastic,
)
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

Codes = npt.NDArray[Any]
Values = npt.NDArray[np.float64]

#: Formats up to this width are decoded through a table of all their values.
_TABLE_BITS = 16


def code_dtype(fmt: Format) -> np.dtype[Any]:
    """Smallest unsigned dtype that holds a format's codes: uint8, uint16 or uint32."""
    return np.dtype(np.uint8 if fmt.bits <= 8 else np.uint16 if fmt.bits <= 16 else np.uint32)


def _pointer(array: npt.NDArray[Any]) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)


def _policy(
    fmt: Format, rounding: RoundingMode | str, overflow: Overflow | str | None
) -> tuple[RoundingMode, Overflow | None]:
    """The enumerations that names stand for, checked against the format."""
    if isinstance(rounding, str):
        is_stochastic = rounding.startswith("sr")
        rounding = parse_stochastic(rounding) if is_stochastic else Rounding(rounding)
    if overflow is not None:
        overflow = Overflow(overflow)
        if fmt.has_specials:
            check_overflow(fmt, overflow)
    return rounding, overflow


def _value_source(
    rounding: RoundingMode, values: npt.ArrayLike, random: npt.ArrayLike | None
) -> tuple[ValueSourceStruct, tuple[int, ...], Any]:
    """Values as the kernels take them, their shape, and what must live as long.

    Raises
    ------
    TypeError, ValueError
        Random words are missing, or given where nothing is random; of another type, shape or range.
    """
    bits = rounding.bits if isinstance(rounding, StochasticRounding) else 0
    if (random is None) != (bits == 0):
        what = f"an array of words of {bits} bits" if bits else "left out"
        raise ValueError(f"rounding {rounding}: random must be {what}")
    array = np.asarray(values)
    shape = array.shape
    dtype = np.float32 if array.dtype == np.float32 else np.float64
    array = np.ascontiguousarray(array, dtype=dtype)
    source = ValueSourceStruct(values=array.ctypes.data, is_single=dtype is np.float32)
    words = None
    if random is not None:
        checked = _random_words(bits, random).astype(np.uint32)
        words = np.ascontiguousarray(np.broadcast_to(checked, shape))
        source.random = words.ctypes.data
    return source, shape, (array, words)


def _as_codes(what: str, codes: npt.ArrayLike, bits: int) -> npt.NDArray[np.uint32]:
    """Codes as contiguous uint32, checked.

    Raises
    ------
    TypeError
        They are not integers.
    ValueError
        One has more than `bits` bits or is negative.
    """
    array = np.asarray(codes)
    if array.dtype.kind not in "ui":
        raise TypeError(f"{what}: codes must be unsigned integers, not {array.dtype}")
    limit = (1 << bits) - 1
    if array.size and np.iinfo(array.dtype).max > limit:
        largest = int(array.max())
        if largest > limit:
            raise ValueError(f"{what}: code must be 0 to {limit}, not {largest}")
    if array.size and array.dtype.kind == "i" and (least := int(array.min())) < 0:
        raise ValueError(f"{what}: code must be 0 to {limit}, not {least}")
    return np.ascontiguousarray(array, dtype=np.uint32).reshape(array.shape)


@cache
def _value_table(fmt: Format) -> Values:
    codes = np.arange(1 << fmt.bits, dtype=np.uint32)
    values = np.empty(codes.shape)
    struct = format_struct(fmt)
    kernels().macsmith_decode(
        ctypes.byref(struct), ctypes.c_int64(codes.size), _pointer(codes), _pointer(values)
    )
    values.flags.writeable = False
    return values


def decode(fmt: Format | str, codes: npt.ArrayLike) -> Values:
    """Values of codes, exactly.

    Returns
    -------
    float64 array
        Of the shape of `codes`. Negative zero, infinities and NaN are those of float64.

    Raises
    ------
    TypeError, ValueError
        `codes` are not integers, or one is outside ``0 .. 2**bits - 1``.
    """
    fmt = parse_format(fmt)
    checked = _as_codes(fmt.name, codes, fmt.bits)
    if fmt.bits <= _TABLE_BITS:
        return np.asarray(_value_table(fmt)[checked])
    values = np.empty(checked.shape)
    struct = format_struct(fmt)
    kernels().macsmith_decode(
        ctypes.byref(struct), ctypes.c_int64(checked.size), _pointer(checked), _pointer(values)
    )
    return values


def encode(
    fmt: Format | str,
    values: npt.ArrayLike,
    rounding: RoundingMode | str = Rounding.NEAREST_EVEN,
    overflow: Overflow | str | None = None,
    random: npt.ArrayLike | None = None,
) -> Codes:
    """Codes that values round to, as `macsmith.model.rounding.encode` defines it.

    Parameters
    ----------
    fmt
        Target format.
    values
        Numbers; float32 as they are, all else as float64.
    rounding, overflow
        The enumerations or their names (``"rne"``, ``"sr8"``, ``"sat"``); `overflow` None takes
        `default_overflow`.
    random
        Only with stochastic rounding, which needs it: the random word of each value, or what NumPy
        extends to that.

    Returns
    -------
    uint8, uint16 or uint32 array
        Of the shape of `values`, as `code_dtype` says.
    """
    fmt = parse_format(fmt)
    rounding, overflow = _policy(fmt, rounding, overflow)
    source, shape, _alive = _value_source(rounding, values, random)
    codes = np.empty(shape, dtype=code_dtype(fmt))
    struct = round_struct(fmt, rounding, overflow)
    kernels().macsmith_encode(
        ctypes.byref(struct),
        ctypes.c_int64(codes.size),
        ctypes.byref(source),
        codes.itemsize,
        _pointer(codes),
    )
    return codes


def quantise(
    fmt: Format | str,
    values: npt.ArrayLike,
    rounding: RoundingMode | str = Rounding.NEAREST_EVEN,
    overflow: Overflow | str | None = None,
    random: npt.ArrayLike | None = None,
) -> Values:
    """The values that `encode` and `decode` make of `values`."""
    fmt = parse_format(fmt)
    rounding, overflow = _policy(fmt, rounding, overflow)
    source, shape, _alive = _value_source(rounding, values, random)
    rounded = np.empty(shape)
    struct = round_struct(fmt, rounding, overflow)
    kernels().macsmith_quantise(
        ctypes.byref(struct),
        ctypes.c_int64(rounded.size),
        ctypes.byref(source),
        _pointer(rounded),
    )
    return rounded


def _squeeze_words(words: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    return words[..., 0] if words.shape[-1] == 1 else words


@cache
def _general(config: MacConfig) -> tuple[MacStruct, int]:
    return mac_struct(config), words_needed(config)


def _check(status: int) -> None:
    if status:
        raise RuntimeError("the compiled kernels and fast_library.py disagree: a bug in macsmith")


def _words_of(what: str, numbers: npt.ArrayLike, bits: int) -> npt.NDArray[np.uint64]:
    """Numbers of `bits` bits as ``[batch, words]``, checked for shape and range."""
    words = -(-bits // 64)
    array = np.asarray(numbers)
    if array.dtype.kind not in "ui":
        raise TypeError(f"{what} must be unsigned integers, not {array.dtype}")
    if array.size and array.dtype.kind == "i" and int(array.min()) < 0:
        raise ValueError(f"{what} must not be negative, not {int(array.min())}")
    if words > 1 and (array.ndim == 0 or array.shape[-1] != words):
        raise ValueError(f"{what} of {bits} bits must have {words} words on the last axis")
    array = np.ascontiguousarray(array, dtype=np.uint64).reshape(-1, words)
    top_bits = bits - 64 * (words - 1)
    if top_bits < 64 and array.size and int(array[:, -1].max()) >> top_bits:
        raise ValueError(f"{what} must have at most {bits} bits")
    return array


def _random_words(bits: int, random: npt.ArrayLike) -> npt.NDArray[np.uint64]:
    """Random words of `bits` bits, checked for type and range."""
    words = np.asarray(random)
    limit = (1 << bits) - 1
    if words.dtype.kind not in "ui":
        raise TypeError(f"random words must be unsigned integers, not {words.dtype}")
    if words.size and (int(words.min()) < 0 or int(words.max()) > limit):
        bad = int(words.min()) if int(words.min()) < 0 else int(words.max())
        raise ValueError(f"random words must be 0 to {limit}, not {bad}")
    return words.astype(np.uint64)


def _scale_codes(
    config: MacConfig, scales: npt.ArrayLike | None, count: int
) -> npt.NDArray[np.uint32]:
    """Scales of a batch of steps, checked for shape and range."""
    shape = (count, len(config.scales))
    codes = np.zeros(shape, dtype=np.uint32) if scales is None else np.asarray(scales)
    if scales is None or codes.shape != shape:
        got = None if scales is None else codes.shape
        raise ValueError(f"scales: must have the shape {shape} of batch and scales, not {got}")
    return np.stack(
        [
            _as_codes(f"scale ({fmt.name})", codes[:, side], fmt.bits)
            for side, fmt in enumerate(config.scales)
        ],
        axis=1,
    )


def step(
    config: MacConfig,
    partial_sums: npt.ArrayLike,
    a_codes: npt.ArrayLike,
    b_codes: npt.ArrayLike,
    chunk_end: npt.ArrayLike = False,
    random: npt.ArrayLike | None = None,
    scales: npt.ArrayLike | None = None,
) -> npt.NDArray[np.uint64]:
    """One step of many accumulators: `macsmith.model.golden.step` on a batch.

    Parameters
    ----------
    partial_sums
        ``[batch]`` bits as laid out in `macsmith.model.widths`; ``[batch, words]`` where a partial
        sum has more than 64 bits.
    a_codes, b_codes
        ``[batch, lanes]`` codes (``[batch]`` will do for one lane).
    chunk_end
        Whether this step ends a chunk, for all or for each.
    random
        Only with stochastic rounding, which needs it: a word of `config.random_bits` bits for all
        or for each.
    scales
        Only of block formats, which need it: ``[batch, n]`` codes of the scales of A and B, of
        those that have one; they count where a block ends.

    Returns
    -------
    uint64 array
        The next partial sums, of the shape of `partial_sums`.
    """
    widths = mac_widths(config)
    before = _words_of("partial sums", partial_sums, widths.partial_sum_bits)
    count = len(before)
    operands = []
    for name, fmt, codes in (("a", config.a, a_codes), ("b", config.b, b_codes)):
        checked = _as_codes(f"{name} ({fmt.name})", codes, fmt.bits)
        if checked.shape not in ((count, config.lanes), (count,) if config.lanes == 1 else None):
            raise ValueError(
                f"{name}: must have the shape {(count, config.lanes)} of batch and lanes, "
                f"not {checked.shape}"
            )
        operands.append(checked)
    ends = np.ascontiguousarray(np.broadcast_to(np.asarray(chunk_end, dtype=np.uint8), (count,)))
    if (random is None) != (config.random_bits == 0):
        what = f"random words of {config.random_bits} bits" if config.random_bits else "none"
        raise ValueError(
            f"random: must be {what}, not {np.shape(random) if random is not None else None}"
        )
    random_words = None
    if random is not None:
        random_words = np.ascontiguousarray(
            np.broadcast_to(_random_words(config.random_bits, random), (count,))
        )
    scale_codes = None
    if config.scales:
        scale_codes = _scale_codes(config, scales, count)
    elif scales is not None:
        raise ValueError("scales: must be None, as no operand has blocks")
    after = np.empty_like(before)
    struct, words = _general(config)
    _check(
        kernels().macsmith_step(
            ctypes.byref(struct),
            words,
            ctypes.c_int64(count),
            _pointer(before),
            _pointer(operands[0]),
            _pointer(operands[1]),
            _pointer(ends),
            None if random_words is None else _pointer(random_words),
            None if scale_codes is None else _pointer(scale_codes),
            _pointer(after),
        )
    )
    return _squeeze_words(after)


def result(config: MacConfig, partial_sums: npt.ArrayLike) -> npt.NDArray[np.uint64]:
    """Result codes of finished partial sums: `macsmith.model.golden.result` on a batch.

    `partial_sums` are as for `step`; so is the result where it has more than 64 bits.
    """
    if config.requantise is not None:
        return _requantise(config, result(_without_output_stage(config), partial_sums))
    widths = mac_widths(config)
    before = _words_of("partial sums", partial_sums, widths.partial_sum_bits)
    results = np.empty((len(before), -(-widths.output_bits // 64)), dtype=np.uint64)
    struct, words = _general(config)
    _check(
        kernels().macsmith_result(
            ctypes.byref(struct),
            words,
            ctypes.c_int64(len(before)),
            _pointer(before),
            _pointer(results),
        )
    )
    return _squeeze_words(results)


@cache
def _plan(config: MacConfig, length: int) -> Plan:
    return make_plan(config, length)


def engine_of(config: MacConfig, length: int) -> Engine:
    """What `matmul` computes sums of `length` products with."""
    return _plan(_without_output_stage(config), length).engine


@cache
def _without_output_stage(config: MacConfig) -> MacConfig:
    """The configuration that gives the sums that an output stage takes."""
    if config.requantise is None:
        return config
    return config.model_copy(update={"requantise": None, "output": RAW})


def _requantise(config: MacConfig, sums: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Results of the output stage."""
    stage, fmt = config.requantise, config.output_format
    assert stage is not None
    assert isinstance(fmt, IntFormat)
    low, high = stage.range_in(fmt)
    struct = OutputStageStruct(
        multiplier=stage.multiplier,
        bias=stage.bias,
        shift=stage.shift,
        sum_bits=mac_widths(config).last.integer_bits,
        zero_point=stage.zero_point,
        low=low,
        high=high,
        code_bits=fmt.bits,
        rounding=tuple(Rounding).index(config.rounding),
    )
    sums = np.ascontiguousarray(sums)
    codes = np.empty_like(sums)
    kernels().macsmith_requantise(
        ctypes.byref(struct), ctypes.c_int64(sums.size), _pointer(sums), _pointer(codes)
    )
    return codes


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
    return _squeeze_words(registers)


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
    words = _random_words(config.random_bits, random)
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
    struct, words = _general(config)
    results = np.empty((rows, columns, struct.result_words), dtype=np.uint64)
    source, _alive = random.struct()
    _check(
        kernels().macsmith_matmul(
            ctypes.byref(struct),
            words,
            ctypes.c_int64(rows),
            ctypes.c_int64(columns),
            ctypes.c_int64(length),
            _pointer(a_codes),
            _pointer(b_codes),
            ctypes.byref(source),
            *(None if side is None else _pointer(side) for side in scales),
            _pointer(results),
        )
    )
    return _squeeze_words(results)


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
        found.append(_as_codes(f"{name} ({fmt.name})", codes, fmt.bits))
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
    _check(
        run(
            ctypes.byref(plan.tiles),
            ctypes.c_int64(rows),
            ctypes.c_int64(columns),
            ctypes.c_int64(length),
            _pointer(a_values),
            _pointer(b_values),
            ctypes.byref(source),
            _pointer(sums),
        )
    )
    return np.asarray(sums.T if is_swapped else sums, dtype=np.float64)


def _matmul_aligned(spec: AlignedSpecStruct, a_values: Values, b_values: Values) -> Values:
    a_values, b_values = np.ascontiguousarray(a_values), np.ascontiguousarray(b_values)
    (rows, length), columns = a_values.shape, b_values.shape[1]
    sums = np.empty((rows, columns))
    _check(
        kernels().macsmith_aligned(
            ctypes.byref(spec),
            ctypes.c_int64(rows),
            ctypes.c_int64(columns),
            ctypes.c_int64(length),
            _pointer(a_values),
            _pointer(b_values),
            _pointer(sums),
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
        return _requantise(config, matmul(_without_output_stage(config), a_codes, b_codes, random))
    a = _as_codes(f"a ({config.a.name})", a_codes, config.a.bits)
    b = _as_codes(f"b ({config.b.name})", b_codes, config.b.bits)
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
