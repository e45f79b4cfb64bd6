"""Compiles the kernels of the fast golden model on first use, and loads them.

The shared library is kept in a cache folder (environment ``MACSMITH_CACHE``, else
``~/.cache/macsmith``) under a name that changes with the sources, the compiler and the processor.
The compiler is ``g++``, or what the environment names in ``CXX``.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
from macsmith.model.accumulators import AlignedAccumulator, SimpleAccumulator
from macsmith.model.config import MacConfig
from macsmith.model.fast_ordered import ordered_address
from macsmith.model.formats import FloatFormat, Format, IntFormat, OrderedFormat, PositFormat
from macsmith.model.lfsr import advance_matrix
from macsmith.model.random_source import Lfsr
from macsmith.model.rounding import (
    Overflow,
    Rounding,
    RoundingMode,
    StochasticRounding,
    check_rounding,
    default_overflow,
)
from macsmith.model.widths import PartialSumWidths, mac_widths

__all__ = [
    "AlignedSpecStruct",
    "CompileError",
    "MacStruct",
    "OutputStageStruct",
    "RandomStruct",
    "TileRoundStruct",
    "TileSpecStruct",
    "ValueSourceStruct",
    "cache_folder",
    "compile_kernels",
    "format_struct",
    "kernels",
    "lfsr_states",
    "mac_struct",
    "processor_features",
    "round_struct",
    "words_needed",
]

_SOURCES = (
    "fast_kernels.cpp",
    "fast_aligned.hpp",
    "fast_blocks.hpp",
    "fast_convert.hpp",
    "fast_output.hpp",
    "fast_tile_matmul.hpp",
    "fast_cascade.hpp",
    "fast_tiles.hpp",
    "fast_additions.hpp",
    "fast_posits.hpp",
    "fast_rounding.hpp",
    "fast_vectors.hpp",
    "fast_formats.hpp",
)
# No -ffast-math: the tiles rely on every operation being rounded where it is written. Contraction
# to fused multiply-add is harmless there: only exact products are ever contracted.
_FLAGS = ("-std=c++17", "-O3", "-march=native", "-fPIC", "-shared", "-fno-fast-math")
_ROUNDINGS = tuple(Rounding)
_VARIANTS = ("a", "b", "c")
_OVERFLOWS = tuple(Overflow)
#: Sizes of wide integer that are compiled, in 64-bit words.
_WIDE_WORDS = (2, 4, 12, 40)


class CompileError(RuntimeError):
    """The kernels of the fast golden model could not be compiled or loaded."""


class FormatStruct(ctypes.Structure):
    """Mirrors `Format` of fast_formats.hpp."""

    _fields_ = [
        *(
            (name, ctypes.c_int32)
            for name in (
                "is_float",
                "bits",
                "fraction_bits",
                "least_exponent",
                "has_subnormals",
                "has_negative_zero",
                "has_nan",
                "max_code",
                "nan_code",
                "infinity_code",
                "is_signed",
                "min_integer",
                "max_integer",
                "rounding",
                "overflow",
                "random_bits",
                "has_zero",
                "wraps",
            )
        ),
        ("ordered", ctypes.c_void_p),
    ]


class AlignedStruct(ctypes.Structure):
    """Mirrors `Aligned` of fast_kernels.cpp."""

    _fields_ = [
        (name, ctypes.c_int32)
        for name in (
            "is_aligned",
            "fraction_bits",
            "kept_bits",
            "min_exponent",
            "is_late",
            "rounds_terms",
            "product_fraction_bits",
        )
    ]


class SumStruct(ctypes.Structure):
    """Mirrors `SumLayout` of fast_kernels.cpp."""

    _fields_ = [
        ("format", FormatStruct),
        *(
            (name, ctypes.c_int32)
            for name in ("is_fixed", "lsb_exponent", "integer_bits", "flag_bits", "clips", "bits")
        ),
        ("aligned", AlignedStruct),
    ]


class MacStruct(ctypes.Structure):
    """Mirrors `Mac` of fast_kernels.cpp."""

    _fields_ = [
        *((name, FormatStruct) for name in ("a", "b", "product", "output")),
        *((name, SumStruct) for name in ("inner", "outer")),
        *(
            (name, ctypes.c_int32)
            for name in (
                "has_product_format",
                "has_integer_operand",
                "lanes",
                "chunk_length",
                "is_raw_output",
                "rounding",
                "partial_sum_words",
                "result_words",
            )
        ),
        ("scales", FormatStruct * 2),
        *(
            (name, ctypes.c_int32)
            for name in ("scale_count", "is_block_a_step", "inner_state_bits")
        ),
    ]


class TileRoundStruct(ctypes.Structure):
    """Mirrors `TileRound` of fast_rounding.hpp."""

    _fields_ = [
        ("format", FormatStruct),
        ("max", ctypes.c_double),
        ("smallest", ctypes.c_double),
        ("max_exponent", ctypes.c_int32),
        ("is_fixed", ctypes.c_int32),
        ("clips", ctypes.c_int32),
        ("clip_low", ctypes.c_double),
        ("clip_high", ctypes.c_double),
    ]


class TileSpecStruct(ctypes.Structure):
    """Mirrors `TileSpec` of fast_tiles.hpp."""

    _fields_ = [
        *((name, TileRoundStruct) for name in ("inner", "outer", "product")),
        ("split_magic", ctypes.c_double),
        *(
            (name, ctypes.c_int32)
            for name in (
                "lanes",
                "chunk_length",
                "add",
                "has_product_format",
                "has_integer_operand",
                "rounding",
            )
        ),
    ]


class AlignedSpecStruct(ctypes.Structure):
    """Mirrors `AlignedSpec` of fast_aligned.hpp."""

    _fields_ = [
        *((name, TileRoundStruct) for name in ("sum", "format", "outer")),
        *((name, ctypes.c_double) for name in ("a_least", "b_least", "format_least", "least")),
        *(
            (name, ctypes.c_int32)
            for name in (
                "lanes",
                "chunk_length",
                "fraction_bits",
                "is_late",
                "rounds_terms",
                "rounding",
            )
        ),
    ]


class OutputStageStruct(ctypes.Structure):
    """Mirrors `OutputStage` of fast_output.hpp."""

    _fields_ = [
        ("multiplier", ctypes.c_int64),
        ("bias", ctypes.c_int64),
        *(
            (name, ctypes.c_int32)
            for name in (
                "shift",
                "sum_bits",
                "zero_point",
                "low",
                "high",
                "code_bits",
                "rounding",
            )
        ),
    ]


class ValueSourceStruct(ctypes.Structure):
    """Mirrors `ValueSource` of fast_convert.hpp."""

    _fields_ = [
        ("values", ctypes.c_void_p),
        ("is_single", ctypes.c_int32),
        ("random", ctypes.c_void_p),
    ]


class LfsrStruct(ctypes.Structure):
    """Mirrors `Lfsr` of fast_tiles.hpp."""

    _fields_ = [(name, ctypes.c_int32) for name in ("degree", "lag", "word_bits")]


class RandomStruct(ctypes.Structure):
    """Mirrors `RandomSource` of fast_tiles.hpp; all zero: nothing is random."""

    _fields_ = [
        ("lfsr", LfsrStruct),
        ("starts", ctypes.c_void_p),
        ("words", ctypes.c_void_p),
        *((f"{name}_stride", ctypes.c_int64) for name in ("row", "column", "step")),
    ]


def lfsr_states(lfsr: Lfsr, steps: int, count: int) -> npt.NDArray[np.uint64]:
    """States before the first step of each of `count` sums of `steps` steps, one after another."""
    matrix = np.array(advance_matrix(lfsr, steps), dtype=np.uint64)
    states = np.empty(count, dtype=np.uint64)
    kernels().macsmith_lfsr_states(
        ctypes.c_void_p(matrix.ctypes.data),
        ctypes.c_uint64(lfsr.seed),
        ctypes.c_int64(count),
        ctypes.c_void_p(states.ctypes.data),
    )
    return states


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


def cache_folder() -> Path:
    """Where compiled kernels are kept."""
    stated = os.environ.get("MACSMITH_CACHE")
    return Path(stated) if stated else Path.home() / ".cache" / "macsmith"


def processor_features() -> str:
    """What -march=native depends on."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return f"{platform.machine()} {platform.processor()}"
    return "\n".join(sorted({line for line in lines if line.startswith(("flags", "model name"))}))


