"""Hierarchical netlists: the same behaviour and names as told, and hierarchies that are refused."""

from typing import Any

import numpy as np
import pytest
from macsmith.sim.netlist import compile_netlist
from macsmith.sim.netlist_graph import NetlistError, netlist_from_json

Ports = dict[str, tuple[str, list[Any]]]
Cells = dict[str, tuple[str, dict[str, list[Any]]]]


def entry(ports: Ports, cells: Cells, **attributes: str) -> dict[str, Any]:
    return {
        "attributes": attributes,
        "ports": {n: {"direction": d, "bits": b} for n, (d, b) in ports.items()},
        "cells": {n: {"type": t, "connections": c} for n, (t, c) in cells.items()},
        "netnames": {n: {"bits": b} for n, (_, b) in ports.items()},
    }


HALF_ADDER = entry(
    {"a": ("input", [2]), "b": ("input", [3]), "s": ("output", [4]), "c": ("output", [5])},
    {
        "x": ("$_XOR_", {"A": [2], "B": [3], "Y": [4]}),
        "y": ("$_AND_", {"A": [2], "B": [3], "Y": [5]}),
    },
)
# both half adders and the carries' OR; `t` passes an input through and ties an output to 1
FULL_ADDER = entry(
    {
        "i": ("input", [2, 3, 4]),
        "s": ("output", [5]),
        "c": ("output", [6]),
        "t": ("output", [4, "1"]),
    },
    {
        "one": ("ha", {"a": [2], "b": [3], "s": [10], "c": [11]}),
        "two": ("ha", {"a": [10], "b": [4], "s": [5], "c": [12]}),
        "or": ("$_OR_", {"A": [11], "B": [12], "Y": [6]}),
    },
)
TOP = entry(
    {
        "clk": ("input", [2]),
        "x": ("input", [3, 4]),
        "sum": ("output", [6]),
        "carry": ("output", [5]),
        "tap": ("output", [7, 8]),
    },
    {
        "adder": ("fa", {"i": [3, 4, 9], "s": [6], "c": [5], "t": [7, 8]}),
        "state": ("$_DFF_P_", {"C": [2], "D": [5], "Q": [9]}),
    },
)


def test_a_hierarchy_behaves_as_its_parts() -> None:
    netlist = netlist_from_json({"modules": {"ha": HALF_ADDER, "top": TOP, "fa": FULL_ADDER}})
    assert netlist.name == "top"
    scopes = {instance.name: instance.scope for instance in netlist.instances}
    assert scopes == {
        "adder.one.x": ("adder", "one"),
        "adder.one.y": ("adder", "one"),
        "adder.two.x": ("adder", "two"),
        "adder.two.y": ("adder", "two"),
        "adder.or": ("adder",),
        "state": (),
    }
    assert "adder.one.s" in netlist.net_names
    wave = np.random.default_rng(0).integers(0, 4, size=(50, 9))
    outputs = compile_netlist(netlist, {}).simulate({"x": wave}).outputs
    carry = np.zeros(9, dtype=np.int64)
    for cycle in range(50):  # a serial adder
        total = (wave[cycle] & 1) + (wave[cycle] >> 1) + carry
        assert np.array_equal(outputs["sum"][cycle], total & 1)
        assert np.array_equal(outputs["tap"][cycle], carry | 2)
        carry = total >> 1
        assert np.array_equal(outputs["carry"][cycle], carry)


def test_the_notes_of_a_flattening_are_read() -> None:
    flat = entry({"a": ("input", [2]), "y": ("output", [3])}, {})
    cell = {"type": "$_NOT_", "connections": {"A": [2], "Y": [3]}}
    for attributes, scope in (
        ({"hdlname": "round up inverter"}, ("round", "up")),
        ({"scopename": "round"}, ("round",)),
        ({}, ()),
    ):
        flat["cells"] = {"x": {**cell, "attributes": attributes}}
        (instance,) = netlist_from_json({"modules": {"m": flat}}).instances
        assert instance.scope == scope


@pytest.mark.parametrize(
    ("modules", "message"),
    [
        ({"a": TOP, "b": TOP, "fa": FULL_ADDER, "ha": HALF_ADDER}, r"2 top modules \(a, b\)"),
        ({"m": entry({}, {"again": ("m", {})}, top="1")}, "module m holds itself, as again"),
        (
            {"m": entry({}, {"h": ("ha", {"q": [2]})}), "ha": HALF_ADDER},
            "instance h has 1 bits on q; module ha has no such port",
        ),
        (
            {"m": entry({}, {"h": ("ha", {"a": [2, 3]})}), "ha": HALF_ADDER},
            "instance h has 2 bits on a; module ha has 1 bits there",
        ),
        (
            {
                "m": entry({}, {"t": ("tie", {"y": ["0"]})}),
                "tie": entry({"y": ("output", ["1"])}, {}),
            },
            "module tie joins the constants 1 and 0",
        ),
    ],
)
def test_hierarchies_that_are_none(modules: dict[str, Any], message: str) -> None:
    with pytest.raises(NetlistError, match=message):
        netlist_from_json({"modules": modules})


def test_two_drivers_across_the_hierarchy() -> None:
    modules = {
        "m": entry(
            {"a": ("input", [2]), "y": ("output", [3])},
            {
                "h": ("ha", {"a": [2], "b": [2], "s": [3], "c": [4]}),
                "g": ("$_NOT_", {"A": [2], "Y": [3]}),
            },
        ),
        "ha": HALF_ADDER,
    }
    with pytest.raises(NetlistError, match=r"net y has two drivers, h\.x and g"):
        compile_netlist(netlist_from_json({"modules": modules}), {})
