"""Static timing of this project against OpenSTA, on the same netlists and the same Liberty files.

    python benchmarks/opensta.py LIBERTY_FOLDER [LIBRARY ...] [--designs DESIGN ...] [-o FILE.csv]

Every design is mapped onto every library, and the longest path computed three times: by OpenSTA
over the Liberty file, by this project over the file's tables, and over the fitted lines. Inputs are
driven by the same buffer, outputs carry the same load, the clock is ideal with the same slew, and
there are no wires. Needs the program ``sta`` (Debian: ``apt-get install opensta``); it is run as a
separate process.
"""

from __future__ import annotations

import argparse
import csv
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from liberty_settings import LIBRARIES, Setting, find_files, load_setting, without_wire_loads
from macsmith.hw.emit import generate
from macsmith.model.design import parse_design
from macsmith.sim.netlist_graph import Netlist
from macsmith.synth.recipes import recipe
from macsmith.synth.synthesize import synthesize
from macsmith.synth.timing import analyse_hold, analyse_timing
from rich.console import Console
from rich.table import Table

DESIGNS = (
    "int8:int32",
    "e4m3:exact",
    "e4m3:e6m9",
    "e4m3:exact:unit",
    "e2m1:exact:lanes8:unit",
    "e5m2:e6m5:unit",
    "bf16:fp32:unit",
)
RECIPES = ("smallest", "balanced-fa-folded", "fastest")


def netlist_verilog(netlist: Netlist) -> str:
    """The netlist with one scalar port a bit and plain names: what any reader takes."""
    wires = [f"n{net}" for net in range(netlist.net_count)]
    wires[0], wires[1] = "1'b0", "1'b1"
    ports, lines = [], []
    for port in netlist.ports.values():
        for position, net in enumerate(port.nets):
            name = f"p_{port.name}_{position}"
            ports.append(name)
            lines.append(f"  {'output' if port.is_output else 'input'} {name};")
            ends = (name, wires[net]) if port.is_output else (wires[net], name)
            lines.append(f"  assign {ends[0]} = {ends[1]};")
    lines += [f"  wire {name};" for name in wires[2:]]
    for number, instance in enumerate(netlist.instances):
        pins = ", ".join(f".{pin}({wires[net]})" for pin, net in instance.pins.items())
        lines.append(f"  {instance.cell} u{number} ({pins});")
    return f"module top ({', '.join(ports)});\n" + "\n".join(lines) + "\nendmodule\n"


def opensta_script(netlist: Netlist, setting: Setting, period_ps: int, folder: Path) -> str:
    """Commands that print the worst slack of a clock period and the worst hold slack."""
    technology = setting.tables
    clocks = {
        instance.pins[register.clock_pin]
        for instance in netlist.instances
        if (register := technology.cells[instance.cell].flip_flop) is not None
    }
    inputs, clock_ports = [], []
    for port in netlist.ports.values():
        for position, net in enumerate(() if port.is_output else port.nets):
            (clock_ports if net in clocks else inputs).append(f"p_{port.name}_{position}")
    driver = technology.cells[technology.driver_cell]
    (driver_pin,) = driver.outputs
    clock_source = f"[get_ports {{{' '.join(clock_ports)}}}]" if clock_ports else ""
    return "\n".join(
        [
            *(f"read_liberty {file}" for file in without_wire_loads(setting.files, folder)),
            f"read_verilog {folder / 'netlist.v'}",
            "link_design top",
            "set_cmd_units -time ps -capacitance fF",
            f"create_clock -name clock -period {period_ps} {clock_source}",
            *(
                [f"set_clock_transition {technology.clock_slew_ps:.6f} [get_clocks clock]"]
                if clock_ports
                else []
            ),
            f"set inputs [get_ports {{{' '.join(inputs)}}}]",
            "set_input_delay 0 -clock clock $inputs",
            "set_output_delay 0 -clock clock [all_outputs]",
            f"set_driving_cell -lib_cell {driver.name} -pin {driver_pin} $inputs",
            f"set_load {technology.output_load_ff:.6f} [all_outputs]",
            "report_checks -path_delay max -format full -digits 5",
            'puts "HOLD"',
            "set_false_path -hold -from $inputs",
            "set_false_path -hold -to [all_outputs]",
            "report_checks -path_delay min -format full -digits 5",
        ]
    )


