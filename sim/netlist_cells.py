"""Logic of the cells a netlist may hold: Yosys' generic gates, and the type for a library's own."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from macsmith.sim.netlist_function import Function, parse_function

__all__ = ["CellModel", "FlipFlopModel", "generic_gate"]


@dataclass(frozen=True)
class FlipFlopModel:
    """An edge-triggered register of one bit.

    `next_state` is loaded on the rising edge of `clocked_on`; `clear` and `preset`, where given,
    act at once and while they are true (`clear` wins). Outputs refer to `state` and
    `inverted_state` by name.
    """

    state: str
    inverted_state: str
    clocked_on: Function
    next_state: Function
    clear: Function | None = None
    preset: Function | None = None


@dataclass(frozen=True)
class CellModel:
    """The logic of one cell type: outputs as functions of the inputs (or of the states)."""

    name: str
    inputs: tuple[str, ...]
    outputs: Mapping[str, Function]
    flip_flop: FlipFlopModel | None = None


# Yosys Appendix "Internal cell library", gate-level cells.
_GATES = {
    "BUF": "A",
    "NOT": "!A",
    "AND": "A&B",
    "NAND": "!(A&B)",
    "OR": "A|B",
    "NOR": "!(A|B)",
    "XOR": "A^B",
    "XNOR": "!(A^B)",
    "ANDNOT": "A&!B",
    "ORNOT": "A|!B",
    "MUX": "(A&!S)|(B&S)",
    "NMUX": "!((A&!S)|(B&S))",
    "AOI3": "!((A&B)|C)",
    "OAI3": "!((A|B)&C)",
    "AOI4": "!((A&B)|(C&D))",
    "OAI4": "!((A|B)&(C|D))",
}
# $_DFF_P_, $_DFFE_PN_, $_SDFF_PP0_, $_SDFFE_PP0P_, $_SDFFCE_..., $_DFF_PN0_, $_DFFE_PN0P_:
# clock edge, then reset level and value, then enable level.
_REGISTER = re.compile(r"\$_(S?)(DFFC?E?)_([PN])(?:([PN])([01]))?([PN])?_")


def generic_gate(name: str) -> CellModel | None:
    """The model of a Yosys gate such as ``$_NAND_`` or ``$_SDFFE_PP0P_``; None if it is none."""
    if name.startswith("$_") and name.endswith("_") and name[2:-1] in _GATES:
        function = parse_function(_GATES[name[2:-1]])
        return CellModel(name, tuple(sorted(function.variables())), {"Y": function})
    match = _REGISTER.fullmatch(name)
    return _generic_register(name, *match.groups("")) if match else None


def _generic_register(
    name: str, synchronous: str, kind: str, edge: str, level: str, value: str, enable: str
) -> CellModel | None:
    has_enable = kind.endswith("E")
    if has_enable != bool(enable) or (synchronous and not level):
        return None
    inputs = ["D", "C", *(["E"] if has_enable else []), *(["R"] if level else [])]
    enabled, held = ("E", "!E") if enable == "P" else ("!E", "E")
    reset, kept = ("R", "!R") if level == "P" else ("!R", "R")
    data = "D"
    if synchronous and kind == "DFFCE":  # the enable rules the reset too
        data = f"(D&{kept})" if value == "0" else f"(D|{reset})"
    next_state = f"({data}&{enabled})|(IQ&{held})" if has_enable else data
    if synchronous and kind != "DFFCE":
        next_state = f"({next_state})&{kept}" if value == "0" else f"({next_state})|{reset}"
    asynchronous = parse_function(reset) if level and not synchronous else None
    clear = asynchronous if value == "0" else None
    preset = asynchronous if value == "1" else None
    return CellModel(
        name,
        tuple(inputs),
        {"Q": parse_function("IQ")},
        FlipFlopModel(
            state="IQ",
            inverted_state="IQN",
            clocked_on=parse_function("C" if edge == "P" else "!C"),
            next_state=parse_function(next_state),
            clear=clear,
            preset=preset,
        ),
    )
