"""Ports of emitted designs, and what they mean."""

from dataclasses import dataclass, replace
from typing import Literal

from macsmith.model.config import MacConfig
from macsmith.model.design import Design
from macsmith.model.random_source import lfsr_of
from macsmith.model.switch import CommonSum, SwitchWidths, switch_widths
from macsmith.model.widths import PartialSumWidths, mac_widths

__all__ = ["Port", "design_ports"]


@dataclass(frozen=True)
class Port:
    """A port of the top module."""

    name: str
    direction: Literal["input", "output"]
    width: int
    meaning: str


def _lanes(operand: str, name: str, lanes: int, bits: int) -> str:
    if lanes == 1:
        return f"{operand} code ({name})"
    return f"{lanes} {operand} codes ({name}), lane l at bits [l*{bits} +: {bits}]"


def _layout(widths: PartialSumWidths) -> str:
    if widths.code_format is not None:
        return f"code ({widths.code_format.name})"
    flags = f"{widths.flag_bits} flag bit{'s' * (widths.flag_bits > 1)} above " * (
        widths.flag_bits > 0
    )
    return f"{flags}{widths.integer_bits}-bit integer in units of 2**{widths.lsb_exponent}"


def _scale_ports(mac: MacConfig, prefix: str, rows: int = 1, columns: int = 1) -> list[Port]:
    """Ports of the scales of blocks, of those operands that have one."""
    sides = (("a", mac.a_scale, "row", rows), ("b", mac.b_scale, "column", columns))
    return [
        Port(
            f"{prefix}{side}_scale",
            "input",
            count * fmt.bits,
            (f"{axis} {axis[0]} at bits [{axis[0]}*{fmt.bits} +: {fmt.bits}]: " * (count > 1))
            + f"scale of {side.upper()} ({fmt.name}) for the block that ends with this step",
        )
        for side, fmt, axis, count in sides
        if fmt is not None
    ]


def _unit_ports(design: Design) -> tuple[Port, ...]:
    mac = design.mac
    widths = mac_widths(mac)
    layout = f"inner sum: {_layout(widths.inner)}"
    if widths.outer is not None:
        above = f", above the {layout}" if widths.inner_state_bits else ""
        layout = f"outer sum: {_layout(widths.outer)}{above}"
    else:
        layout = _layout(widths.inner)
    ports = [
        Port("a", "input", mac.lanes * mac.a.bits, _lanes("A", mac.a.name, mac.lanes, mac.a.bits)),
        Port("b", "input", mac.lanes * mac.b.bits, _lanes("B", mac.b.name, mac.lanes, mac.b.bits)),
        Port("partial_sum_i", "input", widths.partial_sum_bits, f"partial sum before; {layout}"),
        Port("partial_sum_o", "output", widths.partial_sum_bits, "partial sum after; the same"),
    ]
    ports[2:2] = _scale_ports(mac, "")
    if mac.has_chunk_end:
        ports.insert(
            2, Port("chunk_end", "input", 1, "this step is the last of its chunk or of the sum")
        )
    if mac.random_bits:
        ports.insert(len(ports) - 2, Port("random", "input", mac.random_bits, _random_meaning(mac)))
    return tuple(ports)


def _switch_ports(design: Design) -> tuple[Port, ...]:
    """Ports of a switchable design, from those of its modes."""
    widths = switch_widths(design.modes)
    rows, columns = design.implementation.rows, design.implementation.columns
    bits = {
        "a": rows * widths.lanes * widths.a_slot_bits,
        "b": columns * widths.lanes * widths.b_slot_bits,
        "partial_sum_i": widths.partial_sum_bits,
        "partial_sum_o": widths.partial_sum_bits,
        "o_data": columns * widths.output_bits,
    }
    slots = {"a": widths.a_slot_bits, "b": widths.b_slot_bits}
    ports: list[Port] = []
    for alike in zip(*(design_ports(mode) for mode in design.mode_designs), strict=True):
        name = alike[0].name
        meanings = [port.meaning for port in alike]
        operand = name.removeprefix("i_")
        if operand in slots:
            meanings = [
                f"{mode_slots(slots[operand], widths.lanes, rate)} ({getattr(mode, operand).name})"
                for mode, rate in zip(design.modes, widths.rates, strict=True)
            ]
            if design.implementation.is_array:
                word = widths.lanes * slots[operand]
                side = "row r" if operand == "a" else "column c"
                meanings = [
                    f"{side} at bits [{side[-1]}*{word} +: {word}]: {each}" for each in meanings
                ]
        if operand == "partial_sum_i":
            layouts = [_common_layout(widths, mode) for mode in range(len(design.modes))]
            meanings = [f"partial sum before; {layout}" for layout in layouts]
        if len(set(meanings)) > 1:
            parts = [f"mode {index}: {meaning}" for index, meaning in enumerate(meanings)]
            meanings = ["; ".join(parts)]
        ports.append(Port(name, alike[0].direction, bits.get(operand, alike[0].width), meanings[0]))
    is_unit = design.implementation.form == "unit"
    names = ", ".join(
        f"{index} {part}" for index, part in enumerate(design.text.partition(":")[0].split("+"))
    )
    port = Port(
        "mode" if is_unit else "i_mode",
        "input",
        widths.mode_bits,
        f"mode, the same in all steps of a sum: {names}",
    )
    at = next(index for index, each in enumerate(ports) if each.name in ("a", "i_a"))
    return (*ports[:at], port, *ports[at:])


