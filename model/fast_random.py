"""States of the shift register of random words at many sums at once, compiled."""

from __future__ import annotations

import ctypes

import numpy as np
import numpy.typing as npt
from macsmith.model.fast_library import kernels
from macsmith.model.lfsr import advance_matrix
from macsmith.model.random_source import Lfsr

__all__ = ["lfsr_states"]


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
