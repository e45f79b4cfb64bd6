"""The report page: its data, that it needs no network, and that it works in a real browser."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from macsmith.reports.page import front_indices, page_data, render_page
from made_up import ENERGY_SHARES, made_up_rows

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
    )


def test_fronts_are_those_of_the_definition() -> None:
    rows = made_up_rows()
    data = page_data(rows, {})
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
        assert data["fronts"][f"asap7|{NLL}|{cost}"] == expected


def test_a_missing_metric_is_absent_from_the_data() -> None:
    rows = made_up_rows()
    rows[0][AREA] = float("nan")
    rows[1][AREA] = None
    data = page_data(rows, {})
    assert AREA not in data["rows"][0]
    assert AREA not in data["rows"][1]
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
    assert json.loads(match[1])["rows"][2]["failure"] == "</script><b>synth"


def test_the_same_rows_give_the_same_page() -> None:
    assert render(made_up_rows()) == render(made_up_rows())


def test_a_page_without_rows_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1 row, not 0"):
        render([])


PROBE = Path(__file__).with_name("probe.js")


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on PATH")
def test_the_page_works_in_a_browser(tmp_path: Path) -> None:
    assert CHROMIUM is not None
    rows = made_up_rows()
    page = tmp_path / "index.html"
    probe = f"<script>{PROBE.read_text(encoding='utf-8')}</script>"
    page.write_text(render(rows).replace("<script", f"{probe}<script", 1), encoding="utf-8")
    done = subprocess.run(
        [
            *(CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
            *(f"--user-data-dir={tmp_path / 'profile'}", "--window-size=1400,1900"),
            *("--virtual-time-budget=8000", "--dump-dom", page.as_uri()),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    match = re.search(r'<pre id="probe">(.*?)</pre>', done.stdout, re.DOTALL)
    assert match is not None, done.stderr[-2000:]
    text = match[1].replace("&amp;", "&").replace("&lt;", "<").replace("&gt;", ">")
    result = json.loads(text)
    asap7 = [row for row in rows if row["technology"] == "asap7"]
    assert result["errors"] == []
    assert result["ready"] == str(len(rows))
    assert result["rows"] == len(asap7)
    drawn = sum(AREA in row for row in asap7)
    assert result["points"] == [drawn, drawn, len(asap7)]
    priced = sum(ENERGY in row for row in asap7)
    assert result["bars"] == priced * len(ENERGY_SHARES)
    assert result["energyMarks"] == 2 * priced  # uniform and idle
    assert result["energyHidden"] == [False, True]  # an FPGA has no energy
    areas = sorted((row[AREA], row["design"]) for row in asap7 if AREA in row)
    missing = next(row["design"] for row in asap7 if AREA not in row)
    assert result["byArea"][0] == areas[0][1]
    assert result["byAreaDown"][0] == areas[-1][1]
    assert result["byArea"][-1] == result["byAreaDown"][-1] == missing
    assert set(result["filtered"]) == {
        row["design"] for row in asap7 if "e5m2" in row["design"] and "/64" in row["design"]
    }
    on_front = set(front_indices(rows, "asap7", NLL, AREA))
    on_front |= set(front_indices(rows, "asap7", NLL, ENERGY))
    assert set(result["front"]) == {rows[index]["design"] for index in on_front}
    assert "verilog/e4m3_exact.v" in result["links"]
    assert "no memory & no luck" in result["text"]
    assert "unchecked" in result["text"]
    assert result["costs"] == ["lut4_per_mac", "carry_per_mac", "flip_flops_per_mac"]
    assert result["labels"] > 3