def _common_layout(widths: SwitchWidths, mode: int) -> str:
    """What a partial sum is in a mode, in the layout that all modes have in common."""

    def part(common: CommonSum) -> str:
        own = common.modes[mode]
        if own.format is not None:
            return _layout(own)
        bits, flags = common.integer_bits, common.flag_bits
        return _layout(replace(own, integer_bits=bits, flag_bits=flags))

    if widths.outer is None:
        return part(widths.inner)
    return f"outer sum: {part(widths.outer)}, above the inner sum: {part(widths.inner)}"


def mode_slots(slot_bits: int, lanes: int, rate: int) -> str:
    """Where a mode's codes lie in an operand port."""
    code = "code" if rate == 1 else f"{rate} codes side by side from the lowest bit"
    return f"lane l's {code} in bits [l*{slot_bits} +: {slot_bits}]" if lanes > 1 else code


def _random_meaning(mac: MacConfig) -> str:
    widths = mac_widths(mac)
    parts = [("inner", widths.inner)] + ([("outer", widths.outer)] if widths.outer else [])
    random = [
        f"{mac.random_bits_of(part.accumulator)} of the {name} sum"
        for name, part in parts
        if part is not None and mac.random_bits_of(part.accumulator)
    ]
    if widths.outer is None:
        return "random bits of the rounding"
    return "random bits of the rounding, lowest first: " + ", ".join(random)


def _random_ports(design: Design) -> tuple[Port, ...]:
    mac = design.mac
    if not mac.random_bits:
        return ()
    meaning = _random_meaning(mac)
    if design.implementation.lfsr == "port":
        return (Port("i_random", "input", mac.random_bits, f"{meaning}; with the operands"),)
    if design.implementation.lfsr == "each":
        return ()
    lfsr = lfsr_of(mac.random_bits)
    return (
        Port(
            "o_random",
            "output",
            mac.random_bits,
            f"{meaning}; of the next beat added; {lfsr.parameters}",
        ),
    )


def design_ports(design: Design) -> tuple[Port, ...]:
    """Ports of the top module, in order."""
    if design.is_switchable:
        return _switch_ports(design)
    if design.implementation.form == "unit":
        return _unit_ports(design)
    mac, implementation = design.mac, design.implementation
    widths = mac_widths(mac)
    rows, columns = implementation.rows, implementation.columns
    a_meaning = _lanes("A", mac.a.name, mac.lanes, mac.a.bits)
    b_meaning = _lanes("B", mac.b.name, mac.lanes, mac.b.bits)
    fmt = mac.output_format
    result = f"result ({fmt.name})" if fmt is not None else f"result, {_layout(widths.last)}"
    if implementation.is_array:
        a_bits, b_bits = mac.lanes * mac.a.bits, mac.lanes * mac.b.bits
        a_meaning = f"one column of A, row r at bits [r*{a_bits} +: {a_bits}]: {a_meaning}"
        b_meaning = f"one row of B, column c at bits [c*{b_bits} +: {b_bits}]: {b_meaning}"
        bits = widths.output_bits
        result = f"one row of results, row 0 first, column c at bits [c*{bits} +: {bits}]: {result}"
    return (
        Port("clk", "input", 1, "clock, rising edge"),
        Port("rst", "input", 1, "synchronous reset, active high"),
        Port("i_valid", "input", 1, "operands are offered"),
        Port("i_ready", "output", 1, "operands are taken; a beat passes when both are 1"),
        Port("i_a", "input", rows * mac.lanes * mac.a.bits, a_meaning),
        Port("i_b", "input", columns * mac.lanes * mac.b.bits, b_meaning),
        Port("i_last", "input", 1, "the beat is the last of its sum"),
        *_scale_ports(mac, "i_", rows, columns),
        *_random_ports(design),
        Port("o_valid", "output", 1, "a result is offered; it stays until taken"),
        Port("o_ready", "input", 1, "the result is taken; a beat passes when both are 1"),
        Port("o_data", "output", columns * widths.output_bits, result),
    )
