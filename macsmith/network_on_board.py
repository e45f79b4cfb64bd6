"""A real network whose matrix products are all computed by an accelerator, and compared."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from macsmith.console import columns
from macsmith.host import Accelerator
from macsmith.hw.latency import latency_cycles
from macsmith.model import fast
from macsmith.model.accuracy.arithmetic import AnyArithmetic, Float32Array
from macsmith.model.accuracy.block_arithmetic import (
    BitExactBlockArithmetic,
    BlockMatrix,
    parse_block_scaling,
)
from macsmith.model.accuracy.quantise import Codes, Scaling, parse_scaling
from macsmith.model.accuracy.quantised import (
    BitExactArithmetic,
    BitExactInput,
    BitExactWeight,
    readable,
)
from macsmith.model.accuracy.tasks import find_task
from macsmith.model.blocks import ScaleRule
from macsmith.model.design import Design
from macsmith.model.performance import predict
from macsmith.model.tiling import make_schedule

__all__ = [
    "BoardArithmetic",
    "BoardBlockArithmetic",
    "BoardProduct",
    "check_network",
    "network_text",
    "run_network",
]

#: Sample of a task when nobody says; each is minutes on a small simulated array.
DEFAULT_SAMPLES = {"g2p": 8, "smollm2": 1}


@dataclass(frozen=True)
class BoardProduct:
    """A matrix product that was computed by the accelerator.

    `wrong` counts results that differ from the golden model's; `cycles`, `stalls` and `macs` are
    the accelerator's own counters; `predicted_cycles` are those of
    `macsmith.model.performance.predict`, for streams that are always ready.
    """

    layer: str
    m: int
    k: int
    n: int
    wrong: int
    cycles: int
    stalls: int
    macs: int
    predicted_cycles: int


class _Recorder:
    """Computes products on an accelerator, compares them, and writes down what they took."""

    def __init__(self, accelerator: Accelerator) -> None:
        self._accelerator = accelerator
        self.layer = ""
        self.products: list[BoardProduct] = []

    def matmul(
        self,
        a_codes: Codes,
        b_codes: Codes,
        *,
        a_scales: Codes | None = None,
        b_scales: Codes | None = None,
    ) -> Codes:
        """Result codes of a product, of the layer that was named last."""
        config = self._accelerator.config
        mac = config.design.mac
        results = self._accelerator.matmul_codes(
            a_codes, b_codes, a_scales=a_scales, b_scales=b_scales
        )
        counters = self._accelerator.counters()
        wanted = fast.matmul(mac, a_codes, b_codes, a_scales=a_scales, b_scales=b_scales)
        (m, k), n = a_codes.shape, b_codes.shape[1]
        prediction = predict(make_schedule(config, m, k, n), latency_cycles(config.design))
        self.products.append(
            BoardProduct(
                layer=self.layer,
                m=m,
                k=k,
                n=n,
                wrong=int((results != wanted).sum()),
                predicted_cycles=prediction.cycles,
                **counters,
            )
        )
        return results


class BoardArithmetic(BitExactArithmetic):
    """Linear layers whose sums come from an accelerator.

    Parameters
    ----------
    accelerator
        Where products are computed.
    scaling
        Rule for the scales of operands.

    Attributes
    ----------
    recorder
        What was computed, in order.
    """

    def __init__(self, accelerator: Accelerator, scaling: Scaling) -> None:
        self.recorder = _Recorder(accelerator)
        mac = accelerator.config.design.mac
        super().__init__(mac, scaling, matmul=self.recorder.matmul)

    def product(
        self, prepared_input: BitExactInput, prepared_weight: BitExactWeight
    ) -> Float32Array:
        """As the definition says, with sums from the accelerator."""
        self.recorder.layer = prepared_weight.layer
        return super().product(prepared_input, prepared_weight)


class BoardBlockArithmetic(BitExactBlockArithmetic):
    """The same for designs with block formats.

    Parameters
    ----------
    accelerator
        Where products are computed.
    rule
        For the scales of blocks.

    Attributes
    ----------
    recorder
        What was computed, in order.
    """

    def __init__(self, accelerator: Accelerator, rule: ScaleRule) -> None:
        self.recorder = _Recorder(accelerator)
        self._layers: list[tuple[BlockMatrix, str]] = []
        super().__init__(accelerator.config.design.mac, rule, matmul=self.recorder.matmul)

    def prepare_weight(self, name: str, weight: Float32Array) -> BlockMatrix:
        """Quantise weights, and remember whose they are."""
        prepared = super().prepare_weight(name, weight)
        self._layers.append((prepared, name))
        return prepared

    def product(self, prepared_input: BlockMatrix, prepared_weight: BlockMatrix) -> Float32Array:
        """As the definition says, with sums from the accelerator."""
        names = [name for matrix, name in self._layers if matrix is prepared_weight]
        self.recorder.layer = names[0]
        return super().product(prepared_input, prepared_weight)


def _arithmetics(
    accelerator: Accelerator, scaling: str
) -> tuple[BoardArithmetic | BoardBlockArithmetic, AnyArithmetic, str]:
    """On the accelerator, by the golden model, and the name of the rule for scales."""
    mac = accelerator.config.design.mac
    if mac.block is not None:
        blocks = parse_block_scaling(mac, scaling)
        golden = BitExactBlockArithmetic(mac, blocks)
        return BoardBlockArithmetic(accelerator, blocks), golden, f"block {blocks.value}"
    rule = parse_scaling(scaling)
    return BoardArithmetic(accelerator, rule), BitExactArithmetic(mac, rule), rule.value


def check_network(design: Design, task: str) -> None:
    """Whether a task's network can be sent to an accelerator of a design.

    Raises
    ------
    ValueError
        There is no such task, or the design's results are no numbers a network could go on with.
    """
    find_task(task)
    if design.mac.random_bits:
        raise ValueError(
            f"{design.text}: a network is compared with the golden model layer by layer, whose "
            f"random words are not those of an accelerator: leave {design.mac.stochastic} out"
        )
    if readable(design.mac) is not design.mac:
        raise ValueError(
            f"{design.text}: raw results of more than 63 bits are no numbers a network could go "
            "on with: state an output format, as outfp32"
        )


def run_network(
    accelerator: Accelerator,
    task: str,
    *,
    samples: int | None = None,
    scaling: str = "row",
    seed: int = 0,
    progress: Callable[[float, str], None] | None = None,
) -> dict[str, Any]:
    """Compute a task's network with every quantised product on the accelerator.

    Every product is compared with the golden model's, and so is the outcome of the whole network,
    which the golden model computes once more by itself.

    Parameters
    ----------
    accelerator
        Where products are computed.
    task
        ``g2p`` or ``smollm2``.
    samples
        Words (``g2p``, 8 by default) or predicted tokens (``smollm2``, 1).
    scaling
        Name of a rule in `macsmith.model.accuracy.quantise.SCALINGS`; of block formats, that of
        a `macsmith.model.blocks.ScaleRule`, or ``row`` for the format's own.
    seed
        Selects the sample.
    progress
        Called with the fraction done and a few words.

    Returns
    -------
    dict
        ``products``, ``macs`` (those of the network), ``results``, ``wrong``; the accelerator's
        ``cycles``, ``stalls``, ``macs_with_padding``, and ``predicted_cycles``; ``frames``,
        ``retries``, ``seconds``; ``metrics`` and ``golden_metrics`` of the task; ``layers``, the
        same sums for each layer; ``passed``: no result is wrong and the outcomes are equal.

    Raises
    ------
    ValueError
        Unknown task or scaling, a design that computes no such network, or a wrong sample size.
    MissingPackageError
        A package with the task's data is not installed.
    LinkError
        The board does not answer.
    """
    design = accelerator.config.design
    check_network(design, task)
    chosen = find_task(task)
    count = DEFAULT_SAMPLES[task] if samples is None else samples
    sample = chosen.sample(count, seed)
    on_board, by_model, rule = _arithmetics(accelerator, scaling)
    frames, retries = accelerator.link.frames, accelerator.link.retries
    start = time.monotonic()

    def tell(fraction: float) -> None:
        if progress is not None:
            progress(fraction, "on the accelerator")

    outcome = chosen.run(sample, on_board, tell)
    seconds = time.monotonic() - start
    golden = chosen.run(sample, by_model, None)
    products = on_board.recorder.products
    wrong = sum(product.wrong for product in products)
    is_equal = outcome.keys() == golden.keys() and all(
        np.array_equal(outcome[name], golden[name], equal_nan=True) for name in golden
    )
    return {
        "design": design.text,
        "a_depth": accelerator.config.a_depth,
        "b_depth": accelerator.config.b_depth,
        "task": task,
        "samples": count,
        "scaling": rule,
        "macs": on_board.work.macs,
        **_sums(products),
        "frames": accelerator.link.frames - frames,
        "retries": accelerator.link.retries - retries,
        "seconds": round(seconds, 3),
        "metrics": _finite(chosen.metrics(outcome, golden, None)),
        "golden_metrics": _finite(chosen.metrics(golden, golden, None)),
        "layers": _by_layer(products),
        "passed": wrong == 0 and is_equal,
    }


def _finite(metrics: dict[str, float]) -> dict[str, float]:
    """Figures of the network itself: the reference here is the golden model, not the float32 one,
    and a standard error of one sample is no number."""
    return {
        name: value
        for name, value in metrics.items()
        if np.isfinite(value) and not name.startswith("reference_") and "change" not in name
    }


def _sums(products: list[BoardProduct]) -> dict[str, int]:
    return {
        "products": len(products),
        "results": sum(each.m * each.n for each in products),
        "wrong": sum(each.wrong for each in products),
        "macs_with_padding": sum(each.macs for each in products),
        "cycles": sum(each.cycles for each in products),
        "stalls": sum(each.stalls for each in products),
        "predicted_cycles": sum(each.predicted_cycles for each in products),
    }


def _name(product: BoardProduct) -> str:
    return product.layer.rpartition(".")[2]


def _by_layer(products: list[BoardProduct]) -> list[dict[str, Any]]:
    """A row for each name of a layer, those of different blocks together."""
    names = dict.fromkeys(_name(each) for each in products)
    rows: list[dict[str, Any]] = []
    for name in names:
        ours = [each for each in products if _name(each) == name]
        rows.append({"layer": name, "k": ours[0].k, "n": ours[0].n, **_sums(ours)})
    return rows


def network_text(result: dict[str, Any]) -> str:
    """What `run_network` found, for people."""
    heads = ("layer", "products", "K", "N", "MACs", "cycles", "predicted", "wrong")
    keys = ("layer", "products", "k", "n", "macs_with_padding", "cycles", "predicted_cycles")
    rows = [[*(row[key] for key in keys), row["wrong"]] for row in result["layers"]]
    rows.append(
        ["all", result["products"], None, None, *(result[key] for key in keys[4:]), result["wrong"]]
    )
    figures = ", ".join(
        f"{name} {value:.6g} (golden model {result['golden_metrics'][name]:.6g})"
        for name, value in result["metrics"].items()
    )
    return "\n".join(
        [
            f"{result['design']}, {result['task']}, {result['samples']} samples: "
            f"{'PASSED' if result['passed'] else 'FAILED'}, {result['results']} results compared "
            f"with the golden model, {result['wrong']} wrong",
            columns(heads, rows),
            "cycles: the accelerator's own counter; predicted: streams that are always ready",
            figures,
            f"{result['frames']} frames, {result['retries']} sent again, {result['seconds']:.1f} s",
        ]
    )
