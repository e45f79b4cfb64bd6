"""From a design text to cells: mapped netlists of emitted units against the golden model."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from macsmith.hw.emit import design_verilog
from macsmith.model.design import parse_design
from macsmith.sim.netlist_check import NetlistMismatchError, check_unit_netlist, pack_fields
from macsmith.sim.netlist_graph import NetlistError, netlist_from_json, read_netlist
from macsmith.sim.unit_stimulus import make_unit_stimulus
from macsmith.synth.recipes import recipe
from macsmith.synth.synthesize import synthesize
from macsmith.synth.technology import technology

RECIPES = [recipe("smallest-fa-folded"), recipe("fastest-koggestone")]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("e4m3:e6m9:unit", "asap7"),
        ("int8:int32:unit", "asap7"),
        ("e2m1:exact/8/e6m9:lanes2:unit", "sky130"),
    ],
)
def test_mapped_unit_equals_the_golden_model(tmp_path: Path, text: str, name: str) -> None:
    design = parse_design(text)
    source = tmp_path / "unit.v"
    source.write_text(design_verilog(design))
    table = technology(name)
    result = synthesize([source], design.id, table, build_dir=tmp_path, recipes=RECIPES)
    stimulus = make_unit_stimulus(design, quick=True)
    assert len(result.designs) == 2
    for mapped in result.designs:
        assert check_unit_netlist(stimulus, mapped.netlist(), table.models()) == stimulus.count
    assert stimulus.count > 1000


def test_a_wrong_wire_is_found(tmp_path: Path) -> None:
    design = parse_design("int4:int16:unit")
    source = tmp_path / "unit.v"
    source.write_text(design_verilog(design))
    table = technology("asap7")
    result = synthesize([source], design.id, table, build_dir=tmp_path, recipes=RECIPES[:1])
    netlist = read_netlist(result.smallest.netlist_path, design.id)
    stimulus = make_unit_stimulus(design, quick=True)
    port = netlist.ports["partial_sum_o"]
    crossed = dataclasses.replace(port, nets=(port.nets[1], port.nets[0], *port.nets[2:]))
    wrong = dataclasses.replace(netlist, ports={**netlist.ports, "partial_sum_o": crossed})
    with pytest.raises(
        NetlistMismatchError,
        match=r"int4:int16:unit: \d+ of \d+ vectors differ; the first: a=\['0x.'\] .* must be 0x",
    ):
        check_unit_netlist(stimulus, wrong, table.models())
    other = {"modules": {"m": {"ports": {"a": {"direction": "input", "bits": [2]}}, "cells": {}}}}
    with pytest.raises(NetlistError, match=r"ports \['a'\] -> \[\]; must be those of a unit"):
        check_unit_netlist(stimulus, netlist_from_json(other), {})


def test_fields_are_packed_low_first() -> None:
    codes = np.array([[1, 2, 3], [7, 0, 5]])
    assert pack_fields(codes, 4).tolist() == [0x321, 0x507]
    wide = pack_fields(np.array([[1, 2**40 - 1]]), 40)
    assert wide.tolist() == [[1 | (2**24 - 1) << 40, 2**16 - 1]]
