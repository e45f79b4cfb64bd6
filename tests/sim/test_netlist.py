"""The compiled netlist simulator against one-case-at-a-time evaluation, and its errors."""

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from macsmith.sim.netlist import CompiledNetlist, compile_netlist
from macsmith.sim.netlist_graph import Netlist, NetlistError, netlist_from_json, read_netlist
from macsmith.sim.tools import MissingToolError
from numpy.typing import NDArray


def module(
    ports: dict[str, tuple[str, list[Any]]], cells: dict[str, tuple[str, dict[str, list[Any]]]]
) -> Netlist:
    """A netlist from short notation: port -> (direction, bits), cell -> (type, pin -> bits)."""
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


def build(netlist: Netlist) -> CompiledNetlist:
    return compile_netlist(netlist, {})


def random_gates(seed: int, count: int, inputs: int) -> Netlist:
    """A random circuit of two-input gates with some registers that feed back."""
    choose = random.Random(seed)
    bits: list[Any] = ["0", "1", *range(2, 2 + inputs)]
    cells: dict[str, tuple[str, dict[str, list[Any]]]] = {}
    registers = list(range(1000, 1008))
    bits += registers
    for index in range(count):
        kind = choose.choice(["$_AND_", "$_NOR_", "$_XOR_", "$_ORNOT_", "$_NOT_", "$_MUX_"])
        pins: dict[str, list[Any]] = {"A": [choose.choice(bits)], "Y": [2000 + index]}
        if kind != "$_NOT_":
            pins["B"] = [choose.choice(bits)]
        if kind == "$_MUX_":
            pins["S"] = [choose.choice(bits)]
        cells[f"g{index}"] = (kind, pins)
        bits.append(2000 + index)
    for index, q in enumerate(registers):
        kind = choose.choice(["$_DFF_P_", "$_SDFFE_PP0P_", "$_DFFE_PN_"])
        pins = {"C": [500], "D": [choose.choice(bits)], "Q": [q]}
        if "E" in kind:
            pins["E"] = [choose.choice(bits)]
        if kind.startswith("$_S"):
            pins["R"] = [choose.choice(bits)]
        cells[f"r{index}"] = (kind, pins)
    outputs = [bits[-1 - index] for index in range(70)]
    return module(
        {
            "clk": ("input", [500]),
            "i": ("input", list(range(2, 2 + inputs))),
            "o": ("output", outputs),
        },
        cells,
    )


def evaluate_slowly(
    netlist: Netlist, words: NDArray[np.uint64]
) -> tuple[list[int], dict[int, int]]:
    """Outputs as integers cycle by cycle, and toggles by net, one stream, no cleverness."""
    from macsmith.sim.netlist_graph import combinational_order, model_of

    order, registers = combinational_order(netlist, {})
    state = {instance.name: 0 for instance in registers}
    outputs: list[int] = []
    toggles: dict[int, int] = dict.fromkeys(range(netlist.net_count), 0)
    before: dict[int, int] = {}
    for word in words:
        values = {0: 0, 1: 1}
        for position, net in enumerate(netlist.ports["i"].nets):
            values[net] = int(word) >> position & 1
        for instance in registers:
            values[instance.pins["Q"]] = state[instance.name]
        for instance in order:
            model = model_of(instance, {})
            seen = {pin: values[instance.pins[pin]] for pin in model.inputs}
            for pin, function in model.outputs.items():
                values[instance.pins[pin]] = function.evaluate(seen)
        nets = netlist.ports["o"].nets
        outputs.append(sum(values[net] << position for position, net in enumerate(nets)))
        for net, value in values.items():
            toggles[net] += before.get(net, value) != value
        before = values
        for instance in registers:
            model = model_of(instance, {})
            assert model.flip_flop is not None
            seen = {pin: values.get(net, 0) for pin, net in instance.pins.items()}
            seen[model.flip_flop.state] = state[instance.name]
            state[instance.name] = model.flip_flop.next_state.evaluate(seen)
    return outputs, toggles


