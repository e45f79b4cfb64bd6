"""Planted faults: what is a fault, that vectors find them, and that proofs sort out the rest."""

import re
from pathlib import Path

import numpy as np
import pytest
from macsmith.model.design import parse_design
from macsmith.sim.netlist_cells import generic_gate
from macsmith.sim.netlist_faults import FaultSimulator, netlist_verilog, single_faults
from macsmith.sim.netlist_graph import Netlist, NetlistError, netlist_from_json
from macsmith.synth.mutations import examine_mutations
from macsmith.synth.netlist_verify import map_design
from macsmith.synth.recipes import recipe
from macsmith.synth.technology import technology


def circuit(cells: dict[str, tuple[str, dict[str, list[int]]]]) -> Netlist:
    ports = {"a": ("input", [2, 3, 4]), "y": ("output", [9])}
    return netlist_from_json(
        {
            "modules": {
                "m": {
                    "ports": {n: {"direction": d, "bits": b} for n, (d, b) in ports.items()},
                    "cells": {n: {"type": t, "connections": c} for n, (t, c) in cells.items()},
                    "netnames": {},
                }
            }
        }
    )


def test_faults_of_a_cell_count_once() -> None:
    netlist = circuit({"g": ("$_ANDNOT_", {"A": [2], "B": [3], "Y": [9]})})
    kinds = [fault.kind for fault in single_faults(netlist, {})]
    assert kinds == [
        "output Y inverted",
        "input A stuck at 0",
        "input A stuck at 1",
        "input A inverted",
        # B stuck at 0 leaves A; at 1, 0 as A stuck at 0
        "input B stuck at 0",
        "input B inverted",
        "inputs A and B exchanged",
        "AND and OR exchanged",
    ]
    state = circuit({"f": ("$_DFF_P_", {"C": [2], "D": [3], "Q": [9]})})
    with pytest.raises(NetlistError, match="f is a register; faults are planted in combinational"):
        single_faults(state, {})


def test_a_vector_tells_a_fault_exactly_if_the_outputs_differ() -> None:
    netlist = circuit(
        {
            "x": ("$_XOR_", {"A": [2], "B": [3], "Y": [5]}),
            "m": ("$_MUX_", {"A": [5], "B": [4], "S": [2], "Y": [9]}),
        }
    )
    faults = single_faults(netlist, {})
    simulator = FaultSimulator(netlist, {}, faults)
    a = np.arange(8)
    together = simulator.first_vectors({"a": a})
    alone = np.stack([simulator.first_vectors({"a": a[vector : vector + 1]}) for vector in a])
    for number, fault in enumerate(faults):
        outputs = {"x": generic_gate("$_XOR_"), "m": generic_gate("$_MUX_")}

        def evaluate(vector: int, planted: bool, outputs=outputs, fault=fault) -> int:  # type: ignore[no-untyped-def]
            values = {2: vector & 1, 3: vector >> 1 & 1, 4: vector >> 2}
            for instance in netlist.instances:
                function = outputs[instance.name].outputs["Y"]
                if planted and instance.name == fault.instance:
                    function = fault.outputs["Y"]
                pins = {pin: values[net] for pin, net in instance.pins.items() if net in values}
                values[instance.pins["Y"]] = function.evaluate(pins)
            return int(values[netlist.ports["y"].nets[0]])

        told = [vector for vector in range(8) if evaluate(vector, True) != evaluate(vector, False)]
        assert [v for v in range(8) if alone[v, number] == 0] == told
        assert together[number] == (told[0] if told else -1)


@pytest.mark.parametrize("text", ["e2m1:e3m2:unit", "int3:int8:unit"])
def test_all_faults_of_a_netlist_are_told_or_proven_none(tmp_path: Path, text: str) -> None:
    design, table = parse_design(text), technology("asap7")
    (mapped,) = map_design(design, table, tmp_path, [recipe("balanced")])
    result = examine_mutations(
        design, mapped.netlist(), table.models(), tmp_path, random_vectors=1 << 17
    )
    assert result.missed == []
    assert result.faults > 500
    told = result.found_by_stimulus + result.found_by_random
    assert told + result.equivalent + result.unreachable == result.faults
    assert result.equivalent < 0.05 * result.faults


def test_gaps_of_vectors_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    design, table = parse_design("int2:int6:unit"), technology("asap7")
    (mapped,) = map_design(design, table, tmp_path, [recipe("balanced")])

    def never_negative(*arguments: object, **options: object) -> object:
        stimulus = made(*arguments, **options)  # type: ignore[arg-type]
        stimulus.a[:] &= 1
        return stimulus

    from macsmith.synth import mutations

    made = mutations.make_unit_stimulus
    monkeypatch.setattr(mutations, "make_unit_stimulus", never_negative)
    result = examine_mutations(
        design, mapped.netlist(), table.models(), tmp_path, random_vectors=0, quick=True
    )
    assert len(result.missed) > 3
    for fault, inputs in result.missed:
        assert inputs["a"] > 1, fault  # just what was left out
        assert re.match(r"\w+ \(\w+\): (input|output|AND)", str(fault))


def test_the_verilog_of_a_netlist_is_the_netlist(tmp_path: Path) -> None:
    from macsmith.synth.equivalence import prove_equal

    design, table = parse_design("int2:int6:unit"), technology("asap7")
    (mapped,) = map_design(design, table, tmp_path, [recipe("balanced")])
    netlist = mapped.netlist()
    source, rewritten = tmp_path / f"{design.id}.v", tmp_path / "again.v"
    rewritten.write_text(netlist_verilog(netlist, table.models(), "again"))
    assert prove_equal([source], design.id, [rewritten], "again", build_dir=tmp_path).is_equal
    fault = single_faults(netlist, table.models())[0]
    rewritten.write_text(netlist_verilog(netlist, table.models(), "again", fault))
    assert not prove_equal([source], design.id, [rewritten], "again", build_dir=tmp_path).is_equal
