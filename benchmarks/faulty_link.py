"""Random products over a bad line: does a wrong result ever come back, does the link recover?

``python benchmarks/faulty_link.py [FRAMES] [RATE] [DESIGN]``; 10,000 frames take some minutes.
"""

import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import serial
from macsmith.model import fast
from macsmith.model.accelerator import AcceleratorConfig
from macsmith.model.design import parse_design
from macsmith.sim.faulty_link import FaultyLink
from macsmith.sim.simulated_board import SimulatedBoard, build_board

from macsmith.host import Accelerator


def main(frames: int = 10_000, rate: float = 0.2, text: str = "int8:int24:2x3") -> None:
    """Print a table of faults and what became of the products."""
    design = parse_design(text)
    mac = design.mac
    rng = np.random.default_rng(1)
    with tempfile.TemporaryDirectory(prefix="macsmith-") as scratch:
        board = SimulatedBoard(build_board(AcceleratorConfig(design, 16, 16), Path(scratch) / "b"))
        line = serial.Serial(board.port, timeout=0.002)
        faulty = FaultyLink(line.read, line.write, line.close, rate=rate, seed=1, reset=board.reset)
        products = wrong = 0
        start = time.monotonic()
        with Accelerator.connect(faulty, design, timeout_seconds=0.1, attempts=200) as accelerator:
            link = accelerator.link
            while link.frames < frames:
                m, k, n = (int(size) for size in rng.integers(1, 8, 3))
                k *= mac.lanes
                a = rng.integers(0, 1 << mac.a.bits, (m, k), dtype=np.uint32)
                b = rng.integers(0, 1 << mac.b.bits, (k, n), dtype=np.uint32)
                results = accelerator.matmul_codes(a, b)
                wrong += int((results != fast.matmul(mac, a, b)).any())
                products += 1
                if products % 100 == 0:
                    print(f"{link.frames} of {frames} frames", file=sys.stderr, flush=True)
        seconds = time.monotonic() - start
        board.close()
    print("| frames sent | sent again | " + " | ".join(faulty.counts) + " | products | wrong |")
    print("|---" * (4 + len(faulty.counts)) + "|")
    counts = " | ".join(str(count) for count in faulty.counts.values())
    print(f"| {link.frames} | {link.retries} | {counts} | {products} | {wrong} |")
    print(f"{seconds:.0f} s, {text}, something happened to {rate:.0%} of the frames each way")
    if wrong:
        sys.exit(1)


if __name__ == "__main__":
    arguments = sys.argv[1:]
    main(
        int(arguments[0]) if arguments else 10_000,
        float(arguments[1]) if len(arguments) > 1 else 0.2,
        arguments[2] if len(arguments) > 2 else "int8:int24:2x3",
    )
