"""Mixed precision around made-up losses: integer programming, the search, tables, the verb."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from functools import partial
from pathlib import Path
from unittest import mock

import numpy as np
import pandas as pd
import pytest
from fake_steps import InProcess
from macsmith.model.accuracy.mixed import mixed_loss
from macsmith.reports import mixed
from macsmith.reports.mixed import (
    MixedPoint,
    MixedResult,
    additive_assignments,
    explore_mixed,
    mixed_point,
)
from macsmith.reports.mixed_report import (
    estimated_costs,
    mixed_text,
    priced_costs,
    write_mixed,
)
from macsmith.reports.store import Record

DESIGNS = ("e4m3:exact", "e2m3:exact", "e2m1:exact", "e5m2:fp16")
COSTS = (8.0, 5.0, 2.0, 9.0)
LOSS = {"e4m3:exact": 0.001, "e2m3:exact": 0.004, "e2m1:exact": 0.02, "e5m2:fp16": np.inf}


def test_integer_programming_finds_the_cheapest() -> None:
    random = np.random.default_rng(1)
    for _ in range(5):
        losses, costs = random.uniform(0, 1, size=(2, 4, 3))
        losses[0, 0], losses[2, 1] = np.inf, -0.3
        every = list(itertools.product(range(3), repeat=4))
        counted = np.maximum(losses, 0)
        for bound in (0.3, 1.0, 1.7):
            sums = {
                each: (sum(counted[range(4), each]), sum(costs[range(4), each])) for each in every
            }
            allowed = [each for each in every if sums[each][0] <= bound]
            found = additive_assignments(losses, costs, [bound])
            assert len(found) == min(1, len(allowed))
            if allowed:
                assert sums[found[0]][0] <= bound
                assert sums[found[0]][1] == pytest.approx(min(sums[each][1] for each in allowed))


def made_up(calls: list[MixedPoint], point: MixedPoint) -> dict[str, float]:
    """Losses that add up, but for a pair of layers that are worse together."""
    calls.append(point)
    chosen = dict(point.layers)
    loss = sum(LOSS[design] * (1 + index) for index, design in enumerate(chosen.values()))
    if chosen.get("fc_w") == chosen.get("dec_w_hh") == "e2m1:exact":
        loss += 0.2
    if not np.isfinite(loss):
        raise ValueError("a sum overflowed: there is no loss")
    return {"loss": loss, "standard_error": 0.001}


def explored(build: Path, calls: list[MixedPoint], trials: int = 30) -> MixedResult:
    macs = {"enc_w_ih": 10, "enc_w_hh": 10, "dec_w_ih": 5, "dec_w_hh": 5, "fc_w": 1}
    with (
        mock.patch.object(mixed, "_loss", partial(made_up, calls)),
        mock.patch.object(mixed, "layer_macs", return_value=macs),
    ):
        return explore_mixed(
            "g2p",
            DESIGNS,
            COSTS,
            executor=InProcess(),
            cost_name="energy_pj_per_mac",
            trials=trials,
            build_dir=build,
        )


def test_the_front_joins_three_sources(tmp_path: Path) -> None:
    calls: list[MixedPoint] = []
    result = explored(tmp_path, calls)
    assert len(calls) == len(set(calls))
    assert result.shares.tolist() == pytest.approx([10 / 31, 10 / 31, 5 / 31, 5 / 31, 1 / 31])
    assert np.isinf(result.losses[:, 3]).all()
    kinds = [each.kind for each in result.candidates]
    assert kinds[:4] == ["uniform"] * 4
    assert {"additive", "search"} <= set(kinds)
    additive = [each for each in result.candidates if each.kind == "additive"]
    assert all(3 not in each.assignment for each in additive), "what overflows is not proposed"
    for each in additive:
        assert each.loss >= each.additive_loss - 1e-9
        assert each.cost == pytest.approx(result.shares @ result.costs[list(each.assignment)])
    front = [each for each, chosen in zip(result.candidates, result.front, strict=True) if chosen]
    assert len(front) > 5
    assert {each.kind for each in front} >= {"additive", "uniform"}
    again = explored(tmp_path, calls)
    assert again.candidates == result.candidates
    # failures are tried again, everything else is kept
    repeated = list(calls[len(set(calls)) :])
    assert all("e5m2:fp16" in dict(point.layers).values() for point in repeated)


def test_what_it_leaves(tmp_path: Path) -> None:
    result = explored(tmp_path / "build", [], trials=0)
    files = write_mixed(result, tmp_path / "out")
    assert [path.name for path in files] == ["mixed.csv", "sensitivity.csv", "mixed.png"]
    table = pd.read_csv(files[0])
    assert len(table) == len(result.candidates)
    assert table.is_on_front.sum() == sum(result.front)
    assert list(pd.read_csv(files[1])["group"]) == list(result.groups)
    text = mixed_text(result, files)
    assert "5 groups of layers; the front:" in text
    assert "e2m1:exact: enc_w_ih, enc_w_hh, dec_w_ih, dec_w_hh, fc_w" in text


def test_wrong_input_is_told(tmp_path: Path) -> None:
    run = partial(explore_mixed, executor=InProcess(), build_dir=tmp_path)
    with pytest.raises(ValueError, match="needs 2 designs or more"):
        run("g2p", ["e4m3:exact"], [1.0])
    for cost in (0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="int8:exact: cost must be a number above 0, not"):
            run("g2p", ["e4m3:exact", "int8:exact"], [1.0, cost])
    with pytest.raises(ValueError, match="e4m3:exact: is named twice; designs must be different"):
        run("g2p", ["e4m3:exact", "int8:exact", "E4M3:exact"], [1.0, 1.0, 1.0])
    with pytest.raises(ValueError, match="must have one rule for blocks, not ceil and even"):
        run("g2p", ["e4m3:exact", "int8:exact"], [1.0, 1.0], scaling=["ceil", "even"])
    with pytest.raises(ValueError, match="accuracy task must be one of"):
        run("mnist", ["e4m3:exact", "int8:exact"], [1.0, 1.0])
    with pytest.raises(ValueError, match="cost 'price' is not estimated; must be one of area_um2"):
        estimated_costs(["e4m3:exact"], "asap7", "price")
    with pytest.raises(ValueError, match="must be a design of one mode"):
        estimated_costs(["e4m3+e5m2:exact"], "asap7", "area_um2")


def test_costs_that_a_design_or_a_technology_has_not(tmp_path: Path) -> None:
    both = ["e4m3:exact", "posit8:exact"]  # posits have no energy samples
    with pytest.raises(ValueError, match=r"posit8\S*:exact: energy_fj_per_mac is not estimated of"):
        estimated_costs(both, "asap7", "energy_fj_per_mac")
    as_priced = estimated_costs(both[:1], "asap7", "energy_pj_per_mac", "gaussian")
    (femtojoules,) = estimated_costs(both[:1], "asap7", "energy_fj_per_mac", "gaussian")
    assert as_priced == [pytest.approx(femtojoules / 1000)]
    (others,) = estimated_costs(both[:1], "asap7", "energy_fj_per_mac", "uniform")
    assert others != pytest.approx(femtojoules, rel=0.01)
    with pytest.raises(ValueError, match="is none of the FPGA family ice40; must be a count"):
        priced_costs(
            both, "ice40", "energy_pj_per_mac", "g2p", tmp_path, tmp_path / "r", InProcess()
        )


def test_scales_are_chosen_in_all_layers() -> None:
    layers = dict.fromkeys(("enc_w_hh", "dec_w_hh"), "mxfp8_e4m3:fp32")
    by_default = mixed_loss("g2p", layers, tokens=10)
    assert mixed_loss("g2p", layers, tokens=10, scaling=["floor"]) == by_default
    by_ceil = mixed_loss("g2p", layers, tokens=10, scaling=["ceil"])
    assert by_ceil.loss < by_default.loss


def test_a_point_is_kept_with_its_loss(tmp_path: Path) -> None:
    point = MixedPoint("g2p", (("fc_w", "e2m1:exact"),), 20, 0, "fc_w")
    record = mixed_point(tmp_path, True, point)
    assert isinstance(record, Record)
    assert abs(record.values["loss"]) < 1
    assert mixed_point(tmp_path, True, point) == record


def test_the_verb(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "macsmith.cli", "mixed", "g2p", "e2m1:exact", "e4m3:exact"]
    options = ["--estimate", "--tokens", "20", "--trials", "2", "--jobs", "1", "--json"]
    done = subprocess.run(
        [*command, *options, "--build-dir", tmp_path], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["costs"]["e2m1:exact"] < document["costs"]["e4m3:exact"]
    assert len(document["candidates"]) >= 2
    assert all(Path(path).is_file() for path in document["files"])
