"""Posits, powers of four, signed digits and fixed point: values, rounding, and the fast twin."""

from fractions import Fraction

import numpy as np
import pytest
from macsmith.model import fast, golden
from macsmith.model.describe import quire_bits
from macsmith.model.design import parse_design
from macsmith.model.formats import (
    DigitFormat,
    Format,
    IntFormat,
    OrderedFormat,
    PositFormat,
    Radix4Format,
    Special,
    parse_format,
)
from macsmith.model.ordered_rounding import magnitudes
from macsmith.model.rounding import Overflow, Rounding, encode
from macsmith.model.widths import mac_widths

NAMES = [
    *(f"posit{bits}es{es}" for bits, es in ((4, 0), (4, 3), (5, 1), (6, 2), (10, 1))),
    *(f"posit8es{es}" for es in range(4)),
    *("r4e1", "r4e3", "r4e3odd", "r4e2bm3", "r4e4b20odd"),
    *("bin1", "bin2", "bin5", "bin8", "ternary"),
]


def ordered(name: str) -> OrderedFormat:
    fmt = parse_format(name)
    assert isinstance(fmt, OrderedFormat)
    return fmt


def test_names() -> None:
    assert parse_format("posit8") == PositFormat(8, 2) == parse_format("posit<8, 2>")
    assert parse_format("posit<8,1>").name == "posit8es1"
    assert parse_format("q3.4") == IntFormat(8, fraction_bits=4)
    assert parse_format("uq4.4wrap") == IntFormat(8, is_signed=False, fraction_bits=4, wraps=True)
    assert parse_format("q0.7sym").name == "int8symq7"
    assert parse_format("fp4_r4") == Radix4Format(3)
    assert parse_format("binary") == DigitFormat(1)
    for name in NAMES:
        assert parse_format(name).name == name
    for bits in range(4, 17):
        for exponent_bits in range(4):
            fmt = PositFormat(bits, exponent_bits)
            assert parse_format(fmt.name) == fmt


# Bit strings taken apart by hand: | sign | regime | exponent | fraction |
POSITS = [
    ("posit8es2", 0b0_10_00_000, 1),
    ("posit8es2", 0b0_10_01_100, 3),
    ("posit8es2", 0b0_110_10_01, Fraction(80)),  # 2**(4 + 2) * 1.25
    ("posit8es2", 0b0_001_11_10, Fraction(3, 64)),  # 2**(-8 + 3) * 1.5
    ("posit8es2", 0b0_111110_1, 2**18),  # the exponent's last bit is cut off: 10
    ("posit8es2", 0b0_1111111, 2**24),
    ("posit8es2", 0b0_0000001, Fraction(1, 2**24)),
    ("posit8es2", 0b1_10_00_000, -1),  # its two's complement is 0_10_00_000
    ("posit8es0", 0b0_110_1000, 3),
    ("posit8es0", 0b0_01_00000, Fraction(1, 2)),
    ("posit16es1", 0b0_0001_1_1000000001, Fraction(1025 + 512, 1024) / 32),
    ("posit4es3", 0b0_10_1, 16),
    ("posit4es3", 0b0_111, 2**16),
]


@pytest.mark.parametrize(("name", "code", "value"), POSITS)
def test_posits_by_hand(name: str, code: int, value: Fraction | int) -> None:
    fmt = parse_format(name)
    assert fmt.decode(code) == value


def test_posit_specials_and_order() -> None:
    for name in ("posit8es0", "posit8es2", "posit7es1"):
        fmt = ordered(name)
        assert isinstance(fmt, PositFormat)
        assert fmt.decode(fmt.nan_code) is Special.NAN
        # codes as two's-complement integers are in the order of their values
        codes = [*range(fmt.nan_code + 1, 1 << fmt.bits), *range(fmt.nan_code)]
        values = [fmt.decode(code) for code in codes]
        assert all(isinstance(value, Fraction) for value in values)
        assert values == sorted(values)  # type: ignore[type-var]
        for value in (Special.NAN, Special.POSITIVE_INFINITY, Special.NEGATIVE_INFINITY):
            assert encode(fmt, value) == fmt.nan_code