def run_opensta(
    netlist: Netlist, setting: Setting, period_ps: int, folder: Path
) -> tuple[float, float | None]:
    """Longest path and worst hold slack by OpenSTA, ps; no hold slack without registers.

    `period_ps` only gives the slack its scale: OpenSTA computes with 24 bits.

    Raises
    ------
    RuntimeError
        OpenSTA reported no path, or an error; the message has the end of its output.
    """
    (folder / "netlist.v").write_text(netlist_verilog(netlist), encoding="utf-8")
    script = folder / "run.tcl"
    script.write_text(opensta_script(netlist, setting, period_ps, folder), encoding="utf-8")
    done = subprocess.run(
        ["sta", "-no_init", "-no_splash", "-exit", str(script)],
        capture_output=True,
        text=True,
        check=False,
    )
    longest, _, hold = (done.stdout + done.stderr).partition("HOLD\n")
    slack = re.search(r"(-?[\d.]+)\s+slack", longest)
    if slack is None or "Error:" in done.stdout + done.stderr:
        raise RuntimeError(f"sta failed:\n{(longest + done.stderr)[-2000:]}")
    hold_slack = re.search(r"(-?[\d.]+)\s+slack", hold)
    return period_ps - float(slack[1]), float(hold_slack[1]) if hold_slack else None


def compare(name: str, setting: Setting, design: str, folder: Path) -> list[dict[str, object]]:
    """One row for each recipe that the design and the library allow."""
    config = parse_design(design)
    emitted = generate(config, folder / "rtl")
    result = synthesize(
        [emitted.verilog],
        config.id,
        setting.lines,
        build_dir=folder,
        recipes=[recipe(word) for word in RECIPES],
    )
    rows: list[dict[str, object]] = []
    for mapped in result.designs:
        netlist = mapped.netlist()
        tables_ps = analyse_timing(netlist, setting.tables).delay_ps
        sta_ps, sta_hold_ps = run_opensta(netlist, setting, 2 * round(tables_ps), folder)
        hold = analyse_hold(netlist, setting.tables)
        rows.append(
            {
                "library": name,
                "design": design,
                "recipe": mapped.recipe,
                "opensta_ps": round(sta_ps, 3),
                "tables_ps": round(tables_ps, 3),
                "tables_differ_percent": round(100 * (tables_ps / sta_ps - 1), 3),
                "lines_ps": round(mapped.timing.delay_ps, 3),
                "lines_differ_percent": round(100 * (mapped.timing.delay_ps / sta_ps - 1), 3),
                "opensta_hold_slack_ps": sta_hold_ps,
                "tables_hold_slack_ps": round(hold.slack_ps, 3) if hold else None,
            }
        )
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("folder", type=Path, help="folder with the Liberty files")
    parser.add_argument("names", nargs="*", default=list(LIBRARIES), metavar="LIBRARY")
    parser.add_argument("--designs", nargs="+", default=list(DESIGNS), metavar="DESIGN")
    parser.add_argument("-o", "--output", type=Path, help="also write the rows as CSV")
    options = parser.parse_args()
    if shutil.which("sta") is None:
        print("opensta.py: skipped: no program `sta`; install it (Debian: apt-get install opensta)")
        return 0
    rows: list[dict[str, object]] = []
    for name in options.names:
        setting = load_setting(name, find_files(options.folder, name))
        for design in options.designs:
            with tempfile.TemporaryDirectory(prefix="macsmith-") as folder:
                rows += compare(name, setting, design, Path(folder))
            print(name, design, file=sys.stderr, flush=True)
    grid = Table(title="longest path, ps")
    for head in rows[0]:
        grid.add_column(head.replace("_", " "), justify="left" if head in "library" else "right")
    for row in rows:
        grid.add_row(*("-" if cell is None else str(cell) for cell in row.values()))
    Console(width=140).print(grid)
    if options.output:
        with options.output.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
