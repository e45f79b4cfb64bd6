"""Formats against the standards' own figures; names there and back; error texts."""

import itertools
from fractions import Fraction

import ml_dtypes
import numpy as np
import pytest
from macsmith.model.formats import (
    NAMED_FORMATS,
    FloatFormat,
    FloatSpecials,
    IntFormat,
    Special,
    parse_format,
)

F = Fraction


def power(exponent: int) -> Fraction:
    return F(2) ** exponent


# name, largest, its code, smallest normal, smallest, code of NaN, code of infinity
PUBLISHED = [
    # OFP8 v1.0, table 2
    ("e4m3", F(448), 0x7E, power(-6), power(-9), 0x7F, None),
    ("e5m2", F(57344), 0x7B, power(-14), power(-16), 0x7E, 0x7C),
    # MX v1.0, tables 3 to 5
    ("e2m3", F(15, 2), 0x1F, F(1), F(1, 8), None, None),
    ("e3m2", F(28), 0x1F, F(1, 4), F(1, 16), None, None),
    ("e2m1", F(6), 0x7, F(1), F(1, 2), None, None),
    # IEEE 754-2019, table 3.5
    ("fp16", F(65504), 0x7BFF, power(-14), power(-24), 0x7E00, 0x7C00),
    ("fp32", (2 - power(-23)) * power(127), 0x7F7FFFFF, power(-126), power(-149), 0x7FC00000,
     0x7F800000),
    ("bf16", (2 - power(-7)) * power(127), 0x7F7F, power(-126), power(-133), 0x7FC0, 0x7F80),
    # ml_dtypes documentation
    ("e4m3fnuz", F(240), 0x7F, power(-7), power(-10), 0x80, None),
    ("e5m2fnuz", F(57344), 0x7F, power(-15), power(-17), 0x80, None),
    ("e4m3b11fnuz", F(30), 0x7F, power(-10), power(-13), 0x80, None),
    ("e3m4", F(31, 2), 0x6F, power(-2), power(-6), 0x78, 0x70),
    # Agrawal et al., ARITH 2019: the code of all ones is NaN and infinity; field 0 is a binade
    ("dlfloat16", power(32) * (2 - 2 * power(-9)), 0x7FFE, power(-31) * (1 + power(-9)),
     power(-31) * (1 + power(-9)), 0x7FFF, None),
    # Wang et al. 2018, as IEEE-like
    ("1-6-9", power(31) * (2 - power(-9)), 0x7DFF, power(-30), power(-39), 0x7F00, 0x7E00),
    # Sun et al. 2019, bias 4, NaN as OCP E4M3
    ("1-4-3", F(448) * 8, 0x7E, power(-3), power(-6), 0x7F, None),
]  # fmt: skip


@pytest.mark.parametrize("row", PUBLISHED, ids=[row[0] for row in PUBLISHED])
def test_published_figures(row: tuple) -> None:
    name, largest, largest_code, smallest_normal, smallest, nan_code, infinity_code = row
    fmt = parse_format(name)
    assert isinstance(fmt, FloatFormat)
    assert fmt.max == largest == fmt.decode(largest_code)
    assert fmt.max_magnitude_code == largest_code
    assert fmt.min == -largest
    assert fmt.smallest_normal == smallest_normal
    assert fmt.smallest == smallest == fmt.decode(1)
    assert fmt.has_nan == (nan_code is not None)
    assert fmt.has_infinity == (infinity_code is not None)
    if nan_code is None:
        with pytest.raises(ValueError, match="has no NaN"):
            _ = fmt.nan_code
    else:
        assert fmt.nan_code == nan_code
        assert fmt.decode(nan_code) is Special.NAN
    if infinity_code is None:
        with pytest.raises(ValueError, match="has no infinity"):
            _ = fmt.infinity_code
    else:
        assert fmt.infinity_code == infinity_code
        assert fmt.decode(infinity_code) is Special.POSITIVE_INFINITY
        assert fmt.decode(infinity_code | 1 << (fmt.bits - 1)) is Special.NEGATIVE_INFINITY


def test_all_values_of_the_four_bit_format() -> None:
    fmt = parse_format("e2m1")
    positive = [F(0), F(1, 2), F(1), F(3, 2), F(2), F(3), F(4), F(6)]
    assert [fmt.decode(code) for code in range(16)] == positive + [-value for value in positive]


def has_no_numbers(exponent_bits: int, fraction_bits: int, specials: FloatSpecials) -> bool:
    """Whether all codes but 0 would be special: such formats are refused."""
    is_least = (exponent_bits, fraction_bits) == (1, 0)
    return is_least and specials not in (FloatSpecials.FNUZ, FloatSpecials.FINITE)


