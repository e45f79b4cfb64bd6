"""Rounding by definition: against a search through all values, and the rules of overflow."""

import itertools
from bisect import bisect_right
from fractions import Fraction
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st
from macsmith.model.formats import FloatFormat, FloatSpecials, Special, parse_format
from macsmith.model.rounding import Overflow, Rounding, check_overflow, default_overflow, encode

SMALL = [
    fmt
    for x, y, specials, subnormals in itertools.product(
        (1, 2, 3), (0, 1, 2), FloatSpecials, (True, False)
    )
    if (x, y) != (1, 0) or specials in (FloatSpecials.FNUZ, FloatSpecials.FINITE)
    for fmt in [FloatFormat(x, y, specials, has_subnormals=subnormals)]
]


@cache
def unending_magnitudes(fmt: FloatFormat) -> list[Fraction]:
    return [fmt.magnitude_value(code) for code in range(4 << fmt.magnitude_bits)]


def nearest_by_search(fmt: FloatFormat, x: Fraction, rounding: Rounding) -> Fraction:
    """What x rounds to among the values a format would have if its exponents did not end."""
    magnitudes = unending_magnitudes(fmt)
    magnitude = abs(x)
    at = bisect_right(magnitudes, magnitude) - 1
    low, high = magnitudes[at], magnitudes[at + 1]
    if low == magnitude:
        chosen = low
    else:
        toward_high = {
            Rounding.TOWARD_ZERO: False,
            Rounding.UP: x > 0,
            Rounding.DOWN: x < 0,
            Rounding.TO_ODD: at % 2 == 0,
            Rounding.NEAREST_AWAY: high - magnitude <= magnitude - low,
            Rounding.NEAREST_EVEN: high - magnitude < magnitude - low
            or (high - magnitude == magnitude - low and at % 2 == 1),
        }[rounding]
        chosen = high if toward_high else low
    return chosen if x >= 0 else -chosen


@pytest.mark.parametrize("rounding", Rounding)
def test_small_formats_against_a_search(rounding: Rounding) -> None:
    checked = 0
    for fmt in SMALL:
        top = [fmt.magnitude_value(code) for code in range(fmt.max_magnitude_code + 3)]
        points = set()
        for low, high in itertools.pairwise(top):
            width = high - low
            points |= {low, low + width / 2, low + width / 64, high - width / 64}
            points |= {low + width / 2 - width / 64, low + width / 2 + width / 64}
        for point in sorted(points | {-point for point in points}):
            expected = nearest_by_search(fmt, point, rounding)
            code = encode(fmt, point, rounding, Overflow.SATURATE)
            got = fmt.decode(code)
            assert isinstance(got, Fraction)
            # within the format's range: as found; beyond: the largest number
            assert got == max(min(expected, fmt.max), fmt.min), (fmt.name, point, rounding)
            if expected == 0 and point:
                assert fmt.is_negative(code) == (point < 0 and fmt.has_negative_zero)
            checked += 1
    assert checked == 13_772


@pytest.mark.parametrize("rounding", Rounding)
def test_codes_of_numbers_round_to_themselves(rounding: Rounding) -> None:
    checked = 0
    for name in (
        "e4m3",
        "e5m2",
        "e3m4",
        "e4m3fnuz",
        "e2m1",
        "e4m3fnns",
        "e5m0",
        "int8",
        "uint4",
        "int8q6",
    ):
        fmt = parse_format(name)
        for code in range(1 << fmt.bits):
            value = fmt.decode(code)
            if isinstance(value, Fraction):
                back = encode(fmt, value, rounding, negative_zero=fmt.is_negative(code))
                assert back == code
                checked += 1
    assert checked == 253 + 1 + 247 + 1 + 223 + 1 + 255 + 16 + 253 + 1 + 62 + 256 + 16 + 256


@given(
    st.sampled_from(SMALL + [parse_format(name) for name in ("e4m3", "e5m2", "e6m9", "fp32")]),
    st.fractions(),
    st.fractions(),
    st.sampled_from(Rounding),
)
def test_rounding_is_monotone(
    fmt: FloatFormat, x: Fraction, y: Fraction, rounding: Rounding
) -> None:
    low, high = sorted((x, y))
    codes = [encode(fmt, value, rounding, Overflow.SATURATE) for value in (low, high)]
    values = [fmt.decode(code) for code in codes]
    assert values[0] <= values[1]  # type: ignore[operator]


