"""A technology table as a minimal Liberty file, for Yosys and ABC.

A linear arc is an exact 2 x 2 table: bilinear interpolation, and its extension beyond the corners,
gives back the line.
"""

from macsmith.synth.cells import Cell, FlipFlop, LinearTiming, OutputPin, Technology

__all__ = ["liberty_text"]

# Where the lines are tabulated, in units of an output load and the slew the driver cell
# gives it. Any two
# points hold a line, but ABC takes its typical slew and its gains from the middle of the tables.
STEPS = (0.5, 1, 2, 4, 8, 16, 32)


def liberty_text(table: Technology) -> str:
    """Liberty text of all cells of a technology; units ps, fF, nW, fJ, V.

    Cells with more than one output are declared with areas and functions, but ABC takes no
    gate from them; those that have none or a flip-flop's are for Yosys' ``dfflibmap`` and ``stat``.
    """
    slews, loads = _corners(table)
    lines = [
        f"library ({table.name.replace('-', '_')}) {{",
        "  delay_model : table_lookup;",
        '  time_unit : "1ps";',
        '  voltage_unit : "1V";',
        '  current_unit : "1mA";',
        '  pulling_resistance_unit : "1kohm";',
        '  leakage_power_unit : "1nW";',
        "  capacitive_load_unit (1, ff);",
        f"  nom_voltage : {table.voltage_v:g};",
        f"  nom_temperature : {table.temperature_c:g};",
        "  nom_process : 1;",
    ]
    for edge in ("rise", "fall"):
        lines += [
            f"  input_threshold_pct_{edge} : 50;",
            f"  output_threshold_pct_{edge} : 50;",
            f"  slew_lower_threshold_pct_{edge} : {table.slew_lower_percent:g};",
            f"  slew_upper_threshold_pct_{edge} : {table.slew_upper_percent:g};",
        ]
    lines += [
        f"  slew_derate_from_library : {table.slew_derate:g};",
        "  lu_table_template (line) {",
        "    variable_1 : input_net_transition;",
        "    variable_2 : total_output_net_capacitance;",
        f'    index_1 ("{", ".join(f"{slew:g}" for slew in slews)}");',
        f'    index_2 ("{", ".join(f"{load:g}" for load in loads)}");',
        "  }",
    ]
    for cell in table.cells.values():
        lines += _cell(cell, slews, loads)
    lines.append("}")
    return "\n".join(lines) + "\n"


def _corners(table: Technology) -> tuple[tuple[float, ...], tuple[float, ...]]:
    load = table.output_load_ff
    slew = table.driver_arc.rise.slew_ps(0.0, load)
    return tuple(round(k * slew, 3) for k in STEPS), tuple(round(k * load, 4) for k in STEPS)


def _cell(cell: Cell, slews: tuple[float, ...], loads: tuple[float, ...]) -> list[str]:
    lines = [
        f'  cell ("{cell.name}") {{',
        f"    area : {cell.area_um2:.10g};",
        f"    cell_leakage_power : {cell.leakage_nw:g};",
    ]
    if cell.flip_flop:
        lines += _flip_flop(cell.flip_flop)
    for name, pin in cell.inputs.items():
        clock = cell.flip_flop is not None and cell.flip_flop.clock_pin == name
        lines += [
            f'    pin ("{name}") {{ direction : input; capacitance : {pin.capacitance_ff:g};'
            + (" clock : true;" if clock else "")
            + " }"
        ]
    for name, output in cell.outputs.items():
        lines += _output(cell, name, output, slews, loads)
    lines.append("  }")
    return lines


def _flip_flop(register: FlipFlop) -> list[str]:
    lines = [
        f'    ff ("{register.state}", "{register.inverted_state}") {{',
        f'      clocked_on : "{register.clocked_on}";',
        f'      next_state : "{register.next_state}";',
    ]
    if register.clear:
        lines.append(f'      clear : "{register.clear}";')
    if register.preset:
        lines.append(f'      preset : "{register.preset}";')
    if register.clear and register.preset:
        lines += ["      clear_preset_var1 : L;", "      clear_preset_var2 : L;"]
    return [*lines, "    }"]


def _output(
    cell: Cell,
    name: str,
    output: OutputPin,
    slews: tuple[float, ...],
    loads: tuple[float, ...],
) -> list[str]:
    lines = [
        f'    pin ("{name}") {{',
        "      direction : output;",
        f'      function : "{output.function}";',
    ]
    if output.max_load_ff:
        lines.append(f"      max_capacitance : {output.max_load_ff:g};")
    senses = {"positive": "positive_unate", "negative": "negative_unate", "both": "non_unate"}
    for source, arc in output.arcs.items():
        kind = "rising_edge" if cell.flip_flop else "combinational"
        lines += [
            "      timing () {",
            f'        related_pin : "{source}";',
            f"        timing_type : {kind};",
            f"        timing_sense : {senses[arc.sense]};",
        ]
        for edge, line in (("rise", arc.rise), ("fall", arc.fall)):
            lines += _tables(edge, line, slews, loads)
        lines.append("      }")
    return [*lines, "    }"]


def _tables(
    edge: str, line: LinearTiming, slews: tuple[float, ...], loads: tuple[float, ...]
) -> list[str]:
    delay, slew = (
        ", ".join(
            '"' + ", ".join(f"{base + per_slew * s + per_ff * c:.7g}" for c in loads) + '"'
            for s in slews
        )
        for base, per_slew, per_ff in (line.numbers()[:3], line.numbers()[3:])
    )
    return [
        f"        cell_{edge} (line) {{ values ({delay}); }}",
        f"        {edge}_transition (line) {{ values ({slew}); }}",
    ]
