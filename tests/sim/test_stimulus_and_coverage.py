"""Stimulus, expected results and coverage, without a simulation."""

from dataclasses import replace

import numpy as np
import pytest
from macsmith.model import golden
from macsmith.model.design import parse_design
from macsmith.model.formats import Special, parse_format
from macsmith.sim import coverage, directed, reachability, tile_groups
from macsmith.sim.coverage import Coverage, stimulus_coverage, unit_coverage
from macsmith.sim.expected import expected_results, spot_check, words_to_int
from macsmith.sim.operands import (
    OPERAND_CLASSES,
    classify_codes,
    corner_codes,
    power_of_two_codes,
    random_codes,
)
from macsmith.sim.rotation import rotate
from macsmith.sim.stimulus import make_stimulus
from macsmith.sim.sum_lengths import sum_lengths
from macsmith.sim.unit_stimulus import make_unit_stimulus, unit_expected

FORMATS = ["e4m3", "e5m2", "e2m1", "e4m3fnuz", "e3m0", "e6m1ns", "e8m0", "int5", "uint4", "int8sym"]

# one for each kind of accumulator, form and special
DESIGNS = [
    "e4m3:e6m9",
    "e5m2:e6m9/64:lanes4",
    "e2m1:e6m9",
    "e4m3:exact",
    "e4m3xe5m2:e6m5/8/e6m9ns:rup",
    "int8:int16:wrap",
    "int8:int20:clip:lanes2",
    "bf16:fp32",
    "e3m2:exact/16/e5m2:sat:outint8",
    "e4m3:fp16:mule5m2:rtz",
    "uint8xint4:e6m9",
    "e4m3:exact:terms1",
    "int8:int32:4x3",
    "e5m2:e6m9/4:2x2:lanes2",
    "e4m3:e6m9/64:unit",
    "e5m2:exact:lanes4:unit",
    "bf16:exact/8/fp32:unit",
]


def bins_of(text: str, *, quick: bool) -> list[coverage.Bin]:
    design = parse_design(text)
    if design.implementation.form == "unit":
        unit = make_unit_stimulus(design, quick=quick)
        return unit_coverage(unit, seed=1, quick=quick)
    return stimulus_coverage(make_stimulus(design, quick=quick), seed=1, quick=quick)


@pytest.mark.parametrize("name", FORMATS)
def test_operand_classes_agree_with_values(name: str) -> None:
    fmt = parse_format(name)
    codes = np.arange(1 << fmt.bits, dtype=np.uint32)
    for code, index in zip(codes.tolist(), classify_codes(fmt, codes).tolist(), strict=True):
        value, kind = fmt.decode(code), OPERAND_CLASSES[index]
        if isinstance(value, Special):
            assert kind == ("NaN" if value is Special.NAN else "infinity")
        elif value == 0:
            assert kind == ("negative zero" if code and name[0] == "e" else "zero")
        elif kind == "subnormal":
            assert abs(value) < fmt.smallest_normal  # type: ignore[union-attr]
        elif kind == "largest":
            assert value in (fmt.max, fmt.decode(code))
            assert abs(value) >= fmt.max
        else:
            assert abs(value) <= fmt.max


@pytest.mark.parametrize("name", FORMATS)
def test_corner_codes_have_every_class(name: str) -> None:
    fmt = parse_format(name)
    everything = set(classify_codes(fmt, np.arange(1 << fmt.bits, dtype=np.uint32)).tolist())
    corners = np.array(corner_codes(fmt), dtype=np.uint32)
    assert set(classify_codes(fmt, corners).tolist()) == everything


@pytest.mark.parametrize("name", [*FORMATS, "bf16", "int16"])
def test_powers_of_two_are_complete(name: str) -> None:
    fmt = parse_format(name)
    found = power_of_two_codes(fmt)
    for exponent, code in found.items():
        value = fmt.decode(code)
        assert not isinstance(value, Special)
        assert value.numerator * 2**40 == value.denominator * 2**40 * 2**exponent or (
            value == (2**exponent if exponent >= 0 else value) and value.numerator == 1
        )
    powers = set()
    for code in range(1 << (fmt.bits - 1) if fmt.is_signed else 1 << fmt.bits):
        value = fmt.decode(code)
        if not isinstance(value, Special) and value > 0:
            product = value.numerator * value.denominator
            if product & (product - 1) == 0:
                powers.add(value.numerator.bit_length() - value.denominator.bit_length())
    assert powers == set(found)


