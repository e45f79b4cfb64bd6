"""What `macsmith board` does: run an accelerator and compare it with the golden model."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from macsmith.host import Accelerator
from macsmith.model import fast
from macsmith.model.accelerator import AcceleratorConfig
from macsmith.model.design import Design
from macsmith.model.schedule import make_schedule
from macsmith.model.schedule_random import schedule_words
from macsmith.model.widths import mac_widths
from macsmith.sim.simulated_board import SimulatedBoard, build_board

__all__ = ["check_products", "product_shapes", "simulated"]

#: Seconds after which a request is sent again: a simulation is slower than a board.
SIMULATION_TIMEOUT_SECONDS = 5.0


@contextlib.contextmanager
def simulated(
    design: Design, depth: int, directory: Path, tell: Callable[[str], None]
) -> Iterator[SimulatedBoard]:
    """A simulated board with this design, built in `directory`, running.

    Raises
    ------
    ValueError
        The accelerator cannot be built.
    ToolError, MissingToolError, YosysError
        A tool failed or is missing.
    """
    config = AcceleratorConfig(design, depth, depth)
    tell(f"building the simulated board of {design.text} in {directory}")
    board = SimulatedBoard(build_board(config, directory))
    try:
        yield board
    finally:
        board.close()


def product_shapes(config: AcceleratorConfig) -> list[tuple[int, int, int]]:
    """M, K, N that use an accelerator's parts: one beat, whole tiles, ragged ones, a sum longer
    than a bank where the accumulator allows it."""
    rows, columns, lanes = config.rows, config.columns, config.lanes
    depth = min(config.a_depth, config.b_depth)
    limit = mac_widths(config.design.mac).max_terms
    longest = depth + 3 if limit is None else min(depth + 3, limit // lanes)
    beats = min(longest, 16)
    return [
        (1, lanes, 1),
        (rows, beats * lanes, columns),
        (3 * rows + 1, beats * lanes, 2 * columns + 1),
        (rows, longest * lanes, columns + 1),
    ]


def check_products(
    accelerator: Accelerator,
    *,
    seed: int,
    progress: Callable[[float, str], None] | None = None,
) -> dict[str, Any]:
    """Send random codes, specials among them, and compare every result bit.

    Returns
    -------
    dict
        `products`: shape, seconds, wrong results and counters of each; `results`, `wrong`,
        `frames`, `retries`, `passed`.

    Raises
    ------
    LinkError
        The board does not answer.
    """
    config = accelerator.config
    mac = config.design.mac
    rng = np.random.default_rng(seed)
    shapes = product_shapes(accelerator.config)
    products: list[dict[str, Any]] = []
    for index, (m, k, n) in enumerate(shapes):
        if progress is not None:
            progress(index / len(shapes), f"{m} x {k} by {k} x {n}")
        a = rng.integers(0, 1 << mac.a.bits, (m, k), dtype=np.uint32)
        b = rng.integers(0, 1 << mac.b.bits, (k, n), dtype=np.uint32)
        blocks = -(-k // mac.block) if mac.block else 0
        sides = (("a", mac.a_scale, (m, blocks)), ("b", mac.b_scale, (blocks, n)))
        scales: dict[str, npt.ArrayLike] = {
            side: rng.integers(0, 1 << fmt.bits, shape, dtype=np.uint32)
            for side, fmt, shape in sides
            if fmt is not None
        }
        a_scales, b_scales = scales.get("a"), scales.get("b")
        start = time.monotonic()
        results = accelerator.matmul_codes(a, b, a_scales=a_scales, b_scales=b_scales)
        seconds = time.monotonic() - start
        words = schedule_words(make_schedule(config, m, k, n)) if mac.random_bits else None
        wanted = fast.matmul(mac, a, b, words, a_scales, b_scales)
        products.append(
            {
                "m": m,
                "k": k,
                "n": n,
                "seconds": round(seconds, 3),
                "results": m * n,
                "wrong": int((results != wanted).reshape(m * n, -1).any(axis=1).sum()),
                **accelerator.counters(),
            }
        )
    wrong = sum(product["wrong"] for product in products)
    return {
        "design": accelerator.config.design.text,
        "a_depth": accelerator.config.a_depth,
        "b_depth": accelerator.config.b_depth,
        "products": products,
        "results": sum(product["results"] for product in products),
        "wrong": wrong,
        "frames": accelerator.link.frames,
        "retries": accelerator.link.retries,
        "passed": wrong == 0,
    }
