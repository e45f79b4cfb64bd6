"""Bit-sliced multiply-add beside scalar code, in one run: values per second on one core.

    python benchmarks/bitslice.py [DESIGN ...]

`macsmith bitslice` writes the operator; `scalar_fma.h` is the same arithmetic one value at a time,
as a software library computes it (checked against the golden model first). Both add 64 products
into each of many partial sums, compiled with `cc -O3 -march=native`: `words` keeps partial sums and
operands bit-sliced, as a convolution would; `arrays` packs and unpacks around every operation.
HOBFLOPS (Garland and Gregg, arXiv 2007.06563) reports 8 times SoftFP16 for its 16-bit formats with
AVX-512 (414 against 50 million MAC/s).
"""

from __future__ import annotations

import argparse
import ctypes
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from macsmith.model import fast
from macsmith.model.design import Design, parse_design
from macsmith.model.formats import FloatFormat
from macsmith.model.widths import mac_widths
from macsmith.synth.bitslice import bitslice
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

DESIGNS = ("e5m2:e5m2", "e4m3ieee:e4m3ieee", "e4m4:e4m4", "e5m3:e5m3", "e5m2:fp16", "fp16:fp16")
WORDS = {
    "uint64_t": ([], ""),
    "AVX2": (["-DMACSMITH_AVX2"], "__AVX2__"),
    "AVX-512": (["-DMACSMITH_AVX512"], "__AVX512F__"),
}
SUMS, STEPS = 1 << 12, 64

PROGRAM = r"""
#include "{name}.h"
#include "scalar_fma.h"
#include <time.h>
typedef {in_type} in_type;
typedef {out_type} out_type;
static const scalar_format in = {{{in_format}}}, out = {{{out_format}}};
static double now(void) {{
  struct timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}}
/* a and b: [steps][sums]; y: [sums], 0 at the start; seconds */
double run_scalar(size_t sums, size_t steps, const in_type *a, const in_type *b, out_type *y) {{
  const double start = now();
  for (size_t k = 0; k < steps; ++k)
    for (size_t i = 0; i < sums; ++i)
      y[i] = (out_type)scalar_fma(in, out, a[k * sums + i], b[k * sums + i], y[i]);
  return now() - start;
}}
double run_arrays(size_t sums, size_t steps, const in_type *a, const in_type *b, out_type *y) {{
  const double start = now();
  for (size_t k = 0; k < steps; ++k) {name}_array(sums, a + k * sums, b + k * sums, y, y);
  return now() - start;
}}
double run_words(size_t sums, size_t steps, const in_type *a, const in_type *b, out_type *y) {{
  enum {{ kIn = {in_bits}, kOut = {out_bits} }};
  static ms_word x[{steps}][2][kIn];
  double spent = 0;
  for (size_t first = 0; first < sums; first += MS_LANES) {{
    ms_word sum[kOut];
    ms_pack(y + first, MS_LANES, sizeof *y, kOut, sum);
    for (size_t k = 0; k < steps; ++k) {{
      ms_pack(a + k * sums + first, MS_LANES, sizeof *a, kIn, x[k][0]);
      ms_pack(b + k * sums + first, MS_LANES, sizeof *b, kIn, x[k][1]);
    }}
    const double start = now();
    for (size_t k = 0; k < steps; ++k) {name}(x[k][0], x[k][1], sum, sum);
    spent += now() - start;
    ms_unpack(sum, kOut, sizeof *y, MS_LANES, y + first);
  }}
  return spent;
}}
"""


def c_type(bits: int) -> str:
    return "uint8_t" if bits <= 8 else "uint16_t"


def compile_program(design: Design, name: str, folder: Path, flags: list[str]) -> ctypes.CDLL:
    """The benchmark of one design for one kind of word."""
    mac, out = design.mac, mac_widths(design.mac).inner.format
    assert isinstance(mac.a, FloatFormat)
    assert isinstance(out, FloatFormat)
    text = PROGRAM.format(
        name=name, in_type=c_type(mac.a.bits), out_type=c_type(out.bits),
        in_format=f"{mac.a.exponent_bits}, {mac.a.fraction_bits}",
        out_format=f"{out.exponent_bits}, {out.fraction_bits}",
        in_bits=mac.a.bits, out_bits=out.bits, steps=STEPS,
    )  # fmt: skip
    (folder / "run.c").write_text(text)
    target = folder / f"run{''.join(flags)}.so"
    here = Path(__file__).parent
    command = ["cc", "-O3", "-march=native", "-fPIC", "-shared", f"-I{here}", *flags]
    subprocess.run([*command, "-o", str(target), "run.c"], cwd=folder, check=True)
    library = ctypes.CDLL(str(target))
    for kind in ("run_scalar", "run_arrays", "run_words"):
        getattr(library, kind).restype = ctypes.c_double
    return library


def rate(
    library: ctypes.CDLL,
    kind: str,
    a: NDArray[np.unsignedinteger],
    b: NDArray[np.unsignedinteger],
    wanted: NDArray[np.unsignedinteger],
) -> float:
    """Million multiply-adds a second, best of five; the results are those wanted."""
    best = np.inf
    for _ in range(5):
        y = np.zeros(a.shape[1], dtype=wanted.dtype)
        pointers = [ctypes.c_void_p(array.ctypes.data) for array in (a, b, y)]
        sizes = (ctypes.c_size_t(a.shape[1]), ctypes.c_size_t(a.shape[0]))
        best = min(best, getattr(library, kind)(*sizes, *pointers))
        wrong = np.flatnonzero(y != wanted)
        if wrong.size:
            raise SystemExit(
                f"{kind}: sum {wrong[0]} is {y[wrong[0]]:#x}, not {wanted[wrong[0]]:#x}"
            )
    return a.size / best / 1e6


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("design", nargs="*", default=list(DESIGNS))
    arguments = parser.parse_args()
    known = subprocess.run(
        ["cc", "-march=native", "-dM", "-E", "-x", "c", "/dev/null"],
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    table = Table(title="multiply-add, million a second on one core, and beside scalar code")
    for head in ("design", "operations", "scalar", "word", "arrays", "", "words", ""):
        table.add_column(head, justify="left" if head in ("design", "word") else "right")
    for text in arguments.design:
        design = parse_design(text)
        config = design.mac
        with tempfile.TemporaryDirectory() as folder_name:
            folder = Path(folder_name)
            made = bitslice(design, folder)
            rng = np.random.default_rng(0)
            kind = np.uint8 if config.a.bits <= 8 else np.uint16
            a, b = rng.integers(0, 1 << config.a.bits, (2, STEPS, SUMS), dtype=kind)
            # few specials, or all sums would end as NaN
            for side in (a, b):
                side &= ~kind(1 << (config.a.bits - 2))
            wanted = np.zeros(SUMS, dtype=np.uint64)
            for step in range(STEPS):
                wanted = fast.step(config, wanted, a[step], b[step])
            wanted = wanted.astype(np.uint8 if made.output["y"] <= 8 else np.uint16)
            for word, (flags, macro) in WORDS.items():
                if macro not in known:
                    continue
                library = compile_program(design, made.name, folder, flags)
                scalar, arrays, words = (
                    rate(library, f"run_{kind}", a, b, wanted)
                    for kind in ("scalar", "arrays", "words")
                )
                operations = made.table_operations if word == "AVX-512" else made.gate_operations
                table.add_row(
                    text, f"{operations}", f"{scalar:,.0f}", word, f"{arrays:,.0f}",
                    f"{arrays / scalar:.1f} x", f"{words:,.0f}", f"{words / scalar:.1f} x",
                )  # fmt: skip
        table.add_section()
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
