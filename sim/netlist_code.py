"""C++ text of a netlist: one statement per cell output, in functions of bearable length."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from macsmith.sim.netlist_cells import CellModel
from macsmith.sim.netlist_function import Function
from macsmith.sim.netlist_graph import (
    CONSTANT_NETS,
    Instance,
    Netlist,
    NetlistError,
    combinational_order,
    model_of,
)

__all__ = ["NetlistCode", "clock_port"]

STATEMENTS_PER_FUNCTION = 250
"""Compile time grows faster than linearly with the length of a function."""


@dataclass(frozen=True)
class _Statement:
    """`target` (a net, or a register's state) gets a function of nets and states."""

    target: str
    reads: tuple[str, ...]
    text: str


class NetlistCode:
    """What is computed each cycle, ready to be written down.

    Attributes
    ----------
    netlist
        The netlist.
    clock
        Name of the clock port, or None without registers.
    registers
        Its registers; the state of register k is ``s[k]``.

    Raises
    ------
    NetlistError
        Unknown cell, combinational loop, net with two drivers or none, registers on more than
        one clock or edge, or a clock that is no input port.
    """

    def __init__(self, netlist: Netlist, models: Mapping[str, CellModel]) -> None:
        order, registers = combinational_order(netlist, models)
        self.netlist = netlist
        self.clock = clock_port(netlist, registers, models)
        self.registers = registers
        state_of = {instance.name: index for index, instance in enumerate(registers)}
        self._edges: list[_Statement] = []
        held: list[_Statement] = []  # outputs of registers, known at once
        for instance in registers:
            model = model_of(instance, models)
            register = model.flip_flop
            assert register is not None
            names = _Names(instance, model, f"s{state_of[instance.name]}")
            following = register.next_state.to_c(names, _CONSTANTS)
            masked = _masked(following, names)
            self._edges.append(_Statement(names.state, tuple(names.seen), masked))
            if register.clear is None and register.preset is None:
                held += _outputs(_Names(instance, model, names.state))
        logic: list[_Statement] = []
        for instance in order:
            names = _Names(instance, model_of(instance, models), "")
            if instance.name in state_of:
                names.state = f"s{state_of[instance.name]}"
                names.shown = f"({_masked(names.state, names)})"
            logic += _outputs(names)
        self._logic = held + logic

    def source(self, *, keeps_all_nets: bool) -> str:
        """C++ with ``macsmith_evaluate(v, s)`` and ``macsmith_clock_edge(v, s)``.

        Parameters
        ----------
        keeps_all_nets
            Whether ``v`` gets every net, or only those that ports and registers read.
        """
        wanted = {
            _net_name(net)
            for port in self.netlist.ports.values()
            if port.is_output
            for net in port.nets
        }
        for statement in self._edges:
            wanted.update(statement.reads)
        if keeps_all_nets:
            wanted = {statement.target for statement in self._logic} | wanted
        text = [
            "#include <stdint.h>",
            "typedef uint64_t word __attribute__((vector_size(64), aligned(64)));",
            *_functions("evaluate", self._logic, wanted),
            *_functions("clock_edge", self._edges, {edge.target for edge in self._edges}),
        ]
        return "\n".join(text) + "\n"


@dataclass
class _Names:
    """Maps a pin or state name of an instance to its C text and notes what was read."""

    instance: Instance
    model: CellModel
    state: str
    shown: str = ""  # the state as outputs show it

    def __post_init__(self) -> None:
        self.seen: dict[str, None] = {}
        self.shown = self.shown or self.state

    def __call__(self, name: str) -> str:
        register = self.model.flip_flop
        if register is not None and name in (register.state, register.inverted_state):
            self.seen[self.state] = None
            return self.shown if name == register.state else f"~{self.shown}"
        net = self.instance.pins[name]
        if net < CONSTANT_NETS:
            return _CONSTANTS[net]
        self.seen[_net_name(net)] = None
        return _net_name(net)


_CONSTANTS = ("word{}", "~word{}")


def _net_name(net: int) -> str:
    return f"n{net}"


def _masked(value: str, names: _Names) -> str:
    """A register's value with its asynchronous preset and clear applied; clear wins."""
    register = names.model.flip_flop
    assert register is not None
    if register.preset is not None:
        value = f"({value} | {register.preset.to_c(names, _CONSTANTS)})"
    if register.clear is not None:
        value = f"({value} & ~{register.clear.to_c(names, _CONSTANTS)})"
    return value


def _outputs(names: _Names) -> list[_Statement]:
    def statement(pin: str, function: Function) -> _Statement:
        text = function.to_c(names, _CONSTANTS)
        return _Statement(_net_name(names.instance.pins[pin]), tuple(names.seen), text)

    return [
        statement(pin, function)
        for pin, function in names.model.outputs.items()
        if pin in names.instance.pins
    ]


def _place(name: str) -> str:
    """Where a net or state lies in memory."""
    return f"{'v' if name[0] == 'n' else 's'}[{name[1:]}]"


def _functions(name: str, statements: Sequence[_Statement], wanted: set[str]) -> list[str]:
    """The statements as one function that calls pieces; values between pieces lie in memory."""
    arguments = "word *__restrict v, word *__restrict s"
    pieces = [
        statements[start : start + STATEMENTS_PER_FUNCTION]
        for start in range(0, len(statements), STATEMENTS_PER_FUNCTION)
    ]
    # a value that a later piece reads must be kept
    piece_of = {s.target: number for number, piece in enumerate(pieces) for s in piece}
    kept = set(wanted)
    for number, piece in enumerate(pieces):
        for statement in piece:
            kept.update(read for read in statement.reads if piece_of.get(read, number) != number)
    text: list[str] = []
    for number, piece in enumerate(pieces):
        text.append(f"static __attribute__((noinline)) void {name}_{number}({arguments}) {{")
        known: set[str] = set()
        for statement in piece:
            for read in statement.reads:
                if read not in known:
                    text.append(f"  const word {read} = {_place(read)};")
                    known.add(read)
            target = statement.target
            if target[0] == "s":
                text.append(f"  {_place(target)} = {statement.text};")
                continue
            text.append(f"  const word {target} = {statement.text};")
            known.add(target)
            if target in kept:
                text.append(f"  {_place(target)} = {target};")
        text += ["  (void)v; (void)s;", "}"]
    text.append(f'extern "C" void macsmith_{name}({arguments}) {{')
    text += [f"  {name}_{number}(v, s);" for number in range(len(pieces))]
    return [*text, "  (void)v; (void)s;", "}"]


def clock_port(
    netlist: Netlist, registers: Sequence[Instance], models: Mapping[str, CellModel]
) -> str | None:
    """The input port every register is clocked by, on one edge.

    Raises
    ------
    NetlistError
        Several clocks or edges, or a clock that is no input port.
    """
    seen: dict[tuple[int, str], str] = {}
    for instance in registers:
        register = model_of(instance, models).flip_flop
        assert register is not None
        names = register.clocked_on.variables()
        if len(names) != 1:
            raise NetlistError(
                f"cell {instance.name} ({instance.cell}) has the clock {register.clocked_on}; "
                "must be one pin"
            )
        edge = "rising" if register.clocked_on.evaluate({names[0]: 1}) else "falling"
        seen.setdefault((instance.pins[names[0]], edge), instance.name)
    if not seen:
        return None
    if len(seen) > 1:
        shown = ", ".join(
            f"{edge} {netlist.net_names[net]} ({name})" for (net, edge), name in seen.items()
        )
        raise NetlistError(f"{netlist.name}: registers on several clocks: {shown}; must be one")
    ((net, _),) = seen
    for port in netlist.ports.values():
        if not port.is_output and port.nets == (net,):
            return port.name
    raise NetlistError(
        f"{netlist.name}: the clock {netlist.net_names[net]} is no 1-bit input port; gated or "
        "divided clocks are not simulated"
    )
