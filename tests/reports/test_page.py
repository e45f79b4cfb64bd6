"""The report page: its data, that it needs no network, and that it works in a real browser."""

from __future__ import annotations

import html
import json
import math
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from macsmith.model.design import load_designs, parse_design
from macsmith.model.widths import mac_widths
from macsmith.reports.page import front_indices, page_data, render_page
from macsmith.reports.pareto import hypervolume
from macsmith.reports.sweep import load_sweep
from made_up import ENERGY_SHARES, MODULE_SHARES, made_up_module_areas, made_up_rows, many_rows

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)

AREA, ENERGY = "area_um2_per_mac", "energy_pj_per_mac"
NLL = "smollm2_nll_change_per_token"


def render(rows: list[dict[str, Any]]) -> str:
    return render_page(
        rows,
        title="Made up & <tested>",
        provenance={"Sweep": "none <of> it"},
        notes=[{"title": "Area", "text": "is made up"}],
        technology_labels={"asap7": "ASAP7"},
        module_areas=made_up_module_areas(rows),
    )


def test_fronts_are_those_of_the_definition() -> None:
    rows = made_up_rows()
    for cost in (AREA, ENERGY):
        here = [
            index
            for index, row in enumerate(rows)
            if row["technology"] == "asap7" and cost in row and NLL in row
        ]
        expected = [
            index
            for index in here
            if not any(
                rows[other][cost] <= rows[index][cost]
                and rows[other][NLL] <= rows[index][NLL]
                and (rows[other][cost], rows[other][NLL]) != (rows[index][cost], rows[index][NLL])
                for other in here
            )
        ]
        assert 1 < len(expected) < len(here)
        assert front_indices(rows, "asap7", NLL, cost) == expected


def test_a_missing_metric_is_absent_from_the_data() -> None:
    rows = made_up_rows()
    rows[0][AREA] = float("nan")
    rows[1][AREA] = None
    data = page_data(rows, {})
    assert data["columns"][AREA][:2] == [None, None]
    assert data["columns"][AREA][2] == pytest.approx(rows[2][AREA], rel=1e-5)
    assert "failure" in data["columns"]
    assert data["columns"]["failure"]["codes"][0] == -1
    assert data["costs"][0]["technologies"] == ["asap7"]


def test_the_page_needs_no_network_and_escapes_texts() -> None:
    rows = made_up_rows()
    rows[2]["failure"] = "</script><b>synth"
    page = render(rows)
    head_and_body = re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)
    assert not re.search(r"""(src|href)=["']?(https?:)?//""", head_and_body)
    assert "<link" not in head_and_body
    assert "@import" not in head_and_body
    assert "Made up &amp; &lt;tested&gt;" in page
    assert "none &lt;of&gt; it" in page
    match = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert match is not None
    assert "</script><b>synth" in json.loads(match[1])["columns"]["failure"]["texts"]


def test_the_same_rows_give_the_same_page() -> None:
    assert render(made_up_rows()) == render(made_up_rows())


def test_a_page_without_rows_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1 row, not 0"):
        render([])


PROBE = Path(__file__).with_name("probe.js")
_BROWSER_FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"),
    *("--disable-quic", "--disable-background-networking", "--disable-component-update"),
    *("--disable-sync", "--window-size=1400,1900", "--virtual-time-budget=8000", "--dump-dom"),
)