@given(st.sampled_from([parse_format(n) for n in ("e4m3", "e6m9", "e2m3fnuz")]), st.fractions())
def test_directed_roundings_enclose(fmt: FloatFormat, x: Fraction) -> None:
    down, up, zero = (
        fmt.decode(encode(fmt, x, rounding, Overflow.SATURATE))
        for rounding in (Rounding.DOWN, Rounding.UP, Rounding.TOWARD_ZERO)
    )
    clipped = max(min(x, fmt.max), fmt.min)
    assert down <= clipped <= up  # type: ignore[operator]
    assert zero == (down if x > 0 else up)


@given(st.fractions(), st.sampled_from(Rounding))
def test_sign_symmetry(x: Fraction, rounding: Rounding) -> None:
    fmt = parse_format("e5m2")
    mirrored = {Rounding.UP: Rounding.DOWN, Rounding.DOWN: Rounding.UP}.get(rounding, rounding)
    if x:
        assert encode(fmt, -x, mirrored) == encode(fmt, x, rounding) ^ 0x80


# format, policy, value, rounding, code
OVERFLOW = [
    ("e4m3", "sat", 464, "rne", 0x7E),  # the tie between 448 and 480 goes to 448
    ("e4m3", "nan", 464, "rne", 0x7E),
    ("e4m3", "nan", 465, "rne", 0x7F),
    ("e4m3", "nan", -465, "rne", 0x7F),  # NaN is written positive
    ("e4m3", "nan", 464, "rna", 0x7F),
    ("e4m3", "nan", 10**9, "rtz", 0x7E),  # rounded toward zero, nothing overflows
    ("e4m3", "nan", 10**9, "rdn", 0x7E),
    ("e4m3", "nan", -(10**9), "rdn", 0x7F),
    ("e4m3", "nan", -(10**9), "rup", 0xFE),
    ("e5m2", "inf", 61440, "rne", 0x7C),
    ("e5m2", "inf", 61439, "rne", 0x7B),
    ("e5m2", "sat", 61440, "rne", 0x7B),
    ("e5m2", "nan", 61440, "rne", 0x7E),
    ("e5m2", "inf", -70000, "rup", 0xFB),
    ("e5m2", "inf", -70000, "rdn", 0xFC),
    ("e5m2", "inf", Special.POSITIVE_INFINITY, "rtz", 0x7C),
    ("e5m2", "sat", Special.NEGATIVE_INFINITY, "rne", 0xFB),
    ("e5m2", "nan", Special.NEGATIVE_INFINITY, "rne", 0x7E),
    ("e5m2", "inf", Special.NAN, "rne", 0x7E),
    ("e2m1", "sat", Special.NAN, "rne", 0x0),  # there is no NaN to write
    ("e2m1", "sat", 7, "rne", 0x7),
    ("e4m3fnuz", "nan", 300, "rne", 0x80),
    ("e4m3fnuz", "sat", Fraction(-1, 10**6), "rne", 0x00),  # no negative zero
    ("e4m3", "sat", Fraction(-1, 10**6), "rne", 0x80),
    ("int8", None, 1000, "rne", 0x7F),
    ("int8", None, -1000, "rne", 0x80),
    ("int8sym", None, -1000, "rne", 0x81),
    ("int8", None, Special.NEGATIVE_INFINITY, "rne", 0x80),
    ("int8", None, Special.NAN, "rne", 0x00),
    ("int8", None, Fraction(5, 2), "rne", 2),
    ("int8", None, Fraction(5, 2), "rna", 3),
    ("int8", None, Fraction(-5, 2), "rna", 0xFD),
    ("uint4", None, -3, "rne", 0),
]


@pytest.mark.parametrize("row", OVERFLOW, ids=str)
def test_overflow_and_specials(row: tuple) -> None:
    name, policy, value, rounding, code = row
    overflow = None if policy is None else Overflow(policy)
    assert encode(parse_format(name), value, Rounding(rounding), overflow) == code


def test_default_overflow() -> None:
    assert default_overflow(parse_format("e5m2")) is Overflow.INFINITY
    assert default_overflow(parse_format("e4m3")) is Overflow.SATURATE
    assert default_overflow(parse_format("int8")) is Overflow.SATURATE


@pytest.mark.parametrize(
    ("name", "overflow", "message"),
    [
        ("e4m3", "inf", "e4m3 has no infinity: overflow must be sat or nan"),
        ("e2m1", "inf", "e2m1 has no infinity: overflow must be sat"),
        ("e2m1", "nan", "e2m1 has no NaN: overflow must be sat"),
    ],
)
def test_overflow_that_has_no_code(name: str, overflow: str, message: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the text is compared below
        check_overflow(parse_format(name), Overflow(overflow))
    assert str(caught.value) == message
    with pytest.raises(ValueError, match=message):
        encode(parse_format(name), 1, overflow=Overflow(overflow))
