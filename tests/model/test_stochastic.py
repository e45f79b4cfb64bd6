"""Stochastic rounding: the definition against gfloat, the words, the compiled twin."""

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import gfloat
import gfloat.formats
import numpy as np
import pytest
from edges import edge_values
from gfloat import RoundMode
from macsmith.hw.lfsr import element_seed
from macsmith.model import fast, golden
from macsmith.model.design import parse_design
from macsmith.model.formats import FloatFormat, parse_format
from macsmith.model.lfsr import (
    advance_matrix,
    apply_matrix,
    element_words,
    next_state,
    random_words,
    state_after,
)
from macsmith.model.random_source import LFSRS, Lfsr, lfsr_of
from macsmith.model.rounding import Overflow, StochasticRounding, encode, parse_stochastic

#: gfloat 0.5.2 names them by cost; StochasticFastest, Fast and Stochastic are P3109's A, B and C.
GFLOAT_MODES = {
    "a": RoundMode.StochasticFastest,
    "b": RoundMode.StochasticFast,
    "c": RoundMode.Stochastic,
}
FORMATS = {"e4m3": "ocp_e4m3", "e5m2": "ocp_e5m2", "e2m1": "ocp_e2m1", "e3m2": "ocp_e3m2"}


def points(fmt: FloatFormat) -> list[float]:
    """Edges of a format, and values between neighbours on a grid finer than the random bits."""
    values = [float(value) for value in edge_values(fmt)]
    codes = [0, 1, 2, 3, fmt.max_magnitude_code // 2, fmt.max_magnitude_code - 1]
    for code in [*codes, fmt.max_magnitude_code]:
        low = float(fmt.magnitude_value(code))
        step = float(fmt.magnitude_value(code + 1)) - low
        values += [sign * (low + step * part / 64) for part in range(1, 64) for sign in (1, -1)]
    return values


@pytest.mark.parametrize("variant", GFLOAT_MODES)
@pytest.mark.parametrize("name", FORMATS)
def test_definition_as_gfloat(name: str, variant: str) -> None:
    fmt = parse_format(name)
    assert isinstance(fmt, FloatFormat)
    info = getattr(gfloat.formats, f"format_info_{FORMATS[name]}")
    values = points(fmt)
    checked = 0
    for bits in (1, 2, 4):
        rounding = StochasticRounding(bits, variant)
        for index, value in enumerate(values):
            randoms = range(1 << bits) if index % 7 == 0 else {index % (1 << bits), 0}
            for random in randoms:
                theirs = gfloat.round_float(info, value, GFLOAT_MODES[variant], True, random, bits)
                code = encode(
                    fmt,
                    Fraction(value),
                    rounding,
                    Overflow.SATURATE,
                    negative_zero=np.signbit(value),
                    random=random,
                )
                ours = float(fast.decode(fmt, code))
                assert ours == theirs and np.signbit(ours) == np.signbit(theirs), (  # noqa: PT018
                    name, rounding, value, random
                )  # fmt: skip
                checked += 1
    assert checked > 3 * 2 * 800


def test_a_value_halfway_goes_up_for_half_of_the_words() -> None:
    fmt = parse_format("e4m3")
    one_and_a_half = Fraction(17, 16)  # between 1 and 1.125
    for variant, ups in (("a", 8), ("b", 8), ("c", 8)):
        codes = [
            encode(fmt, one_and_a_half, StochasticRounding(4, variant), random=random)
            for random in range(16)
        ]
        assert codes == [0x38] * (16 - ups) + [0x39] * ups
    # a sixty-fourth above: less than one step in 16, which A never rounds up, and B in one case
    above = 1 + Fraction(1, 8 * 20)
    for variant, ups in (("a", 0), ("b", 1), ("c", 1)):
        codes = [
            encode(fmt, above, StochasticRounding(4, variant), random=random)
            for random in range(16)
        ]
        assert sum(codes) - 16 * 0x38 == ups, variant


def test_random_bits_are_asked_for_and_checked() -> None:
    fmt = parse_format("e4m3")
    with pytest.raises(ValueError, match="must be given 4 random bits, not None"):
        encode(fmt, 1, StochasticRounding(4))
    with pytest.raises(ValueError, match="random bits must be 0 to 15, not 16"):
        encode(fmt, 1, StochasticRounding(4), random=16)
    with pytest.raises(ValueError, match="must be given no random bits, not 0"):
        encode(fmt, 1, random=0)
    config = parse_design("e4m3:e6m9/8:sr4").mac
    with pytest.raises(ValueError, match="must be given a random word of 8 bits, not None"):
        golden.step(config, 0, [0], [0])
    with pytest.raises(ValueError, match="a random word must be 0 to 255, not 256"):
        golden.step(config, 0, [0], [0], random=256)
    with pytest.raises(ValueError, match="must be given no random word, not 1"):
        golden.step(parse_design("e4m3:exact").mac, 0, [0], [0], random=1)
    with pytest.raises(ValueError, match="2 random words, one for each step, not 1"):
        golden.dot(config, [0, 0], [0, 0], [1])
    codes = np.zeros((1, 2), np.uint8)
    with pytest.raises(ValueError, match=r"must have the shape \(1, 1, 2\)"):
        fast.matmul(config, codes, codes.T, np.zeros(3, np.uint8))
    with pytest.raises(ValueError, match="random words must be 0 to 255, not 256"):
        fast.matmul(config, codes, codes.T, np.full(2, 256))
    with pytest.raises(ValueError, match="nothing is random"):
        fast.matmul(parse_design("e4m3:e6m9").mac, codes, codes.T, np.zeros(2, np.uint8))
    with pytest.raises(ValueError, match="random words of 8 bits"):
        fast.step(config, [0], [0], [0])
    with pytest.raises(TypeError, match="must be unsigned integers, not float64"):
        fast.step(config, [0], [0], [0], random=0.5)


def test_text_of_stochastic_rounding() -> None:
    assert parse_stochastic("sr8") == parse_stochastic("sra8") == StochasticRounding(8)
    assert StochasticRounding(8).text == "sr8"
    assert StochasticRounding(24, "c").text == "src24"
    with pytest.raises(ValueError, match="must be 1 to 24, not 25"):
        parse_stochastic("sr25")
    with pytest.raises(ValueError, match="must be srN, sraN, srbN or srcN"):
        parse_stochastic("srd3")
    with pytest.raises(ValueError, match="variant must be a, b or c, not d"):
        StochasticRounding(3, "d")


# Prime factors of 2**31 - 1 and 2**63 - 1; their product is checked, and each by division.
FACTORS = {31: [2147483647], 63: [7, 7, 73, 127, 337, 92737, 649657]}


@pytest.mark.parametrize(("degree", "lag", "seed"), LFSRS)
def test_registers_are_of_maximal_length(degree: int, lag: int, seed: int) -> None:
    """A state comes back after 2**D - 1 single bits and after no divisor of that number."""
    assert 0 < seed < 1 << degree
    period = (1 << degree) - 1
    assert np.prod(FACTORS[degree], dtype=object) == period
    for prime in set(FACTORS[degree]):
        assert all(prime % divisor for divisor in range(2, int(prime**0.5) + 1))
    lfsr = Lfsr(degree, lag, seed, 1)
    unity = [1 << bit for bit in range(degree)]
    assert advance_matrix(lfsr, period) == unity
    for prime in set(FACTORS[degree]):
        assert advance_matrix(lfsr, period // prime) != unity


def test_words_are_bits_of_the_recurrence() -> None:
    for bits in (1, 8, 28, 29, 48):
        lfsr = lfsr_of(bits)
        stream = random_words(lfsr)
        words = [next(stream) for _ in range(300)]
        # the seed's bits, oldest first, then the recurrence
        sequence = [lfsr.seed >> bit & 1 for bit in reversed(range(lfsr.degree))]
        while len(sequence) < lfsr.degree + 300 * bits:
            sequence.append(sequence[-lfsr.degree] ^ sequence[-lfsr.lag])
        for index, word in enumerate(words):
            end = lfsr.degree + index * bits
            assert word == int("".join(map(str, sequence[end - bits : end])), 2)
        assert next(random_words(lfsr, 250)) == words[250]
        assert apply_matrix(advance_matrix(lfsr, 7), lfsr.seed) == state_after(lfsr, 7)
        assert next_state(lfsr, lfsr.seed) == state_after(lfsr, 1)
    assert [lfsr_of(bits).degree for bits in (1, 28, 29, 62)] == [31, 31, 63, 63]
    with pytest.raises(ValueError, match="must have 1 to 62 bits, not 63"):
        lfsr_of(63)
    with pytest.raises(ValueError, match="a word must have 1 to 28 bits, not 29"):
        Lfsr(31, 28, 1, 29)


@pytest.mark.parametrize("bits", [1, 8, 28, 40])
def test_elements_have_words_far_apart(bits: int) -> None:
    """The hardware's seeds are worked out by other means than the model's words."""
    lfsr = lfsr_of(bits)
    apart = lfsr.words_apart(6)
    assert 6 * apart * bits < 1 << lfsr.degree <= 7 * apart * bits
    for element in range(6):
        seed = element_seed(lfsr, element * apart)
        assert seed == state_after(lfsr, element * apart)
        assert next(element_words(lfsr, 6, element)) == seed & ((1 << bits) - 1)
    assert element_seed(lfsr, 0) == lfsr.seed


def test_words_look_random() -> None:
    """Each value of 8 bits about as often; means of runs of 64 scatter as independent ones."""
    stream = random_words(lfsr_of(8))
    words = np.array([next(stream) for _ in range(1 << 16)])
    counts = np.bincount(words, minlength=256)
    assert 180 < ((counts - 256.0) ** 2 / 256).sum() < 340  # chi square, 255 degrees
    runs = words.reshape(-1, 64).mean(axis=1)
    assert 0.9 < runs.std() / (73.9 / 8) < 1.1


DESIGNS = """
e4m3:e6m9:sr8  e4m3:e6m9:srb8  e4m3:e6m9:src8  e4m3:fp16:lanes2:sr8  e4m3:e6m9/8:sr8
e4m3:exact/8/e6m9:sr5  e5m2:e6m9:sr12  e5m2:e6m9:srb11  e4m3:fp32:srb24  e4m3:fp32/8:src20
e5m2:e4m3:sr3  e4m3:e4m3fnuz:src2  e2m1:e3m2:srb1  e4m3:e5m0:sra4  e4m3:e6m9:mule5m2:sr8
bf16:bf16:lanes3:sr9  int8:e6m9:sr4  e4m3:e6m9/8/exact:sr7  e5m2:e5m2:sat:src3:outfp16
e5m2:e5m3:nan:sr2  e3m2:e2m3:src4  bf16:fp32:src24  e5m2:fp32:sr13:lanes8  int4:e3m0:src2
"""


def _operands(text: str, shape: tuple[int, int, int]) -> tuple[Any, Any]:
    config = parse_design(text).mac
    rows, length, columns = shape
    generator = np.random.default_rng(len(text))
    codes = []
    for fmt, size in ((config.a, (rows, length)), (config.b, (length, columns))):
        any_code = generator.integers(0, 1 << fmt.bits, size)
        close = fast.encode(fmt, generator.normal(size=size) * 2)
        share = 0.02 if isinstance(fmt, FloatFormat) else 0.5
        codes.append(np.where(generator.random(size) < share, any_code, close))
    return codes[0], codes[1]


@pytest.mark.parametrize("text", DESIGNS.split())
def test_compiled_sums_as_defined(text: str) -> None:
    config = parse_design(text).mac
    a, b = _operands(text, (6, 24, 5))
    want = golden.matmul(config, a.tolist(), b.tolist())
    np.testing.assert_array_equal(fast.matmul(config, a, b), want)
    # columns and rows are exchanged in the tiles where there are few columns
    np.testing.assert_array_equal(fast.matmul(config, a, b[:, :1])[:1], want_first(config, a, b))
    words = np.random.default_rng(3).integers(
        0, 1 << config.random_bits, (6, 5, 24 // config.lanes), dtype=np.uint64
    )
    want = golden.matmul(config, a.tolist(), b.tolist(), words.tolist())
    np.testing.assert_array_equal(fast.matmul(config, a, b, words), want)


def want_first(config: Any, a: Any, b: Any) -> list[list[int]]:
    """The first sum of a product with one column."""
    return golden.matmul(config, a[:1].tolist(), b[:, :1].tolist())


@pytest.mark.parametrize("text", ["e4m3:e6m9:sr8", "e4m3:fp16:lanes2:srb5", "e5m2:e6m9/4:src8"])
def test_tiles_as_wide_integers(text: str) -> None:
    """More rows and columns than one tile has; the words are the register's, given or not."""
    config = parse_design(text).mac
    a, b = _operands(text, (9, 64, 45))
    steps = 64 // config.lanes
    stream = random_words(lfsr_of(config.random_bits))
    words = np.array([next(stream) for _ in range(9 * 45 * steps)], np.uint64)
    assert fast.engine_of(config, 64).name.startswith("TILES")
    np.testing.assert_array_equal(
        fast.matmul(config, a, b), fast.matmul(config, a, b, words.reshape(9, 45, steps))
    )


@pytest.mark.parametrize("text", ["e4m3:e6m9:sr8", "e4m3:e6m9/8:srb4", "e4m3:exact/8/fp16:src6"])
def test_compiled_step_as_defined(text: str) -> None:
    config = parse_design(text).mac
    generator = np.random.default_rng(4)
    count = 400
    bits = golden.mac_widths(config).partial_sum_bits
    sums = generator.integers(0, 1 << min(bits, 62), count, dtype=np.uint64)
    a, b = (generator.integers(0, 1 << fmt.bits, count) for fmt in (config.a, config.b))
    ends = generator.integers(0, 2, count)
    words = generator.integers(0, 1 << config.random_bits, count)
    got = fast.step(config, sums, a, b, ends, words)
    for index in range(count):
        want = golden.step(
            config,
            int(sums[index]),
            [int(a[index])],
            [int(b[index])],
            chunk_end=bool(ends[index]),
            random=int(words[index]),
        )
        assert int(got[index]) == want


def _without_random(honest: Callable[..., bool]) -> Callable[..., bool]:
    return lambda self, distance, random: honest(self, distance, 0)


def test_comparison_catches_a_lost_random_word(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = StochasticRounding.rounds_up
    monkeypatch.setattr(StochasticRounding, "rounds_up", _without_random(honest))
    with pytest.raises(AssertionError):
        test_compiled_sums_as_defined("e4m3:e6m9:sr8")
    with pytest.raises(AssertionError):
        test_definition_as_gfloat("e4m3", "a")


@pytest.mark.parametrize(
    ("variant", "means"),
    [
        ("a", [-0.248, -0.123, -0.061, -0.029]),
        ("b", [0.002, 0.002, 0.002, 0.002]),
        ("c", [0.0, 0.0, 0.0, 0.0]),
    ],
)
def test_bias_of_few_random_bits(variant: str, means: list[float]) -> None:
    """Mean error, in steps, of 256 equally spaced distances from 0 up, over all random words: the
    figures that were measured of P3109's three kinds by another library."""
    distances = np.arange(256) / 256
    for bits, mean in enumerate(means, 1):
        words = np.tile(np.arange(1 << bits), 256)
        values = np.repeat(1 + distances / 4, 1 << bits)  # steps of E5M2 above 1 are quarters
        rounded = fast.quantise("e5m2", values, f"sr{variant}{bits}", "sat", words)
        assert round(float((rounded - values).mean() * 4), 3) == pytest.approx(mean, abs=0.0005)
