"""Static timing on circuits small enough for a pencil."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from macsmith.sim.netlist_graph import Netlist, netlist_from_json
from macsmith.synth import timing as timing_module
from macsmith.synth.cells import Constraint, Technology, TimingArc
from macsmith.synth.liberty import read_liberty
from macsmith.synth.linear import technology_from_library
from macsmith.synth.loads import fan_outs, net_loads_ff
from macsmith.synth.tabulated import with_tables
from macsmith.synth.timing import analyse_hold, analyse_timing
from tiny_library import TINY, table

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
    # XOR, any edge: rising output 40 + 43 + 10 = 93 -> 258; + 20 setup of a rising edge
    # falling output 20 + 43 + 10 = 73 -> 238; + 30 setup of a falling edge: less
    report = analyse_timing(netlist, tiny)
    assert report.delay_ps == pytest.approx(278.0)
    assert report.endpoint == "f.D (setup 20 ps)"
    assert report.setup_ps == pytest.approx(20.0)
    assert report.clock_to_output_ps == pytest.approx(165.0)
    assert report.fmax_mhz == pytest.approx(1e6 / 278)
    assert report.slack_ps(300.0) == pytest.approx(22.0)
    assert report.slack_ps(250.0) == pytest.approx(-28.0)
    assert report.arrivals_ps == {"q": (pytest.approx(165.0),)}
    assert [(end.name, end.total_ps) for end in report.endpoints] == [
        ("f.D", pytest.approx(278.0)),
        ("q[0]", pytest.approx(165.0)),
    ]
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


def test_both_outputs_of_a_full_adder(tiny: Technology) -> None:
    netlist = chain(
        {
            "u": ("INV", {"A": 2, "Y": 5}),
            "f": ("FA", {"A": 5, "B": 3, "C": 4, "CON": 6, "SN": 7}),
        },
        {
            "a": ("input", 2),
            "b": ("input", 3),
            "c": ("input", 4),
            "carry": ("output", 6),
            "sum": ("output", 7),
        },
    )
    # a: arrival 10, slew 30; u: rising 10 + 10 + 15 + 10 = 45, falling 40; slew 10 + 3 + 20 = 33
    # carry (base 20, inverting): rises 40 + 20 + 16.5 + 25 = 101.5, falls 45 + 10 + 41.5 = 96.5
    # sum (base 30, either edge): rises 45 + 30 + 41.5 = 116.5
    report = analyse_timing(netlist, tiny)
    assert report.arrivals_ps == {
        "carry": (pytest.approx(101.5),),
        "sum": (pytest.approx(116.5),),
    }
    assert [(step.cell, step.pin, step.rises) for step in report.path] == [
        ("", "", False),
        ("INV", "A", True),
        ("FA", "A", True),
    ]
    assert [step.delay_ps for step in report.path] == pytest.approx([10.0, 35.0, 71.5])
    assert [step.slew_ps for step in report.path] == pytest.approx([30.0, 33.0, 63.3])
    assert [step.load_ff for step in report.path] == pytest.approx([1.0, 1.0, 2.5])
    assert report.clock_to_output_ps is None
    assert report.fmax_mhz is None
    assert analyse_hold(netlist, tiny) is None


def test_wires_load_the_nets(tiny: Technology) -> None:
    netlist = chain(
        {"u": ("INV", {"A": 2, "Y": 3}), "v": ("INV", {"A": 3, "Y": 4})},
        {"a": ("input", 2), "y": ("output", 4)},
    )
    readers = fan_outs(netlist, tiny)
    assert readers[2:] == [1, 1, 1]
    # 0.5 fF a reader. a: arrival 15, slew 40. u: rising 15 + 10 + 20 + 15 = 60, falling 55, slew
    # 10 + 4 + 30 = 44. v: rising 55 + 10 + 22 + 30 = 117, falling 60 + 5 + 52 = 117
    report = analyse_timing(netlist, tiny, wire_ff=lambda net: 0.5 * readers[net])
    assert report.delay_ps == pytest.approx(117.0)


def test_hold(tiny: Technology) -> None:
    netlist = chain(
        {
            "f": ("DFF", {"CK": 9, "D": 2, "Q": 3}),
            "u": ("INV", {"A": 3, "Y": 4}),
            "g": ("DFF", {"CK": 9, "D": 4, "Q": 5}),
            "h": ("DFF", {"CK": 9, "D": 3, "Q": 6}),
        },
        {"clk": ("input", 9), "b": ("input", 2), "q": ("output", 5), "r": ("output", 6)},
    )
    # f drives 2 fF: falling 50 + 30 + 20 = 100, rising 150. h.D: falls at 100, hold -2: 102 left;
    # rises at 150, hold 5: 145 left
    hold = analyse_hold(netlist, tiny)
    assert hold is not None
    assert hold.endpoint == "h.D"
    assert hold.slack_ps == pytest.approx(102.0)


def xor_chain() -> Netlist:
    return chain(
        {"u": ("XOR2", {"A": 2, "B": 3, "Y": 4}), "v": ("NAND2", {"A": 4, "B": 3, "Y": 5})},
        {"a": ("input", 2), "b": ("input", 3), "y": ("output", 5)},
    )


def test_tables_keep_the_groups_of_either_sense_apart(tmp_path: Path) -> None:
    """A gate whose two groups differ: the slow one counts only for the edges that cause it."""
    slow = f"""timing () {{ related_pin : "A"; timing_sense : negative_unate;
        {table("cell_rise", 0.1, 0.5, 10.0)} {table("cell_fall", 0.1, 0.5, 10.0)}
        {table("rise_transition", 0.01, 0.1, 20.0)}
        {table("fall_transition", 0.01, 0.1, 20.0)} }}"""
    at = TINY.index("cell (XOR2)")
    head, tail = TINY[:at], TINY[at:]
    tail = tail.replace(
        'related_pin : "A"; timing_sense : non_unate',
        'related_pin : "A"; timing_sense : positive_unate',
        1,
    )
    tail = tail.replace("timing () {", slow + "\n timing () {", 1)
    path = tmp_path / "two.lib"
    path.write_text(head + tail)
    library = read_liberty([path])
    lines = technology_from_library(library)
    tables = with_tables(lines, library)
    arc = tables.cells["XOR2"].outputs["Y"].arcs["A"]
    edges = {
        (i, o): edge.delay_ps(20.0, 2.0)
        for i in (True, False)
        for o in (True, False)
        if (edge := arc.edge(i, o)) is not None
    }
    # positive: base 40 rising, 20 falling; negative: base 100
    assert edges == {
        (True, True): pytest.approx(70.0),
        (False, False): pytest.approx(50.0),
        (False, True): pytest.approx(130.0),
        (True, False): pytest.approx(130.0),
    }
    # the lines hold the slowest of all
    assert arc.edge(True, True) is not arc.rise
    assert arc.rise.delay_ps(20.0, 2.0) == pytest.approx(130.0)


def test_tables_that_are_planes_give_what_the_lines_give(
    tiny: Technology, liberty_file: Path
) -> None:
    tables = with_tables(tiny, read_liberty([liberty_file]))
    for netlist in (xor_chain(), register_loop()):
        lines, exact = analyse_timing(netlist, tiny), analyse_timing(netlist, tables)
        assert exact.delay_ps == pytest.approx(lines.delay_ps, rel=1e-6)
        assert [step.net for step in exact.path] == [step.net for step in lines.path]


def register_loop() -> Netlist:
    return chain(
        {"f": ("DFF", {"CK": 9, "D": 5, "Q": 3}), "u": ("XOR2", {"A": 3, "B": 2, "Y": 5})},
        {"clk": ("input", 9), "b": ("input", 2), "q": ("output", 3)},
    )


def _without_setup(self: Constraint, rises: bool, slew_ps: float) -> float:
    return 0.0


def _any_edge(self: TimingArc, rises_in: bool, rises_out: bool, earliest: bool = False) -> Any:
    return self.rise if rises_out else self.fall


@pytest.mark.parametrize(
    ("owner", "name", "fault", "check"),
    [
        pytest.param(Constraint, "at", _without_setup, test_register_to_register, id="no setup"),
        pytest.param(TimingArc, "edge", _any_edge, test_two_inverters, id="no unateness"),
        pytest.param(
            timing_module._Analysis,
            "_merge",
            lambda self, found: replace(found[0], slew_ps=0.0),
            test_two_inverters,
            id="no slew",
        ),
    ],
)
def test_planted_faults_are_found(
    owner: type,
    name: str,
    fault: Callable[..., Any],
    check: Callable[[Technology], None],
    tiny: Technology,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(owner, name, fault)
    with pytest.raises(AssertionError):
        check(tiny)