def browse(page_text: str, probe: str, folder: Path) -> dict[str, Any]:
    """What a probe script that runs in the page leaves in its ``pre`` element, as JSON."""
    assert CHROMIUM is not None
    page = folder / "index.html"
    with_probe = page_text.replace("<script", f"<script>{probe}</script><script", 1)
    page.write_text(with_probe, encoding="utf-8")
    done = subprocess.run(
        [CHROMIUM, *_BROWSER_FLAGS, f"--user-data-dir={folder / 'profile'}", page.as_uri()],
        capture_output=True,
        text=True,
        timeout=240,
        check=True,
    )
    match = re.search(r'<pre id="probe">(.*?)</pre>', done.stdout, re.DOTALL)
    assert match is not None, done.stderr[-2000:]
    result = json.loads(html.unescape(match[1]))
    assert isinstance(result, dict)
    return result


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a reader of the made-up report sees and does, in one visit."""
    if CHROMIUM is None:
        pytest.skip("no Chromium on PATH")
    folder = tmp_path_factory.mktemp("browser")
    return browse(render(made_up_rows()), PROBE.read_text(encoding="utf-8"), folder)


def asap7_rows() -> list[dict[str, Any]]:
    return [row for row in made_up_rows() if row["technology"] == "asap7"]


def designs_of(rows: list[dict[str, Any]]) -> set[str]:
    return {row["design"] for row in rows}


def front_of(rows: list[dict[str, Any]]) -> set[str]:
    """Designs on the front of either chart, by the definition in Python."""
    fronts = (front_indices(rows, "asap7", NLL, cost) for cost in (ENERGY, AREA))
    return {rows[index]["design"] for front in fronts for index in front}


def test_the_page_draws_all_designs_without_network(seen: dict[str, Any]) -> None:
    rows, asap7 = made_up_rows(), asap7_rows()
    assert seen["errors"] == []
    assert seen["network"] == []
    assert seen["ready"] == str(len(rows))
    assert seen["rows"] == len(asap7)
    drawn = sum(AREA in row for row in asap7)
    assert seen["points"] == [drawn, drawn, len(asap7)]
    priced = sum(ENERGY in row for row in asap7)
    assert seen["bars"] == priced * len(ENERGY_SHARES)
    assert seen["energyMarks"] == 2 * priced  # uniform and idle
    assert seen["energyHidden"] == [False, True]  # an FPGA has no energy
    assert seen["labels"] > 3
    assert "verilog/e4m3_exact.v" in seen["links"]
    assert "no memory & no luck" in seen["text"]
    assert "unchecked" in seen["text"]


def test_the_table_sorts_and_filters(seen: dict[str, Any]) -> None:
    asap7 = asap7_rows()
    areas = sorted((row[AREA], row["design"]) for row in asap7 if AREA in row)
    missing = next(row["design"] for row in asap7 if AREA not in row)
    assert seen["byArea"][0] == areas[0][1]
    assert seen["byAreaDown"][0] == areas[-1][1]
    assert seen["byArea"][-1] == seen["byAreaDown"][-1] == missing
    assert set(seen["filtered"]) == {
        row["design"] for row in asap7 if "e5m2" in row["design"] and "/64" in row["design"]
    }
    assert set(seen["front"]) == front_of(asap7)


def test_constraints_choose_designs_and_their_front(seen: dict[str, Any]) -> None:
    asap7 = asap7_rows()
    assert seen["limits"] == [ENERGY, AREA, "delay_ps", NLL]
    limited = [row for row in asap7 if row.get(AREA, 99.0) <= 40 and row[NLL] <= 0.3]
    assert 1 < len(limited) < len(asap7)
    assert set(seen["limited"]) == designs_of(limited)
    assert seen["limitedPoints"] == len(limited)
    assert seen["wanted"] == f"{len(limited)} of {len(asap7)} designs meet them"
    assert set(seen["limitedFront"]) == front_of(limited)
    assert seen["cleared"] == [len(asap7), ""]
    assert seen["families"] == ["integer", "float", "block"]
    assert set(seen["integers"]) == {
        row["design"] for row in asap7 if row["operands"].startswith("int")
    }
    checked = [row for row in asap7 if row["checked"] != "unchecked"]
    assert set(seen["checkedOnly"]) == designs_of(checked)
    assert len(checked) == len(asap7) - 1


def test_axes_technology_and_hypervolume(seen: dict[str, Any]) -> None:
    asap7 = asap7_rows()
    priced = [row for row in asap7 if AREA in row]
    assert seen["costs"][:3] == ["lut4_per_mac", "carry_per_mac", "flip_flops_per_mac"]
    assert seen["areaAgainstDelay"][0] > 0
    assert seen["logarithm"] == pytest.approx(math.log10(priced[0][AREA]), rel=1e-5)
    # the page draws a change as asinh; its hypervolume is that of what it draws
    places = np.array([[row[ENERGY], math.asinh(row[NLL] / 0.01)] for row in priced])
    corner = places.max(axis=0)
    # Python leaves out what lies on the corner's lines, whose area is 0
    volumes = [hypervolume(places[:count], corner) for count in range(1, len(places) + 1)]
    assert volumes[0] < volumes[-1]
    assert seen["hypervolume"] == pytest.approx(
        [100 * volume / volumes[-1] for volume in volumes], abs=0.01
    )


def test_two_designs_side_by_side(seen: dict[str, Any]) -> None:
    first, second = seen["compared"]
    assert (first["design"], second["design"]) == ("e4m3:exact", "e5m2:e6m9/64")
    operand = ["1 bit: sign", "4 bits: exponent", "3 bits: fraction"]
    assert first["words"][0] == ["A", "e4m3", operand, 8]
    widths = mac_widths(parse_design("e4m3:exact").mac)
    assert first["words"][2][0] == "sum"
    assert first["words"][2][3] == widths.partial_sum_bits
    assert [word[:2] for word in second["words"]] == [
        ["A", "e5m2"],
        ["B", "e5m2"],
        ["chunk sum", "e6m9"],
        ["sum", "e6m9"],
        ["result", "e6m9"],
    ]
    by_design = {row["design"]: row for row in asap7_rows()}
    a, b = by_design["e4m3:exact"], by_design["e5m2:e6m9/64"]
    modules = [part for part in first["parts"] if "align" in part]
    assert modules == [f"align × 2{MODULE_SHARES['align'] * a[AREA]:.1f}50.0 %"]
    assert f"accumulate{ENERGY_SHARES['accumulate'] * a[ENERGY]:.4f}50.0 %" in first["parts"]
    area = next(cells for cells in seen["figures"] if cells[0].startswith("Cell area"))
    assert [float(text) for text in area[1:3]] == pytest.approx([a[AREA], b[AREA]], abs=0.051)
    assert area[3] == f"{100 * (b[AREA] / a[AREA] - 1):+.1f} %".replace("-", "−")
    assert seen["rings"] == ["<b>A</b>", "<b>B</b>"]
    assert seen["comparedThen"] == ["e5m2:e6m9/64", "e3m2:exact"]
    assert seen["comparedLast"] == seen["comparedElsewhere"] == ["e3m2:exact"]


def test_the_exported_design_runs(
    seen: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exported = seen["compared"][0]
    assert exported["file"] == "e4m3_exact.toml"
    path = tmp_path / exported["file"]
    path.write_text(exported["toml"], encoding="utf-8")
    assert [design.text for design in load_designs(path)] == ["e4m3:exact"]
    sweep = load_sweep(path)
    assert (sweep.technologies, sweep.scaling) == (("asap7",), ("tensor",))
    assert "scaling" not in seen["compared"][1]["toml"]
    assert f"Area / MAC: {asap7_rows()[0][AREA]:.1f} µm²" in exported["toml"]
    # as a reader would, in the family that is priced fastest
    assert f"macsmith synth {exported['file']} --tech asap7" in exported["toml"]
    done = subprocess.run(
        [
            *(sys.executable, "-m", "macsmith.cli", "synth", str(path), "--tech", "ice40"),
            *("--operands", "none", "--json", "--build-dir", str(tmp_path / "build")),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["design"] == "e4m3:exact"


def test_a_report_without_costs_or_without_tasks(tmp_path: Path) -> None:
    if CHROMIUM is None:
        pytest.skip("no Chromium on PATH")
    probe = PROBE.with_name("probe_bare.js").read_text(encoding="utf-8")
    bare = [
        {name: value for name, value in row.items() if not name.startswith(("smollm2", "g2p"))}
        for row in asap7_rows()
    ]
    (tmp_path / "tasks").mkdir()
    result = browse(render(bare), probe, tmp_path / "tasks")
    # cost against cost
    assert result == {
        "errors": [],
        "axes": [[ENERGY, AREA], [AREA, ENERGY]],
        "chartsHidden": False,
        "taskHidden": True,
        "points": sum(AREA in row for row in bare),
    }
    costless = [
        {name: value for name, value in row.items() if "_pj" not in name and name != "delay_ps"}
        for row in asap7_rows()
    ]
    for row in costless:
        row.pop(AREA, None)
    (tmp_path / "costs").mkdir()
    result = browse(render(costless), probe, tmp_path / "costs")
    assert result["errors"] == []
    assert result["chartsHidden"]


def test_ten_thousand_designs(tmp_path: Path) -> None:
    if CHROMIUM is None:
        pytest.skip("no Chromium on PATH")
    rows = many_rows(10_000)
    probe = PROBE.with_name("probe_many.js").read_text(encoding="utf-8")
    page = render(rows)
    assert len(page) < 12e6
    result = browse(page, probe, tmp_path)
    assert result["errors"] == []
    assert result["points"] == len(rows)
    assert result["rows"] < 1000  # the rest is drawn when one scrolls there
    assert result["listed"] == "10,000 of 10,000"
    assert result["front"] == len(front_indices(rows, "asap7", NLL, ENERGY))
    assert result["smallest"] == min(rows, key=lambda row: row[AREA])["design"]
    limited = [row for row in rows if row[AREA] <= float(result["typed"])]
    assert 90 < len(limited) < 200
    assert result["limited"] == f"{len(limited)} of 10,000 designs meet them"
