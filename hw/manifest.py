"""What is said about an emitted design: header, manifest, FuseSoC core file."""

from collections.abc import Mapping, Sequence
from importlib import metadata
from typing import Any

from macsmith.hw.latency import chunk_interval_cycles, interval_cycles, latency_cycles
from macsmith.hw.ports import design_ports
from macsmith.hw.yosys import yosys_version
from macsmith.model.design import Design

__all__ = ["core_file", "manifest_dict", "tool_versions", "verilog_header"]


def tool_versions() -> dict[str, str]:
    """Versions of what the emitted text depends on."""
    return {
        "macsmith": metadata.version("macsmith"),
        "amaranth": metadata.version("amaranth"),
        "yosys": yosys_version(),
    }


def verilog_header(design: Design) -> str:
    """Comment at the head of the Verilog file."""
    ports = design_ports(design)
    latency, interval = latency_cycles(design), interval_cycles(design)
    name_width = max(len(port.name) for port in ports)
    bits_width = max(len(str(port.width)) for port in ports)
    lines = [
        design.id,
        "",
        f"design   {design.text}",
    ]
    if design.implementation.form == "unit":
        lines.append("latency  combinational")
    else:
        first = "the first beat of results" if design.implementation.rows > 1 else "its result"
        lines += [
            f"latency  {latency} cycle{'s' * (latency > 1)} from a sum's last beat to {first}",
            "interval 1 cycle between beats"
            if interval == 1
            else f"interval 1 cycle between beats, at least {interval} between last beats"
            + (" of chunks" if chunk_interval_cycles(design) > 1 else ""),
        ]
    lines += ["", "ports"]
    for port in ports:
        direction = "in " if port.direction == "input" else "out"
        lines.append(
            f"  {port.name:<{name_width}}  {direction} {port.width:>{bits_width}}  {port.meaning}"
        )
    versions = ", ".join(f"{name} {version}" for name, version in tool_versions().items())
    lines += ["", f"made by  {versions}"]
    return "".join(f"// {line}".rstrip() + "\n" for line in lines) + "\n"


def core_file(design: Design, verilog: str, bench_files: Sequence[str]) -> str:
    """FuseSoC core description, CAPI2."""
    text = (
        "CAPI=2:\n"
        f"name: macsmith::{design.id}:{metadata.version('macsmith')}\n"
        f'description: "{design.text}"\n'
        "filesets:\n"
        "  rtl:\n"
        f"    files: [{verilog}]\n"
        "    file_type: verilogSource-2005\n"
    )
    targets = f"targets:\n  default: &default\n    filesets: [rtl]\n    toplevel: {design.id}\n"
    if bench_files:
        bench, vectors = bench_files
        text += (
            "  bench:\n"
            "    files:\n"
            f"      - {bench}: {{file_type: verilogSource-2005}}\n"
            f"      - {vectors}: {{file_type: user, copyto: {vectors}}}\n"
        )
        targets += (
            "  sim:\n"
            "    <<: *default\n"
            "    filesets: [rtl, bench]\n"
            f"    toplevel: {design.id}_tb\n"
            "    default_tool: icarus\n"
            "    tools: {icarus: {iverilog_options: [-g2005]}}\n"
        )
    return text + targets


def manifest_dict(
    design: Design,
    *,
    modules: Sequence[str],
    sha256: Mapping[str, str],
) -> dict[str, Any]:
    """Everything about an emitted design that a program may want to know."""
    return {
        "id": design.id,
        "design": design.text,
        "top": design.id,
        "config": design.mac.model_dump(mode="json"),
        **(
            {"modes": [mode.model_dump(mode="json") for mode in design.modes]}
            if design.is_switchable
            else {}
        ),
        "implementation": design.implementation.model_dump(mode="json"),
        "ports": [
            {
                "name": port.name,
                "direction": port.direction,
                "width": port.width,
                "meaning": port.meaning,
            }
            for port in design_ports(design)
        ],
        "latency_cycles": latency_cycles(design),
        "interval_cycles": interval_cycles(design),
        "chunk_interval_cycles": chunk_interval_cycles(design),
        "modules": list(modules),
        "files": [{"name": name, "sha256": digest} for name, digest in sha256.items()],
        "versions": tool_versions(),
    }
