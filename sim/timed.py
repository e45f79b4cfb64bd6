"""A netlist simulated in time: 512 independent streams at once, glitches counted.

Within a cycle every net has a waveform over steps of a few picoseconds: a list of values, one bit
for each stream, one value for each step in which any stream changes. A gate's list comes from those
of its inputs, worked out only in steps in which one of them changes, delayed by its own rise and
fall times; what does not last that long is filtered (inertial delay, as event-driven simulators
have it). Every cycle ends settled.

Nothing is compiled per netlist: there is one kernel for each Boolean function in use, and tables.
"""

import ctypes
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from macsmith.sim.netlist import SimulationResult
from macsmith.sim.netlist_cells import CellModel, FlipFlopModel
from macsmith.sim.netlist_code import clock_port
from macsmith.sim.netlist_function import Function
from macsmith.sim.netlist_graph import (
    CONSTANT_NETS,
    Instance,
    Netlist,
    NetlistError,
    combinational_order,
    model_of,
)
from macsmith.sim.netlist_library import (
    address,
    addresses,
    load_library,
    pack_waveforms,
    port_tables,
    port_words,
    runtime_source,
)
from macsmith.sim.tools import cache_directory
from numpy.typing import NDArray

__all__ = ["OutputDelay", "TimedNetlist", "TimedResult", "time_netlist"]

RUNTIME = Path(__file__).with_name("timed_runtime.cpp")
MAX_STEPS = 8192


@dataclass(frozen=True)
class OutputDelay:
    """Delays of one output of one instance, ps.

    `rise_ps` and `fall_ps` lead from the function's change to the output's edge; an input in
    `later_ps` acts so much later than the quickest one.
    """

    rise_ps: float
    fall_ps: float
    later_ps: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class TimedResult(SimulationResult):
    """What a timed simulation gives: `toggles` counts every edge of a net.

    Attributes
    ----------
    settled_toggles
        As `toggles`, but only the change from one cycle's end to the next: without glitches.
    """

    settled_toggles: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))

    def settled(self) -> SimulationResult:
        """The same simulation without glitches, as one without delays would count it."""
        return SimulationResult(self.outputs, self.settled_toggles, self.counted_cycles)


class _Tables:
    """Gates, pins and windows as the runtime takes them."""

    def __init__(self, netlist: Netlist, step_ps: float) -> None:
        self.netlist, self.step_ps = netlist, step_ps
        # text and number of pins -> number
        self.kernels: dict[tuple[str, int], int] = {}
        self.gates: list[tuple[int, ...]] = []
        self.registers: list[tuple[int, ...]] = []
        self.pins: list[tuple[int, int]] = []
        # first and last step in which a net can change; last < first: never
        self.windows: list[tuple[int, int]] = [(0, -1)] * netlist.net_count
        # mean arrival of each net's latest edge, and the step it is simulated at
        self.nominal_ps = [0.0] * (netlist.net_count + 1)
        self.nominal_step = [0.0] * (netlist.net_count + 1)

    def kernel(self, function: Function, names: tuple[str, ...]) -> int:
        text = function.to_c(lambda name: f"*in[{names.index(name)}]", ("word{}", "~word{}"))
        return self.kernels.setdefault((text, len(names)), len(self.kernels))

    def steps(self, time_ps: float) -> int:
        return round(time_ps / self.step_ps)

    def is_rounded_up(self, steps: int, time_ps: float) -> int:
        """1 where whole steps are more than the delay: a value that lasts as many is not filtered.

        Such values are common, for all is rounded; without this every one of them would be lost.
        """
        return int(steps > 0 and steps * self.step_ps > time_ps)

    def add_gate(
        self, net: int, function: Function, nets: Mapping[str, int], delay: OutputDelay
    ) -> None:
        names = function.variables()
        start = len(self.pins)
        firsts, lasts = [], []
        # when each pin acts in truth beyond when it does in steps: what rounding lost so far
        behind = {
            name: delay.later_ps.get(name, 0.0) + self.nominal_ps[nets[name]]
            - self.step_ps * self.nominal_step[nets[name]]
            for name in names
        }  # fmt: skip
        common = min(behind.values(), default=0.0)
        rise_ps, fall_ps = delay.rise_ps + common, delay.fall_ps + common
        rise, fall = max(self.steps(rise_ps), 0), max(self.steps(fall_ps), 0)
        for name in names:
            shift = self.steps(behind[name] - common)
            self.pins.append((nets[name], shift))
            first, last = self.windows[nets[name]]
            if first <= last:
                firsts.append(first + shift)
                lasts.append(last + shift)
                mean_ps = (delay.rise_ps + delay.fall_ps) / 2 + delay.later_ps.get(name, 0.0)
                arrival = self.nominal_ps[nets[name]] + mean_ps
                if arrival > self.nominal_ps[net]:
                    self.nominal_ps[net] = arrival
                    self.nominal_step[net] = (
                        self.nominal_step[nets[name]] + shift + (rise + fall) / 2
                    )
        # what never changes is still worked out, in the first cycle
        raw_first, raw_last = min(firsts, default=0), max(lasts, default=0)
        self.gates.append(
            (
                self.kernel(function, names), net, rise, fall,
                self.is_rounded_up(rise, delay.rise_ps), self.is_rounded_up(fall, delay.fall_ps),
                raw_first, raw_last, len(names), start,
            )
        )  # fmt: skip
        self.windows[net] = (raw_first + min(rise, fall), raw_last + max(rise, fall))

    def add_register(self, net: int, function: Function, nets: Mapping[str, int]) -> None:
        names = function.variables()
        start = len(self.pins)
        self.pins += [(nets[name], 0) for name in names]
        kernel = self.kernel(function, names)
        self.registers.append((kernel, net, 0, 0, 0, 0, 0, 0, len(names), start))


