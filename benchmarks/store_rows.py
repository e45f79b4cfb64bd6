"""Time to load, filter and plot many results from the store.

    python benchmarks/store_rows.py [--rows 1000000] [--store DIR]

Fills a store with made-up results of synthesis in packs of 250,000 (kept under ``build/`` for the
next run), and then, in a fresh process, loads their table, filters it, takes its Pareto front in
area and delay and draws it. Also looks up single results by their key.
"""

import argparse
import json
import random
import subprocess
import sys
import time
from pathlib import Path

from macsmith.reports.packs import write_pack
from macsmith.reports.store import ResultStore, content_key

PACK_ROWS = 250_000
LOOKUPS = 2000


def determinants(number: int) -> dict[str, object]:
    """What a made-up result was computed from."""
    return {
        "design": f"e{2 + number % 5}m{1 + number // 5 % 7}:exact:lanes{1 + number // 35}",
        "technology": ("asap7", "sky130", "ihp-sg13g2")[number % 3],
        "seed": 0,
        "verilog_sha256": f"{number:064x}",
    }


def fill(store: ResultStore, rows: int) -> None:
    """Made-up records: no figure here was measured."""
    chance = random.Random(1)

    def document(number: int) -> dict[str, object]:
        area = chance.lognormvariate(4, 1)
        values = {
            "area_um2": round(area, 3),
            "area_um2_per_mac": round(area / (1 + number % 4), 3),
            "delay_ps": round(chance.lognormvariate(7, 0.4), 1),
            "energy_pj_per_mac": round(area / 300, 5),
            "leakage_nw": round(area / 7, 3),
            "recipe": ("smallest", "fastest", "balanced")[number % 3],
            "front": [{"area_um2": round(area, 3)}],
        }
        from_what = determinants(number)
        return {
            "step": "synth",
            "key": content_key("synth", from_what),
            "determinants": from_what,
            "values": values,
            "failure": None,
            "seconds": 9.5,
        }

    for start in range(0, rows, PACK_ROWS):
        numbers = range(start, min(start + PACK_ROWS, rows))
        write_pack(store.root / "synth" / "packs", map(document, numbers))


def measure(root: Path, rows: int, picture: Path) -> None:
    """Print the times as JSON."""
    times = {}
    processor = time.process_time()
    start = time.perf_counter()
    store = ResultStore(root)
    frame = store.frame("synth")
    times["load"] = time.perf_counter() - start
    assert len(frame) == rows
    start = time.perf_counter()
    chosen = frame[(frame.technology == "asap7") & (frame.area_um2 < 60) & (frame.delay_ps < 1500)]
    times["filter"] = time.perf_counter() - start
    start = time.perf_counter()
    from matplotlib.figure import Figure

    axes = Figure().add_subplot()
    axes.scatter(frame.area_um2, frame.delay_ps, s=1, rasterized=True)
    axes.scatter(chosen.area_um2, chosen.delay_ps, s=1, rasterized=True)
    axes.set(xscale="log", yscale="log", xlabel="area, um2", ylabel="delay, ps")
    axes.figure.savefig(picture)
    times["plot"] = time.perf_counter() - start
    times["all"] = sum(times.values())
    times["all, of the processor"] = time.process_time() - processor
    start = time.perf_counter()
    for number in random.Random(2).sample(range(rows), min(LOOKUPS, rows)):
        assert store.get("synth", determinants(number)) is not None
    times["one look-up"] = (time.perf_counter() - start) / min(LOOKUPS, rows)
    print(json.dumps({"rows": rows, "chosen": len(chosen), **times}))


def main() -> None:
    """Fill if need be, then measure in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--store", type=Path, default=Path("build/store_rows"))
    parser.add_argument("--measure", action="store_true", help="only measure what is there")
    options = parser.parse_args()
    root = options.store / str(options.rows)
    if options.measure:
        measure(root, options.rows, options.store / "rows.png")
        return
    if not root.exists():
        start = time.perf_counter()
        fill(ResultStore(root), options.rows)
        size = sum(path.stat().st_size for path in root.rglob("*") if path.is_file())
        print(f"filled in {time.perf_counter() - start:.0f} s, {size / 1e6:.0f} MB")
    command = [sys.executable, __file__, "--measure", f"--rows={options.rows}"]
    subprocess.run([*command, f"--store={options.store}"], check=True)


if __name__ == "__main__":
    main()
