"""Mapped netlists against the golden model, as `macsmith verify --netlist` compares them."""

import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest
from macsmith.model.design import parse_design
from macsmith.model.widths import mac_widths
from macsmith.sim.netlist_check import NetlistMismatchError
from macsmith.sim.netlist_graph import Netlist
from macsmith.sim.stream_check import check_mac_netlist, is_checkable_mac
from macsmith.sim.unit_random import random_unit_vectors
from macsmith.sim.unit_stimulus import unit_expected, unit_spot_check
from macsmith.synth import netlist_verify
from macsmith.synth.netlist_verify import verify_netlists
from macsmith.synth.recipes import recipe
from macsmith.synth.synthesize import MappedDesign
from macsmith.synth.technology import technology

RECIPES = [recipe("balanced")]


@pytest.mark.parametrize("text", ["e2m1:e4m3", "int4:int16:lanes2:stages1", "e3m2:exact/4/e5m2"])
def test_netlists_of_units_and_macs(tmp_path: Path, text: str) -> None:
    results = verify_netlists(
        parse_design(text), technology("asap7"), tmp_path, vectors=200_000, recipes=RECIPES
    )
    unit, mac = results
    assert (unit.part, unit.random_vectors) == ("unit", 200_000)
    assert unit.stimulus_vectors > 1000
    assert mac.part == "mac"
    assert mac.stimulus_vectors >= 4096 * 64
    assert mac.cells > unit.cells


def test_wrong_cells_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    design, table = parse_design("e2m1:e4m3"), technology("asap7")
    nor = next(name for name in table.cells if name.startswith("NOR2x"))
    whole = MappedDesign.netlist

    def planted(mapped: MappedDesign, which: int = 0) -> Netlist:
        netlist = whole(mapped)
        instances = list(netlist.instances)
        places = [i for i, each in enumerate(instances) if each.cell.startswith("NAND2")]
        instances[places[which]] = dataclasses.replace(instances[places[which]], cell=nor)
        return dataclasses.replace(netlist, instances=tuple(instances))

    (mapped,) = netlist_verify.map_design(design, table, tmp_path / "mac", RECIPES)
    messages = []
    for which in range(4):  # some may lie in the handshake, of which only full rate is played
        try:
            check_mac_netlist(design, planted(mapped, which), table.models())
        except NetlistMismatchError as error:
            messages.append(str(error))
    assert len(messages) >= 2
    assert all(re.search(r"sums of \d+ steps differ; the first: a=\[\[", m) for m in messages)
    monkeypatch.setattr(MappedDesign, "netlist", planted)
    with pytest.raises(NetlistMismatchError, match=r"e2m1:e4m3:unit: \d+ of \d+ vectors differ"):
        verify_netlists(design, table, tmp_path, vectors=0, recipes=RECIPES)


def test_designs_that_are_not_played() -> None:
    for text in ("int4:int16:2x2", "e2m1:e4m3:unit", "int8+int4:int32", "e4m3:e4m3:sr4"):
        assert not is_checkable_mac(parse_design(text))
    with pytest.raises(ValueError, match="netlists are checked mode by mode"):
        verify_netlists(parse_design("int8+int4:int32"), technology("asap7"), Path())
    with pytest.raises(ValueError, match="netlists of block formats are not compared"):
        verify_netlists(parse_design("nvfp4:fp32:lanes16"), technology("asap7"), Path())


@pytest.mark.parametrize(
    "text",
    [
        "e4m3:exact:unit",
        "e4m3:e6m9:unit",
        "posit8es1:fp16:unit",
        "posit8es1:exact:unit",
        "e5m2:exact:lanes2:unit",
        "int8:int20:clip:unit",
        "e2m1:exact/8/e5m2:unit",
        "e4m3:e5m2:sr4:unit",
    ],
)
def test_random_vectors_are_valid_and_meet(text: str) -> None:
    design = parse_design(text)
    vectors = random_unit_vectors(design, 1, 70_000)
    assert vectors.count == 70_000
    expected = unit_expected(vectors)
    unit_spot_check(vectors, expected, seed=1, products=300)
    config = design.mac
    pairs = vectors.a[:, 0].astype(int) << config.b.bits | vectors.b[:, 0]
    assert len(np.unique(pairs)) == 1 << (config.a.bits + config.b.bits)
    # the products change most partial sums, and cancel some
    changed = (expected != vectors.partial_sums).any(axis=1).mean()
    assert changed > 0.2
    top = mac_widths(config).partial_sum_bits % 64
    if top:
        assert int(vectors.partial_sums[:, -1].max()) < 1 << top
