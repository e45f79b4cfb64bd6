"""Energy of a flip-flop and an inverter, added up by hand."""

import dataclasses

import numpy as np
import pytest
from macsmith.sim.netlist import compile_netlist
from macsmith.sim.netlist_graph import Netlist, netlist_from_json
from macsmith.sim.timed import time_netlist
from macsmith.synth.cells import Technology
from macsmith.synth.delays import output_delays
from macsmith.synth.energy import SPLIT, EnergyModel, measure_energy
from macsmith.synth.wires import NO_WIRES, Wires, parse_wires, wire_loads_ff, wires_of


@pytest.fixture
def toggler() -> Netlist:
    """d -> DFF -> q -> INV -> y."""
    return netlist_from_json(
        {
            "modules": {
                "m": {
                    "ports": {
                        "clk": {"direction": "input", "bits": [9]},
                        "d": {"direction": "input", "bits": [2]},
                        "y": {"direction": "output", "bits": [4]},
                    },
                    "cells": {
                        "f": {"type": "DFF", "connections": {"CK": [9], "D": [2], "Q": [3]}},
                        "u": {"type": "INV", "connections": {"A": [3], "Y": [4]}},
                    },
                }
            }
        }
    )


def test_parts(tiny: Technology, toggler: Netlist) -> None:
    d = np.array([[0], [0], [1], [0], [0], [0]])  # two toggles of d, two of q, two of y
    compiled = compile_netlist(toggler, tiny.models())
    result = compiled.simulate({"d": d}, count_toggles=True)
    energy = measure_energy(toggler, tiny, result, period_ps=500.0, macs_per_cycle=0.5)
    # The supply is 2 V: half C V^2 is 2 fJ per fF and toggle. Five cycles are 2.5 MACs.
    per_mac = 1e-3 / 2.5
    # d (driven from outside) 1 fF: 2 x 2; inverter: 3 fJ a toggle, no pin behind it: 2 x 3
    assert energy.combinational_pj == pytest.approx((4 + 6) * per_mac)
    # q: 40 fJ a toggle and the inverter's pin 2 fJ; data pin 4 fJ a toggle
    assert energy.register_pj == pytest.approx((2 * 42 + 2 * 4) * per_mac)
    # 20 fJ a cycle, and the clock pin of 2 fF up and down: 2 x 2 x 2 = 8
    assert energy.clock_pj == pytest.approx(5 * 28 * per_mac)
    # (2000 + 2000) nW x 500 ps = 2 fJ a cycle
    assert energy.leakage_pj == pytest.approx(5 * 2 * per_mac)
    parts = energy.combinational_pj + energy.register_pj + energy.clock_pj + energy.leakage_pj
    assert energy.energy_pj_per_mac == pytest.approx(parts)
    assert energy.toggles_per_cycle == pytest.approx(6 / 5)
    assert energy.method.startswith("zero-delay toggle counts, no glitches")
    # the same simulated in time: nothing here can glitch, and the figure says how it was counted
    timed = time_netlist(toggler, tiny.models(), output_delays(toggler, tiny), step_ps=1.0)
    in_time = measure_energy(
        toggler, tiny, timed.simulate({"d": d}), period_ps=500.0, macs_per_cycle=0.5
    )
    assert in_time.energy_pj_per_mac == pytest.approx(energy.energy_pj_per_mac)
    assert "glitches included" in in_time.method


def test_refusals(tiny: Technology, toggler: Netlist) -> None:
    compiled = compile_netlist(toggler, tiny.models())
    wave = np.zeros((3, 1), dtype=np.uint8)
    silent = compiled.simulate({"d": wave})
    with pytest.raises(ValueError, match="no toggles were counted"):
        measure_energy(toggler, tiny, silent, period_ps=1.0, macs_per_cycle=1.0)
    counted = compiled.simulate({"d": wave}, count_toggles=True)
    for period, macs in ((0.0, 1.0), (1.0, 0.0)):
        with pytest.raises(ValueError, match="must be greater than 0"):
            measure_energy(toggler, tiny, counted, period_ps=period, macs_per_cycle=macs)
    # nothing moves: only clock and leakage are left
    energy = measure_energy(toggler, tiny, counted, period_ps=1.0, macs_per_cycle=1.0)
    assert energy.combinational_pj == energy.register_pj == 0.0
    assert dataclasses.asdict(energy)["clock_pj"] > 0