class TimedNetlist:
    """A netlist ready for timed simulation; made by `time_netlist`.

    Attributes
    ----------
    netlist, step_ps
        What is simulated, and the resolution.
    settled_ps
        By then every net has its final value.
    """

    def __init__(
        self, netlist: Netlist, clock: str | None, tables: _Tables, sources: list[int],
        cache_dir: Path,
    ) -> None:  # fmt: skip
        self.netlist, self.clock, self.step_ps = netlist, clock, tables.step_ps
        windows = np.array(tables.windows, dtype=np.int64).reshape(-1, 2)
        # the value before the cycle, one for each step, and one that is written in vain
        lengths = np.maximum(windows[:, 1] - windows[:, 0] + 1, 0) + 2
        self.settled_ps = float(max(windows[:, 1].max(), 0)) * tables.step_ps
        self._net_count, self._value_count = len(windows), int(lengths.sum())
        self._step_count = max(int(windows[:, 1].max()), 0) + 1
        self._gates = np.array(tables.gates, dtype=np.int32).reshape(-1, 10)
        self._registers = np.array(tables.registers, dtype=np.int32).reshape(-1, 10)
        self._pins = np.array([*tables.pins, (0, 0)], dtype=np.int32)
        self._sources = np.array(sources, dtype=np.uint32)
        source = runtime_source(RUNTIME) + "\n" + _kernel_text(tables.kernels)
        self._library = load_library(source, "-O2", cache_dir, ("-march=native",))
        self._library.macsmith_simulate_timed.restype = None
        ports = netlist.ports.values()
        self._inputs = [p for p in ports if not p.is_output and p.name != clock]
        self._outputs = [p for p in ports if p.is_output]

    def simulate(
        self, waveforms: Mapping[str, NDArray[np.generic]], *, first_counted_cycle: int = 1
    ) -> TimedResult:
        """Run all streams through all cycles, registers starting at 0, and count toggles.

        Parameters
        ----------
        waveforms
            As `macsmith.sim.netlist.CompiledNetlist.simulate` takes them; all change at the clock
            edge that begins the cycle.
        first_counted_cycle
            Edges in this cycle and later ones are counted.

        Raises
        ------
        ValueError, TypeError
            As there.
        """
        packed = pack_waveforms(self.netlist.name, self._inputs, waveforms)
        cycles, streams = packed.cycles, packed.streams
        if not 1 <= first_counted_cycle < cycles:
            raise ValueError(
                f"{self.netlist.name}: first_counted_cycle {first_counted_cycle} with {cycles} "
                "cycles; must be at least 1 and less than the number of cycles"
            )
        results = {
            port.name: np.zeros((cycles, streams, port_words(port)), np.uint64)
            for port in self._outputs
        }
        count = self._net_count
        toggles, settled = np.zeros(count, np.int64), np.zeros(count, np.int64)
        widths_in, nets_in = port_tables(self._inputs)
        widths_out, nets_out = port_tables(self._outputs)
        self._library.macsmith_simulate_timed(
            ctypes.c_uint32(count),
            ctypes.c_int64(self._value_count),
            ctypes.c_int32(self._step_count),
            ctypes.c_uint32(len(self._gates)),
            address(self._gates),
            address(self._pins),
            ctypes.c_uint32(len(self._registers)),
            address(self._registers),
            ctypes.c_uint32(len(self._sources)),
            address(self._sources),
            ctypes.c_uint64(cycles),
            ctypes.c_uint64(streams),
            ctypes.c_uint32(len(self._inputs)),
            address(widths_in),
            address(nets_in),
            addresses(packed.arrays),
            address(packed.bytes_per_value),
            address(packed.are_shared),
            ctypes.c_uint32(len(self._outputs)),
            address(widths_out),
            address(nets_out),
            addresses([results[port.name] for port in self._outputs]),
            ctypes.c_uint64(first_counted_cycle),
            address(toggles),
            address(settled),
        )
        nets = self.netlist.net_count
        return TimedResult(
            outputs={n: a[:, :, 0] if a.shape[2] == 1 else a for n, a in results.items()},
            toggles=toggles[:nets],
            counted_cycles=(cycles - first_counted_cycle) * streams,
            settled_toggles=settled[:nets],
        )


