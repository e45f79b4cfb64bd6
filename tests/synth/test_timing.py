"""Static timing on circuits small enough for a pencil."""

from typing import Any

import pytest
from macsmith.sim.netlist_graph import netlist_from_json
from macsmith.synth.cells import Technology
from macsmith.synth.timing import analyse_timing, net_loads_ff

# Arcs of the tiny library (ps, fF): delay = base + 0.5 slew + 10 load (base halved for a falling
# output), slew = 10 + 0.1 slew + 20 load. Inputs load 1 fF, an output port 2.5 fF, ports are
# driven by BUF2 (base 20).


def chain(cells: dict[str, tuple[str, dict[str, int]]], ports: dict[str, tuple[str, int]]) -> Any:
    return netlist_from_json(
        {
            "modules": {
                "m": {
                    "ports": {n: {"direction": d, "bits": [b]} for n, (d, b) in ports.items()},
                    "cells": {
                        n: {"type": t, "connections": {p: [b] for p, b in pins.items()}}
                        for n, (t, pins) in cells.items()
                    },
                    "netnames": {n: {"bits": [b]} for n, (_, b) in ports.items()},
                }
            }
        }
    )


def test_two_inverters(tiny: Technology) -> None:
    netlist = chain(
        {"u": ("INV", {"A": 2, "Y": 3}), "v": ("INV", {"A": 3, "Y": 4})},
        {"a": ("input", 2), "y": ("output", 4)},
    )
    assert net_loads_ff(netlist, tiny, output_load_ff=2.5)[2:] == pytest.approx([1.0, 2.5, 1.0])
    # a: arrival 10 x 1 (the load's part of the driver), slew 10 + 20 = 30
    # u: INV, base 10 rising, 5 falling: + 0.5 x 30 + 10 = 35 or 30; slew 10 + 3 + 20 = 33
    # v: base 10 or 5, + 0.5 x 33 + 25
    # rising output: a rises 10, u falls +30, v rises +51.5; falling: 10 + 35 + 46.5: equal
    report = analyse_timing(netlist, tiny)
    assert report.delay_ps == pytest.approx(91.5)
    assert report.endpoint == "y[0]"
    assert [(step.instance, step.net) for step in report.path] == [
        ("", "a"),
        ("u", "net 4"),
        ("v", "y"),
    ]
    assert [step.arrival_ps for step in report.path] == pytest.approx([10.0, 40.0, 91.5])


def test_register_to_register(tiny: Technology) -> None:
    netlist = chain(
        {
            "f": ("DFF", {"CK": 9, "D": 5, "Q": 3}),
            "u": ("XOR2", {"A": 3, "B": 2, "Y": 5}),
        },
        {"clk": ("input", 9), "b": ("input", 2), "q": ("output", 3)},
    )
    # clock slew: BUF2 into 2.5 fF: 10 + 50 = 60. Q drives 1 + 2.5 fF:
    # rising: 100 + 30 + 35 = 165, slew 10 + 6 + 70 = 86
    # XOR, any edge: rising output 40 + 43 + 10 = 93 -> 258; + 30 setup
    report = analyse_timing(netlist, tiny)
    assert report.delay_ps == pytest.approx(288.0)
    assert report.endpoint == "f.D (setup 30 ps)"
    assert [step.cell for step in report.path] == ["DFF", "XOR2"]


def test_unate_arcs_keep_the_edges_apart(tiny: Technology) -> None:
    # A NAND rises only where an input falls; a falling output has half the base.
    netlist = chain(
        {"u": ("NAND2", {"A": 2, "B": 2, "Y": 3})}, {"a": ("input", 2), "y": ("output", 3)}
    )
    # a: two pins, 2 fF: arrival 20, slew 50; rising output: 20 + 20 + 25 + 25 = 90, falling 80
    assert analyse_timing(netlist, tiny).delay_ps == pytest.approx(90.0)


def test_no_path_is_no_delay(tiny: Technology) -> None:
    netlist = netlist_from_json(
        {
            "modules": {
                "m": {
                    "ports": {"y": {"direction": "output", "bits": ["1"]}},
                    "cells": {},
                }
            }
        }
    )
    report = analyse_timing(netlist, tiny)
    assert report.delay_ps == 0.0
    assert report.path == ()
