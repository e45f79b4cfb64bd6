"""What becomes of full adders."""

from typing import Any

import pytest
from macsmith.synth.cells import Technology
from macsmith.synth.full_adder import FULL_ADDER, plan_full_adders
from macsmith.synth.technology import technology


def module(
    adders: dict[str, tuple[list[Any], list[Any]]], inputs: list[int], outputs: list[int]
) -> dict[str, Any]:
    directions = {"a": "input", "b": "input", "c": "input", "sum": "output", "carry": "output"}
    return {
        "ports": {
            "i": {"direction": "input", "bits": inputs},
            "o": {"direction": "output", "bits": outputs},
        },
        "cells": {
            name: {
                "type": FULL_ADDER,
                "port_directions": directions,
                "connections": {
                    pin: [bit] for pin, bit in zip(directions, [*ins, *outs], strict=True)
                },
            }
            for name, (ins, outs) in adders.items()
        },
    }


def test_degenerate_adders_are_dissolved(tiny: Technology) -> None:
    adder = tiny.full_adder
    assert adder is not None
    design = module(
        {
            "good": ([2, 3, 4], [10, 11]),
            "constant": ([2, 3, "0"], [12, 13]),
            "equal": ([2, 2, 4], [14, 15]),
            "half_used": ([2, 3, 4], [16, 17]),
        },
        [2, 3, 4],
        [10, 11, 12, 13, 14, 15, 16],
    )
    plan = plan_full_adders(design, adder)
    assert plan.total == 4
    assert set(plan.dissolved) == {"constant", "equal", "half_used"}


def chain(length: int) -> dict[str, Any]:
    adders: dict[str, tuple[list[Any], list[Any]]] = {}
    carry = 2
    for k in range(length):
        adders[f"f{k}"] = ([carry, 100 + k, 200 + k], [300 + k, 400 + k])
        carry = 400 + k
    inputs = [2, *range(100, 100 + length), *range(200, 200 + length)]
    return module(adders, inputs, [*range(300, 300 + length), carry])


def test_a_chain_alternates(tiny: Technology) -> None:
    adder = tiny.full_adder
    assert adder is not None
    plan = plan_full_adders(chain(9), adder)
    assert set(plan.flipped) in (
        {f"f{k}" for k in range(0, 9, 2)},
        {f"f{k}" for k in range(1, 9, 2)},
    )
    assert plan.dissolved == ()
    commands = plan.commands("m")
    assert f"chtype -set {FULL_ADDER}_flipped m/c:{plan.flipped[0]}" in commands


def test_no_flipping_where_outputs_are_true() -> None:
    adder = technology("sky130").full_adder
    assert adder is not None
    assert plan_full_adders(chain(9), adder).flipped == ()


@pytest.mark.parametrize("length", [1, 2, 50])
def test_wires_between_equals_never_outnumber_the_others(tiny: Technology, length: int) -> None:
    adder = tiny.full_adder
    assert adder is not None
    design = chain(length)
    flipped = set(plan_full_adders(design, adder).flipped)
    equal = sum((f"f{k}" in flipped) == (f"f{k + 1}" in flipped) for k in range(length - 1))
    assert equal == 0


def test_ports_and_gates_have_their_say(tiny: Technology) -> None:
    """A lone adder is used direct behind ports, and behind gates as the bias says."""
    adder = tiny.full_adder
    assert adder is not None
    ports = module({"f": ([2, 3, 4], [10, 11])}, [2, 3, 4], [])
    gates = module({"f": ([2, 3, 4], [10, 11])}, [], [])
    for design in (ports, gates):  # someone reads the outputs
        design["cells"]["reader"] = {
            "type": "$_AND_",
            "port_directions": {"A": "input", "B": "input", "Y": "output"},
            "connections": {"A": [10], "B": [11], "Y": [12]},
        }
    assert plan_full_adders(ports, adder, 0.6).flipped == ()
    assert plan_full_adders(gates, adder, 0.6).flipped == ("f",)
    assert plan_full_adders(gates, adder, -0.6).flipped == ()
    shown = module({"f": ([2, 3, 4], [10, 11])}, [], [10, 11])
    assert plan_full_adders(shown, adder).flipped == ("f",)