@pytest.mark.parametrize("seed", range(3))
def test_equals_slow_evaluation(seed: int) -> None:
    netlist = random_gates(seed, count=150, inputs=12)
    compiled = build(netlist)
    assert compiled.clock == "clk"
    assert compiled.inputs == {"i": 12}
    assert compiled.outputs == {"o": 70}
    rng = np.random.default_rng(seed)
    cycles, streams = 8, 67  # a full block of 64 streams and a bit
    waves = rng.integers(0, 1 << 12, (cycles, streams), dtype=np.uint64)
    result = compiled.simulate({"i": waves}, count_toggles=True)
    assert result.outputs["o"].shape == (cycles, streams, 2)
    assert result.counted_cycles == (cycles - 1) * streams
    assert result.toggles is not None
    total = np.zeros(netlist.net_count, dtype=np.int64)
    for stream in range(streams):
        outputs, toggles = evaluate_slowly(netlist, waves[:, stream])
        low, high = result.outputs["o"][:, stream].T
        assert [int(h) << 64 | int(w) for w, h in zip(low, high, strict=True)] == outputs
        total += [toggles[net] for net in range(netlist.net_count)]
    clock = netlist.ports["clk"].nets[0]
    assert total.sum() > 5000
    assert np.delete(result.toggles, clock).tolist() == np.delete(total, clock).tolist()


def test_toggles_are_counted_from_the_cycle_asked_for() -> None:
    netlist = module(
        {"a": ("input", [2]), "y": ("output", [3])}, {"g": ("$_NOT_", {"A": [2], "Y": [3]})}
    )
    wave = np.array([[0], [1], [0], [0], [1]])
    compiled = build(netlist)
    result = compiled.simulate({"a": wave}, count_toggles=True, first_counted_cycle=3)
    assert result.toggles is not None
    assert result.toggles.tolist() == [0, 0, 1, 1]
    assert result.outputs["y"].tolist() == [[1], [0], [1], [1], [0]]
    with pytest.raises(ValueError, match=r"first_counted_cycle 5 with 5 cycles; must be at least"):
        compiled.simulate({"a": wave}, count_toggles=True, first_counted_cycle=5)


def test_asynchronous_clear_acts_at_once() -> None:
    netlist = module(
        {"clk": ("input", [9]), "d": ("input", [2]), "r": ("input", [3]), "q": ("output", [4])},
        {"f": ("$_DFF_PP0_", {"C": [9], "D": [2], "R": [3], "Q": [4]})},
    )
    d = np.array([[1], [1], [1], [1], [0]])
    r = np.array([[0], [0], [1], [0], [0]])
    # loaded after cycle 0, cleared within cycle 2 and by its end, loaded again after cycle 3
    assert build(netlist).simulate({"d": d, "r": r}).outputs["q"].ravel().tolist() == [
        0,
        1,
        0,
        0,
        1,
    ]


def test_signed_and_wide_inputs() -> None:
    bits = list(range(2, 72))
    netlist = module(
        {"s": ("input", bits[:4]), "w": ("input", [*bits[4:], 100]), "y": ("output", bits)}, {}
    )
    compiled = build(netlist)
    wide = np.array([[[3, 1], [2**64 - 1, 0]]], dtype=np.uint64)
    result = compiled.simulate({"s": np.array([[-1, 7]], dtype=np.int8), "w": wide})
    low, high = result.outputs["y"][0].T
    assert [int(h) << 64 | int(w) for w, h in zip(low, high, strict=True)] == [
        15 | 3 << 4 | (1 << 64 << 4),
        7 | (2**64 - 1) << 4,
    ]


