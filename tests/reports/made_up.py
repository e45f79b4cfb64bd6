"""Made-up rows for tests of tables, pictures and pages: no figure here was measured."""

from __future__ import annotations

import itertools
import random
from typing import Any

from macsmith.model.design import parse_design
from macsmith.reports.sweep import default_sweep_path, load_sweep

ENERGY_SHARES = {"multiply": 0.2, "accumulate": 0.5, "clock": 0.3}


MODULE_SHARES = {"core": 0.3, "align": 0.5, "round": 0.2}


def made_up_module_areas(rows: list[dict[str, Any]]) -> dict[tuple[str, str], dict[str, Any]]:
    """Area by module of each row that has an area; the aligner occurs twice."""
    return {
        (row["design"], row["technology"]): {
            f"{row['design_id']}_{name}": {
                "instances": 1 + (name == "align"),
                "own_area_um2": share * row["area_um2_per_mac"] / (1 + (name == "align")),
            }
            for name, share in MODULE_SHARES.items()
        }
        for row in rows
        if "area_um2_per_mac" in row
    }


def made_up_rows(technologies: tuple[str, ...] = ("asap7", "ice40")) -> list[dict[str, Any]]:
    """A row for each design of the default sweep, one of them failed, one unchecked."""
    random.seed(1)
    rows: list[dict[str, Any]] = []
    base = {"e4m3": 0.019, "e5m2": 0.105, "e4m3xe5m2": 0.06, "e3m2": 0.085, "e2m3": 0.111}
    base |= {"e2m1": 3.5, "int8": 0.03, "int6": 0.405, "int4": 6.2}
    base |= {"mxfp8_e4m3": 0.077, "mxint8": 0.007, "mxfp4": 1.53, "nvfp4": 0.398}
    size = {"e4m3": 48.0, "e5m2": 55.0, "e4m3xe5m2": 51.0, "e3m2": 27.0, "e2m3": 26.0}
    size |= {"e2m1": 14.0, "int8": 49.0, "int6": 30.0, "int4": 17.0}
    size |= {"mxfp8_e4m3": 58.0, "mxint8": 50.0, "mxfp4": 36.0, "nvfp4": 40.0}
    for technology in technologies:
        for design in load_sweep(default_sweep_path()).designs:
            operands, accumulator = design.text.split(":")[:2]
            loss = {"e6m5": 0.331, "e6m5/64": 0.02, "e6m9/64": 0.01}.get(accumulator, 0.0)
            area = size[operands] * {"exact": 1.0, "e6m9": 0.82, "e6m5": 0.6}.get(accumulator, 0.95)
            own = base[operands] + loss + random.gauss(0, 0.003)
            row: dict[str, Any] = {
                "design": design.text,
                "design_id": design.id,
                "operands": operands,
                "accumulator": accumulator,
                "lanes": 1,
                "scaling": "tensor" if operands == "e4m3" else "row",
                "technology": technology,
                "checked": "65536 operand pairs, 204800 results",
                "finished_unix_s": 1.7e9 + 40.0 * len(rows),
                "checked_results": 204800,
                "smollm2_nll_change_per_token": own,
                "smollm2_nll_change_standard_error": 0.01 + own / 20,
                "smollm2_exact_sums_nll_change_per_token": base[operands],
                "smollm2_exact_sums_nll_change_standard_error": 0.003 + base[operands] / 50,
                "g2p_phoneme_error_percent": 10.2 + own / 2,
                "g2p_reference_phoneme_error_percent": 10.2,
                "verilog": f"verilog/{design.id}.v",
            }
            if technology == "ice40":
                row |= {"lut4_per_mac": area * 5, "carry_per_mac": 50, "flip_flops_per_mac": 48}
            else:
                row |= {
                    "area_um2_per_mac": area,
                    "delay_ps": 2500.0 - area * 10,
                    "energy_pj_per_mac": area / 300,
                    "recipe": "smallest",
                    **{
                        f"{part}_energy_pj_per_mac": share * area / 300
                        for part, share in ENERGY_SHARES.items()
                    },
                    "uniform_energy_pj_per_mac": area / 280,
                    "idle_energy_pj_per_mac": area / 1200,
                }
            rows.append(row)
    rows[3]["checked"] = "unchecked"
    del rows[3]["checked_results"]
    for column in ("area_um2_per_mac", "delay_ps", "energy_pj_per_mac"):
        rows[5].pop(column)
    rows[5]["failure"] = "synth: yosys: ABC ended with signal 9 <no memory & no luck>"
    assert parse_design(rows[5]["design"])
    return rows


def many_rows(count: int) -> list[dict[str, Any]]:
    """Very many designs with figures that follow their widths, with some scatter."""
    chance = random.Random(2)
    formats = [f"e{e}m{m}" for e in range(2, 6) for m in range(1, 6)]
    operands = formats + [f"{a}x{b}" for a in formats[:10] for b in formats[10:]]
    accumulators = ("exact", "e5m8", "e6m5", "e6m9", "e8m7", "e6m9/32", "e6m9/64", "e8m23")
    options = [
        f":lanes{n}{stages}" for n in (2, 4, 8, 16) for stages in ("", ":stages1", ":stages2")
    ]
    texts = itertools.product(operands, accumulators, options)
    rows: list[dict[str, Any]] = []
    for text in itertools.islice(map("{0[0]}:{0[1]}{0[2]}".format, texts), count):
        design = parse_design(text)
        bits = design.mac.a.bits + design.mac.b.bits
        area = 0.2 * bits**2 * chance.uniform(0.7, 1.5)
        loss = 30 * 2.0 ** (-bits / 2) * chance.uniform(0.5, 2)
        rows.append(
            {
                "design": design.text,
                "design_id": design.id,
                "operands": design.text.split(":")[0],
                "accumulator": design.text.split(":")[1],
                "technology": "asap7",
                "checked": "65536 operand pairs, 204800 results",
                "checked_results": 204800,
                "smollm2_nll_change_per_token": loss,
                "smollm2_nll_change_standard_error": loss / 20,
                "area_um2_per_mac": area,
                "delay_ps": 3000 - area,
                "energy_pj_per_mac": area / 300,
                **{
                    f"{part}_energy_pj_per_mac": s * area / 300 for part, s in ENERGY_SHARES.items()
                },
                "finished_unix_s": 1.7e9 + len(rows),
            }
        )
    assert len(rows) == count
    return rows
