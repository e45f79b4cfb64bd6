"""Which part of a design a gate of the mapped netlist belongs to.

Mapping restructures logic and forgets names, so a gate is told by what it computes. The Verilog is
also turned into plain gates whose place in the hierarchy is known; both netlists run over the same
operands; and a gate whose output shows the same bits as a signal of the Verilog (or their
complement) over some thousand cycles belongs to the module that drives that signal. What lies
between such signals belongs to the part that it leads to.
"""

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from macsmith.sim.netlist import clock_port
from macsmith.sim.netlist_cells import CellModel
from macsmith.sim.netlist_function import Function
from macsmith.sim.netlist_graph import (
    Instance,
    Netlist,
    combinational_order,
    model_of,
    netlist_from_json,
)

__all__ = [
    "PARTS",
    "PartsOfGates",
    "assign_parts",
    "part_of_cell",
    "part_of_path",
    "read_reference",
]

PARTS = ("decode", "multiply", "scale", "align", "accumulate", "round", "control")
"""Parts of the logic. ``scale`` is the scales of blocks and their product with a block's sum,
``round`` also normalising and conversion to the result format, and ``control`` whatever no other
part claims: handshake, counters, skew, switches."""

# By the names of instances.
_RULES: tuple[tuple[str, str], ...] = (
    (r"decode(_.*)?|normalise_[ab]", "decode"),
    (r"multiply(_.*)?|product|.*lane(_\w+)?", "multiply"),
    (r".*fixed_term_.*|align(_\w+)?|largest_exponent|normalise_term(_.*)?", "align"),
    (r"round(_.*)?|normalise(_.*)?|encode(_.*)?|convert(_.*)?", "round"),
    (r"(compact|float|dual_path)_add|(near|far)_path|add_[a-z].*|count_.*|fix_.*", "accumulate"),
    (r"(.*_)?step(_\d+)?|block|outer_\d+", "accumulate"),
    (r"core|chunk_counter|random_words|drain|skew_.*|align_results|rows", "control"),
)
_PATTERNS = tuple((re.compile(pattern), part) for pattern, part in _RULES)
# Everything within: a product with scales is made like any other.
_SCALE = re.compile(r"decode_[ab]_scale|multiply_scales|scale")
# Full adders, named by their heap: they belong to the block around them.
_FULL_ADDER = re.compile(r"add_\d+")
_CONTROL = re.compile(r"align_results")

# These float adders are one block: parts are told by the signals that the logic leads to.
_ADDERS = re.compile(r"(compact|dual_path)_add|(near|far)_path")
_SIGNALS: tuple[tuple[str, str], ...] = (
    (
        r"align.*|difference(_row_\d+)?|distance|is_far|is_below|is_close|is_near|larger|smaller"
        r"|(far_)?is_term_larger|sticky|rest|keep|near_place|above_lowest_place|exponents_.*"
        r"|term_exponents?|term_normalised",
        "align",
    ),
    (r"total|(difference_)?magnitude|carries|carry_in|is_subtraction|is_larger", "accumulate"),
    (
        r"normalised.*|corrected|may_lead|bits_.*|is_clear.*|kept|rounded|up|code_exponent|leading_zeros|detected|fraction"
        r"|.*_(any|zeros)_\d+|placed_.*|field.*|is_raised|partial_sum_o",
        "round",
    ),
)
_SIGNAL_PATTERNS = tuple((re.compile(pattern), part) for pattern, part in _SIGNALS)

_STREAMS, _CYCLES, _RESET_CYCLES = 384, 24, 2


def part_of_path(path: Sequence[str]) -> str:
    """Part of a module by the names of the instances that lead to it, outermost first.

    The innermost name that says something decides.
    """
    if any(_SCALE.fullmatch(name) for name in path):
        return "scale"
    for name in reversed(path):
        if _FULL_ADDER.fullmatch(name):
            continue
        if _CONTROL.fullmatch(name):
            return "control"
        for pattern, part in _PATTERNS:
            if pattern.fullmatch(name):
                return part
    return "control"


