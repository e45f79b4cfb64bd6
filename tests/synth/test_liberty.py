"""The Liberty reader: figures, units, and what it says about files it cannot use."""

import gzip
from pathlib import Path

import numpy as np
import pytest
from macsmith.synth.cells import Technology
from macsmith.synth.liberty import LibertyError, read_liberty
from macsmith.synth.liberty_write import liberty_text
from macsmith.synth.linear import technology_from_library
from macsmith.synth.technology import dump_technology, load_technology
from tiny_library import HEAD, TINY, gate


def test_units_are_converted(liberty_file: Path) -> None:
    library = read_liberty([liberty_file])
    nand = library.cells["NAND2"]
    assert library.voltage_v == 2.0
    assert nand.leakage_nw == pytest.approx(2000.0)  # 2 uW
    assert nand.pins["A"].capacitance_ff == pytest.approx(1.0)  # 0.001 pF
    assert nand.pins["Y"].max_load_ff == pytest.approx(64.0)
    (arc,) = [arc for arc in nand.pins["Y"].arcs if arc.input_pin == "B"]
    assert arc.sense == "negative_unate"
    # 0.02 ns + 0.5 x 0.04 ns + 10 ns/pF x 0.002 pF = 60 ps
    assert arc.delay["rise"].at(40.0, 2.0) == pytest.approx(60.0)
    assert arc.delay["fall"].at(40.0, 2.0) == pytest.approx(50.0)
    # 0.003 pJ is an energy of V^2 x pF: 3 fJ at 1 V units
    assert nand.pins["Y"].powers[0].energy["rise"].at(1.0, 1.0) == pytest.approx(3.0)


def test_mean_of_states_where_no_leakage_is_unconditional(liberty_file: Path) -> None:
    assert read_liberty([liberty_file]).cells["DFF"].leakage_nw == pytest.approx(2000.0)


def test_table_extends_beyond_its_corners(liberty_file: Path) -> None:
    table = read_liberty([liberty_file]).cells["INV"].pins["Y"].arcs[0].delay["rise"]
    assert table.at(200.0, 50.0) == pytest.approx(10 + 0.5 * 200 + 10 * 50)
    slews, loads = np.array([5.0, 33.0, 200.0]), np.array([0.5, 3.0, 50.0])
    grid = table.grid(slews, loads)
    one_by_one = [[table.at(slew, load) for load in loads] for slew in slews]
    assert grid == pytest.approx(np.array(one_by_one))


def test_lines_are_found_where_tables_are_planes(tiny: Technology) -> None:
    arc = tiny.cells["NAND2"].outputs["Y"].arcs["A"]
    assert arc.sense == "negative"
    assert arc.rise.numbers() == pytest.approx((20.0, 0.5, 10.0, 10.0, 0.1, 20.0), abs=1e-6)
    assert arc.fall.numbers() == pytest.approx((10.0, 0.5, 10.0, 10.0, 0.1, 20.0), abs=1e-6)
    assert tiny.cells["XOR2"].outputs["Y"].arcs["A"].sense == "both"


def test_flip_flop_figures(tiny: Technology) -> None:
    cell = tiny.cells["DFF"]
    register = cell.flip_flop
    assert register is not None
    assert register.clock_pin == "CK"
    assert list(register.setup_ps) == list(register.hold_ps) == ["D"]
    assert register.setup_ps["D"].numbers() == pytest.approx((20.0, 0.0, 30.0, 0.0), abs=1e-9)
    assert register.hold_ps["D"].numbers() == pytest.approx((5.0, 0.0, -2.0, 0.0), abs=1e-9)
    # settled states: 10 fJ rise + 10 fJ fall
    assert register.clock_energy_fj == pytest.approx(20.0)
    # an output change costs 50 fJ, but the rising clock edge gives nothing then, and data that
    # differ cost 14 instead of 10 fJ at the falling edge before: 50 + (0 - 10) + (14 - 10)
    assert cell.outputs["Q"].energy_fj == pytest.approx(44.0)
    assert cell.inputs["D"].energy_fj == 0.0