def test_split_and_wires(tiny: Technology, toggler: Netlist) -> None:
    d = np.array([[0], [0], [1], [0], [0], [0]])
    result = compile_netlist(toggler, tiny.models()).simulate({"d": d}, count_toggles=True)
    wires = Wires(2.0)
    # clk, d, q lead to one pin each, y to one port
    each_ff = 2.0 * wires.fanout_length_um(
        2, sum(tiny.cells[c].area_um2 for c in ("DFF", "INV")) / 2
    )
    assert wire_loads_ff(toggler, tiny, wires) == pytest.approx(
        [0.0, 0.0, *(each_ff for _ in range(4))]
    )
    assert wire_loads_ff(toggler, tiny, NO_WIRES) == [0.0] * 6
    model = EnergyModel(toggler, tiny, wires=wires, parts=["control", "multiply"])
    energy = model.measure(result, period_ps=500.0, macs_per_cycle=0.5)
    bare = measure_energy(toggler, tiny, result, period_ps=500.0, macs_per_cycle=0.5)
    per_mac = 1e-3 / 2.5
    # six toggles of data nets, and the clock net up and down in five cycles: 2 fJ per fF and toggle
    assert energy.wire_pj == pytest.approx(2 * each_ff * (6 + 10) * per_mac)
    assert energy.energy_without_wires_pj == pytest.approx(bare.energy_pj_per_mac)
    assert tuple(energy.split_pj) == SPLIT
    assert sum(energy.split_pj.values()) == pytest.approx(energy.energy_pj_per_mac)
    parts = energy.internal_pj + energy.pin_pj + energy.wire_pj + energy.leakage_pj
    assert parts == pytest.approx(energy.energy_pj_per_mac)
    # the inverter: 3 fJ a toggle and y's wire; d is driven from outside: its pin of 1 fF and wire
    assert energy.split_pj["multiply"] == pytest.approx((6 + 4 * each_ff) * per_mac)
    assert energy.split_pj["ports"] == pytest.approx((4 + 4 * each_ff) * per_mac)
    assert energy.split_pj["control"] == 0
    assert "wires estimated at 2 fF/um" in energy.method
    assert model.clock_gated_pj(period_ps=500.0, macs_per_cycle=0.5) == pytest.approx(
        energy.leakage_pj
    )
    # all three data nets half a toggle a cycle: as many as there were 1.2 of
    vectorless = model.vectorless(0.5, period_ps=500.0, macs_per_cycle=0.5)
    assert vectorless.toggles_per_cycle == pytest.approx(1.5)
    assert vectorless.clock_pj == pytest.approx(energy.clock_pj)


def test_wires_of_text() -> None:
    assert parse_wires("estimated") is None
    assert parse_wires("none") == NO_WIRES
    assert parse_wires("0.2") == Wires(0.2)
    for text in ("thick", "-1", "nan", "inf"):
        with pytest.raises(ValueError, match=rf"wires '{text}': must be estimated, none, or"):
            parse_wires(text)


def test_wire_lengths(tiny: Technology) -> None:
    """Lengths of one fan-out in the wire-load tables of IHP's library, cells of 12 um2."""
    wires = wires_of(tiny)
    for gates, length_um in ((100, 6.43), (500, 7.89), (1000, 9.93), (5000, 13.44), (10000, 14.9)):
        assert wires.fanout_length_um(gates, 12.0) == pytest.approx(length_um, rel=0.15)