def part_of_cell(name: str, net: str = "") -> str | None:
    r"""Part of a cell by the name that Yosys' ``flatten`` gave it, and that of the net it drives.

    Such names are ``instance.instance.cell``, or with made-up ones ``$flatten\instance.$...``. None
    for what is inside a float adder and drives no signal that tells.
    """
    plain = name.replace("$flatten", "").replace("\\", "")
    path = plain.split("$", 1)[0].split(".")[:-1]
    if path and _ADDERS.fullmatch(path[-1]):
        signal = net.rsplit(".", 1)[-1].partition("[")[0]
        for pattern, part in _SIGNAL_PATTERNS:
            if pattern.fullmatch(signal):
                return part
        return None
    return part_of_path(path)


@dataclass(frozen=True)
class PartsOfGates:
    """What `assign_parts` found.

    Attributes
    ----------
    parts
        Of each instance of the netlist, one of `PARTS`; also of registers.
    matched
        Combinational gates whose output is a signal of the Verilog; the rest leads to these.
    """

    parts: tuple[str, ...]
    matched: int


def read_reference(path: Path, top: str) -> Netlist:
    """A design as generic gates, each net under the innermost name that its Verilog gives it."""
    data = json.loads(path.read_text(encoding="utf-8"))
    names = data["modules"][top]["netnames"]

    def is_made_up(name: str) -> bool:
        return "$" in name or name.rsplit(".", 1)[-1].startswith("_")

    kept = sorted((n for n in names if not is_made_up(n)), key=lambda n: -n.count("."))
    data["modules"][top]["netnames"] = {name: names[name] for name in kept}
    return netlist_from_json(data, top)


def assign_parts(
    netlist: Netlist,
    models: Mapping[str, CellModel],
    reference: Netlist,
    *,
    reset: str = "rst",
) -> PartsOfGates:
    """The part of every instance of a mapped netlist.

    Both netlists run over random bits at all ports, so signals that differ too seldom for that are
    taken for one.

    Parameters
    ----------
    reference
        The same design as Yosys' generic gates, flattened last, with the names it gave.
    reset
        Port that is 1 in the first cycles and 0 then, if there is one of that name.
    """
    owners: dict[int, str] = {}
    values, mask = _signals(reference, {}, reset)
    order, registers = combinational_order(reference, {})
    for instance in (*registers, *order):  # upstream first: it keeps what others only repeat
        for pin in model_of(instance, {}).outputs:
            net = instance.pins.get(pin, 0)
            value, part = values[net], part_of_cell(instance.name, reference.net_names[net])
            if part is not None and value not in (0, mask):
                owners.setdefault(min(value, value ^ mask), part)
    values, _ = _signals(netlist, models, reset)
    order, registers = combinational_order(netlist, models)
    found: dict[str, str] = {}
    readers: dict[int, list[str]] = {}
    drivers: dict[int, str] = {}
    outputs: dict[str, list[int]] = {}
    for instance in netlist.instances:
        model = model_of(instance, models)
        outputs[instance.name] = nets = [
            instance.pins[pin] for pin in model.outputs if pin in instance.pins
        ]
        for pin in model.inputs:
            readers.setdefault(instance.pins[pin], []).append(instance.name)
        for net in nets:
            drivers[net] = instance.name
            owner = owners.get(min(values[net], values[net] ^ mask))
            if owner is not None:
                found.setdefault(instance.name, owner)
    matched = sum(
        instance.name in found for instance in order if not model_of(instance, models).flip_flop
    )
    for instance in reversed(order):  # towards what a gate leads to
        if instance.name not in found:
            behind = [
                found[name]
                for net in outputs[instance.name]
                for name in readers.get(net, ())
                if name in found
            ]
            if behind:
                found[instance.name] = Counter(behind).most_common(1)[0][0]
    for instance in order:  # what leads nowhere but out: from what it comes
        if instance.name not in found:
            before = [
                found[drivers[net]]
                for net in instance.pins.values()
                if drivers.get(net, instance.name) != instance.name and drivers[net] in found
            ]
            if before:
                found[instance.name] = Counter(before).most_common(1)[0][0]
    return PartsOfGates(
        tuple(found.get(instance.name, "control") for instance in netlist.instances), matched
    )