def test_every_float_format_counts_its_codes_in_order() -> None:
    checked = 0
    for exponent_bits, fraction_bits, specials, has_subnormals in itertools.product(
        range(1, 9), range(5), FloatSpecials, (True, False)
    ):
        if exponent_bits + fraction_bits > 9:
            continue
        if has_no_numbers(exponent_bits, fraction_bits, specials):
            continue
        fmt = FloatFormat(exponent_bits, fraction_bits, specials, has_subnormals=has_subnormals)
        values = [fmt.decode(code) for code in range(1 << fmt.bits)]
        half = 1 << fmt.magnitude_bits
        numbers = [value for value in values if isinstance(value, Fraction)]
        positive = [value for value in values[:half] if isinstance(value, Fraction)]
        assert positive == sorted(set(positive))
        assert len(positive) == fmt.max_magnitude_code + 1
        assert positive[0] == 0
        assert positive[-1] == fmt.max
        assert min(numbers) == fmt.min
        unit = Fraction(2) ** fmt.least_exponent
        assert all((value / unit).denominator == 1 for value in positive)
        assert fmt.max_integer * unit == fmt.max
        assert values.count(Special.POSITIVE_INFINITY) == fmt.has_infinity
        assert (Special.NAN in values) == fmt.has_nan
        if fmt.max_magnitude_code >> fmt.fraction_bits:
            top = Fraction(2) ** fmt.max_exponent
            assert top <= fmt.max < 2 * top
        for code, value in enumerate(values):
            assert fmt.is_negative(code) == (code >= half)
            if isinstance(value, Fraction) and value:
                assert (value < 0) == fmt.is_negative(code)
        checked += 1
    assert checked == 400


def test_every_integer_format() -> None:
    for bits, (is_signed, is_symmetric), fraction_bits in itertools.product(
        range(2, 17), ((True, False), (True, True), (False, False)), (0, 3)
    ):
        fmt = IntFormat(bits, is_signed, is_symmetric, fraction_bits)
        codes = (
            range(1 << bits)
            if bits <= 8
            else (0, 1, (1 << bits - 1) - 1, 1 << bits - 1, -1 % (1 << bits))
        )
        values = {code: fmt.decode(code) for code in codes}
        for code, value in values.items():
            signed = code - (1 << bits) if is_signed and code >> (bits - 1) else code
            assert value == F(signed, 1 << fraction_bits)
        assert fmt.max == max(values.values())  # type: ignore[type-var]
        least = min(values.values())  # type: ignore[type-var]
        assert fmt.min == least + is_symmetric * fmt.smallest


def test_names_lead_back_to_the_format() -> None:
    checked = 0
    for exponent_bits, fraction_bits, specials, has_subnormals in itertools.product(
        range(1, 9), range(24), FloatSpecials, (True, False)
    ):
        if has_no_numbers(exponent_bits, fraction_bits, specials):
            continue
        for bias in (None, 0, 5, -3):
            fmt = FloatFormat(exponent_bits, fraction_bits, specials, bias, has_subnormals)
            assert parse_format(fmt.name) == fmt
            assert parse_format(str(fmt).upper()) == fmt
            checked += 1
    for bits, flags, fraction_bits in itertools.product(
        range(2, 17), ((True, False), (True, True), (False, False)), (0, 6)
    ):
        fmt_int = IntFormat(bits, *flags, fraction_bits)
        assert parse_format(fmt_int.name) == fmt_int
        checked += 1
    assert checked == (8 * 24 * 6 - 4) * 2 * 4 + 90


def test_names_of_unsigned_formats_lead_back() -> None:
    checked = 0
    for exponent_bits, fraction_bits, specials, smallest in itertools.product(
        range(1, 9), range(24), FloatSpecials, ("subnormal", "ns", "nz")
    ):
        try:
            fmt = FloatFormat(
                exponent_bits,
                fraction_bits,
                specials,
                has_subnormals=smallest == "subnormal",
                is_signed=False,
                has_zero=smallest != "nz",
            )
        except ValueError:
            is_fnuz = specials in (FloatSpecials.FNUZ, FloatSpecials.INUZ)
            assert is_fnuz or has_no_numbers(exponent_bits, fraction_bits, specials)
            continue
        assert parse_format(fmt.name) == fmt
        assert fmt.bits == exponent_bits + fraction_bits
        checked += 1
    assert checked == 8 * 24 * 4 * 3 - 2 * 2 - 3


def test_scales() -> None:
    ue4m3, e8m0 = parse_format("ue4m3"), parse_format("e8m0")
    signed = parse_format("e4m3")
    assert [ue4m3.decode(code) for code in range(128)] == [signed.decode(c) for c in range(128)]
    assert e8m0.decode(255) is Special.NAN
    assert [e8m0.decode(code) for code in range(255)] == [F(2) ** (c - 127) for c in range(255)]
    assert e8m0.bits == 8
    assert e8m0.min == e8m0.smallest == F(2) ** -127
    ue5m3 = parse_format("ue5m3")
    assert (ue5m3.max, ue5m3.smallest) == (114688, F(2) ** -17)


