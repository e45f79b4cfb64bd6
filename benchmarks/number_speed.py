"""The speeds that the fast golden model is held to, beside the fastest peers, in one run.

    python benchmarks/number_speed.py [FILE.csv]

One thread, processor time, best of several runs. Peers are measured where they are installed:
ml_dtypes and gfloat are needed by the tests; PyTorch, torchao and APyTypes are not. Each row says
how many of the peer's results are not ours. Matrix products of peers that round after each addition
are on a smaller matrix; those of NumPy and PyTorch round as they like and are there as what the
machine can do.
"""

# ruff: noqa: E402 - the number of threads has to be set before NumPy is imported

from __future__ import annotations

import os

for variable in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ[variable] = "1"

import csv
import importlib.util
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import astuple, dataclass, fields
from importlib.metadata import version
from typing import Any

import gemm
import ml_dtypes
import numpy as np
from gfloat import encode_ndarray, round_ndarray
from gfloat.formats import format_info_ocp_e4m3
from macsmith.model import fast, fast_blocks
from macsmith.model.config import MacConfig
from macsmith.model.design import parse_design

NUMBERS = 1 << 21
BLOCKS = (2048, 1024)
PRODUCT = (256, 1024, 512)
PEER_PRODUCT = (64, 256, 64)

#: One design of each kind of accumulator that a matrix product rounds to.
RUN_TIME_DESIGNS = (
    "e4m3:e6m9",
    "e5m2:e6m9:rtz",
    "e4m3:e6m5:rup",
    "e4m3:e7m11:rdn",
    "e4m3:e6m9:rna",
    "e4m3:e6m9:rto",
    "e4m3:e6m9:sr8",
    "e5m2:e6m9:lanes4",
    "bf16:bf16",
    "bf16:fp32:lanes4",
    "fp16:fp32",
    "fp32:fp32",
    "fp32:fp32:rna",
    "fp32:fp32:lanes4",
    "fp32:fp32:sr8",
    "e4m3:fp32_aligned25:lanes8",
    "fp16:h100",
    "e4m3:fp16:mulfp16",
    "e4m3:e5m0",
    "posit8:posit16",
    "fp32:exact",
)


@dataclass(frozen=True)
class Row:
    """One speed, in numbers or multiply-accumulates a second."""

    bar: str
    work: str
    library: str
    giga_per_second: float
    differ: str


def has(module: str) -> bool:
    """Whether a peer is installed."""
    return importlib.util.find_spec(module) is not None


def rate(run: Callable[[], object], count: int, repeats: int = 7) -> float:
    """Units a second of processor time, in 1e9."""
    run()
    best = float("inf")
    for _ in range(repeats):
        start = time.process_time()
        run()
        best = min(best, time.process_time() - start)
    return count / best / 1e9


def differing(ours: Any, theirs: Any) -> str:
    """How many results are not ours."""
    return f"{int((np.asarray(ours) != np.asarray(theirs)).sum())} of {np.asarray(ours).size}"


def named(library: str) -> str:
    """A library with its version."""
    return f"{library} {version(library)}"


