"""The definition, against results worked out by hand or by exact sums of all terms."""

import random
from fractions import Fraction

import pytest
from macsmith.model import golden
from macsmith.model.design import parse_design
from macsmith.model.formats import Special, parse_format
from macsmith.model.rounding import Rounding, encode
from macsmith.model.widths import mac_widths

E4M3 = {value: encode(parse_format("e4m3"), Fraction(value)) for value in (0, 1, 2, -1, -2, 448)}
ONE, TWO, NAN = E4M3[1], E4M3[2], 0x7F
MINUS_ZERO = 0x80


def test_one_product_in_each_accumulator() -> None:
    # 1 * 2 = 2: e6m9 has it as exponent field 32, fraction 0; binary32 as 0x40000000
    assert golden.dot(parse_design("e4m3:e6m9").mac, [ONE], [TWO]) == 32 << 9
    assert golden.dot(parse_design("e4m3:exact").mac, [ONE], [TWO]) == 0x40000000
    # raw: two in units of the last bit of a product, 2**-18
    config = parse_design("e4m3:exact:outraw").mac
    assert golden.dot(config, [ONE], [TWO]) == 2 << 18
    assert golden.dot(config, [ONE], [NAN]) == 1 << mac_widths(config).inner.integer_bits


def test_rounding_after_each_addition_swamps() -> None:
    """1024 + 1 + 1 in 1-6-9: the unit there is 2, and each tie goes back to even."""
    config = parse_design("fp16:e6m9").mac
    one = encode(parse_format("fp16"), 1)
    big = encode(parse_format("fp16"), 1024)
    assert golden.dot(config, [big, one, one], [one] * 3) == encode(parse_format("e6m9"), 1024)
    together = parse_design("fp16:e6m9:lanes4").mac
    assert golden.dot(together, [big, one, one, 0], [one] * 4) == encode(parse_format("e6m9"), 1026)
    chunked = parse_design("fp16:e6m9/2").mac
    assert golden.dot(chunked, [big, 0, one, one], [one] * 4) == encode(parse_format("e6m9"), 1026)


def test_a_chunk_that_the_end_cuts_short_counts() -> None:
    config = parse_design("e4m3:e6m9/4").mac
    assert golden.dot(config, [ONE] * 6, [ONE] * 6) == encode(parse_format("e6m9"), 6)


@pytest.mark.parametrize("mode", Rounding)
def test_signs_of_zero(mode: Rounding) -> None:
    config = parse_design(f"e4m3:e6m9:{mode.value}").mac
    negative_zero = 1 << 15
    cancelled = negative_zero if mode is Rounding.DOWN else 0
    # the partial sum starts at +0
    assert golden.dot(config, [MINUS_ZERO], [ONE]) == cancelled
    assert golden.dot(config, [ONE, E4M3[-1]], [ONE, ONE]) == cancelled
    assert golden.dot(config, [0], [ONE]) == 0
    assert golden.step(config, negative_zero, [MINUS_ZERO], [ONE]) == negative_zero
    assert golden.step(config, negative_zero, [0], [ONE]) == cancelled


def test_specials() -> None:
    config = parse_design("e5m2:e6m9").mac
    infinity, one, zero = 0x7C, encode(parse_format("e5m2"), 1), 0
    plus, minus, nan = 0x7E00, 0xFE00, 0x7F00
    assert golden.dot(config, [infinity], [one]) == plus
    assert golden.dot(config, [infinity], [one | 0x80]) == minus
    assert golden.dot(config, [infinity], [zero]) == nan
    assert golden.dot(config, [infinity, infinity], [one, one | 0x80]) == nan
    assert golden.dot(config, [infinity, one], [one, one]) == plus
    exact = parse_design("e5m2:exact").mac
    assert golden.dot(exact, [infinity, infinity], [one, one | 0x80]) == 0x7FC00000
    assert golden.dot(exact, [infinity], [one | 0x80]) == 0xFF800000


def test_integer_accumulators_wrap_and_clip() -> None:
    wrap, clip = parse_design("int4:int6:wrap").mac, parse_design("int4:int6:clip").mac
    seven, minus_eight = 7, 8
    assert golden.dot(wrap, [seven], [seven]) == 49  # 49 - 64 = -15 in two's complement
    assert golden.dot(clip, [seven], [seven]) == 31
    assert golden.dot(clip, [minus_eight] * 2, [seven, 0]) == 32  # -32
    # clipped after every step: 31 - 56 clips at -25, not at 49 - 56
    assert golden.dot(clip, [seven, minus_eight], [seven, seven]) == (31 - 56) % 64


def test_products_rounded_first() -> None:
    fused = parse_design("e4m3:e5m2").mac
    rounded = parse_design("e4m3:e5m2:mule5m2").mac
    x = encode(parse_format("e4m3"), Fraction(9, 8))  # 81/64, in e5m2 between 5/4 and 3/2
    assert parse_format("e5m2").decode(golden.dot(fused, [x], [x])) == Fraction(5, 4)
    # -5/4 + 81/64 is 1/64, unless the product was rounded to 5/4 first
    minus = encode(parse_format("e4m3"), Fraction(-5, 4))
    results = [golden.dot(c, [minus, x], [ONE, x]) for c in (fused, rounded)]
    assert [parse_format("e5m2").decode(code) for code in results] == [Fraction(1, 64), 0]


@pytest.mark.parametrize("text", ["e4m3:exact", "e5m2:exact", "int8xe3m2:exact", "bf16:exact"])
def test_exact_sums_are_rounded_once(text: str) -> None:
    config = parse_design(text).mac
    draw = random.Random(text)
    finite = [
        [code for code in range(1 << fmt.bits) if not isinstance(fmt.decode(code), Special)]
        for fmt in (config.a, config.b)
    ]
    for _ in range(50):
        a, b = (draw.choices(codes, k=40) for codes in finite)
        total = sum(
            (config.a.decode(x) * config.b.decode(y) for x, y in zip(a, b, strict=True)),  # type: ignore[operator]
            Fraction(0),
        )
        assert golden.dot(config, a, b) == encode(parse_format("fp32"), total)


def test_matmul_is_dots() -> None:
    config = parse_design("e4m3:e6m9").mac
    a, b = [[ONE, TWO], [TWO, TWO]], [[ONE, 0, TWO], [TWO, ONE, 0]]
    assert golden.matmul(config, a, b) == [
        [golden.dot(config, row, column) for column in zip(*b, strict=True)] for row in a
    ]


def test_errors() -> None:
    config = parse_design("e4m3:exact:lanes2:terms4").mac
    with pytest.raises(ValueError, match="a step takes 2 operand pairs, not 1 and 2"):
        golden.step(config, 0, [0], [0, 0])
    with pytest.raises(ValueError, match="a and b must be of one length, not 1 and 2"):
        golden.dot(config, [0], [0, 0])
    message = r"K must be a positive multiple of the 2 lanes, not 3 \(pad with zeros\)"
    with pytest.raises(ValueError, match=message):
        golden.dot(config, [0] * 3, [0] * 3)
    message = r"K must be at most the 4 terms the accumulator is built for, not 6 \(state terms6\)"
    with pytest.raises(ValueError, match=message):
        golden.dot(config, [0] * 6, [0] * 6)
