"""The timed simulator: pulses, filters, registers, and an event-driven simulator beside it."""

import importlib.util
import random
import shutil
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from macsmith.sim.netlist import compile_netlist
from macsmith.sim.netlist_graph import Netlist, NetlistError
from macsmith.sim.timed import OutputDelay, time_netlist
from test_netlist import module, random_gates

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def pulse_maker() -> Netlist:
    """y = a & !a: a pulse as long as the inverter's delay when a rises."""
    return module(
        {"a": ("input", [2]), "y": ("output", [4])},
        {
            "not": ("$_NOT_", {"A": [2], "Y": [3]}),
            "and": ("$_AND_", {"A": [2], "B": [3], "Y": [4]}),
        },
    )


@pytest.mark.parametrize(
    ("inverter_ps", "gate", "pulses"),
    [
        (50.0, OutputDelay(20.0, 20.0), 1),
        (50.0, OutputDelay(49.0, 10.0), 1),
        (50.0, OutputDelay(51.0, 10.0), 0),  # it does not last as long as the gate takes to rise
        (50.0, OutputDelay(20.0, 90.0), 1),  # only stretched
        (10.0, OutputDelay(20.0, 20.0), 0),
        (10.0, OutputDelay(20.0, 20.0, {"B": 15.0}), 1),  # the inverted edge acts later
        (30.0, OutputDelay(20.0, 20.0, {"A": 15.0}), 0),  # and here the pulse is shortened
        (0.0, OutputDelay(0.0, 0.0), 0),
    ],
)
def test_pulses_last_or_are_filtered(inverter_ps: float, gate: OutputDelay, pulses: int) -> None:
    delays = {("not", "Y"): OutputDelay(inverter_ps, inverter_ps), ("and", "Y"): gate}
    timed = time_netlist(pulse_maker(), {}, delays, step_ps=1.0)
    a = np.array([[0], [1], [1], [0], [1], [0]])
    result = timed.simulate({"a": a})
    assert result.toggles is not None
    # a rises twice
    assert result.toggles.tolist()[2:] == [4, 2 * 2 * pulses, 4]
    assert result.settled_toggles.tolist()[2:] == [4, 0, 4]
    assert not result.outputs["y"].any()


def test_streams_are_independent_and_counted_once() -> None:
    delays = {("not", "Y"): OutputDelay(9.0, 9.0), ("and", "Y"): OutputDelay(3.0, 3.0)}
    timed = time_netlist(pulse_maker(), {}, delays, step_ps=1.0)
    a = np.random.default_rng(1).integers(0, 2, size=(7, 700))
    result = timed.simulate({"a": a}, first_counted_cycle=2)
    assert result.toggles is not None
    rises = int(((a[1:-1] == 0) & (a[2:] == 1)).sum())
    assert result.toggles[3] == 2 * rises
    assert result.counted_cycles == 5 * 700


def random_delays(netlist: Netlist, seed: int) -> dict[tuple[str, str], OutputDelay]:
    choose = random.Random(seed)
    delays = {}
    for instance in netlist.instances:
        later = {"A": 0.0, "B": choose.uniform(0, 4), "S": choose.uniform(0, 4)}
        if "DFF" in instance.cell:
            later = {}
        for pin in ("Y", "Q"):
            if pin in instance.pins:
                delays[instance.name, pin] = OutputDelay(
                    choose.uniform(4, 30), choose.uniform(4, 30), later
                )
    return delays


@pytest.mark.parametrize("step_ps", [1.5, 4.0, 17.0, 100.0])
@pytest.mark.parametrize("seed", range(3))
def test_every_cycle_ends_as_without_delays(seed: int, step_ps: float) -> None:
    netlist = random_gates(seed, 120, 6)
    rng = np.random.default_rng(seed)
    waves = {
        name: rng.integers(0, 1 << len(port.nets), size=(40, 100))
        for name, port in netlist.ports.items()
        if not port.is_output and name != "clk"
    }
    plain = compile_netlist(netlist, {}).simulate(waves, count_toggles=True)
    timed = time_netlist(netlist, {}, random_delays(netlist, seed), step_ps=step_ps)
    result = timed.simulate(waves)
    assert result.toggles is not None
    for name, wave in plain.outputs.items():
        assert np.array_equal(result.outputs[name], wave)
    assert np.array_equal(result.settled_toggles, plain.toggles)
    assert (result.toggles >= result.settled_toggles).all()
    if step_ps < 2:
        assert result.toggles.sum() > 1.05 * result.settled_toggles.sum()
    # an odd number of edges exactly where the settled value changes
    assert not ((result.toggles - result.settled_toggles) % 2).any()


@pytest.fixture(scope="module")
def referee() -> ModuleType:
    if shutil.which("iverilog") is None:
        pytest.skip("Icarus Verilog is not installed (apt-get install iverilog)")
    spec = importlib.util.spec_from_file_location("toggles", BENCHMARKS / "timed_toggles.py")
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


@pytest.mark.parametrize("seed", range(3))
def test_toggles_are_those_of_an_event_driven_simulator(seed: int, referee: ModuleType) -> None:
    netlist = random_gates(seed, 80, 6)
    delays = random_delays(netlist, seed)
    rng = np.random.default_rng(seed)
    waves = {
        name: rng.integers(0, 1 << len(port.nets), size=(60, 1))
        for name, port in netlist.ports.items()
        if not port.is_output and name != "clk"
    }
    timed = time_netlist(netlist, {}, delays, step_ps=0.1)
    result = timed.simulate(waves, first_counted_cycle=3)
    clock = next((name for name in netlist.ports if name == "clk"), None)
    period = round((timed.settled_ps + 50) * referee.FEMTOSECONDS)
    text = referee.netlist_verilog(netlist, {}, delays, waves, clock, period)
    wanted, settled = referee.icarus_toggles(text, netlist.net_count, period, 3)
    if clock:
        wanted[netlist.ports[clock].nets[0]] = settled[netlist.ports[clock].nets[0]] = 0
    assert np.array_equal(result.settled_toggles, settled)
    assert result.toggles is not None
    assert wanted.sum() > 1000
    difference = np.abs(result.toggles - wanted).sum()
    assert difference <= 0.005 * wanted.sum()


def test_refusals() -> None:
    netlist = pulse_maker()
    delays = {("not", "Y"): OutputDelay(9.0, 9.0), ("and", "Y"): OutputDelay(3.0, 3.0)}
    with pytest.raises(NetlistError, match="no delay is known for output Y"):
        time_netlist(netlist, {}, {("and", "Y"): OutputDelay(1.0, 1.0)}, step_ps=1.0)
    with pytest.raises(ValueError, match="step_ps must be greater than 0"):
        time_netlist(netlist, {}, delays, step_ps=0.0)
    with pytest.raises(ValueError, match="take a longer step"):
        time_netlist(netlist, {}, delays, step_ps=1e-3)
    timed = time_netlist(netlist, {}, delays, step_ps=1.0)
    with pytest.raises(ValueError, match="first_counted_cycle 3 with 3 cycles"):
        timed.simulate({"a": np.zeros((3, 1), dtype=int)}, first_counted_cycle=3)
    with pytest.raises(ValueError, match="must be for \\['a'\\]"):
        timed.simulate({"b": np.zeros((3, 1), dtype=int)})
