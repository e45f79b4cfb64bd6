"""Flip-flops of pipelined designs, which the cost model counts stages from: one resumable command.

    python -m macsmith.synth.register_samples run [--rounds 0] [--store FILE]
    python -m macsmith.synth.register_samples table [--store FILE] [-o FILE]

Where a generator puts the registers of stages depends on the design's logic, but not on a library:
no mapping is needed to count them, so there can be many samples. ``run`` appends a line for each
design and can be ended at any time; ``table`` writes the compact table that the model is fitted to.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from macsmith.hw.architecture import resolve_architecture
from macsmith.hw.emit import design_verilog
from macsmith.model.cost.samples import REGISTERS_FILE, read_register_counts, write_table
from macsmith.model.design import Design, parse_design
from macsmith.sim.tools import ToolError
from macsmith.synth.sample_designs import FAMILY_WEIGHTS, SEED, rough_gates
from macsmith.synth.yosys import run_yosys, tool_versions

__all__ = ["count_flip_flops", "register_designs"]

DEFAULT_STORE = Path("build/cost/registers.jsonl")
STAGES = (0, 1, 1, 1, 2, 2, 2, 3, 4)
LARGEST_LOGIC = 330
_MOST_DRAWS = 40


def register_designs(rounds: int) -> Iterator[Design]:
    """Designs of all families in turns, most of them in stages, none twice."""
    generators = {name: random.Random(f"{SEED} registers {name}") for name in FAMILY_WEIGHTS}
    seen: set[str] = set()
    for _ in range(rounds):
        for name, (draw, _weight) in FAMILY_WEIGHTS.items():
            rng = generators[name]
            for _try in range(_MOST_DRAWS):
                text = re.sub(r":(unit|stages\d)", "", draw(rng))
                stages = rng.choice(STAGES)
                try:
                    design = parse_design(f"{text}:stages{stages}" if stages else text)
                    resolve_architecture(design.mac, design.implementation)
                except ValueError:
                    continue
                if design.text not in seen and rough_gates(design) <= LARGEST_LOGIC:
                    seen.add(design.text)
                    yield design
                    break


def count_flip_flops(design: Design) -> int:
    """Flip-flops that are left when what is constant or written twice is taken away.

    Raises
    ------
    ToolError
        Yosys failed.
    """
    with tempfile.TemporaryDirectory(prefix="macsmith-") as name:
        folder = Path(name)
        (folder / "design.v").write_text(design_verilog(design), encoding="utf-8")
        run_yosys(
            (
                "read_verilog design.v",
                f"hierarchy -top {design.id}",
                "synth -flatten -run begin:map_gates",
                "simplemap",
                "tee -q -o cells.json stat -json",
            ),
            folder,
            "count",
        )
        cells = json.loads((folder / "cells.json").read_text(encoding="utf-8"))
    by_type: dict[str, int] = cells["design"]["num_cells_by_type"]
    return sum(count for kind, count in by_type.items() if "DFF" in kind)


def _kept(store: Path) -> dict[str, int]:
    """Counts of a store, whose last line may have been cut off."""
    kept: dict[str, int] = {}
    for line in store.read_text(encoding="utf-8").splitlines() if store.exists() else ():
        try:
            record = json.loads(line)
        except json.JSONDecodeError:
            continue
        kept[record["design"]] = record["flip_flops"]
    return kept


def run(store: Path, rounds: int) -> None:
    """Count those of the committed table, then newly drawn ones, as far as the store has not."""
    store.parent.mkdir(parents=True, exist_ok=True)
    kept = _kept(store)
    drawn = (design.text for design in register_designs(rounds))
    texts = dict.fromkeys([*read_register_counts(), *drawn])
    missing = [text for text in texts if text not in kept]
    print(f"{len(texts) - len(missing)} of {len(texts)} designs are counted", flush=True)
    for done, text in enumerate(missing, start=1):
        try:
            count = count_flip_flops(parse_design(text))
        except ToolError as error:  # told, kept for nobody, tried again next time
            print(f"{text}: {error}", file=sys.stderr, flush=True)
            continue
        with store.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"design": text, "flip_flops": count}) + "\n")
        print(f"{done}/{len(missing)} {text}: {count}", flush=True)


def write_counts(store: Path, path: Path) -> None:
    """Write a store as the committed table, sorted, with where it comes from."""
    kept = _kept(store)
    tools = ", ".join(f"{name} {version}" for name, version in tool_versions().items())
    comments = [
        f"flip-flops of {len(kept)} designs, drawn from the families of sample_designs; {tools}",
        "remade by: python -m macsmith.synth.register_samples run; and again with table",
    ]
    rows: list[dict[str, object]] = [
        {"design": text, "flip_flops": kept[text]} for text in sorted(kept)
    ]
    write_table(path, comments, ("design", "flip_flops"), rows)
    print(f"{len(rows)} designs in {path}")


def main() -> None:
    """Run, or write the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("run", "table"))
    parser.add_argument("--rounds", type=int, default=0, help="of new draws, beyond the table")
    parser.add_argument("--store", type=Path, default=DEFAULT_STORE)
    parser.add_argument("-o", "--output", type=Path, default=Path("model/cost") / REGISTERS_FILE)
    arguments = parser.parse_args()
    if arguments.what == "table":
        write_counts(arguments.store, arguments.output)
    else:
        run(arguments.store, arguments.rounds)


if __name__ == "__main__":
    main()