def _kernel_text(kernels: Mapping[tuple[str, int], int]) -> str:
    lines = ["namespace {"]
    for (text, pins), number in kernels.items():
        lines.append(
            f"struct Function{number} {{\n  static constexpr int kPins = {pins};\n"
            f"  static word of(const word *const *in) {{ (void)in; return {text}; }}\n}};"
        )
    names = [f"Function{number}" for number in kernels.values()]
    runs = ", ".join(f"raw_events<{name}>" for name in names)
    settled = ", ".join(f"{name}::of" for name in names)
    return "\n".join(
        [
            *lines,
            "}",
            f"Kernel const kernels[] = {{{runs or 'nullptr'}}};",
            f"Settle const settled_values[] = {{{settled or 'nullptr'}}};",
            "",
        ]
    )


def time_netlist(
    netlist: Netlist,
    models: Mapping[str, CellModel],
    delays: Mapping[tuple[str, str], OutputDelay],
    *,
    step_ps: float,
    cache_dir: Path | None = None,
) -> TimedNetlist:
    """Make a netlist ready for timed simulation.

    Parameters
    ----------
    models
        Logic of the library cells by name; Yosys' generic gates are known.
    delays
        By instance and output pin; a register's count from the clock edge.
    step_ps
        Resolution: delays are rounded to whole steps.

    Raises
    ------
    ValueError
        `step_ps` is not positive, or so small that a cycle has more than `MAX_STEPS` steps.
    NetlistError
        What `macsmith.sim.netlist.compile_netlist` refuses; an output without a delay; a register
        with a clear or preset that is no constant.
    """
    if not step_ps > 0:
        raise ValueError(f"{netlist.name}: step_ps must be greater than 0, not {step_ps}")
    order, registers = combinational_order(netlist, models)
    clock = clock_port(netlist, registers, models)
    tables = _Tables(netlist, step_ps)
    sources = [
        net
        for port in netlist.ports.values()
        if not port.is_output and port.name != clock
        for net in port.nets
        if net >= CONSTANT_NETS
    ]
    for index in range(len(registers)):
        sources.append(netlist.net_count + index)
        tables.windows.append((0, 0))
        tables.nominal_ps.append(0.0)
        tables.nominal_step.append(0.0)
    for net in sources:
        tables.windows[net] = (0, 0)
    states = {r.name: netlist.net_count + index for index, r in enumerate(registers)}

    def delay_of(instance: Instance, pin: str) -> OutputDelay:
        try:
            return delays[instance.name, pin]
        except KeyError:
            raise NetlistError(
                f"cell {instance.name} ({instance.cell}): no delay is known for output {pin}"
            ) from None

    for instance in registers:
        model = model_of(instance, models)
        register = model.flip_flop
        assert register is not None
        nets = {**instance.pins, register.state: states[instance.name]}
        following = _on_state(register.next_state, register)
        for function, is_clear in ((register.preset, False), (register.clear, True)):
            if function is None:
                continue
            if any(instance.pins[name] >= CONSTANT_NETS for name in function.variables()):
                raise NetlistError(
                    f"cell {instance.name} ({instance.cell}) has an asynchronous "
                    f"{'clear' if is_clear else 'preset'} that is no constant: timed simulation "
                    "takes synchronous ones only"
                )
            if function.evaluate({n: instance.pins[n] for n in function.variables()}):
                following = Function("constant", "0" if is_clear else "1")
        tables.add_register(states[instance.name], following, nets)
        for pin, function in model.outputs.items():
            if pin in instance.pins:
                net = instance.pins[pin]
                on_state = _on_state(function, register)
                tables.add_gate(net, on_state, nets, delay_of(instance, pin))
    for instance in order:
        model = model_of(instance, models)
        if model.flip_flop is not None:
            continue
        for pin, function in model.outputs.items():
            if pin in instance.pins:
                delay = delay_of(instance, pin)
                tables.add_gate(instance.pins[pin], function, instance.pins, delay)
    longest = max((last for _, last in tables.windows), default=0)
    if longest > MAX_STEPS:
        raise ValueError(
            f"{netlist.name}: {longest} steps of {step_ps:g} ps until all is settled; must be at "
            f"most {MAX_STEPS}: take a longer step"
        )
    folder = cache_dir or cache_directory() / "netlists"
    return TimedNetlist(netlist, clock, tables, sources, folder)


def _on_state(function: Function, register: FlipFlopModel) -> Function:
    """The function with the inverted state written as the complement of the state."""
    state = Function("variable", register.state)
    inverted = Function("not", "", (state,))
    return function.substitute(
        lambda name: inverted if name == register.inverted_state else Function("variable", name)
    )
