"""Elements of an array side by side, as rows of every array connect them."""

from collections.abc import Sequence
from typing import Any

from amaranth.hdl import Cat, Module, Value
from macsmith.hw.block import place

__all__ = ["connect_row"]


def connect_row(
    m: Module, platform: Any, row: Any, elements: Sequence[Any], moving: Sequence[str]
) -> None:
    """Place elements in a row: A goes from column 0 to the right, other things go down.

    Parameters
    ----------
    row
        A block with the ports `enable`, `a` and `control`, which are those of the element in column
        0, and the ports `NAME_i` and `NAME_o` of all elements, column 0 in the lowest bits.
    elements
        Blocks with the ports `enable`, `a_i`, `a_o`, `control_i`, `control_o`, `NAME_i` and
        `NAME_o`.
    moving
        The names of what moves down.
    """
    a: Value = row.a
    control: Value = row.control
    below: dict[str, list[Value]] = {name: [] for name in moving}
    for column, element in enumerate(elements):
        place(m, platform, f"element_{column}", element)
        m.d.comb += [
            element.enable.eq(row.enable),
            element.a_i.eq(a),
            element.control_i.eq(control),
        ]
        a, control = element.a_o, element.control_o
        for name, found in below.items():
            port = getattr(element, f"{name}_i")
            m.d.comb += port.eq(getattr(row, f"{name}_i").word_select(column, len(port)))
            found.append(getattr(element, f"{name}_o"))
    for name, found in below.items():
        m.d.comb += getattr(row, f"{name}_o").eq(Cat(*found))
