"""Tables and drawings of formats: their figures against the formats themselves."""

import re
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pytest
from macsmith.model.describe import (
    binades,
    count_values,
    draw_values,
    format_table,
    named_format_table,
    save_picture,
    value_text,
)
from macsmith.model.formats import NAMED_FORMATS, FloatFormat, Special, parse_format

NAMES = [
    "e4m3",
    "e5m2",
    "e2m1",
    "e3m0",
    "e1m2",
    "e2m3fnuz",
    "e4m3fnns",
    "e6m9",
    "ue4m3",
    "e8m0",
    "binary6p3se",
    "binary5p3ue",
    "int4",
    "uint5",
    "int8q6",
    "int6sym",
]


@pytest.mark.parametrize("name", NAMES)
def test_codes_are_counted(name: str) -> None:
    fmt = parse_format(name)
    values = [fmt.decode(code) for code in range(1 << fmt.bits)]
    codes = dict(format_table(fmt))["codes"]
    counts = [int(number) for number in re.findall(r"\d+", codes)]
    if not isinstance(fmt, FloatFormat):
        assert codes == f"{len(values)}: all numbers"
        return
    specials = [value for value in values if isinstance(value, Special)]
    numbers = {value for value in values if isinstance(value, Fraction)}
    nans = specials.count(Special.NAN)
    infinities = len(specials) - nans
    assert counts == [len(values), len(numbers)] + [n for n in (infinities, nans) if n]
    assert ("second zero" in codes) == (values.count(Fraction(0)) == 2)


@pytest.mark.parametrize("name", NAMES)
def test_binades_hold_all_positive_values(name: str) -> None:
    fmt = parse_format(name)
    listed = []
    for run in binades(fmt):
        listed += [run.first + step * run.spacing for step in range(run.count)]
        assert listed[-1] == run.last
    values = {fmt.decode(code) for code in range(1 << fmt.bits)}
    assert sorted(listed) == sorted(
        v for v in values if isinstance(v, Fraction) and 0 < v <= fmt.max
    )
    edges = [Fraction(0), fmt.smallest, fmt.max / 3, fmt.max / 2, fmt.max]
    want = [sum(low < value <= high for value in listed) for low, high in pairwise(edges)]
    assert count_values(fmt, edges) == want


def test_table_of_a_named_format() -> None:
    rows = format_table("float8_e4m3fn")
    assert rows[:4] == [
        ("name", "e4m3"),
        ("title", "OCP E4M3"),
        ("other names", "e4m3fn, float8_e4m3fn, f8e4m3fn, ocp_e4m3, fp8_e4m3"),
        ("source", "OCP 8-bit Floating Point Specification (OFP8) v1.0"),
    ]
    table = dict(rows)
    assert table["largest"] == "448"
    assert table["smallest normal"] == "2^-6 = 0.015625"
    assert table["smallest"] == "2^-9 = 0.001953125"
    assert table["exact product"] == "at most 36 bits of fixed point, unit 2^-18"
    assert table["codes"] == "256: 253 numbers and a second zero, 2 NaN"


def test_drawing_of_the_four_bit_format() -> None:
    lines = draw_values("e2m1", 56).splitlines()
    assert lines[0] == "values from 0 to 6, density along a linear axis"
    # 48 columns for 0 .. 6: 8 a unit, each value in the column that ends with it
    columns = [at + 1 for at, mark in enumerate(lines[1].removeprefix("linear |")) if mark != " "]
    assert columns == [4, 8, 12, 16, 24, 32, 48]
    assert lines[-5:] == [
        "values    how many     spacing",
        "4 .. 6    2            2",
        "2 .. 3    2            1",
        "1 .. 1.5  2            2^-1",
        "2^-1      1 subnormal  2^-1",
    ]


@pytest.mark.parametrize("name", [*NAMES, *(named.canonical for named in NAMED_FORMATS)])
def test_drawings_fit(name: str) -> None:
    for width in (40, 80, 200):
        drawing = draw_values(name, width)
        bars = [line for line in drawing.splitlines() if "|" in line]
        assert len(bars) == 2
        assert all(len(line) <= width and "█" in line for line in bars)
        assert all(line == line.rstrip() for line in drawing.splitlines())
        # a posit has another number of values in every second binade
        assert len(drawing.splitlines()) <= (35 if name.startswith("posit") else 25)


def test_wide_formats_are_drawn_as_runs() -> None:
    assert "8388608 in each of 254 binades" in draw_values("fp32")


def test_names_and_sources() -> None:
    rows = named_format_table()
    assert [row["name"] for row in rows] == [named.canonical for named in NAMED_FORMATS]
    assert all(row["source"] and row["title"] for row in rows)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Fraction(448), "448"),
        (Fraction(-3), "-3"),
        (Fraction(1, 64), "2^-6 = 0.015625"),
        (Fraction(-1, 64), "-2^-6 = -0.015625"),
        (Fraction(3, 8), "0.375"),
        (Fraction(2) ** 40, "2^40 ≈ 1.09951e+12"),
        ((2 - Fraction(1, 512)) * 2**40, "1023 * 2^31 ≈ 2.19688e+12"),
        ((2 - Fraction(1, 512)) * 2**31, "4290772992"),
    ],
)
def test_values_as_text(value: Fraction, text: str) -> None:
    assert value_text(value) == text


def test_picture(tmp_path: Path) -> None:
    path = tmp_path / "values.png"
    save_picture(["e4m3", "e2m1", "int4"], path)
    assert path.read_bytes().startswith(b"\x89PNG")
    assert path.stat().st_size > 5000


def test_errors(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least 40 columns wide, not 20"):
        draw_values("e4m3", 20)
    with pytest.raises(ValueError, match="e8m23: a picture must be of at most 16 bits, not 32"):
        save_picture(["fp32"], tmp_path / "x.png")
    with pytest.raises(ValueError, match="at least one format"):
        save_picture([], tmp_path / "x.png")
    assert list(tmp_path.iterdir()) == []


def test_the_guide_lists_all_named_formats() -> None:
    guide = (Path(__file__).parents[2] / "docs" / "formats.md").read_text(encoding="utf-8")
    for row in named_format_table():
        cells = [f"`{row['name']}`", row["title"], row["bits"], row["largest"], row["smallest"]]
        aliases = [alias for alias in row["other names"].split(", ") if alias]
        cells.append(", ".join(f"`{alias}`" for alias in aliases))
        assert f"| {' | '.join(cells)} |" in guide
        assert row["source"] in guide