@pytest.mark.parametrize("name", [*FORMATS, "fp32", "int16"])
def test_random_codes_are_finite_and_reach_everywhere(name: str) -> None:
    fmt = parse_format(name)
    rng = np.random.default_rng(5)
    codes = random_codes(fmt, rng, (4000,), rng.random(4000), 1)
    assert codes.max() < 1 << fmt.bits
    values = [fmt.decode(code) for code in codes.tolist()]
    assert not any(isinstance(value, Special) for value in values)
    if fmt.bits <= 5:
        finite = [c for c in range(1 << fmt.bits) if not isinstance(fmt.decode(c), Special)]
        assert set(finite) - {1 << (fmt.bits - 1)} <= set(codes.tolist())


@pytest.mark.parametrize("text", DESIGNS)
@pytest.mark.parametrize("quick", [True, False], ids=["quick", "full"])
def test_required_bins_fill(text: str, quick: bool) -> None:
    result = Coverage(tuple(bins_of(text, quick=quick)))
    assert result.missing == []
    assert result.filled == result.required > 20


@pytest.mark.parametrize(
    "text",
    [
        "r4e3:fp32",  # no products of odd powers of two
        "r4e3:e6m9/64/fp32:mule5m3",
        "bin3:e5m13:lanes4",  # no zero for the other lanes
        "bin4:e8m9:oute4m3",  # one power of two
        "ue3m2ieee:exact/2:lanes2",  # infinities are positive
        "e2m7:e1m9",  # an accumulator without normal numbers
        "uint3:e4m6/4:rto",  # the largest number is next to the first that is rounded
        "e3m1fnuzxbin3:fp16",  # overflow by rounding up
        "binary8p3se:posit8es1:prop",  # infinity becomes NaR
    ],
)
def test_required_bins_fill_where_formats_lack_something(text: str) -> None:
    assert Coverage(tuple(bins_of(text, quick=True))).missing == []


def test_coverage_notices_missing_directed_sums(monkeypatch: pytest.MonkeyPatch) -> None:
    """The requirement is derived from the formats, not from what the stimulus happens to do."""
    monkeypatch.setattr(tile_groups, "directed_sums", lambda config: [])
    monkeypatch.setattr(coverage, "MOST_TRACED_STEPS", 3000)
    result = Coverage(tuple(bins_of("e4m3xe5m2:e6m5/8/e6m9ns:rup", quick=True)))
    assert "outer partial sum: tie above odd" in result.missing
    assert result.to_dict()["bins_missing"] == result.missing


def test_excluded_bins_have_a_reason() -> None:
    result = Coverage(tuple(bins_of("e4m3:e6m9", quick=True)))
    assert result.excluded["partial sum: subnormal"].startswith("no term is below 9.31")
    assert result.excluded["product: infinity"] == "no operand or product is infinite"
    assert all(result.excluded.values())


@pytest.mark.parametrize(
    ("text", "required"),
    [
        ("e4m3:e6m9", {"partial sum: tie above odd", "partial sum: NaN"}),
        ("e5m2:e6m9", {"partial sum: subnormal", "partial sum: infinities of both signs"}),
        ("e5m2:e5m2", {"partial sum: overflow", "partial sum: underflow"}),
        ("int8:int16:wrap", {"partial sum: overflow"}),
        ("e4m3:exact", {"output: tie above even", "partial sum: cancellation to zero"}),
        ("fp16:fp32/8/e6m9", {"chunk: tie above odd", "outer partial sum: above half"}),
        ("e4m3:fp32:mule5m2", {"product: tie above even", "product: overflow"}),
    ],
)
def test_requirements_by_hand(text: str, required: set[str]) -> None:
    assert required <= reachability.required_events(parse_design(text).mac).required


def test_no_rounding_is_asked_where_sums_are_exact() -> None:
    derived = reachability.required_events(parse_design("int4:fp32:terms16").mac)
    assert not any("half" in name or "tie" in name for name in derived.required)
    assert (
        derived.excluded["partial sum: negative"]
        if "partial sum: negative" not in (derived.required)
        else True
    )


@pytest.mark.parametrize(
    "text", ["e5m2:e6m9/4:2x3:lanes2", "int8:int16:wrap", "e3m2:exact/16/e5m2"]
)
def test_expected_results_are_the_golden_ones(text: str) -> None:
    design = parse_design(text)
    made = make_stimulus(design, seed=2, quick=True)
    expected = expected_results(made)
    spent = 0
    for position in range(len(made.order)):
        group, tile = made.locate(position)
        if group.steps > 40:
            continue
        row, column = position % expected.shape[1], position % expected.shape[2]
        a, b = group.sum_operands(tile, row, column)
        assert words_to_int(expected[position, row, column]) == golden.dot(design.mac, a, b)
        spent += len(a)
        if spent > 4000:
            break
    assert spent > 4000