def test_posit_rounding() -> None:
    posit8 = parse_format("posit8es2")
    # between 65536 and 262144 sides change at 131072, the posit with one bit more
    for value, code in (
        (Fraction(131071), 0x7C),
        (Fraction(131072), 0x7C),
        (Fraction(131073), 0x7D),
    ):
        assert encode(posit8, value) == code
        assert encode(posit8, -value) == 256 - code
    assert posit8.decode(0x7C) == 65536
    assert posit8.decode(0x7D) == 262144
    # never to zero, never beyond the largest
    assert encode(posit8, Fraction(1, 2**60)) == 1
    assert encode(posit8, -Fraction(1, 2**60)) == 255
    assert encode(posit8, Fraction(2**60)) == 0x7F
    assert encode(posit8, -Fraction(2**60)) == 0x81
    assert encode(posit8, 0) == 0


def test_quire_is_the_standard_one() -> None:
    """16 N bits for E = 2, and as many sums as its 31 carry bits allow."""
    for bits in (8, 16):
        fmt = PositFormat(bits, 2)
        assert quire_bits(fmt) == 16 * bits
        widths = mac_widths(parse_design(f"{fmt.name}:int{quire_bits(fmt)}").mac)
        assert widths.max_terms == 2**31 - 1
        assert widths.inner.lsb_exponent == 16 - 8 * bits


def test_radix4_values_and_boundaries() -> None:
    even, odd = parse_format("r4e3"), parse_format("r4e3odd")
    powers = [Fraction(4) ** n for n in range(-3, 4)]
    assert [even.decode(code) for code in range(8)] == [0, *powers]
    assert [odd.decode(code) for code in range(9, 16)] == [-2 * power for power in powers]
    assert even.decode(8) == 0
    for scale, fmt in ((1, even), (2, odd)):
        for index, power in enumerate(powers[1:], 2):
            boundary = scale * power / Fraction(8, 5)  # 4**n / 1.6
            eps = Fraction(1, 2**40)
            assert encode(fmt, boundary - eps) == index - 1
            assert encode(fmt, boundary + eps) == index
            assert encode(fmt, boundary) == (index if index % 2 == 0 else index - 1)
            assert encode(fmt, -boundary - eps) == 8 | index
        assert encode(fmt, 10**6) == 7
        assert encode(fmt, Special.NEGATIVE_INFINITY) == 15
        assert encode(fmt, -Fraction(1, 10**6)) == 0


def test_two_phases_are_nearer_together() -> None:
    """The mean of both roundings of a value is nearer to it than either, on average."""
    values = np.exp2(np.arange(0, 2, 1 / 512)) / 4
    even, odd = (fast.quantise(name, values) / values - 1 for name in ("r4e3", "r4e3odd"))
    both = np.mean(np.abs(even + odd) / 2)
    assert both < 0.65 * np.mean(np.abs(even))
    assert both < 0.65 * np.mean(np.abs(odd))


def test_digits() -> None:
    binary, ternary = ordered("bin1"), ordered("ternary")
    assert [binary.decode(code) for code in (0, 1)] == [-1, 1]
    assert [ternary.decode(code) for code in range(4)] == [0, 1, 0, -1]
    assert [parse_format("bin2").decode(code) for code in range(4)] == [-3, -1, 1, 3]
    # Sign(x) of binarised networks: +1 for x >= 0
    assert [encode(binary, Fraction(x, 8)) for x in (-9, -1, 0, 1, 9)] == [0, 0, 1, 1, 1]
    assert [encode(ternary, Fraction(x, 8)) for x in (-9, -5, -4, 0, 4, 5, 9)] == [
        3,
        3,
        0,
        0,
        0,
        1,
        1,
    ]
    assert [encode(parse_format("bin2"), x) for x in (-9, -2, 0, 2, 9)] == [0, 1, 2, 3, 3]


@pytest.mark.parametrize("bits", range(1, 7))
def test_digits_are_planes(bits: int) -> None:
    """A number of N digits is the sum of N binary ones, weighted."""
    fmt, binary = DigitFormat(bits), DigitFormat(1)
    for code in range(1 << bits):
        planes = [binary.integer(code >> index & 1) << index for index in range(bits)]
        assert fmt.decode(code) == sum(planes)


def test_fixed_point_wraps_or_clips() -> None:
    clips, wraps = parse_format("q3.4"), parse_format("q3.4wrap")
    for units in range(-600, 600):
        value = Fraction(units, 16)
        assert clips.decode(encode(clips, value)) == min(
            max(value, Fraction(-8)), Fraction(127, 16)
        )
        assert encode(wraps, value) == units & 0xFF
    assert encode(wraps, Special.POSITIVE_INFINITY) == 0x7F
    assert encode(wraps, Fraction(255, 32), Rounding.UP) == 0x80  # rounded first, then wrapped


