"""The structures of the compiled kernels, field by field as their C++ sources declare them."""

from __future__ import annotations

import ctypes

__all__ = [
    "AlignedSpecStruct",
    "AlignedStruct",
    "FormatStruct",
    "LfsrStruct",
    "MacStruct",
    "OutputStageStruct",
    "RandomStruct",
    "SumStruct",
    "TileRoundStruct",
    "TileSpecStruct",
    "ValueSourceStruct",
]


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