def _signals(
    netlist: Netlist, models: Mapping[str, CellModel], reset: str
) -> tuple[list[int], int]:
    """Bits of every net over cycles and streams as one integer, and the mask of all of them."""
    order, registers = combinational_order(netlist, models)
    clock = clock_port(netlist, registers, models)
    ports = [p for p in netlist.ports.values() if not p.is_output and p.name != clock]
    program = _Program(netlist, models, order, registers)
    one = (1 << _STREAMS) - 1
    values, seen, mask = [0] * netlist.net_count, [0] * netlist.net_count, 0
    values[1] = one
    for cycle in range(_CYCLES):
        in_reset = cycle < _RESET_CYCLES
        for port in ports:
            # by the port's name: both netlists must see the same
            random = Random(f"{port.name} {cycle}")
            for net in port.nets:
                if port.name == reset:
                    values[net] = one if in_reset else 0
                elif len(port.nets) == 1:
                    values[net] = _flag_bits(random)
                else:
                    values[net] = random.getrandbits(_STREAMS)
        program.run(values, one)
        if not in_reset:
            seen = [old << _STREAMS | new for old, new in zip(seen, values, strict=True)]
            mask = mask << _STREAMS | one
    return seen, mask


def _flag_bits(random: Random) -> int:
    """Bits of a handshake or control port: seldom 1, half the time or mostly, by stream."""
    third = _STREAMS // 3
    low = (1 << third) - 1
    half, second, rare = (random.getrandbits(_STREAMS) for _ in range(3))
    seldom, mostly = half & second & rare, half | second | rare
    return half >> 2 * third << 2 * third | (mostly & low) << third | seldom & low


class _Program:
    """A netlist as Python code over integers that hold a bit for each stream."""

    def __init__(
        self,
        netlist: Netlist,
        models: Mapping[str, CellModel],
        order: Sequence[Instance],
        registers: Sequence[Instance],
    ) -> None:
        self.states = [0] * len(registers)
        numbers = {register.name: index for index, register in enumerate(registers)}
        evaluate, load = ["def evaluate(v, s, m):"], ["def load(v, s, m):", " return ["]
        loads: list[str] = []
        # registers first; those with a clear stand in `order` too, behind what drives it
        for instance in (*registers, *order):
            model = model_of(instance, models)
            names = {pin: f"v[{net}]" for pin, net in instance.pins.items()}
            register = model.flip_flop
            if register is not None:
                state = f"s[{numbers[instance.name]}]"
                if instance in order:
                    for function, text in ((register.preset, "m"), (register.clear, "0")):
                        if function is not None:
                            active = _text(function, names)
                            held = f"({text}&{active})" if text == "m" else "0"
                            evaluate.append(f" {state}={held}|({state}&~{active})&m")
                names |= {register.state: state, register.inverted_state: f"(m^{state})"}
            for pin, function in model.outputs.items():
                if pin in instance.pins:
                    evaluate.append(f" {names[pin]}={_text(function, names)}")
        for instance in registers:
            model = model_of(instance, models)
            assert model.flip_flop is not None
            state = f"s[{numbers[instance.name]}]"
            names = {pin: f"v[{net}]" for pin, net in instance.pins.items()}
            names |= {
                model.flip_flop.state: state,
                model.flip_flop.inverted_state: f"(m^{state})",
            }
            loads.append(f"  {_text(model.flip_flop.next_state, names)},")
        text = "\n".join([*evaluate, " return", *load, *loads, " ]", ""])
        scope: dict[str, object] = {}
        exec(compile(text, f"<{netlist.name}>", "exec"), scope)  # generated above, of names of nets
        self._evaluate, self._load = scope["evaluate"], scope["load"]

    def run(self, values: list[int], one: int) -> None:
        """Settle the nets in `values`, then clock the registers."""
        self._evaluate(values, self.states, one)  # type: ignore[operator]
        self.states = self._load(values, self.states, one)  # type: ignore[operator]


def _text(function: Function, names: Mapping[str, str]) -> str:
    if function.operator == "variable":
        return names[function.name]
    if function.operator == "constant":
        return "m" if function.name == "1" else "0"
    first = _text(function.operands[0], names)
    if function.operator == "not":
        return f"(m^{first})"
    sign = {"and": "&", "or": "|", "xor": "^"}[function.operator]
    return f"({first}{sign}{_text(function.operands[1], names)})"
