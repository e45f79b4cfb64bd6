"""Bugs planted in emitted Verilog: one bit of one component's output, wrong now and then.

The component is renamed, and a module of its old name is put around it that passes everything
through but one bit. Which components a design has, and what their ports are, is read from the
Verilog, so that nothing here depends on how the generator cuts a design into components.
"""

import re
from dataclasses import dataclass

__all__ = ["Component", "components", "plant"]

_MODULE = re.compile(r"^module (\w+)\((.*?)\);\n(.*?)^endmodule", re.MULTILINE | re.DOTALL)
_PORT = re.compile(r"^  (input|output)( signed)? (?:\[(\d+):0\] )?(\w+);", re.MULTILINE)


@dataclass(frozen=True)
class Component:
    """A module of a design: `kind` is its name without the design's id and without numbers;
    `signed` are the ports declared so."""

    name: str
    kind: str
    inputs: dict[str, int]
    outputs: dict[str, int]
    signed: frozenset[str]


def components(verilog: str, design_id: str) -> list[Component]:
    """Modules of a design other than its top, in the order of the file."""
    found = []
    for name, _, body in _MODULE.findall(verilog):
        if not name.startswith(f"{design_id}_"):
            continue
        inputs: dict[str, int] = {}
        outputs: dict[str, int] = {}
        signed = frozenset(port for _, sign, _, port in _PORT.findall(body) if sign)
        for direction, _, top, port in _PORT.findall(body):
            (inputs if direction == "input" else outputs)[port] = int(top or 0) + 1
        kind = re.sub(r"_(\d+x?|\d+x\d+|e\d+m\d+\w*|to|for)(?=_|$)", "", name[len(design_id) + 1 :])
        found.append(Component(name, kind, inputs, outputs, signed))
    return found


def _input_bits(component: Component) -> list[str]:
    return [
        f"{port}[{bit}]" if width > 1 else port
        for port, width in component.inputs.items()
        if port not in ("clk", "rst")
        for bit in range(width)
    ]


def plant(verilog: str, component: Component, output: str, bit: int = 0) -> str:
    """The Verilog with one output bit of a component inverted for about a quarter of its inputs.

    Which quarter depends on all inputs (two parities of theirs), so that no operand class and no
    state is spared.
    """
    bits = _input_bits(component)
    parities = [" ^ ".join(bits[start::2]) or "1'b0" for start in (0, 1)]
    declarations = [
        f"  {direction}{' signed' * (port in component.signed)} [{width - 1}:0] {port};"
        for direction, ports in (("input", component.inputs), ("output", component.outputs))
        for port, width in ports.items()
    ]
    ports = [*component.inputs, *component.outputs]
    width = component.outputs[output]
    connections = [f".{port}({'right' if port == output else port})" for port in ports]
    mask = f"{{{{{width - 1}{{1'b0}}}}, is_wrong}} << {bit}" if width > 1 else "is_wrong"
    wrapper = "\n".join(
        [
            f"module {component.name}({', '.join(ports)});",
            *declarations,
            f"  wire [{width - 1}:0] right;" if width > 1 else "  wire right;",
            f"  wire is_wrong = ({parities[0]}) & ({parities[1]});",
            f"  assign {output} = right ^ ({mask});",
            f"  {component.name}_right planted ({', '.join(connections)});",
            "endmodule",
            "",
        ]
    )
    renamed = re.sub(
        rf"^module {component.name}\(",
        f"module {component.name}_right(",
        verilog,
        flags=re.MULTILINE,
    )
    assert renamed != verilog, f"no module {component.name}"
    return renamed + "\n" + wrapper
