"""Blocks quantised a second, beside ml_dtypes' cast of the elements alone and gfloat, in one run.

    python benchmarks/blocks.py

One thread; best of several runs by processor time, all from float32. A cast has no amax to find
and no scale to divide by. gfloat quantises one block at a time.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import ml_dtypes
import numpy as np
from gfloat import compute_scale_amax, quantize_block
from gfloat.formats import format_info_mxfp8_e4m3
from macsmith.model import fast_blocks

SHAPE = (4096, 1024)
FORMATS = [
    "mxfp8_e4m3",
    "mxfp8_e5m2",
    "mxfp6_e2m3",
    "mxfp4",
    "mxint8",
    "nvfp4_ue5m3",
    "nvfp4",
    "vsq4",
]


def rate(run: Callable[[], object], count: int, repeats: int = 5) -> float:
    """Millions of values a second of processor time."""
    run()
    best = float("inf")
    for _ in range(repeats):
        start = time.process_time()
        run()
        best = min(best, time.process_time() - start)
    return count / best / 1e6


def gfloat_rate(values: Any) -> float:
    """Millions of values a second of gfloat's MXFP8 quantiser."""
    blocks = values[0].astype(np.float64).reshape(-1, 32)[:8]
    return rate(
        lambda: [
            quantize_block(format_info_mxfp8_e4m3, block, compute_scale_amax) for block in blocks
        ],
        blocks.size,
        1,
    )


def main() -> None:
    """Print the table."""
    values = np.random.default_rng(0).standard_normal(SHAPE, dtype=np.float32)
    print(f"{'':<34}{'M/s':>8}")
    for name in FORMATS:
        found = rate(lambda name=name: fast_blocks.quantise(name, values), values.size)
        print(f"{'macsmith ' + name:<34}{found:8.0f}", flush=True)
    dtype = np.dtype(ml_dtypes.float8_e4m3fn)
    cast = rate(lambda: values.astype(dtype), values.size)
    print(f"{'ml_dtypes cast to e4m3 alone':<34}{cast:8.0f}", flush=True)
    print(f"{'gfloat quantize_block mxfp8':<34}{gfloat_rate(values):8.3f}")
    print(
        f"\nml_dtypes {version('ml_dtypes')}, gfloat {version('gfloat')}, load average "
        f"{os.getloadavg()[0]:.1f} on {os.cpu_count()} processors"
    )


if __name__ == "__main__":
    main()