def compile_kernels(compiler: str | None = None, folder: Path | None = None) -> Path:
    """Path of the compiled library; compiled now unless the cache has it.

    Parameters
    ----------
    compiler
        C++17 compiler; None takes the environment's ``CXX``, else ``g++``.
    folder
        Cache folder; None takes `cache_folder`.

    Raises
    ------
    CompileError
        There is no compiler (the message tells how to get one) or it fails (its command and the
        tail of its output).
    """
    compiler = compiler or os.environ.get("CXX") or "g++"
    found = shutil.which(compiler)
    if found is None:
        raise CompileError(
            f"the fast golden model needs a C++17 compiler, and {compiler!r} is not on PATH: "
            "install g++ (Debian, Ubuntu: apt install g++; Fedora: dnf install gcc-c++; macOS: "
            "xcode-select --install), or name yours in the environment variable CXX"
        )
    version = subprocess.run([found, "--version"], capture_output=True, text=True, check=False)
    key = hashlib.sha256()
    here = Path(__file__).parent
    for part in (*_FLAGS, version.stdout, platform.platform(), processor_features()):
        key.update(part.encode())
    for name in _SOURCES:
        key.update((here / name).read_bytes())
    folder = folder or cache_folder()
    library = folder / f"fast_{key.hexdigest()[:20]}.so"
    if library.exists():
        return library
    folder.mkdir(parents=True, exist_ok=True)
    # compiled beside its final place and moved there whole: several processes may do so at once
    with tempfile.TemporaryDirectory(dir=folder, prefix="compile_") as scratch:
        output = Path(scratch) / library.name
        command = [found, *_FLAGS, "-o", str(output), str(here / _SOURCES[0])]
        run = subprocess.run(command, capture_output=True, text=True, check=False)
        if run.returncode:
            tail = "\n".join((run.stderr or run.stdout).strip().splitlines()[-20:])
            raise CompileError(
                f"{' '.join(command)}\nfailed with exit code {run.returncode}:\n{tail}"
            )
        os.replace(output, library)
    return library


@cache
def kernels() -> ctypes.CDLL:
    """The compiled kernels, loaded once per process.

    Raises
    ------
    CompileError
        See `compile_kernels`; or the library cannot be loaded.
    """
    library = compile_kernels()
    try:
        loaded = ctypes.CDLL(str(library))
    except OSError as error:
        raise CompileError(
            f"{library} cannot be loaded: {error}; delete it to compile anew"
        ) from None
    for name in ("decode", "encode", "quantise", "requantise", "lfsr_states"):
        getattr(loaded, f"macsmith_{name}").restype = None
    for name in ("step", "result", "matmul", "aligned", "tiles_float", "tiles_double"):
        getattr(loaded, f"macsmith_{name}").restype = ctypes.c_int32
    loaded.macsmith_has_native_tiles.restype = ctypes.c_int32
    return loaded
