"""Energy event by event, on circuits small enough for a pencil."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from macsmith.sim.netlist_graph import Netlist, netlist_from_json
from macsmith.synth.cells import Technology
from macsmith.synth.energy import EnergyModel
from macsmith.synth.event_energy import measure_events
from macsmith.synth.liberty import read_liberty
from macsmith.synth.linear import technology_from_library
from tiny_library import TINY, power


def netlist(cells: dict[str, tuple[str, dict[str, int]]], ports: dict[str, int]) -> Netlist:
    """Ports whose names begin with y are outputs."""
    data: dict[str, Any] = {
        "ports": {
            name: {"direction": "output" if name[0] == "y" else "input", "bits": [bit]}
            for name, bit in ports.items()
        },
        "cells": {
            name: {"type": kind, "connections": {pin: [bit] for pin, bit in pins.items()}}
            for name, (kind, pins) in cells.items()
        },
    }
    return netlist_from_json({"modules": {"m": data}})


def waves(**codes: list[int]) -> dict[str, np.ndarray[Any, Any]]:
    return {name: np.array(code, dtype=np.uint64) for name, code in codes.items()}


def test_register_and_gate(tiny: Technology, liberty_file: Path) -> None:
    circuit = netlist(
        {"f": ("DFF", {"CK": 9, "D": 2, "Q": 3}), "u": ("INV", {"A": 3, "Y": 4})},
        {"clk": 9, "d": 2, "y": 4},
    )
    result = measure_events(
        circuit, tiny, read_liberty([liberty_file]), waves(d=[0, 1, 1, 0]), first_counted_cycle=1
    )
    # d rises in cycle 1 and falls in 3, Q rises at the beginning of 2 and stays
    assert [int(count) for count in result.result.toggles[2:]] == [0, 2, 1, 1]
    # rising clock: D and Q agree in 1 and in 3 (10 fJ), differ in 2 (nothing)
    # falling clock: differ in 1 (14), agree in 2 (10), differ in 3 (14); Q 50; the inverter 3
    assert result.internal_fj == pytest.approx(10 + 0 + 10 + 14 + 10 + 14 + 50 + 3)
    # 0.5 C 2 V^2: clock 2 fF twice a cycle, d 1 fF, Q 1 fF
    assert result.pin_fj == pytest.approx(2 * (3 * 2 * 2 + 2 * 1 + 1))
    assert result.result.counted_cycles == 3
    # the table's figures: 20 fJ a cycle, 44 for a change of Q, 3 for the inverter; a change that
    # has begun at the falling edge of the last cycle ends behind it
    lines = EnergyModel(circuit, tiny).measure(result.result, period_ps=1, macs_per_cycle=1)
    assert 3e3 * lines.internal_pj == pytest.approx(3 * 20 + 44 + 3)
    assert 3e3 * lines.pin_pj == pytest.approx(result.pin_fj)


def test_cause_and_state_decide(tmp_path: Path) -> None:
    """A NAND whose groups differ by input and state of the other, and one of an input's own."""
    at = TINY.index("cell (NAND2)")
    cell = TINY[at : TINY.index("cell (NOR2)")]
    changed = cell.replace(power(0.003, "A"), power(0.005, "A"), 1)
    changed = changed.replace(
        "pin (A) { direction : input; capacitance : 0.001; }",
        f"pin (A) {{ direction : input; capacitance : 0.001; {power(0.007, when='!B')} }}",
    )
    assert changed.count("0.007") == 2
    path = tmp_path / "nand.lib"
    path.write_text(TINY.replace(cell, changed))
    library = read_liberty([path])
    technology = technology_from_library(library)
    circuit = netlist({"u": ("NAND2", {"A": 2, "B": 3, "Y": 4})}, {"a": 2, "b": 3, "y": 4})

    def internal_fj(a: list[int], b: list[int]) -> float:
        return measure_events(circuit, technology, library, waves(a=a, b=b)).internal_fj

    assert internal_fj([0, 1], [1, 1]) == pytest.approx(5.0)  # A makes the output fall
    assert internal_fj([1, 1], [0, 1]) == pytest.approx(3.0)  # B does
    assert internal_fj([0, 1], [0, 0]) == pytest.approx(7.0)  # nothing follows
    # on average over the states of B, A's own is half of 7
    assert technology.cells["NAND2"].inputs["A"].energy_fj == pytest.approx(3.5)
    assert technology.cells["NAND2"].outputs["Y"].energy_fj == pytest.approx(4.0)


def test_a_short_pulse_is_no_glitch_a_long_one_is(tiny: Technology, liberty_file: Path) -> None:
    """b reaches the XOR behind a chain of inverters: its pulse is as long as they take."""
    library = read_liberty([liberty_file])
    toggles = []
    for count in (2, 6):
        cells: dict[str, tuple[str, dict[str, int]]] = {
            f"u{k}": ("INV", {"A": 10 + k if k else 2, "Y": 11 + k}) for k in range(count)
        }
        cells["x"] = ("XOR2", {"A": 2, "B": 10 + count, "Y": 5})
        circuit = netlist(cells, {"a": 2, "y": 5})
        result = measure_events(circuit, tiny, library, waves(a=[0, 1]))
        out = circuit.ports["y"].nets[0]
        toggles.append(int(result.result.toggles[out]))
    assert toggles == [0, 2]
