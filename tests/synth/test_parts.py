"""Gates are told by what they compute: compared with a mapping that keeps the hierarchy."""

import json
from collections import Counter
from pathlib import Path

import pytest
from macsmith.hw.emit import generate
from macsmith.model.design import parse_design
from macsmith.sim.netlist_graph import netlist_from_json
from macsmith.synth.module_area import measure_module_areas
from macsmith.synth.parts import PARTS, assign_parts, part_of_cell, part_of_path
from macsmith.synth.price import reference_netlist
from macsmith.synth.technology import technology
from macsmith.synth.yosys import run_yosys


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("core.step.lane_0.decode_a.g1", "decode"),
        (r"$flatten\core.\step.\lane_0.\multiply.\add_9.$auto$simplemap.cc:106$4", "multiply"),
        ("core.step.multiply_3.g", "multiply"),
        ("core.step.lane_0.g", "multiply"),
        ("core.step.float_add.g", "accumulate"),
        ("core.segmented_step.g", "accumulate"),
        ("core.step.fixed_term_0.g", "align"),
        ("core.step.add_7.g", "accumulate"),
        ("convert.round_to_result.normalise.g", "round"),
        ("convert.g", "round"),
        ("outer_step.decode_a_scale.g", "scale"),
        ("outer_step.scale.add_3.g", "scale"),
        ("outer_step.multiply_scales.decode.g", "scale"),
        ("outer_step.add_block.g", "accumulate"),
        ("align_results.g", "control"),
        ("core.g", "control"),
        ("$auto$ff.cc:337:slice$425", "control"),
        ("anything.else", "control"),
    ],
)
def test_names(name: str, part: str) -> None:
    assert part_of_cell(name) == part


def test_signals_inside_an_adder() -> None:
    cell = r"$flatten\step.\compact_add.$auto$alumacc.cc$1"
    assert part_of_cell(cell, "step.compact_add.align_2[3]") == "align"
    assert part_of_cell(cell, "step.compact_add.magnitude[3]") == "accumulate"
    assert part_of_cell(cell, "step.compact_add.normalised_0[1]") == "round"
    assert part_of_cell(cell, "net 7") is None


def test_against_kept_hierarchy(tmp_path: Path) -> None:
    """The same gates with known modules: at least 90 % of the area comes to the right part."""
    design = parse_design("e4m3:exact")
    verilog = generate(design, tmp_path / "rtl").verilog
    tech = technology("asap7")
    measure_module_areas([verilog], design.id, tech, build_dir=tmp_path / "modules")
    kept = json.loads((tmp_path / "modules" / "smallest.json").read_text())["modules"]
    commands = [
        "read_json smallest.json", "setattr -mod -unset keep_hierarchy *", "flatten", "opt_clean",
        "delete t:$scopeinfo", "write_json flat.json",
    ]  # fmt: skip
    run_yosys(commands, tmp_path / "modules", "flat")
    flat = json.loads((tmp_path / "modules" / "flat.json").read_text())
    netlist = netlist_from_json(flat, design.id)

    def truth(cell: str) -> str:
        module, path = design.id, []
        for instance in cell.split(".")[:-1]:
            module = kept[module]["cells"][instance]["type"]
            # a module is named like its instances, but for the kind of step
            path.append(module.removeprefix(f"{design.id}_").replace("fixed_step", "step"))
        return part_of_path(path)

    reference = reference_netlist([verilog], design.id, tmp_path)
    found = assign_parts(netlist, tech.models(), reference)
    area: Counter[str] = Counter()
    right = 0.0
    for instance, part in zip(netlist.instances, found.parts, strict=True):
        cell = tech.cells[instance.cell]
        if cell.flip_flop is None:
            area[part] += cell.area_um2
            right += cell.area_um2 * (part == truth(instance.name))
    assert set(area) == set(PARTS) - {"scale"}  # only blocks have one
    assert right / sum(area.values()) > 0.9
    # by the wrong design's names it would not be
    wrong = assign_parts(netlist, tech.models(), reference.__class__(
        reference.name, reference.ports, tuple(
            i.__class__(str(n), i.cell, i.pins) for n, i in enumerate(reference.instances)
        ), reference.net_names,
    ))  # fmt: skip
    assert set(wrong.parts) == {"control"}