def test_names_are_unique_and_aliases_resolve() -> None:
    seen = set()
    for named in NAMED_FORMATS:
        fmt = parse_format(named.canonical)
        assert fmt.name == named.canonical
        assert named.title
        assert named.source
        for alias in named.aliases:
            assert alias not in seen
            seen.add(alias)
            assert parse_format(alias) == fmt


@pytest.mark.parametrize(
    ("dtype", "name"),
    [
        (ml_dtypes.float8_e4m3fn, "e4m3"),
        (np.dtype(ml_dtypes.float8_e5m2), "e5m2"),
        (ml_dtypes.float8_e4m3fnuz, "e4m3fnuz"),
        (ml_dtypes.float8_e5m2fnuz, "e5m2fnuz"),
        (ml_dtypes.float8_e4m3b11fnuz, "e4m3b11fnuz"),
        (ml_dtypes.float8_e3m4, "e3m4"),
        (ml_dtypes.float8_e4m3, "e4m3ieee"),
        (ml_dtypes.float6_e2m3fn, "e2m3"),
        (ml_dtypes.float6_e3m2fn, "e3m2"),
        (ml_dtypes.float4_e2m1fn, "e2m1"),
        (ml_dtypes.bfloat16, "e8m7"),
        (ml_dtypes.float8_e8m0fnu, "ue8m0fnnz"),
        (np.float16, "e5m10"),
        (np.dtype(np.float32), "e8m23"),
        (np.int8, "int8"),
        (np.uint16, "uint16"),
        (ml_dtypes.int4, "int4"),
        (ml_dtypes.uint2, "uint2"),
    ],
)
def test_dtypes_are_formats(dtype: object, name: str) -> None:
    assert parse_format(dtype).name == name


RULE = (
    "A format is eXmY or ueXmY (1 <= X <= 8, 0 <= Y <= 23), intN or uintN (2 <= N <= 16), qM.F, "
    "positNesE, r4eX, binN, ternary, or an alias: see `macsmith formats`"
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "unknown format ''. A format is eXmY"),
        ("e4m3x", "unknown format 'e4m3x'; did you mean "),
        ("float8_e4m3fm", "did you mean float8_e4m3fn"),
        ("nothing like it", RULE),
        ("e9m3", "e9m3: exponent width must be 1 to 8 bits, not 9"),
        ("e0m3", "e0m3: exponent width must be 1 to 8 bits, not 0"),
        ("e4m24", "e4m24: fraction width must be 0 to 23 bits, not 24"),
        ("e4m3b513", "e4m3: bias must be -256 to 512, not 513"),
        ("e1m0", "e1m0ieee: must have a finite number other than 0, but all other codes are"),
        ("e1m0fnns", "e1m0fn: must have a finite number other than 0, but all other codes are"),
        ("ue4m3fnuz", "ue4m3: an unsigned format has no negative zero to stand for NaN"),
        ("e4m3nz", "e4m3: a format without zero must have no sign and no subnormals"),
        ("binary8p8sf", "binary8p8sf: precision must be 1 to 7 bits of 8, not 8"),
        ("int17", "int17: width must be 2 to 16 bits, not 17"),
        ("uint1", "uint1: width must be 2 to 16 bits, not 1"),
        ("uint8sym", "uint8: an unsigned format cannot be symmetric"),
        ("int8q33", "int8: fraction must be 0 to 32 bits, not 33"),
        ("int8symwrap", "int8: must be either symmetric or wrap"),
        ("q9.8", "int18: width must be 2 to 16 bits, not 18"),
        ("posit3es0", "posit3es0: width must be 4 to 16 bits, not 3"),
        ("posit<8,4>", "posit8es4: exponent width must be 0 to 3 bits, not 4"),
        ("r4e5", "r4e5: exponent width must be 1 to 4 bits, not 5"),
        ("r4e3b65", "r4e3: bias must be -64 to 64, not 65"),
        ("bin9", "bin9: digits must be 1 to 8, not 9"),
    ],
)
def test_bad_names(text: str, message: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the text is compared below
        parse_format(text)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_format_is_no_number() -> None:
    with pytest.raises(TypeError, match="by its name or a NumPy dtype, not by int 8"):
        parse_format(8)


@pytest.mark.parametrize(("name", "code"), [("e4m3", 256), ("e4m3", -1), ("int4", 16)])
def test_codes_out_of_range(name: str, code: int) -> None:
    fmt = parse_format(name)
    with pytest.raises(ValueError, match=f"code must be 0 to {(1 << fmt.bits) - 1}, not {code}"):
        fmt.decode(code)
