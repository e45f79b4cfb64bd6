"""Numbers rounded, encoded and decoded a second, beside ml_dtypes and gfloat, in one run.

    python benchmarks/rounding.py

One thread; best of several runs by processor time. ml_dtypes casts float32, the others float64.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from importlib.metadata import version

import ml_dtypes
import numpy as np
from gfloat import decode_ndarray, encode_ndarray, round_ndarray
from gfloat.formats import format_info_ocp_e4m3
from macsmith.model import fast

COUNT = 1 << 21


def rate(run: Callable[[], object], repeats: int = 5) -> float:
    """Millions of numbers a second of processor time."""
    run()
    best = float("inf")
    for _ in range(repeats):
        start = time.process_time()
        run()
        best = min(best, time.process_time() - start)
    return COUNT / best / 1e6


def main() -> None:
    """Print the table."""
    values = np.random.default_rng(0).normal(size=COUNT) * 4
    single = values.astype(np.float32)
    codes = fast.encode("e4m3", values)
    dtype = np.dtype(ml_dtypes.float8_e4m3fn)
    info = format_info_ocp_e4m3
    rows: list[tuple[str, Callable[[], object]]] = [
        ("macsmith quantise e4m3", lambda: fast.quantise("e4m3", values)),
        ("macsmith quantise e4m3 rtz", lambda: fast.quantise("e4m3", values, "rtz")),
        ("macsmith quantise e6m9", lambda: fast.quantise("e6m9", values)),
        ("macsmith quantise int8", lambda: fast.quantise("int8", values)),
        ("macsmith encode e4m3", lambda: fast.encode("e4m3", values)),
        ("macsmith encode fp32", lambda: fast.encode("fp32", values)),
        ("macsmith decode e4m3", lambda: fast.decode("e4m3", codes)),
        ("ml_dtypes encode e4m3", lambda: single.astype(dtype)),
        ("ml_dtypes decode e4m3", lambda: codes.view(dtype).astype(np.float32)),
        ("gfloat round e4m3", lambda: round_ndarray(info, values)),
        ("gfloat encode e4m3", lambda: encode_ndarray(info, fast.decode("e4m3", codes))),
        ("gfloat decode e4m3", lambda: decode_ndarray(info, codes.astype(np.int64))),
    ]
    print(f"ml_dtypes {version('ml_dtypes')}, gfloat {version('gfloat')}, {COUNT} numbers")
    print(f"{'':<30}{'M/s':>8}")
    for name, run in rows:
        print(f"{name:<30}{rate(run):8.0f}")
    print(f"\nload average {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")


if __name__ == "__main__":
    main()