@pytest.mark.parametrize("kind", ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8"])
@pytest.mark.parametrize(("width", "streams"), [(5, 130), (8, 513), (12, 64), (33, 600), (64, 1)])
def test_ports_of_all_widths_in_all_types(kind: str, width: int, streams: int) -> None:
    bits = list(range(2, 2 + width))
    compiled = build(module({"a": ("input", bits), "y": ("output", bits)}, {}))
    info = np.iinfo(kind)
    low = max(-(1 << (width - 1)), int(info.min)) if kind[0] == "i" else 0
    high = min(1 << (width - (kind[0] == "i")), int(info.max) + 1)
    a = np.random.default_rng(3).integers(low, high, size=(3, streams), dtype=kind)
    mask = (1 << width) - 1
    got = compiled.simulate({"a": a}).outputs["y"]
    assert got.tolist() == [[value & mask for value in row] for row in a.tolist()]


def test_values_shared_by_all_streams_and_kept_outputs() -> None:
    netlist = module(
        {
            "a": ("input", [2, 3]),
            "b": ("input", [4, 5]),
            "y": ("output", [2, 5]),
            "z": ("output", [3]),
        },
        {},
    )
    rng = np.random.default_rng(4)
    a, b = rng.integers(0, 4, size=(6, 700)), rng.integers(0, 4, size=(6, 1))
    compiled = build(netlist)
    whole = compiled.simulate({"a": a, "b": b}).outputs
    assert np.array_equal(whole["y"], (a & 1) | (b & 2))
    part = compiled.simulate({"a": a, "b": b}, kept_outputs=["y"], kept_cycles=[1, 4]).outputs
    assert list(part) == ["y"]
    assert np.array_equal(part["y"], whole["y"][[1, 4]])
    with pytest.raises(ValueError, match="no output port x; must be of"):
        compiled.simulate({"a": a, "b": b}, kept_outputs=["x"])
    with pytest.raises(ValueError, match="kept_cycles must ascend from 0 to at most 5"):
        compiled.simulate({"a": a, "b": b}, kept_cycles=[1, 6])


def test_states_of_cells_are_counted() -> None:
    netlist = module(
        {"clk": ("input", [9]), "a": ("input", [2]), "b": ("input", [3]), "y": ("output", [5])},
        {
            "g": ("$_ANDNOT_", {"A": [2], "B": [3], "Y": [4]}),
            "f": ("$_DFF_P_", {"C": [9], "D": [4], "Q": [5]}),
        },
    )
    rng = np.random.default_rng(5)
    a, b = rng.integers(0, 2, size=(2, 9, 600))
    result = build(netlist).simulate({"a": a, "b": b}, count_states=True, first_counted_cycle=2)
    assert result.toggles is None
    assert result.cell_states is not None
    gate, register = result.cell_states["g"], result.cell_states["f"]
    assert gate.pins == ("A", "B")
    assert gate.counts.tolist() == np.bincount((a + 2 * b)[2:].ravel(), minlength=4).tolist()
    assert gate.probabilities.sum() == pytest.approx(1.0)
    d = a & ~b & 1
    assert register.pins == ("D", "IQ")
    states = d[2:] + 2 * d[1:-1]
    assert register.counts.tolist() == np.bincount(states.ravel(), minlength=4).tolist()
    assert result.counted_cycles == register.counts.sum() == 7 * 600


def test_waveforms_that_do_not_fit() -> None:
    netlist = module({"a": ("input", [2, 3]), "b": ("input", [4]), "y": ("output", [2])}, {})
    compiled = build(netlist)
    ones = np.ones((2, 3), dtype=np.int64)
    cases: list[tuple[dict[str, Any], type[Exception], str]] = [
        ({"a": ones}, ValueError, r"waveforms for \['a'\]; must be for \['a', 'b'\]"),
        ({"a": ones, "b": ones[:, :2]}, ValueError, r"shape \(2, 2\); must be .* 3 streams"),
        ({"a": ones[0], "b": ones[0]}, ValueError, r"must be \[cycles, streams\]"),
        ({"a": ones * 4, "b": ones}, ValueError, r"values 4 to 4 on a; must fit its 2 bits"),
        ({"a": ones * -3, "b": ones}, ValueError, r"values -3 to -3 on a; must fit its 2 bits"),
        ({"a": ones * 1.0, "b": ones}, TypeError, "float64; must be an integer array"),
        ({"a": ones[:0], "b": ones[:0]}, ValueError, "0 cycles of 3 streams; must be at least 1"),
    ]
    for waves, error, message in cases:
        with pytest.raises(error, match=message):
            compiled.simulate(waves)


AND: dict[str, list[Any]] = {"A": [2], "B": [3], "Y": [4]}
PORTS: dict[str, tuple[str, list[Any]]] = {
    "a": ("input", [2]),
    "b": ("input", [3]),
    "clk": ("input", [9]),
    "y": ("output", [4]),
}


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ({"g": ("MYSTERY", AND)}, "cell g: no function is known for MYSTERY"),
        ({"g": ("$_AND_", {**AND, "Z": [5]})}, r"cell g \(\$_AND_\) has no pin Z"),
        ({"g": ("$_AND_", AND), "h": ("$_OR_", AND)}, "net .* has two drivers, g and h"),
        ({"g": ("$_NOT_", {"A": [3], "Y": [2]})}, "two drivers, an input port"),
        ({"g": ("$_AND_", {**AND, "B": [7]})}, r"net .*, read by g\.B, has no driver"),
        ({"g": ("$_AND_", {"A": [2], "Y": [4]})}, r"input g\.B is not connected"),
        ({}, "net .*, read by port y, has no driver"),
        (
            {
                "g": ("$_AND_", {"A": [2], "B": [5], "Y": [4]}),
                "h": ("$_NOT_", {"A": [4], "Y": [5]}),
            },
            "combinational loop through g <- h; break it with a register",
        ),
        (
            {
                "f": ("$_DFF_P_", {"C": [9], "D": [2], "Q": [4]}),
                "e": ("$_DFF_N_", {"C": [9], "D": [2], "Q": [5]}),
            },
            r"several clocks: rising .* \(f\), falling .* \(e\); must be one",
        ),
        (
            {
                "f": ("$_DFF_P_", {"C": [5], "D": [2], "Q": [4]}),
                "g": ("$_NOT_", {"A": [9], "Y": [5]}),
            },
            "is no 1-bit input port; gated or divided clocks are not simulated",
        ),
    ],
)
def test_faulty_netlists_are_named(
    cells: dict[str, tuple[str, dict[str, list[Any]]]], message: str
) -> None:
    with pytest.raises(NetlistError, match=message):
        build(module(PORTS, cells))


