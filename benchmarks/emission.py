"""Time and size of emitted arrays.

    python benchmarks/emission.py [ELEMENT]

Emits square arrays of one processing element (``e4m3:exact`` unless said otherwise) and prints how
long it took, from design text to Verilog text, and what each further element adds. Nothing is
asserted; the aims are 32x32 in 2 s, 64x64 in 6 s, and 400 bytes for each further element.
"""

import argparse
import time

from macsmith.hw.emit import design_verilog
from macsmith.model.design import parse_design

SIZES = (1, 2, 4, 8, 16, 32, 64)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("element", nargs="?", default="e4m3:exact", help="design of one element")
    element = parser.parse_args().element
    print(
        f"{'design':<24} {'elements':>8} {'seconds':>8} {'bytes':>9} {'bytes/further element':>22}"
    )
    before: tuple[int, int] | None = None
    for size in SIZES:
        design = parse_design(element if size == 1 else f"{element}:{size}x{size}")
        start = time.perf_counter()
        length = len(design_verilog(design))
        seconds = time.perf_counter() - start
        elements = size * size
        added = "" if before is None else f"{(length - before[1]) / (elements - before[0]):.0f}"
        print(f"{design.text:<24} {elements:>8} {seconds:>8.2f} {length:>9} {added:>22}")
        before = elements, length


if __name__ == "__main__":
    main()