def test_full_adder_is_recognised(tiny: Technology) -> None:
    adder = tiny.full_adder
    assert adder is not None
    assert adder.cell.name == "FA"
    assert (adder.sum_pin, adder.carry_pin) == ("SN", "CON")
    assert adder.sum_inverted
    assert adder.carry_inverted


def test_defaults_of_a_users_library(tiny: Technology) -> None:
    assert tiny.driver_cell == "BUF2"  # the second smallest buffer
    assert tiny.output_load_ff == pytest.approx(2.5)
    assert tiny.inverter.name == "INV"
    assert tiny.name == "tiny"


def test_gzip_and_plain_give_the_same(tmp_path: Path, liberty_file: Path) -> None:
    packed = tmp_path / "tiny.lib.gz"
    packed.write_bytes(gzip.compress(liberty_file.read_bytes()))
    plain = technology_from_library(read_liberty([liberty_file]), source="x")
    assert technology_from_library(read_liberty([packed]), source="x") == plain


def test_several_files_are_one_library(tmp_path: Path) -> None:
    first, second = tmp_path / "a.lib", tmp_path / "b.lib"
    first.write_text(TINY)
    second.write_text(HEAD + gate("AND9", 1.0, "AB", "A*B", "positive_unate", 0.02) + "}")
    library = read_liberty([first, second])
    assert {"NAND2", "AND9"} <= library.cells.keys()
    with pytest.raises(LibertyError, match=r"cell INV is defined twice; give each file once"):
        read_liberty([first, first])
    second.write_text(second.read_text().replace("nom_voltage : 2.0", "nom_voltage : 1.0"))
    with pytest.raises(LibertyError, match="files must be of one corner"):
        read_liberty([first, second])


def test_minimal_liberty_reads_back_to_the_same_table(tmp_path: Path, tiny: Technology) -> None:
    path = tmp_path / "minimal.lib"
    path.write_text(liberty_text(tiny))
    again = technology_from_library(read_liberty([path]))
    for name, cell in tiny.cells.items():
        back = again.cells[name]
        assert back.area_um2 == pytest.approx(cell.area_um2)
        for pin, output in cell.outputs.items():
            truth = output.function.truth_table(tuple(sorted(output.function.variables())))
            function = back.outputs[pin].function
            assert function.truth_table(tuple(sorted(function.variables()))) == truth
            for source, arc in output.arcs.items():
                assert back.outputs[pin].arcs[source].rise.numbers() == pytest.approx(
                    arc.rise.numbers(), rel=1e-3, abs=1e-3
                )


def test_table_file_reads_back(tmp_path: Path, tiny: Technology) -> None:
    path = tmp_path / "tiny.json"
    path.write_text(dump_technology(tiny))
    again = load_technology(path)
    assert dump_technology(again) == path.read_text()
    assert again.cells.keys() == tiny.cells.keys()
    with pytest.raises(ValueError, match=r"not a technology table"):
        load_technology(tmp_path / "none.json")


def test_dont_use_patterns(liberty_file: Path) -> None:
    library = read_liberty([liberty_file], ["BUF*"])
    assert library.cells["BUF2"].unusable == "dont_use pattern BUF*"
    table = technology_from_library(library)
    assert "BUF" not in table.cells
    assert table.driver_cell == "INV"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("module x; endmodule", r"bad\.lib:1: not a Liberty file: 'module x; endmodule'"),
        ("", r"bad\.lib: not a Liberty file: it has no library"),
        (TINY.rstrip()[:-1], r"bad\.lib: ends inside group 'library'; the file is cut off"),
        ('library (x) {\n  time_unit : "1ns";\n  ?!\n}', r"bad\.lib:3: not Liberty syntax"),
        (HEAD + "}", r"bad\.lib: no usable combinational cell"),
        ("library (x) { }", r"capacitive_load_unit is missing"),
        (TINY.replace('"1ns"', '"1parsec"'), r"unit '1parsec'; must be a number and a unit of s"),
        (TINY.replace("area : 8.0", "area : big"), r"'big' must be a number"),
        (TINY.replace("area :", "size :"), r"cell library \(cells left out: \d+ for no area\)"),
        (TINY.replace("nom_voltage : 2.0;", ""), r"bad\.lib: nom_voltage is missing; must be"),
        (TINY.replace('"!(A*B)"', '"!(A*B"'), r"cell NAND2: function .* parenthesis is missing"),
        (TINY.replace("delay_model : table_lookup", "delay_model : polynomial"), "must be table"),
    ],
)
def test_bad_files_are_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "bad.lib"
    path.write_text(text)
    with pytest.raises(LibertyError, match=message):
        read_liberty([path])


