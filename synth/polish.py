"""The last touch on a mapped netlist: polarity and pins of its full-adder cells.

ABC treats kept full adders as black boxes. Once it is done it is known which signals it gives in
which polarity, so adders whose complemented use needs fewer inverters are turned round; and
since the three inputs of an adder are interchangeable, the latest signal gets the quickest pin.
"""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

from macsmith.sim.netlist_graph import NetlistError, netlist_from_json
from macsmith.synth.cells import Cell, FullAdderCell, Technology
from macsmith.synth.timing import arrival_times

__all__ = ["keep_smallest", "order_pins", "turn_adders"]

_STEPS_PER_ADDER = 40
_FIRST_TEMPERATURE = 0.6
"""In inverters: how much worse a move may well be at the start of the search."""
_LARGEST_FAN_OUT = 8
"""Signals with more readers keep the inverters ABC sized for them."""

Module = dict[str, Any]


def keep_smallest(
    variants: Sequence[str], name: str, script: str, technology: Technology, folder: Path
) -> None:
    """Polish mapped variants of one design and keep the smallest.

    Parameters
    ----------
    variants
        File stems: ``<variant>.mapped.json`` are read, and removed where they are not `name`'s.
    name
        ``<name>.mapped.json`` is written.
    script
        The recipe's ABC script. Adders are turned under ``smallest`` only: elsewhere the gates
        beside them have been sized for what they drive.
    """
    best: tuple[float, Module] | None = None
    for variant in variants:
        path = folder / f"{variant}.mapped.json"
        data: Module = json.loads(path.read_text(encoding="utf-8"))
        path.unlink()
        area_um2 = 0.0
        for module in data["modules"].values():
            if script == "smallest":
                turn_adders(module, technology)
            kinds = (cell["type"] for cell in module["cells"].values())
            area_um2 += sum(technology.cells[k].area_um2 for k in kinds if k in technology.cells)
        if best is None or area_um2 < best[0]:
            best = area_um2, data
    assert best is not None
    for module_name, module in best[1]["modules"].items():
        order_pins(module, module_name, technology)
    (folder / f"{name}.mapped.json").write_text(json.dumps(best[1]), encoding="utf-8")


def turn_adders(module: Module, technology: Technology) -> int:
    """Turn full adders of a mapped module (Yosys JSON) round where that saves inverters.

    An adder with complemented inputs gives complemented outputs. Readers of a signal take it from
    whichever side of an inverter suits; a bit keeps its value, so names stay true.

    Returns
    -------
    int
        Inverters saved; 0 leaves the module as it was.
    """
    adder = technology.full_adder
    if adder is None:
        return 0
    search = _Search(module, technology, adder)
    saved = search.run()
    if saved > 0:
        search.rewrite()
    return max(saved, 0)


