"""Polarity and pins of mapped full adders: fewer inverters, the same function."""

import copy
from random import Random
from typing import Any

import numpy as np
import pytest
from macsmith.sim.netlist import compile_netlist
from macsmith.sim.netlist_graph import netlist_from_json
from macsmith.synth import polish
from macsmith.synth.cells import Technology
from macsmith.synth.polish import order_pins, turn_adders
from macsmith.synth.timing import analyse_timing


def random_module(seed: int, inputs: int = 9, adders: int = 12) -> dict[str, Any]:
    """A net of full adders with true outputs, as from a plan that knew nothing, and some gates."""
    random = Random(seed)
    module: dict[str, Any] = {"cells": {}, "ports": {}}
    bits = list(range(2, 2 + inputs))
    given, leaving = list(bits), []
    fresh = iter(range(100, 1000))

    def add(kind: str, sources: list[int], pins: str) -> list[int]:
        targets = [next(fresh) for _ in range(len(pins) // 2 if kind == "FA" else 1)]
        names = ["A", "B", "C", "CON", "SN"] if kind == "FA" else list(pins)
        cell = {p: [b] for p, b in zip(names, [*sources, *targets], strict=True)}
        module["cells"][f"c{targets[0]}"] = {"type": kind, "connections": cell}
        return targets

    for _ in range(adders):
        sources = [bits.pop(random.randrange(len(bits))) for _ in range(3)]
        outputs = add("FA", sources, "ABCDE")
        true = [bit for output in outputs for bit in add("INV", [output], "AY")]
        bits += true
        leaving += random.sample([*outputs, *true, *sources], 1)
        if random.random() < 0.5:
            bits += add("NAND2", random.sample([*true, *bits], 2), "ABY")
        while len(bits) < 3:
            bits += add("INV", [random.choice(given)], "AY")
    module["ports"] = {
        "i": {"direction": "input", "bits": given},
        "o": {"direction": "output", "bits": [*leaving, *bits]},
    }
    return module


def outputs_of(module: dict[str, Any], technology: Technology) -> Any:
    netlist = netlist_from_json({"modules": {"m": module}}, "m")
    compiled = compile_netlist(netlist, technology.models())
    return compiled.simulate(
        {
            name: np.random.default_rng(1).integers(0, 1 << len(port.nets), (1, 512))
            for name, port in netlist.ports.items()
            if not port.is_output
        }
    ).outputs["o"]


def inverters(module: dict[str, Any]) -> int:
    return sum(cell["type"] == "INV" for cell in module["cells"].values())


def check(seed: int, technology: Technology) -> int:
    module = random_module(seed)
    before, count = outputs_of(module, technology), inverters(module)
    saved = turn_adders(module, technology)
    assert np.array_equal(outputs_of(module, technology), before), seed
    assert count - inverters(module) >= saved, seed  # inverters nobody reads go as well
    order_pins(module, "m", technology)
    assert np.array_equal(outputs_of(module, technology), before), seed
    return saved


def test_random_nets_keep_their_function(tiny: Technology) -> None:
    saved = [check(seed, tiny) for seed in range(25)]
    assert sum(count > 0 for count in saved) > 10


def chain(length: int, late_pin: str) -> dict[str, Any]:
    """Adders whose complemented carry goes through an inverter to the next one."""
    early = [pin for pin in "ABC" if pin != late_pin]
    module: dict[str, Any] = {"cells": {}, "ports": {}}
    inputs = [2]
    carry, leaving = 2, []
    for k in range(length):
        a, b, wrong_carry, wrong_sum, true_carry = range(100 + 10 * k, 105 + 10 * k)
        inputs += [a, b]
        pins = {early[0]: [a], early[1]: [b], late_pin: [carry]}
        module["cells"][f"f{k}"] = {
            "type": "FA",
            "connections": {**pins, "CON": [wrong_carry], "SN": [wrong_sum]},
        }
        module["cells"][f"n{k}"] = {
            "type": "INV",
            "connections": {"A": [wrong_carry], "Y": [true_carry]},
        }
        leaving.append(wrong_sum)
        carry = true_carry
    module["ports"] = {
        "i": {"direction": "input", "bits": inputs[:8]},
        "j": {"direction": "input", "bits": inputs[8:]},
        "o": {"direction": "output", "bits": [*leaving, carry]},
    }
    return module


def test_every_other_adder_of_a_chain_is_turned(tiny: Technology) -> None:
    module = alternating_chain()
    before = inverters(module)
    saved = turn_adders(module, tiny)
    assert saved == 6 + 3 * 2 - 3  # carries and operands need none; three sums now do
    assert inverters(module) == before - saved


def alternating_chain() -> dict[str, Any]:
    """A chain of six; operands of every other adder come through inverters."""
    module = chain(6, "C")
    for k in range(6):
        if k % 2:
            connections = module["cells"][f"f{k}"]["connections"]
            for pin, wire in (("A", 200 + 2 * k), ("B", 201 + 2 * k)):
                module["cells"][f"{pin}{k}"] = {
                    "type": "INV",
                    "connections": {"A": connections[pin], "Y": [wire]},
                }
                connections[pin] = [wire]
    return module


def test_the_latest_signal_gets_the_quickest_pin(tiny: Technology) -> None:
    """The tiny library's pins are alike but for their order; a slow copy has one slow pin."""
    delays = []
    for late_pin in "ABC":
        module = chain(8, late_pin)
        given = analyse_timing(netlist_from_json({"modules": {"m": module}}, "m"), tiny).delay_ps
        ordered = copy.deepcopy(module)
        order_pins(ordered, "m", tiny)
        delay = analyse_timing(netlist_from_json({"modules": {"m": ordered}}, "m"), tiny).delay_ps
        assert delay <= given
        delays.append(delay)
    assert len(set(delays)) == 1


def test_a_planted_fault_is_found(tiny: Technology, monkeypatch: pytest.MonkeyPatch) -> None:
    """A turned adder whose outputs change places."""
    module = alternating_chain()
    before = outputs_of(module, tiny)
    right = polish._Search.rewrite

    def wrong(search: Any) -> None:
        right(search)
        turned = next(name for name in search.adders if search.flipped[name])
        connections = search.cells[turned]["connections"]
        connections["CON"], connections["SN"] = connections["SN"], connections["CON"]

    monkeypatch.setattr(polish._Search, "rewrite", wrong)
    assert turn_adders(module, tiny) > 0
    assert not np.array_equal(outputs_of(module, tiny), before)
