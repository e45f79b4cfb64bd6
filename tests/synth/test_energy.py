"""Energy of a flip-flop and an inverter, added up by hand."""

import dataclasses

import numpy as np
import pytest
from macsmith.sim.netlist import compile_netlist
from macsmith.sim.netlist_graph import Netlist, netlist_from_json
from macsmith.sim.timed import time_netlist
from macsmith.synth.cells import Technology
from macsmith.synth.delays import output_delays
from macsmith.synth.energy import measure_energy


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
