"""MAC arrays as accelerators of ZigZag: the operational array, and memories to be replaced.

Fields are those that ZigZag 3.9.1 checks (``zigzag.parser.accelerator_validator``): energy in pJ an
operation, area in a unit of the user's (here um^2), widths of the operands.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from macsmith.bridges.components import Component, number_text
from macsmith.model.design import parse_design

__all__ = ["write_zigzag"]

# Widest transfer in bits a cycle that a memory without cost allows.
_ANY_BITS = 65536


def _memory(name: str, bits: int, dimensions: str, ports: Sequence[tuple[str, int, str]]) -> str:
    """A memory without any cost; ports are kind, least bits and what passes."""
    operands = dict.fromkeys(use.split(",")[0] for _, _, uses in ports for use in uses.split("; "))
    lines = [
        f"  {name}:",
        f"    size: {bits}",
        "    r_cost: 0",
        "    w_cost: 0",
        "    area: 0",
        "    latency: 1",
        f"    operands: [{', '.join(operands)}]",
        "    ports:",
    ]
    for place, (kind, least_bits, uses) in enumerate(ports):
        lines += [
            f"      - name: {'rw' if kind == 'read_write' else kind[0]}_port_{place + 1}",
            f"        type: {kind}",
            f"        bandwidth_min: {least_bits}",
            f"        bandwidth_max: {_ANY_BITS}",
            "        allocation:",
            *(f"          - {use}" for use in uses.split("; ")),
        ]
    return "\n".join([*lines, f"    served_dimensions: [{dimensions}]"])


def _accelerator(component: Component) -> str:
    design = parse_design(component.design)
    array, bits = design.implementation, component.output_bits
    sums = [("write", "fh"), ("read", "tl"), ("write", "fl"), ("read", "th")]
    return "\n".join(
        [
            f"# {component.source}",
            "# Energy in pJ an operation, area in um^2; a cycle is at least "
            f"{number_text(component.delay_ps)} ps.",
            f"name: {component.name}",
            "",
            "# Memories without any cost, so that what remains is the arithmetic: put in your own.",
            f"# The first holds one sum: a workload's partial sums (O) have at most {bits} bits.",
            "memories:",
            # the products of all lanes are added to one sum
            _memory("sums", bits, "D3", [(kind, bits, f"O, {way}") for kind, way in sums]),
            _memory(
                "store",
                1 << 30,
                "D1, D2, D3",
                [("read_write", 8, uses) for uses in ("I1, tl", "I2, tl", "O, tl; O, fl")],
            ),
            "",
            "operational_array:",
            f"  input_precision: [{component.input_bits[0]}, {component.input_bits[1]}]",
            f"  unit_energy: {number_text(component.energy_pj)}",
            f"  unit_area: {number_text(component.area_um2)}",
            "  dimensions: [D1, D2, D3]",
            f"  sizes: [{array.rows}, {array.columns}, {design.mac.lanes}]",
            "",
        ]
    )


def write_zigzag(components: Sequence[Component], folder: Path) -> list[Path]:
    """Write an accelerator for each MAC: the design's rows in D1, columns in D2, lanes in D3.

    Returns
    -------
    list of Path
        ``<name>.yaml`` each.

    Raises
    ------
    ValueError
        There is no MAC among the components.
    """
    macs = [component for component in components if component.kind == "mac"]
    if not macs:
        raise ValueError("ZigZag takes MACs, and there must be at least 1, not 0")
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for component in macs:
        files.append(folder / f"{component.name}.yaml")
        files[-1].write_text(_accelerator(component), encoding="utf-8")
    return files