def rounding_rows() -> Iterator[Row]:
    """Rounding to 8 bits and less: 0.3 G numbers a second."""
    bar = "round to <= 8 bits: 0.3"
    values = np.random.default_rng(0).normal(size=NUMBERS) * 4
    single = values.astype(np.float32)
    for name in ("e4m3", "e5m2", "e2m1", "int8"):
        for source, what in ((single, "binary32"), (values, "binary64")):
            found = rate(lambda name=name, source=source: fast.encode(name, source), NUMBERS)
            yield Row(bar, f"{what} to {name}", "macsmith", found, "")
    ours = fast.encode("e4m3", single)
    dtype = np.dtype(ml_dtypes.float8_e4m3fn)
    found = rate(lambda: single.astype(dtype), NUMBERS)
    cast = single.astype(dtype).view(np.uint8)
    yield Row(bar, "binary32 to e4m3", named("ml_dtypes"), found, differing(ours, cast))
    info = format_info_ocp_e4m3
    few = values[: NUMBERS // 16]

    def both() -> Any:
        return encode_ndarray(info, round_ndarray(info, few))

    found = rate(both, few.size, 2)
    differ = differing(fast.encode("e4m3", few), both())
    yield Row(bar, "binary64 to e4m3", named("gfloat"), found, differ)
    if has("torch"):
        import torch

        torch.set_num_threads(1)
        tensor = torch.from_numpy(single)
        for name, kind in (("e4m3", torch.float8_e4m3fn), ("e5m2", torch.float8_e5m2)):
            found = rate(lambda kind=kind: tensor.to(kind), NUMBERS)
            theirs = tensor.to(kind).view(torch.uint8).numpy()
            differ = differing(fast.encode(name, single), theirs)
            yield Row(bar, f"binary32 to {name}", named("torch"), found, differ)


def block_rows() -> Iterator[Row]:
    """Quantising blocks: 0.1 G values a second."""
    bar = "quantise blocks: 0.1"
    values = np.random.default_rng(0).standard_normal(BLOCKS, dtype=np.float32)
    for name in ("mxfp8_e4m3", "mxfp6_e2m3", "mxfp4", "mxint8", "nvfp4", "nvfp4_ue5m3", "vsq4"):
        found = rate(lambda name=name: fast_blocks.quantise(name, values), values.size)
        yield Row(bar, name, "macsmith", found, "")
    if has("torchao"):
        import torch
        from torchao.prototype.mx_formats.mx_tensor import to_mx
        from torchao.prototype.mx_formats.nvfp4_tensor import NVFP4Tensor

        torch.set_num_threads(1)
        tensor = torch.from_numpy(values)
        found = rate(lambda: to_mx(tensor, torch.float8_e4m3fn, 32), values.size, 3)
        codes = to_mx(tensor, torch.float8_e4m3fn, 32)[1].view(torch.uint8).numpy()
        ours = fast_blocks.quantise("mxfp8_e4m3", values).codes
        differ = differing(ours, codes.reshape(values.shape))
        yield Row(bar, "mxfp8_e4m3", named("torchao"), found, differ)
        found = rate(lambda: NVFP4Tensor.to_nvfp4(tensor), values.size, 3)
        yield Row(bar, "nvfp4", named("torchao"), found, "not compared: packed otherwise")


def gfloat_chunks(config: MacConfig, a: gemm.Codes, b: gemm.Codes) -> gemm.Codes:
    """Chunks of 64 products in 1-6-9, added in 1-6-9, by gfloat."""
    total = np.zeros((a.shape[0], b.shape[1]))
    info = gemm.gfloat_e6m9()
    for at in range(0, a.shape[1], 64):
        part = gemm.gfloat_matmul(config, a[:, at : at + 64], b[at : at + 64])
        total = round_ndarray(info, total + fast.decode("e6m9", part))
    return fast.encode("e6m9", total).astype(np.uint32)


def apytypes_chunks(config: MacConfig, a: gemm.Codes, b: gemm.Codes) -> gemm.Codes:
    """The same by APyTypes."""
    parts = [
        fast.decode("e6m9", gemm.apytypes_matmul(config, a[:, at : at + 64], b[at : at + 64]))
        for at in range(0, a.shape[1], 64)
    ]
    total = np.zeros(parts[0].shape)
    for part in parts:  # a small share of the work: any way of rounding will do
        total = fast.quantise("e6m9", total + part)
    return fast.encode("e6m9", total).astype(np.uint32)


def product_rate(text: str, shape: tuple[int, int, int] = PRODUCT) -> float:
    """G MAC a second of a design."""
    config = parse_design(text).mac
    a, b = gemm.operands(config, *shape)
    return rate(lambda: fast.matmul(config, a, b), shape[0] * shape[1] * shape[2], 5)


def peer_products(bar: str, text: str, peers: dict[str, Callable[..., Any]]) -> Iterator[Row]:
    """Peers that round as the design does, on a small matrix, and we on the same."""
    config = parse_design(text).mac
    a, b = gemm.operands(config, *PEER_PRODUCT)
    count = PEER_PRODUCT[0] * PEER_PRODUCT[1] * PEER_PRODUCT[2]
    ours = fast.matmul(config, a, b)
    size = " x ".join(map(str, PEER_PRODUCT))
    yield Row(bar, f"{text}, {size}", "macsmith", product_rate(text, PEER_PRODUCT), "")
    for library, run in peers.items():
        found = rate(lambda run=run: run(config, a, b), count, 2)
        yield Row(bar, f"{text}, {size}", named(library), found, differing(ours, run(config, a, b)))


def product_rows() -> Iterator[Row]:
    """Matrix products."""
    chunks = {"gfloat": gfloat_chunks}
    if has("apytypes"):
        chunks["apytypes"] = apytypes_chunks
    bar = "E4M3 in chunks of 1-6-9: 3"
    yield Row(bar, "e4m3:e6m9/64", "macsmith", product_rate("e4m3:e6m9/64"), "")
    yield from peer_products(bar, "e4m3:e6m9/64", chunks)
    bar = "any format at run time: 2"
    for text in RUN_TIME_DESIGNS:
        yield Row(bar, text, "macsmith", product_rate(text), "")
    yield from peer_products(bar, "e4m3:e6m9", gemm.PEERS)
    bar = "exact E4M3: 10"
    yield Row(bar, "e4m3:exact", "macsmith", product_rate("e4m3:exact"), "")
    config = parse_design("e4m3:exact").mac
    a, b = gemm.operands(config, *PRODUCT)
    x, y = fast.decode(config.a, a), fast.decode(config.b, b)
    ours = fast.decode("fp32", fast.matmul(config, a, b))
    count = PRODUCT[0] * PRODUCT[1] * PRODUCT[2]
    for dtype in (np.float64, np.float32):
        left, right = x.astype(dtype), y.astype(dtype)
        found = rate(lambda left=left, right=right: left @ right, count)
        differ = differing(ours, (left @ right).astype(np.float32))
        yield Row(bar, f"numbers as {np.dtype(dtype).name}", named("numpy"), found, differ)
    if has("torch"):
        import torch

        torch.set_num_threads(1)
        left, right = torch.from_numpy(x), torch.from_numpy(y)
        found = rate(lambda: left @ right, count)
        differ = differing(ours, (left @ right).numpy().astype(np.float32))
        yield Row(bar, "numbers as float64", named("torch"), found, differ)


def main() -> None:
    """Print the table; write it where a file is named."""
    print(f"{gemm.processor()}, one thread, load average {os.getloadavg()[0]:.1f}")
    missing = [name for name in ("torch", "torchao", "apytypes") if not has(name)]
    if missing:
        print(f"not installed, so not measured: {', '.join(missing)}")
    rows = []
    for part in (rounding_rows, block_rows, product_rows):
        for row in part():
            rows.append(row)
            print(
                f"{row.bar:<28}{row.work:<32}{row.library:<18}{row.giga_per_second:9.4f}"
                f"  {row.differ}",
                flush=True,
            )
    if len(sys.argv) > 1:
        with open(sys.argv[1], "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow([field.name for field in fields(Row)])
            for row in rows:
                writer.writerow([*astuple(row)[:3], f"{row.giga_per_second:.4f}", row.differ])


if __name__ == "__main__":
    main()
