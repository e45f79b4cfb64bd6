"""Time and figures of the accuracy tasks: `python benchmarks/accuracy.py [--full]`.

Prints one line per task, operand formats and way of summing: the figures, CPU seconds, and G MAC/s
(10**9 multiply-accumulates of linear layers per CPU second, everything around them included).
Nothing is read from a cache. A bit-exact line computes the exactly summed run of the same sample
too; its time is given without it.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

from macsmith.model.accuracy import cache
from macsmith.model.accuracy.tasks import evaluate, find_task
from macsmith.model.design import parse_design

EXACT = ("e4m3", "e5m2", "e4m3xe5m2", "e3m2", "e2m3", "e2m1", "int8", "int6", "int4")
SHORT_EXACT = ("e4m3", "int8", "e2m1")
TENSOR = ("e4m3", "int8")
BIT_EXACT = (
    *("e4m3:exact", "e4m3:e6m9", "e4m3:e6m9/64", "e4m3:e6m5", "e4m3:e6m5/64"),
    *("e4m3:bf16", "e4m3:bf16/64", "e4m3:e6m9:rtz", "e5m2:e6m9", "e5m2:e6m9/64", "int8:int32"),
)
SHORT_BIT_EXACT = ("e4m3:e6m9/64", "e4m3:e6m5", "int8:int32")


def measure(task: str, text: str, scaling: str, accumulation: str) -> None:
    """Evaluate once and print a line."""
    design = parse_design(text)
    if accumulation == "bit-exact":  # so that only the bit-exact run is timed
        tokens = find_task(task).default_bit_exact_tokens
        evaluate(task, design, scaling=scaling, tokens=tokens)
    else:
        evaluate(task, parse_design("fp32:exact"), scaling=scaling)
    wall, processor = time.perf_counter(), time.process_time()
    result = evaluate(task, design, scaling=scaling, accumulation=accumulation)
    processor = time.process_time() - processor
    wall = time.perf_counter() - wall
    metrics = result.metrics
    if task == "smollm2":
        figures = (
            f"{metrics['nll_change_per_token']:+.4f} +- "
            f"{metrics['nll_change_standard_error']:.4f} nats/token"
        )
        if accumulation == "bit-exact":
            figures += (
                f", accumulator alone {metrics['accumulator_nll_change_per_token']:+.4f} +- "
                f"{metrics['accumulator_nll_change_standard_error']:.4f}"
            )
    else:
        figures = (
            f"phonemes {metrics['phoneme_error_percent']:.1f} %, "
            f"words {metrics['word_error_percent']:.1f} %"
        )
    if accumulation == "bit-exact":
        figures += f", sums off by {metrics['accumulator_relative_rms_error']:.1e}"
    speed = int(result.provenance["macs"]) / 1e9 / processor
    print(
        f"{task:8} {text:16} {scaling:7} {accumulation:10} {figures:85} "
        f"{processor:6.1f} CPU-s {wall:6.1f} s {speed:6.1f} G MAC/s",
        flush=True,
    )


def main() -> None:
    """Run the measurements."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--full", action="store_true", help="all formats and accumulators")
    full = parser.parse_args().full
    with tempfile.TemporaryDirectory() as folder:
        cache.cache_folder = lambda: Path(folder)
        print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")
        for task in ("g2p", "smollm2"):
            for formats in EXACT if full else SHORT_EXACT:
                measure(task, f"{formats}:exact", "row", "exact")
            for formats in TENSOR if full else ():
                measure(task, f"{formats}:exact", "tensor", "exact")
            for text in BIT_EXACT if full else SHORT_BIT_EXACT:
                measure(task, text, "row", "bit-exact")


if __name__ == "__main__":
    main()