def test_json_that_is_no_netlist(tmp_path: Path) -> None:
    path = tmp_path / "n.json"
    with pytest.raises(NetlistError, match=r"n\.json: cannot be read as a netlist"):
        read_netlist(path)
    path.write_text("{")
    with pytest.raises(NetlistError, match=r"must be JSON from Yosys' write_json"):
        read_netlist(path)
    path.write_text(json.dumps({"modules": {}}))
    with pytest.raises(NetlistError, match="module 'm' is not there"):
        read_netlist(path, "m")
    wide = {"g": {"type": "$add", "connections": {"A": [2, 3]}}}
    with pytest.raises(NetlistError, match=r"cell g \(\$add\) has 2 bits on pin A; must be a gate"):
        netlist_from_json({"modules": {"m": {"ports": {}, "cells": wide}}})


def test_a_missing_compiler_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    netlist = module({"a": ("input", [2]), "y": ("output", [2])}, {})
    with pytest.raises(MissingToolError, match="no-such-compiler"):
        compile_netlist(netlist, {}, cache_dir=tmp_path)


def test_compiled_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netlist = module(
        {"a": ("input", [2]), "y": ("output", [3])}, {"g": ("$_NOT_", {"A": [2], "Y": [3]})}
    )
    compile_netlist(netlist, {}, cache_dir=tmp_path)
    written = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    assert len(written) == 2  # the runtime and the netlist
    compile_netlist(netlist, {}, cache_dir=tmp_path)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == written
