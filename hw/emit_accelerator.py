"""An accelerator as Verilog, with its register map as a table and as a C header."""

import hashlib
import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from amaranth.lib.wiring import In
from macsmith.hw.accelerator_axi import AcceleratorAxi
from macsmith.hw.accelerator_uart import AcceleratorUart
from macsmith.hw.block import Block, Emission
from macsmith.hw.emit import primitives_of, write_all
from macsmith.hw.manifest import tool_versions
from macsmith.hw.yosys import rtlil_to_verilog
from macsmith.model.accelerator import (
    MAGIC,
    REGISTERS,
    VERSION,
    AcceleratorConfig,
    Packet,
    Problem,
    RunFlag,
)
from macsmith.model.design import Design

__all__ = ["GeneratedAccelerator", "accelerator_verilog", "generate_accelerator", "register_table"]

Interface = Literal["axi", "uart"]


@dataclass(frozen=True)
class GeneratedAccelerator:
    """What was written."""

    config: AcceleratorConfig
    top: str
    verilog: Path
    header: Path
    table: Path
    manifest_file: Path
    manifest: dict[str, Any]

    @property
    def files(self) -> tuple[Path, ...]:
        """All files."""
        return (self.verilog, self.header, self.table, self.manifest_file)


def _block(config: AcceleratorConfig, interface: Interface, divisor: int) -> Block:
    if interface == "uart":
        return AcceleratorUart(config, divisor)
    return AcceleratorAxi(config)


def _wrapper(top: str, inner: str, block: Block) -> str:
    """A top module with AXI's names for clock and reset, which tools recognise."""
    ports, wires = ["  input aclk", "  input aresetn"], ["    .clk(aclk)", "    .rst(!aresetn)"]
    for path, member, value in block.signature.flatten(block):
        name = "__".join(map(str, path))
        width = len(value)
        vector = f"[{width - 1}:0] " if width > 1 else ""
        ports.append(f"  {'input' if member.flow is In else 'output'} {vector}{name}")
        wires.append(f"    .{name}({name})")
    return (
        f"module {top}(\n" + ",\n".join(ports) + "\n);\n"
        f"  {inner} accelerator (\n" + ",\n".join(wires) + "\n  );\nendmodule\n"
    )


def accelerator_verilog(
    config: AcceleratorConfig, interface: Interface = "axi", *, divisor: int = 4
) -> tuple[str, str]:
    """Name of the top module, and Verilog-2005 text.

    Parameters
    ----------
    config
        The accelerator.
    interface
        ``axi``: `aclk`, `aresetn` (low active), AXI4-Lite, two AXI4-Streams. ``uart``: `clk`,
        `rst`, `rx`, `tx`.
    divisor
        Clock cycles of a bit of the serial line.

    Raises
    ------
    YosysError
        Yosys failed.
    ValueError
        The divisor is too small.
    """
    top = f"{config.design.id}_{interface}"
    block = _block(config, interface, divisor)
    inner = f"{top}_core" if interface == "axi" else top
    rtlil = Emission(inner).emit_top(block)
    with tempfile.TemporaryDirectory(prefix="macsmith-") as scratch:
        body = rtlil_to_verilog(rtlil, Path(scratch))
    body = body.split("\n", 1)[1].strip("\n") + "\n"
    if interface == "axi":
        body += "\n" + _wrapper(top, inner, block)
    versions = ", ".join(f"{name} {version}" for name, version in tool_versions().items())
    lines = [
        top,
        "",
        f"accelerator around {config.design.text}",
        f"banks of {config.a_depth} entries of A, {config.b_depth} of B",
        f"design hash {config.design_hash:032x}",
        "",
        f"made by {versions}",
    ]
    header = "".join(f"// {line}".rstrip() + "\n" for line in lines) + "\n"
    return top, header + body + primitives_of(body)


def register_table() -> str:
    """The register map as a Markdown table."""
    rows = [
        f"| `{each.address:#04x}` | `{each.name}` | {each.access} | {each.meaning} |"
        for each in REGISTERS
    ]
    return (
        "\n".join(["| address | register | access | meaning |", "|---|---|---|---|", *rows]) + "\n"
    )