def test_unreadable_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(LibertyError, match=r"none\.lib: cannot be read"):
        read_liberty([tmp_path / "none.lib"])
    broken = tmp_path / "broken.lib.gz"
    broken.write_bytes(gzip.compress(TINY.encode())[:500])
    with pytest.raises(LibertyError, match="broken gzip file"):
        read_liberty([broken])
    binary = tmp_path / "binary.lib"
    binary.write_bytes(bytes(range(256)))
    with pytest.raises(LibertyError, match=r"not a Liberty file \(binary data\)"):
        read_liberty([binary])
    with pytest.raises(LibertyError, match="no Liberty file given"):
        read_liberty([])


def test_a_library_needs_inverter_and_flip_flop(tmp_path: Path) -> None:
    path = tmp_path / "few.lib"
    path.write_text(HEAD + gate("NAND2", 1.0, "AB", "!(A*B)", "negative_unate", 0.02) + "}")
    with pytest.raises(LibertyError, match="no usable inverter"):
        technology_from_library(read_liberty([path]))
    path.write_text(HEAD + gate("INV", 1.0, "A", "!A", "negative_unate", 0.02) + "}")
    with pytest.raises(LibertyError, match="no usable flip-flop"):
        technology_from_library(read_liberty([path]))


def test_what_is_left_out_is_told(tmp_path: Path) -> None:
    path = tmp_path / "untimed.lib"
    path.write_text(TINY.replace("timing () {", "no_timing () {"))
    with pytest.raises(LibertyError, match=r"no usable inverter.* \d+ for an output without t"):
        technology_from_library(read_liberty([path]))


def test_voltage_of_the_operating_conditions(tmp_path: Path) -> None:
    path = tmp_path / "conditions.lib"
    conditions = """operating_conditions (slow) { voltage : 1.5; }
        operating_conditions (usual) { voltage : 1.75; } default_operating_conditions : usual;"""
    path.write_text(TINY.replace("nom_voltage : 2.0;", conditions))
    assert read_liberty([path]).voltage_v == 1.75


def test_setup_tables_are_read_in_either_order_of_their_axes(tmp_path: Path) -> None:
    """SKY130 gives the clock's slew first, others the data's."""
    data_first = """lu_table_template (setup) {
        variable_1 : constrained_pin_transition; variable_2 : related_pin_transition;
        index_1 ("0.01, 0.02"); index_2 ("0.1, 0.2, 0.4"); } cell (DFF)"""
    clock_first = """lu_table_template (setup) {
        variable_1 : related_pin_transition; variable_2 : constrained_pin_transition;
        index_1 ("0.1, 0.2, 0.4"); index_2 ("0.01, 0.02"); } cell (DFF)"""
    rows = {data_first: ('"1, 2, 4", "3, 4, 6"'), clock_first: ('"1, 3", "2, 4", "4, 6"')}
    for template, values in rows.items():
        scalar = 'rise_constraint (scalar) { values ("0.020"); }'
        assert scalar in TINY
        text = TINY.replace("cell (DFF)", template)
        path = tmp_path / "setup.lib"
        path.write_text(text.replace(scalar, f"rise_constraint (setup) {{ values ({values}); }}"))
        arcs = read_liberty([path]).cells["DFF"].pins["D"].arcs
        table = next(arc for arc in arcs if arc.kind == "setup_rising").delay["rise"]
        # data at 20 ps, clock at 400 ps
        assert table.at(20.0, 400.0) == pytest.approx(6000.0)
        assert table.at(10.0, 200.0) == pytest.approx(2000.0)