def test_spot_check_notices_a_wrong_expectation() -> None:
    design = parse_design("e2m1:e6m9")
    made = make_stimulus(design, quick=True)
    expected = expected_results(made)
    assert spot_check(made, expected, seed=1, products=500) > 10
    with pytest.raises(RuntimeError, match="the golden models differ"):
        spot_check(made, expected ^ np.uint64(1), seed=1, products=500)


def test_unit_expectation_is_the_golden_one() -> None:
    design = parse_design("e4m3:e6m9/64:unit")
    made = make_unit_stimulus(design, quick=True)
    after = unit_expected(made)
    for vector in range(0, made.count, 7):
        assert words_to_int(after[vector]) == golden.step(
            design.mac,
            words_to_int(made.partial_sums[vector]),
            made.a[vector].tolist(),
            made.b[vector].tolist(),
            chunk_end=bool(made.chunk_end[vector]),
        )


def test_beats_are_the_tiles_in_order() -> None:
    made = make_stimulus(parse_design("int4:int16:2x3:lanes2"), seed=4, quick=True)
    a, b, last = made.beats()
    assert len(a) == len(b) == len(last) == made.beat_count
    start = 0
    for position, steps in enumerate(made.steps.tolist()):
        group, tile = made.locate(position)
        assert (a[start : start + steps] == group.a[tile]).all()
        assert (b[start : start + steps] == group.b[tile]).all()
        assert last[start : start + steps].tolist() == [False] * (steps - 1) + [True]
        start += steps


def test_sums_are_played_in_rotation() -> None:
    steps = np.array([3, 1, 2, 2, 1])
    rotation = rotate(steps, 2)
    # place 0: sum 0 (beats 0 1 2), then sum 3; place 1: sums 1, 2 and 4
    assert rotation.source.tolist() == [0, 3, 1, 4, 2, 5, 6, 8, 7]
    assert rotation.completed.tolist() == [1, 0, 2, 4, 3]
    assert rotate(np.array([3, 1]), 2).source.tolist() == [0, 3, 1, -1, 2]  # a place stays empty
    alone = rotate(steps, 1)
    assert alone.source.tolist() == list(range(9))
    assert alone.completed.tolist() == list(range(5))
    made = make_stimulus(parse_design("e4m3:e6m9/4:interleave3"), quick=True)
    plain = replace(made, design=parse_design("e4m3:e6m9/4"))
    a, _, last = made.beats()
    source = made.rotation.source
    assert (a[source >= 0] == plain.beats()[0][source[source >= 0]]).all()
    assert not last[source < 0].any()
    assert last.sum() == len(made.order)


def test_seed_decides_the_stimulus() -> None:
    design = parse_design("e4m3:exact")
    first, again, other = (make_stimulus(design, seed=s, quick=True).beats() for s in (7, 7, 8))
    assert all((x == y).all() for x, y in zip(first, again, strict=True))
    assert not np.array_equal(first[0], other[0])


def test_reset_comes_in_the_middle_of_a_sum() -> None:
    for text in ("e4m3:e6m9/64", "int8:int32", "e2m1:exact:2x2"):
        made = make_stimulus(parse_design(text), quick=True)
        _, _, last = made.beats()
        assert last[made.steps[0] - 1]
        assert not last[made.reset_beats - 1]


def test_sum_lengths_lie_around_chunk_boundaries() -> None:
    config = parse_design("e4m3:e6m9/64:lanes4").mac
    assert {15, 16, 17, 32, 33, 48} <= set(sum_lengths(config, quick=True))
    assert max(sum_lengths(parse_design("e4m3:exact:terms5").mac, quick=False)) == 5


def test_directed_sums_keep_to_the_longest_sum() -> None:
    config = parse_design("e2m1:e6m9/8:terms24").mac
    sums = directed.directed_sums(config)
    assert sums
    assert max(map(len, sums)) <= 24


def test_wrong_form_is_refused() -> None:
    with pytest.raises(ValueError, match="a stream stimulus is for the form stream, not unit"):
        make_stimulus(parse_design("int8:int32:unit"))
    with pytest.raises(ValueError, match="a unit stimulus is for the form unit"):
        make_unit_stimulus(parse_design("int8:int32"))