def test_one_rounding_only() -> None:
    for name in ("posit8", "r4e3", "bin1"):
        fmt = parse_format(name)
        with pytest.raises(ValueError, match="has a rounding of its own: leave rtz out"):
            encode(fmt, 1, Rounding.TOWARD_ZERO)
        with pytest.raises(ValueError, match="saturates: overflow must be sat, not nan"):
            encode(fmt, 1, overflow=Overflow.NAN)
    with pytest.raises(ValueError, match="posit8es2 has a rounding of its own: leave rup out"):
        parse_design("posit8:exact:rup")
    with pytest.raises(ValueError, match="which wraps, must come from a fixed-point"):
        parse_design("e4m3:fp32:outint8wrap")
    with pytest.raises(ValueError, match="which wraps, must come from a fixed-point"):
        parse_design("e4m3:posit8:outint8wrap")


def test_posit_accumulators() -> None:
    """Each step is the exact sum, rounded once: a fused multiply-add."""
    config = parse_design("posit6es1:posit8es1").mac
    operand, kept = parse_format("posit6es1"), parse_format("posit8es1")
    rng = np.random.default_rng(3)
    triples = rng.integers(0, [64, 64, 256], (3000, 3))
    got = fast.step(config, triples[:, 2], triples[:, 0], triples[:, 1])
    for (a, b, c), code in zip(triples.tolist(), got.tolist(), strict=True):
        values = [operand.decode(a), operand.decode(b), kept.decode(c)]
        want: Fraction | Special = Special.NAN
        if Special.NAN not in values:
            want = values[0] * values[1] + values[2]  # type: ignore[operator]
        assert code == encode(kept, want) == golden.step(config, c, [a], [b])
    assert config.output_format == kept
    design = parse_design("posit8es1:posit16es1:lanes2")
    assert parse_design(design.text) == design
    for text, message in (
        ("posit8es1:posit8es1:rtz", "posit8es1 has a rounding of its own: leave rtz out"),
        ("posit8es1:posit8es1/8", "a posit accumulator must be the only one"),
        ("posit8es1:exact/8/posit8es1", "a posit accumulator must be the only one"),
        ("posit8es1:posit8es1:sr4", "stochastic rounding needs a float accumulator"),
        ("posit8es1+e4m3:posit8es1", "cannot be switched with a posit accumulator yet"),
        ("posit8es1:posit8es1:fpga=ecp5:dsp=on", "has no form with DSP blocks"),
        ("posit8es1:posit8es1:loop=carrysave", "must be exact or intN and not clip"),
        ("posit8es1:bin1", "must be exact, intN, a float or a posit format"),
    ):
        with pytest.raises(ValueError, match=message):
            parse_design(text)


def edges(fmt: Format) -> list[float]:
    """Values, boundaries and what lies beside them, of both signs."""
    points: set[float] = {0.0, 1e-30, 1e30}
    if isinstance(fmt, OrderedFormat):
        for each in magnitudes(fmt):
            points |= {float(each.value), float(each.boundary or 0)}
    else:
        points |= {units / 32 for units in range(1200)}
    points |= {float(np.nextafter(x, way)) for x in points for way in (0.0, np.inf)}
    return [*points, *(-x for x in points)]


@pytest.mark.parametrize("name", [*NAMES, "q3.4wrap", "uq2.3wrap", "int4q1"])
def test_fast_is_the_definition(name: str) -> None:
    fmt = parse_format(name)
    values = fast.decode(fmt, np.arange(1 << fmt.bits))
    for code, value in enumerate(values):
        want = fmt.decode(code)
        assert np.isnan(value) if want is Special.NAN else Fraction(float(value)) == want
        if not isinstance(want, Special):
            assert fmt.decode(encode(fmt, want)) == want
            assert fmt.is_negative(code) == (want < 0)
            assert (want / Fraction(2) ** fmt.least_exponent).denominator == 1
    points = edges(fmt)
    codes = fast.encode(fmt, points)
    assert len(points) > 12
    assert [int(code) for code in codes] == [encode(fmt, Fraction(point)) for point in points]
    specials = fast.encode(fmt, [np.nan, np.inf, -np.inf])
    assert [int(code) for code in specials] == [encode(fmt, special) for special in Special]
    rounded = fast.quantise(fmt, points)
    assert np.array_equal(rounded, fast.decode(fmt, codes))
