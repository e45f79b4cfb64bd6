"""Single steps of many accumulators, their results, and the output stage, compiled.

Every step is made in a wide integer, as the definition says.
"""

from __future__ import annotations

import ctypes
from functools import cache

import numpy as np
import numpy.typing as npt
from macsmith.model.config import RAW, MacConfig
from macsmith.model.fast_arrays import (
    as_codes,
    check_status,
    checked_random_words,
    checked_scales,
    pointer,
    squeeze_words,
    words_of,
)
from macsmith.model.fast_library import kernels
from macsmith.model.fast_parameters import mac_struct, words_needed
from macsmith.model.fast_structs import MacStruct, OutputStageStruct
from macsmith.model.formats import IntFormat
from macsmith.model.rounding import Rounding
from macsmith.model.widths import mac_widths

__all__ = [
    "general_struct",
    "requantise",
    "result",
    "step",
    "without_output_stage",
]


@cache
def general_struct(config: MacConfig) -> tuple[MacStruct, int]:
    return mac_struct(config), words_needed(config)


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
    before = words_of("partial sums", partial_sums, widths.partial_sum_bits)
    count = len(before)
    operands = []
    for name, fmt, codes in (("a", config.a, a_codes), ("b", config.b, b_codes)):
        checked = as_codes(f"{name} ({fmt.name})", codes, fmt.bits)
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
            np.broadcast_to(checked_random_words(config.random_bits, random), (count,))
        )
    scale_codes = None
    if config.scales:
        scale_codes = checked_scales(config, scales, count)
    elif scales is not None:
        raise ValueError("scales: must be None, as no operand has blocks")
    after = np.empty_like(before)
    struct, words = general_struct(config)
    check_status(
        kernels().macsmith_step(
            ctypes.byref(struct),
            words,
            ctypes.c_int64(count),
            pointer(before),
            pointer(operands[0]),
            pointer(operands[1]),
            pointer(ends),
            None if random_words is None else pointer(random_words),
            None if scale_codes is None else pointer(scale_codes),
            pointer(after),
        )
    )
    return squeeze_words(after)


def result(config: MacConfig, partial_sums: npt.ArrayLike) -> npt.NDArray[np.uint64]:
    """Result codes of finished partial sums: `macsmith.model.golden.result` on a batch.

    `partial_sums` are as for `step`; so is the result where it has more than 64 bits.
    """
    if config.requantise is not None:
        return requantise(config, result(without_output_stage(config), partial_sums))
    widths = mac_widths(config)
    before = words_of("partial sums", partial_sums, widths.partial_sum_bits)
    results = np.empty((len(before), -(-widths.output_bits // 64)), dtype=np.uint64)
    struct, words = general_struct(config)
    check_status(
        kernels().macsmith_result(
            ctypes.byref(struct),
            words,
            ctypes.c_int64(len(before)),
            pointer(before),
            pointer(results),
        )
    )
    return squeeze_words(results)


@cache
def without_output_stage(config: MacConfig) -> MacConfig:
    """The configuration that gives the sums that an output stage takes."""
    if config.requantise is None:
        return config
    return config.model_copy(update={"requantise": None, "output": RAW})


def requantise(config: MacConfig, sums: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
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
        ctypes.byref(struct), ctypes.c_int64(sums.size), pointer(sums), pointer(codes)
    )
    return codes