def c_header(config: AcceleratorConfig) -> str:
    """Registers, packets and this accelerator's sizes for C."""
    sizes = {
        "ROWS": config.rows,
        "COLUMNS": config.columns,
        "LANES": config.lanes,
        "TILE_ROWS": config.tile_rows,
        "WEIGHT_STATIONARY": int(config.is_weight_stationary),
        "A_ENTRY_WORDS": config.a_entry_words,
        "B_ENTRY_WORDS": config.b_entry_words,
        "RESULT_WORDS": config.result_words,
        "A_DEPTH": config.a_depth,
        "B_DEPTH": config.b_depth,
        "OUTPUT_BITS": config.output_bits,
    }
    lines = [f"/* Accelerator around {config.design.text} */", "#ifndef MACSMITH_ACCELERATOR_H"]
    lines += ["#define MACSMITH_ACCELERATOR_H", "", "/* registers: byte addresses */"]
    for each in REGISTERS:
        lines.append(f"#define MACSMITH_{each.name} {each.address:#04x}u /* {each.meaning} */")
    lines += ["", "/* values of registers */", f"#define MACSMITH_MAGIC_VALUE {MAGIC:#x}u"]
    lines.append(f"#define MACSMITH_VERSION_VALUE {VERSION}u")
    for index in range(4):
        word = config.design_hash >> 32 * index & 0xFFFFFFFF
        lines.append(f"#define MACSMITH_DESIGN_{index}_VALUE {word:#010x}u")
    lines += ["#define MACSMITH_STATUS_BUSY 1u"]
    lines += [f"#define MACSMITH_STATUS_{each.name} {each.value}u" for each in Problem]
    lines += ["", "/* packets: header = packet << 24 | flags << 16 | entries or beats */"]
    lines += [f"#define MACSMITH_PACKET_{each.name} {each.value}u" for each in Packet]
    lines += [f"#define MACSMITH_RUN_{each.name} {each.value}u" for each in RunFlag]
    lines += ["", "/* sizes */", *(f"#define MACSMITH_{name} {n}u" for name, n in sizes.items())]
    return "\n".join([*lines, "", "#endif"]) + "\n"


def generate_accelerator(
    design: Design,
    directory: Path | str,
    *,
    interface: Interface = "axi",
    a_depth: int = 512,
    b_depth: int = 512,
    divisor: int = 4,
) -> GeneratedAccelerator:
    """Write the Verilog, ``registers.md``, ``accelerator.h`` and ``manifest.json``.

    The Verilog file and its top module are ``<id>_axi`` or ``<id>_uart``.

    Parameters
    ----------
    design
        The array, or a single MAC.
    directory
        Folder, made if it is not there.
    interface, divisor
        As of `accelerator_verilog`.
    a_depth, b_depth
        Entries in one of the two banks of an operand.

    Raises
    ------
    ValueError
        The accelerator cannot be built.
    YosysError
        Yosys failed.
    OSError
        The folder cannot be written.
    """
    config = AcceleratorConfig(design, a_depth, b_depth)
    top, verilog = accelerator_verilog(config, interface, divisor=divisor)
    texts = {
        f"{top}.v": verilog,
        "accelerator.h": c_header(config),
        "registers.md": register_table(),
    }
    manifest = {
        "id": top,
        "design": design.text,
        "top": top,
        "interface": interface,
        "a_depth": a_depth,
        "b_depth": b_depth,
        "a_entry_words": config.a_entry_words,
        "b_entry_words": config.b_entry_words,
        "result_words": config.result_words,
        "design_hash": f"{config.design_hash:032x}",
        "registers": [
            {
                "name": each.name,
                "address": each.address,
                "access": each.access,
                "meaning": each.meaning,
            }
            for each in REGISTERS
        ],
        "files": [
            {"name": name, "sha256": hashlib.sha256(text.encode()).hexdigest()}
            for name, text in texts.items()
        ],
        "versions": tool_versions(),
    }
    if interface == "uart":
        manifest["cycles_per_bit"] = divisor
    texts["manifest.json"] = json.dumps(manifest, indent=2) + "\n"
    directory = Path(directory)
    write_all(directory, texts)
    return GeneratedAccelerator(
        config=config,
        top=top,
        verilog=directory / f"{top}.v",
        header=directory / "accelerator.h",
        table=directory / "registers.md",
        manifest_file=directory / "manifest.json",
        manifest=manifest,
    )
