"""The technology tables kept in the project."""

import os
from pathlib import Path

import pytest
from macsmith.synth.liberty import read_liberty
from macsmith.synth.linear import technology_from_library
from macsmith.synth.make_tables import RECIPES, main, make_table
from macsmith.synth.technology import DATA_FOLDER, TECHNOLOGIES, dump_technology, technology

_BESIDE = Path(__file__).parents[2].parent / "shared" / "tech" / "liberty"
LIBERTY = Path(os.environ.get("MACSMITH_LIBERTY", _BESIDE))
FILES = {
    "asap7": [
        f"asap7sc7p5t_{part}_RVT_TT_nldm" for part in ("AO", "INVBUF", "OA", "SEQ", "SIMPLE")
    ],
    "sky130": ["sky130_fd_sc_hd__tt_025C_1v80"],
    "ihp-sg13g2": ["sg13g2_stdcell_typ_1p20V_25C"],
}
needs_liberty = pytest.mark.skipif(
    not LIBERTY.is_dir(), reason="no Liberty files beside the project, nor at MACSMITH_LIBERTY"
)


def liberty_files(name: str) -> list[Path]:
    return [LIBERTY / f"{stem}.lib.gz" for stem in FILES[name]]


@pytest.mark.parametrize("name", TECHNOLOGIES)
def test_every_table_states_where_it_is_from(name: str) -> None:
    table = technology(name)
    assert table.name == name
    for text in (table.title, table.source, table.corner, table.licence, table.attribution):
        assert text
    assert table.dont_use == RECIPES[name].dont_use
    assert table.driver_cell in table.cells
    assert 10_000 < (DATA_FOLDER / f"{name}.json").stat().st_size < 200_000
    assert any(cell.flip_flop for cell in table.cells.values())


def test_the_licence_that_must_go_along_is_there() -> None:
    text = (DATA_FOLDER / "asap7.LICENSE").read_text()
    assert "Redistributions in binary form must reproduce the above copyright" in text
    assert technology("asap7").attribution in " ".join(text.split())


def test_figures_of_the_libraries() -> None:
    # Areas as the libraries' own documentation and Liberty files give them, um2.
    asap7, sky130, ihp = technology("asap7"), technology("sky130"), technology("ihp-sg13g2")
    assert asap7.cells["NAND2xp5_ASAP7_75t_R"].area_um2 == 0.05832
    assert asap7.cells["DFFHQNx1_ASAP7_75t_R"].area_um2 == 0.2916
    assert sky130.cells["sky130_fd_sc_hd__nand2_1"].area_um2 == 3.7536
    assert ihp.cells["sg13g2_nand2_1"].area_um2 == 7.2576
    assert asap7.full_adder is not None
    assert asap7.full_adder.cell.name == "FAx1_ASAP7_75t_R"
    assert asap7.full_adder.sum_inverted
    assert asap7.full_adder.carry_inverted
    assert sky130.full_adder is not None
    assert sky130.full_adder.cell.name == "sky130_fd_sc_hd__fa_1"
    assert not sky130.full_adder.sum_inverted
    assert ihp.full_adder is None


@pytest.mark.parametrize("alias", ["ASAP7", "7nm", "sky130hd", "ihp", "sg13g2"])
def test_aliases(alias: str) -> None:
    assert technology(alias).name in TECHNOLOGIES


def test_an_unknown_technology_is_answered_with_those_there_are() -> None:
    with pytest.raises(
        ValueError, match=r"technology 'n5' is unknown; must be one of asap7, sky130"
    ):
        technology("n5")


@needs_liberty
@pytest.mark.parametrize("name", TECHNOLOGIES)
def test_tables_are_what_the_liberty_files_give(name: str) -> None:
    made = dump_technology(make_table(name, liberty_files(name)))
    assert made == (DATA_FOLDER / f"{name}.json").read_text()


@needs_liberty
@pytest.mark.parametrize(
    "stem",
    [
        pytest.param("gf180mcu_fd_sc_mcu7t5v0__tt_025C_5v00", marks=pytest.mark.slow),
        "gt2_6t_w13_svt_tt_0p7v25c",
    ],
)
def test_other_libraries_read_too(stem: str) -> None:
    library = read_liberty([LIBERTY / f"{stem}.lib.gz"])
    table = technology_from_library(library)
    assert len(table.cells) > 60
    assert (table.full_adder is not None) == stem.startswith("gf180")


def test_command_line(
    tmp_path: Path, liberty_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = tmp_path / "bad.lib"
    bad.write_text("nothing")
    assert main(["asap7", str(bad), "-o", str(tmp_path)]) == 2
    assert "bad.lib:1: not a Liberty file" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [bad]
    # the tiny library is not ASAP7: the driver cell is missing, and that is said
    assert main(["asap7", str(liberty_file), "-o", str(tmp_path)]) == 2
    assert "driver cell 'BUFx2_ASAP7_75t_R' is not a usable cell" in capsys.readouterr().err
    with pytest.raises(ValueError, match="table 'n5' is unknown"):
        make_table("n5", [liberty_file])