class _Search:
    """Signals around the full adders: which polarities are read, and what an inverter costs.

    A *signal* is a bit that no single inverter of another signal drives. Its value is what it has
    in the module as given; a flipped adder makes the complement of it.
    """

    def __init__(self, module: Module, technology: Technology, adder: FullAdderCell) -> None:
        self.module, self.technology, self.adder = module, technology, adder
        self.cells: dict[str, Module] = module["cells"]
        self.outputs = (adder.sum_pin, adder.carry_pin)
        self.adders = [n for n, c in self.cells.items() if c["type"] == adder.cell.name]
        self._find_inverters()
        self.owner = {self._bit(name, pin): name for name in self.adders for pin in self.outputs}
        self.flipped = dict.fromkeys(self.adders, 0)
        self.reads: dict[str, list[tuple[Any, int]]] = {
            name: [self._signal(self._bit(name, pin)) for pin in adder.inputs]
            for name in self.adders
        }
        self._count_readers()

    def _bit(self, name: str, pin: str) -> Any:
        return self.cells[name]["connections"][pin][0]

    def _find_inverters(self) -> None:
        inverters = {cell.name: cell for cell in self.technology.inverters()}
        pins = {
            name: (next(iter(c.inputs)), next(iter(c.outputs))) for name, c in inverters.items()
        }
        found: dict[Any, list[tuple[str, Any]]] = {}
        inverted: dict[Any, Any] = {}
        for name, cell in self.cells.items():
            if cell["type"] in pins:
                before, after = (cell["connections"][pin][0] for pin in pins[cell["type"]])
                found.setdefault(before, []).append((name, after))
                inverted[after] = before
        # an inverter behind an inverter is a gate like any other
        self.inverters = {bit: entry for bit, entry in found.items() if bit not in inverted}
        self.inverted = {after: bit for bit, entry in self.inverters.items() for _, after in entry}

    def _signal(self, bit: Any) -> tuple[Any, int]:
        """The signal behind a bit, and whether the bit is its complement."""
        return (self.inverted[bit], 1) if bit in self.inverted else (bit, 0)

    def _count_readers(self) -> None:
        self.readers: dict[Any, list[int]] = {}
        adders = set(self.adders)
        own = {name for entry in self.inverters.values() for name, _ in entry}
        for name, cell in self.cells.items():
            if name in own:
                continue
            kind = self.technology.cells.get(cell["type"])
            pins = kind.inputs if kind else cell["connections"]
            for pin in pins:
                for bit in cell["connections"].get(pin, ()):
                    signal, complement = self._signal(bit)
                    self.readers.setdefault(signal, [0, 0])[complement] += 1
        for port in self.module["ports"].values():
            for bit in port["bits"] if port["direction"] == "output" else ():
                signal, complement = self._signal(bit)
                self.readers.setdefault(signal, [0, 0])[complement] += 1
        touched = [bit for bit, _ in (pair for name in adders for pair in self.reads[name])]
        fixed = {
            signal
            for signal in [*self.owner, *touched]
            if len(self.inverters.get(signal, ())) > 1
            or sum(self.readers.get(signal, (0, 0))) > _LARGEST_FAN_OUT
            or isinstance(signal, str)
        }
        self.movable = [
            name
            for name in self.adders
            if not any(self._bit(name, pin) in fixed for pin in self.outputs)
            and not any(signal in fixed for signal, _ in self.reads[name])
        ]

    def _cost(self, signal: Any) -> int:
        """Inverters the signal needs."""
        natural = self.flipped[self.owner[signal]] if signal in self.owner else 0
        return 1 if self.readers.get(signal, (0, 0))[1 - natural] else 0

    def _flip(self, name: str) -> int:
        """Flip an adder; returns by how many inverters that is worse."""
        touched = {signal for signal, _ in self.reads[name]}
        touched.update(self._bit(name, pin) for pin in self.outputs)
        before = sum(map(self._cost, touched))
        was = self.flipped[name]
        for signal, complement in self.reads[name]:
            counts = self.readers[signal]
            counts[complement ^ was] -= 1
            counts[complement ^ was ^ 1] += 1
        self.flipped[name] = 1 - was
        return sum(map(self._cost, touched)) - before

    def run(self) -> int:
        """Search by simulated annealing, the same on every run; returns the inverters saved."""
        random = Random(1)
        cost, best, best_flips = 0, 0, dict(self.flipped)
        steps = _STEPS_PER_ADDER * len(self.movable)
        for step in range(steps):
            temperature = _FIRST_TEMPERATURE * (1 - step / steps) ** 2 + 1e-3
            name = self.movable[random.randrange(len(self.movable))]
            worse = self._flip(name)
            if worse > 0 and random.random() >= math.exp(-worse / temperature):
                self._flip(name)
                continue
            cost += worse
            if cost < best:
                best, best_flips = cost, dict(self.flipped)
        for name, flip in best_flips.items():
            if self.flipped[name] != flip:
                self._flip(name)
        return -best

    def rewrite(self) -> None:
        """Bring the module into the form found."""
        fresh = 1 + max(
            (
                b
                for c in self.cells.values()
                for bits in c["connections"].values()
                for b in bits
                if isinstance(b, int)
            ),
            default=1,
        )
        inverter = self.technology.inverter
        (before,), (after,) = inverter.inputs, inverter.outputs
        signals = {signal for name in self.adders for signal, _ in self.reads[name]} | set(
            self.owner
        )
        complements: dict[Any, Any] = {}
        for signal in sorted(signals, key=str):
            entry = self.inverters.get(signal, [])
            if len(entry) > 1:
                complements[signal] = entry[0][1]
                continue
            natural = self.flipped[self.owner[signal]] if signal in self.owner else 0
            if entry:
                ((name, complements[signal]),) = entry
            else:
                name, complements[signal] = f"turned_{fresh}", fresh
                fresh += 1
            source, target = signal, complements[signal]
            if natural:
                source, target = target, source
            if not self.readers.get(signal, (0, 0))[1 - natural]:
                self.cells.pop(name, None)
                continue
            kind: Cell = self.technology.cells[self.cells[name]["type"]] if entry else inverter
            (before,), (after,) = kind.inputs, kind.outputs
            self.cells[name] = {
                "hide_name": 0,
                "type": kind.name,
                "parameters": {},
                "attributes": {},
                "port_directions": {before: "input", after: "output"},
                "connections": {before: [source], after: [target]},
            }
        for name in self.adders:
            connections = self.cells[name]["connections"]
            flip = self.flipped[name]
            for pin, (signal, complement) in zip(self.adder.inputs, self.reads[name], strict=True):
                bit = complements[signal] if complement ^ flip else signal
                connections[pin] = [bit]
            if flip:
                for pin in self.outputs:
                    connections[pin] = [complements[connections[pin][0]]]


def order_pins(module: Module, name: str, technology: Technology) -> None:
    """Give the latest input of every full adder of a mapped module the quickest pin.

    A module with instances of other modules is left as it is: its arrival times are not known.
    """
    adder = technology.full_adder
    cells: Mapping[str, Module] = module["cells"]
    if adder is None or any(cell["type"] not in technology.cells for cell in cells.values()):
        return
    pins = _slowest_first(adder, technology)
    for _ in range(2):  # arrival times move with the pins
        netlist = netlist_from_json({"modules": {name: module}}, name)
        try:
            arrivals = arrival_times(netlist, technology)
        except NetlistError:
            return
        for instance in netlist.instances:
            if instance.cell == adder.cell.name:
                connections = cells[instance.name]["connections"]
                times = {pin: arrivals.get(instance.pins[pin], 0.0) for pin in pins}
                early_first = sorted(pins, key=lambda pin: times[pin])
                bits = [connections[pin] for pin in early_first]
                for pin, bit in zip(pins, bits, strict=True):
                    connections[pin] = bit


def _slowest_first(adder: FullAdderCell, technology: Technology) -> list[str]:
    """The adder's inputs by their worst delay to an output, longest first."""
    pin_load = max(pin.capacitance_ff for pin in adder.cell.inputs.values())
    slew_ps = technology.driver_arc.rise.slew_ps(0.0, pin_load)

    def worst_ps(pin: str) -> float:
        return max(
            line.delay_ps(slew_ps, pin_load)
            for output in adder.cell.outputs.values()
            if pin in output.arcs
            for line in (output.arcs[pin].rise, output.arcs[pin].fall)
        )

    return sorted(adder.inputs, key=worst_ps, reverse=True)
