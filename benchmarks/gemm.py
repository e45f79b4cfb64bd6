"""Multiply-accumulates a second of the fast golden model, beside other libraries, in one run.

    python benchmarks/gemm.py

One thread; best of several runs by processor time (the load average at the end tells how busy the
machine was). Every library multiplies the same matrices; how many of its results differ from ours
is in the table. The peers round after each addition into 1-6-9 and know no chunks:

- gfloat has no matrix product: a loop over k with its vectorised `round_ndarray`;
- APyTypes has one, with `APyFloatAccumulatorContext` (installed only if you do).
"""

# ruff: noqa: E402 - the number of threads has to be set before NumPy is imported

from __future__ import annotations

import os

# one thread, also in the matrix products of NumPy: to be set before NumPy is imported
for variable in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ[variable] = "1"

import importlib.util
import platform
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import numpy as np
import numpy.typing as npt
from gfloat import Domain, FormatInfo, round_ndarray
from macsmith.model import fast
from macsmith.model.config import MacConfig
from macsmith.model.design import parse_design
from macsmith.model.formats import Format

Codes = npt.NDArray[np.uint32]

ROWS, LENGTH, COLUMNS = 256, 1024, 512
#: What peers are compared on: they take seconds for what the tables' other rows do in milliseconds.
SMALL = (64, 256, 64)

DESIGNS = (
    "e4m3:e6m9",
    "e4m3:e6m9/64",
    "e5m2:e6m9/64",
    "e4m3:e6m9:rna",
    "e4m3:e6m9:rtz",
    "e4m3:e6m5",
    "e4m3:e6m5/64",
    "e4m3:e6m9:lanes4",
    "e5m2:e6m9:lanes4",
    "e4m3:exact/64/e6m9",
    "fp16:fp32",
    "fp32:fp32",
    "e4m3:fp16:mulfp16",
    "e4m3:exact",
    "e5m2:exact",
    "int8:int32",
    "int4:int32",
    "e4m3:e5m0",
    "bf16:fp32:lanes4",
    "bf16:exact",
)


def operands(config: MacConfig, rows: int, length: int, columns: int) -> tuple[Codes, Codes]:
    """Random numbers in the operand formats, spread over a good part of their range."""
    generator = np.random.default_rng(0)

    def codes(fmt: Format, shape: tuple[int, int]) -> Codes:
        scale = min(float(fmt.max) / 4, 1.0) if fmt.has_specials else float(fmt.max) / 3
        return fast.encode(fmt, generator.normal(size=shape) * scale).astype(np.uint32)

    return codes(config.a, (rows, length)), codes(config.b, (length, columns))


def best_seconds(run: Callable[[], object], repeats: int = 5) -> float:
    """Least processor time of a call."""
    best = float("inf")
    for _ in range(repeats):
        start = time.process_time()
        run()
        best = min(best, time.process_time() - start)
    return best


def ours(text: str, rows: int, length: int, columns: int) -> tuple[str, float]:
    """Engine, and multiply-accumulates a second."""
    config = parse_design(text).mac
    a, b = operands(config, rows, length, columns)
    fast.matmul(config, a, b)
    seconds = best_seconds(lambda: fast.matmul(config, a, b))
    return fast.engine_of(config, length).value, rows * length * columns / seconds


def gfloat_e6m9() -> FormatInfo:
    """1-6-9 as gfloat describes it."""
    return FormatInfo(
        name="e6m9", k=16, precision=10, bias=31, is_signed=True, domain=Domain.Extended,
        has_nz=True, num_high_nans=(1 << 9) - 1, has_subnormals=True, is_twos_complement=False,
    )  # fmt: skip


def gfloat_matmul(config: MacConfig, a: Codes, b: Codes) -> Codes:
    """Sums of products in 1-6-9, rounded by gfloat after each addition."""
    info = gfloat_e6m9()
    x, y = fast.decode(config.a, a), fast.decode(config.b, b)
    total = np.zeros((a.shape[0], b.shape[1]))
    for k in range(a.shape[1]):
        total = round_ndarray(info, total + x[:, k : k + 1] * y[k])
    return fast.encode("e6m9", total).astype(np.uint32)


def apytypes_matmul(config: MacConfig, a: Codes, b: Codes) -> Codes:
    """The same by APyTypes, which rounds products to 1-6-9 too (those of E4M3 fit it)."""
    import apytypes

    x, y = fast.decode(config.a, a), fast.decode(config.b, b)
    # E4M3 has no place for IEEE specials: held as 1-5-3, which has all its numbers
    left = apytypes.APyFloatArray.from_array(x, exp_bits=5, man_bits=3)
    right = apytypes.APyFloatArray.from_array(y, exp_bits=5, man_bits=3)
    with apytypes.APyFloatAccumulatorContext(
        exp_bits=6, man_bits=9, quantization=apytypes.QuantizationMode.TIES_EVEN
    ):
        product = left @ right
    return fast.encode("e6m9", product.to_numpy()).astype(np.uint32)


PEERS: dict[str, Callable[[MacConfig, Codes, Codes], Codes]] = {"gfloat": gfloat_matmul}
if importlib.util.find_spec("apytypes") is not None:
    PEERS["apytypes"] = apytypes_matmul


def processor() -> str:
    """Name of the processor, where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), "?")


def main() -> None:
    """Print the tables."""
    print(f"{processor()}, one thread; NumPy {np.__version__}")
    shapes = f"{ROWS} x {LENGTH} x {COLUMNS} (wide integers: {' x '.join(map(str, SMALL))})"
    print(f"\nmacsmith {version('macsmith')}: {shapes}")
    print(f"{'design':<22}{'G MAC/s':>8}  computed with")
    for text in DESIGNS:
        is_general = fast.engine_of(parse_design(text).mac, LENGTH) is fast.Engine.GENERAL
        engine, rate = ours(text, *(SMALL if is_general else (ROWS, LENGTH, COLUMNS)))
        print(f"{text:<22}{rate / 1e9:8.3f}  {engine}")

    print(f"\nrounded after each addition into 1-6-9, E4M3 operands, {' x '.join(map(str, SMALL))}")
    print(f"{'library':<22}{'G MAC/s':>8}  results that differ from macsmith's")
    config = parse_design("e4m3:e6m9").mac
    a, b = operands(config, *SMALL)
    reference = fast.matmul(config, a, b)
    _, rate = ours("e4m3:e6m9", *SMALL)
    print(f"{'macsmith':<22}{rate / 1e9:8.3f}")
    for name, run in PEERS.items():
        result = run(config, a, b)
        seconds = best_seconds(lambda run=run: run(config, a, b), 3)  # type: ignore[misc]
        differ = int((result != reference).sum())
        rate = SMALL[0] * SMALL[1] * SMALL[2] / seconds
        print(f"{f'{name} {version(name)}':<22}{rate / 1e9:8.3f}  {differ} of {reference.size}")
    print(f"\nload average {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")


if __name__ == "__main__":
    main()
