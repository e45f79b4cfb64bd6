"""The fast model against the definition: everything small, much of the rest, and its errors."""

import itertools
import random
from fractions import Fraction
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
from definition import as_integers, remember
from edges import edge_values
from macsmith.model import fast, fast_library, golden, rounding
from macsmith.model.config import MacConfig
from macsmith.model.design import parse_design
from macsmith.model.fast import Engine
from macsmith.model.formats import FloatFormat, FloatSpecials, Format, Special, parse_format
from macsmith.model.rounding import Overflow, Rounding
from macsmith.model.widths import mac_widths


def check_matmul(config: MacConfig, a: np.ndarray, b: np.ndarray) -> int:
    """Compare all results; returns how many products they sum."""
    got = as_integers(fast.matmul(config, a, b), mac_widths(config).output_bits)
    want = list(chain.from_iterable(golden.matmul(config, a.tolist(), b.tolist())))
    if got != want:
        at = next(i for i, pair in enumerate(zip(got, want, strict=True)) if pair[0] != pair[1])
        row, column = divmod(at, b.shape[1])
        raise AssertionError(
            f"{config!r}: {fast.engine_of(config, a.shape[1]).name} gives {got[at]:#x}, the "
            f"definition {want[at]:#x} for a = {a[row].tolist()}, b = {b[:, column].tolist()}"
        )
    return a.size * b.shape[1]


# -- conversions ------------------------------------------------------------------------------

CONVERTED = [
    FloatFormat(x, y, specials, has_subnormals=has_subnormals)
    for x, y, specials, has_subnormals in itertools.product(
        (1, 2, 4), (0, 1, 3), FloatSpecials, (True, False)
    )
    if (x, y) != (1, 0) or specials in (FloatSpecials.FNUZ, FloatSpecials.FINITE)
] + [
    parse_format(name)
    for name in [
        "e5m2",
        "e3m4b12",
        "e4m3bm2",
        "ue4m3",
        "ue3m2b2in",
        "ue2m2f",
        "e8m0",
        "ue3m2nz",
        "e5m0",
        "ue5m0ns",
        "int2",
        "int5",
        "int6sym",
        "uint4",
        "int8q6",
    ]
]


@pytest.mark.parametrize("mode", Rounding)
def test_encode_as_defined(mode: Rounding) -> None:
    checked = 0
    for fmt in CONVERTED:
        points = edge_values(fmt)
        values = np.array([float(point) for point in points] + [-0.0, np.inf, -np.inf, np.nan])
        policies: list[Overflow | None] = [None, Overflow.SATURATE]
        policies += [Overflow.NAN] * fmt.has_nan + [Overflow.PROPAGATE] * fmt.has_infinity
        for overflow in policies:
            want = [rounding.encode(fmt, point, mode, overflow) for point in points]
            want.append(rounding.encode(fmt, 0, mode, overflow, negative_zero=True))
            for special in (Special.POSITIVE_INFINITY, Special.NEGATIVE_INFINITY, Special.NAN):
                want.append(rounding.encode(fmt, special, mode, overflow))
            got = fast.encode(fmt, values, mode.value, overflow)
            wrong = got != np.array(want)
            assert not wrong.any(), (fmt.name, mode, overflow, values[wrong], got[wrong])
            quantised = fast.quantise(fmt, values, mode, overflow)
            np.testing.assert_array_equal(quantised, fast.decode(fmt, got))
            numbers = ~np.isnan(quantised)
            signs = np.signbit(fast.decode(fmt, got))
            assert (np.signbit(quantised) == signs)[numbers].all()
            checked += len(want)
    assert checked == 160_792


@pytest.mark.parametrize("mode", Rounding)
@pytest.mark.parametrize("name", ["e8m23", "e8m7", "e6m9", "e6m9fnns", "e8m23b500", "int16q12"])
def test_encode_any_double(name: str, mode: Rounding) -> None:
    fmt = parse_format(name)
    generator = np.random.default_rng(3)
    values = generator.integers(0, 1 << 64, 1500, np.uint64).view(np.float64)
    near = generator.normal(size=500) * 2.0 ** generator.integers(-45, 45, 500)
    values = np.concatenate([values[np.isfinite(values)], near, [5e-324, -5e-324, 1.7e308]])
    got = fast.encode(fmt, values, mode)
    want = [rounding.encode(fmt, Fraction(value), mode) for value in values.tolist()]
    assert got.tolist() == want
    assert got.dtype == fast.code_dtype(fmt)


def test_binary32_as_the_same_in_binary64() -> None:
    """Values that come as float32 may take a way of their own: all kinds of bit patterns."""
    generator = np.random.default_rng(8)
    patterns = generator.integers(0, 1 << 32, 800, np.uint64).astype(np.uint32)
    near = (generator.normal(size=800) * 2.0 ** generator.integers(-30, 17, 800)).astype("f4")
    checked = 0
    for fmt in [
        *CONVERTED[::2],
        *map(parse_format, ["fp16", "e6m9", "e6m5ns", "bf16", "int16q12"]),
    ]:
        # numbers, and what lies in the middle of two
        codes = generator.integers(0, 1 << fmt.bits, 300)
        numbers = fast.decode(fmt, codes[codes < (1 << fmt.bits) - 1])
        with np.errstate(all="ignore"):
            middle = (numbers + fast.decode(fmt, codes[codes < (1 << fmt.bits) - 1] + 1)) / 2
            edges = np.concatenate([numbers, middle]).astype("f4")
            beside = [np.nextafter(edges, np.float32(side)) for side in (-np.inf, np.inf)]
        values = np.concatenate([patterns.view("f4"), near, edges, *beside])
        modes: list[str] = [mode.value for mode in Rounding]
        modes += ["sr3", "srb5", "src8"] * isinstance(fmt, FloatFormat)
        for mode in modes:
            words = generator.integers(0, 8, values.shape) if mode[:2] == "sr" else None
            got = fast.encode(fmt, values, mode, random=words)
            with np.errstate(invalid="ignore"):
                want = fast.encode(fmt, values.astype("f8"), mode, random=words)
            wrong = got != want
            assert not wrong.any(), (fmt.name, mode, values[wrong][:4], got[wrong][:4])
            checked += len(values)
    assert checked > 500_000


def test_decode_as_defined() -> None:
    checked = 0
    for fmt in [*CONVERTED, parse_format("e6m9"), parse_format("int16sym"), parse_format("e8m23")]:
        count = min(1 << fmt.bits, 1 << 12)
        codes = np.linspace(0, (1 << fmt.bits) - 1, count).astype(np.uint32)
        for code, value in zip(codes.tolist(), fast.decode(fmt, codes).tolist(), strict=True):
            want = fmt.decode(code)
            if want is Special.NAN:
                assert value != value
            elif isinstance(want, Special):
                assert value == float(want.value)
            else:
                assert Fraction(value) == want
                if value == 0:
                    assert np.signbit(value) == (fmt.is_negative(code))
            checked += 1
    assert checked > 10_000


def test_shapes_are_kept() -> None:
    for shape in ((), (0,), (3,), (2, 0, 3), (2, 3, 5)):
        values = np.zeros(shape)
        assert fast.encode("e4m3", values).shape == shape
        assert fast.quantise("int8", values).shape == shape
        assert fast.decode("e4m3", np.zeros(shape, np.uint8)).shape == shape
    strided = np.arange(12.0).reshape(3, 4)[:, ::2]
    assert fast.quantise("int8", strided).tolist() == strided.tolist()


# -- one step, exhaustive ---------------------------------------------------------------------

TINY_ACCUMULATORS = [
    "e2m1", "e3m1", "e3m2", "e2m2fn", "e3m1fnuz", "e2m2ns", "e3m0", "e1m3f", "e4m0fnuz",
    "int4:wrap", "int5:clip", "e2m1/4/e2m2", "int3/2/e2m1:clip",
]  # fmt: skip


@pytest.mark.parametrize("mode", Rounding)
@pytest.mark.parametrize("text", TINY_ACCUMULATORS)
def test_every_step_of_four_bit_operands(
    text: str, mode: Rounding, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All operand pairs, with all partial sums (every one of them, up to 6 bits)."""
    remember(monkeypatch)
    accumulator, _, overflow = text.partition(":")
    stride = 1 if mode is Rounding.NEAREST_EVEN else 5
    checked = 0
    for operand in ("e2m1", "e1m2ieee", "int4"):
        options = f":{overflow}" if overflow else ""
        config = parse_design(f"{operand}:{accumulator}{options}:{mode.value}").mac
        bits = mac_widths(config).partial_sum_bits
        sums = range(0, 1 << bits, stride if bits <= 6 else 7 * stride)
        cases = np.array(list(itertools.product(sums, range(16), range(16))))
        for chunk_end in {False, "/" in accumulator}:
            after = fast.step(config, cases[:, 0], cases[:, 1], cases[:, 2], chunk_end)
            results = fast.result(config, after)
            for (before, a, b), got, code in zip(
                cases.tolist(), after.tolist(), results.tolist(), strict=True
            ):
                want = golden.step(config, before, [a], [b], chunk_end=chunk_end)
                assert got == want, (config, hex(before), a, b, hex(got), hex(want))
                assert code == golden.result(config, want)
            checked += len(cases)
    assert checked >= 768


@pytest.mark.parametrize("mode", Rounding)
def test_every_sum_of_two_products(mode: Rounding, monkeypatch: pytest.MonkeyPatch) -> None:
    """All 65,536 pairs of pairs of 4-bit operands: tiles against the wide integers, which the
    steps above have checked."""
    pairs = np.array(list(itertools.product(range(16), repeat=2)))
    configs = [
        parse_design(f"{operands}:{accumulator}:{mode.value}").mac
        for operands in ("e2m1", "e2m1xint4", "e3m0", "e1m2ieee", "e2m1fnuzxe1m2")
        for accumulator in (
            "e3m2",
            "e2m3b1fn",
            "e4m1",
            "e3m2ns",
            "e2m2fnuz",
            "exact",
            "e3m2/1/e2m2",
        )
    ]
    tiled = [fast.matmul(config, pairs, pairs.T) for config in configs]
    engines = [fast.engine_of(config, 2) for config in configs]
    # not for tiles: NaN into a format that has none
    assert [engines.count(engine) for engine in Engine] == [5, 0, 21, 0, 0, 0, 9]
    monkeypatch.setattr(fast, "_plan", lambda *_: fast.Plan(Engine.GENERAL))
    for config, results in zip(configs, tiled, strict=True):
        assert (fast.matmul(config, pairs, pairs.T) == results).all(), config


@pytest.mark.parametrize("operands", ["e2m3", "e3m2", "e2m3xe3m2", "int6", "e3m2xuint6"])
def test_every_product_of_six_bit_operands(operands: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """All 4,096 pairs, in every kind of accumulator: added to zero, and to random partial sums."""
    remember(monkeypatch)
    codes = np.arange(64)
    a, b = (grid.reshape(-1) for grid in np.meshgrid(codes, codes))
    generator = np.random.default_rng(9)
    checked = 0
    for accumulator in ("exact", "e6m9", "e4m3", "e5m2", "e3m4fnuz", "e6m9/64", "exact/8/e4m3"):
        config = parse_design(f"{operands}:{accumulator}:rna").mac
        checked += check_matmul(config, codes[:, None], codes[None, :])
        before = generator.integers(0, 1 << mac_widths(config).partial_sum_bits, 4096)
        after = fast.step(config, before, a, b, False)
        for case in zip(before.tolist(), a.tolist(), b.tolist(), after.tolist(), strict=True):
            assert golden.step(config, case[0], [case[1]], [case[2]]) == case[3], (config, case)
            checked += 1
    assert checked == 2 * 7 * 4096


# -- random configurations --------------------------------------------------------------------


class Drawer:
    """Draws designs of every kind, and operands for them."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.generator = np.random.default_rng(seed)

    def float_name(self, exponent_bits: int, fraction_bits: int) -> str:
        pick = self.random
        x, y = pick.randint(1, exponent_bits), pick.randint(0, fraction_bits)
        bias = f"b{pick.randint(0, 2**x + 3)}" if pick.random() < 0.3 else ""
        specials = pick.choice(["", "", "", "ieee", "fn", "fnuz", "f", "in", "inuz"])
        return f"e{x}m{y}{bias}{specials}{'ns' if pick.random() < 0.2 else ''}"

    def operand(self) -> str:
        pick = self.random
        if pick.random() < 0.25:
            return pick.choice(["int2", "int4", "int8", "uint4", "int8q6", "int3sym", "int12"])
        named = ["e4m3", "e5m2", "e2m1", "e3m2", "e2m3", "bf16", "fp16", "ue4m3", "ue5m3"]
        return pick.choice([self.float_name(5, 3), self.float_name(3, 4), *named])

    def aligned(self) -> str:
        pick = self.random
        named = ["fp32", "fp16", "bf16", "e6m9", self.float_name(8, 23), self.float_name(4, 4)]
        text = (
            f"{pick.choice(named)}_aligned{pick.choice([2, 4, 6, 9, 13, 25, pick.randint(1, 64)])}"
        )
        text += f"_keep{pick.randint(1, 13)}" if pick.random() < 0.3 else ""
        text += f"_emin{pick.randint(0, 40)}" if pick.random() < 0.3 else ""
        return text + pick.choice(["", "", "_late"]) + pick.choice(["", "", "_rne"])

    def accumulator(self) -> str:
        pick = self.random
        if pick.random() < 0.15:
            return self.aligned()
        if pick.random() < 0.25:
            return "exact"
        if pick.random() < 0.2:
            return f"int{pick.randint(4, 90)}"
        named = ["e6m9", "e6m5", "fp16", "bf16", "fp32"]
        return pick.choice([self.float_name(8, 23), self.float_name(3, 3), *named])

    def design(self) -> str:
        pick = self.random
        accumulator = self.accumulator()
        if pick.random() < 0.4:
            accumulator += f"/{pick.choice([4, 8, 12, 64])}"
            if pick.random() < 0.6:
                accumulator += f"/{self.accumulator()}"
        parts = [f"{self.operand()}x{self.operand()}", accumulator]
        lanes = pick.choice([1, 1, 1, 2, 4])
        parts += [f"lanes{lanes}"] * (lanes > 1)
        if pick.random() < 0.2:
            parts.append("mul" + pick.choice([self.float_name(5, 5), "e5m4", "fp16"]))
        parts.append(pick.choice([mode.value for mode in Rounding]))
        if pick.random() < 0.4:
            parts.append(pick.choice(["sat", "inf", "nan", "prop"]))
        if "int" in accumulator:
            parts.append(pick.choice(["wrap", "clip"]))
        if pick.random() < 0.3:
            outputs = ["raw", "e4m3", "bf16", "fp32", "int8", self.float_name(5, 3)]
            parts.append("out" + pick.choice(outputs))
        return ":".join(parts)

    def config(self, length: int) -> MacConfig:
        while True:
            try:
                config = parse_design(self.design()).mac
                golden.check_length(config, length)
            except ValueError:  # a combination that cannot be built
                continue
            return config

    def codes(self, fmt: Format, shape: tuple[int, ...]) -> np.ndarray:
        """Random codes; or random numbers, so that sums cancel and specials are rare."""
        if self.random.random() < 0.5:
            return self.generator.integers(0, 1 << fmt.bits, shape)
        scale = float(fmt.max) ** self.random.choice([0, 0.5, 0.9])
        return fast.encode(fmt, self.generator.normal(size=shape) * scale, "rne", "sat")


def check_random(seed: int, products: int) -> dict[Engine, int]:
    """Compare random designs on random operands; returns how many products of each engine."""
    draw = Drawer(seed)
    # block formats have tests of their own
    counts = {engine: 0 for engine in Engine if engine is not Engine.BLOCKS}
    while sum(counts.values()) < products:
        length = draw.random.choice([4, 8, 16, 32, 64, 128])
        config = draw.config(length)
        a, b = draw.codes(config.a, (7, length)), draw.codes(config.b, (length, 7))
        counts[fast.engine_of(config, length)] += check_matmul(config, a, b)
    return counts


@pytest.mark.parametrize("seed", [11, 12, 13, 14])
def test_random_designs(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A million products in all."""
    remember(monkeypatch)
    counts = check_random(seed, 250_000)
    assert sum(counts.values()) >= 250_000
    assert min(counts.values()) > 500, counts  # every engine had its share


@pytest.mark.slow
def test_many_random_designs(monkeypatch: pytest.MonkeyPatch) -> None:
    remember(monkeypatch)
    assert sum(check_random(20, 4_000_000).values()) >= 4_000_000


def test_random_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """From random partial sums, also those that no short sum reaches."""
    remember(monkeypatch)
    draw = Drawer(5)
    checked = wide = 0
    while checked < 3600:
        config = draw.config(128)
        widths = mac_widths(config)
        if widths.outer and widths.outer.format is None and widths.inner.format is not None:
            continue  # an inner sum that no products have may be finer than the outer's unit
        bits = widths.partial_sum_bits
        words = -(-bits // 64)
        before = draw.generator.integers(0, 1 << 64, (12, words), np.uint64)
        before[:, -1] &= np.uint64((1 << (bits - 64 * (words - 1))) - 1)
        a, b = (draw.codes(fmt, (12, config.lanes)) for fmt in (config.a, config.b))
        ends = draw.generator.integers(0, 2, 12).astype(bool)
        squeezed = before[:, 0] if words == 1 else before
        after = fast.step(config, squeezed, a, b, ends)
        assert after.shape == squeezed.shape
        got, start = as_integers(after, bits), as_integers(squeezed, bits)
        results = as_integers(fast.result(config, after), mac_widths(config).output_bits)
        for i in range(12):
            want = golden.step(
                config, start[i], a[i].tolist(), b[i].tolist(), chunk_end=bool(ends[i])
            )
            assert got[i] == want, (config, hex(start[i]), a[i], b[i], ends[i])
            assert results[i] == golden.result(config, want)
        checked += 12
        wide += words > 1
    assert checked == 3600
    assert wide > 30


TILED = [
    "e4m3:e6m9", "e4m3:e6m9/64", "e4m3:e6m5", "e4m3:e6m5/32", "e5m2:e6m9/64:lanes4",
    "e4m3:e6m9:lanes8", "e4m3xe5m2:e6m9/64/fp32:rna", "e5m2:exact", "e5m2:exact/64/e6m9",
    "e4m3:exact/64/e6m9", "fp16:fp32", "bf16:fp32", "fp32:fp32", "e4m3:fp16:mulfp16",
    "e4m3:e6m9:rtz", "e4m3:e6m9:rup", "e4m3:e6m9:rdn:lanes2", "e5m2:e5m2:sat", "e5m2:e4m3:nan",
    "int8:e6m9", "e3m4:e6m9ns", "e4m3fnuz:e5m7fnuz/16/e6m9", "int8:int14:clip:lanes4",
    "e5m2:bf16:rdn:lanes4", "e5m2xe4m3:e8m10/16:rup:lanes4", "bf16:fp32:lanes4",
    "fp32:fp32:lanes8:rdn", "bf16:fp16:lanes2:rto", "fp32:exact/64/fp32", "bf16:exact",
    "fp32:fp32:rtz", "fp32:fp32/16:rup", "fp16xbf16:fp32:rdn", "int8xfp32:fp32", "e4m3:e6m9:rto",
    "fp32:fp32:sr8", "bf16:e8m12:lanes4:src6", "e4m3:e6m9/64:srb5", "e4m3:e5m0", "bf16:e6m0/32:rto",
    "e4m3:e4m0fnuz:lanes4:rna", "posit8es1:posit8es1", "posit8:posit16:lanes4", "posit16:posit5es0",
    "posit16es3:posit16es3", "e5m2xposit8:posit6es3",
]  # fmt: skip


@pytest.mark.parametrize("text", TILED)
def test_tiles_as_wide_integers(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two algorithms on a million products a design; shapes that fill no tile."""
    config = parse_design(text).mac
    draw = Drawer(len(text))
    length = 192
    assert fast.engine_of(config, length) in (Engine.TILES32, Engine.TILES64)
    operands = []
    for _ in range(2):
        a, b = draw.codes(config.a, (37, length)), draw.codes(config.b, (length, 73))
        operands.append((a, b, fast.matmul(config, a, b)))
    monkeypatch.setattr(fast, "_plan", lambda *_: fast.Plan(Engine.GENERAL))
    checked = 0
    for a, b, tiled in operands:
        general = fast.matmul(config, a, b)
        wrong = np.argwhere(general != tiled)
        assert not len(wrong), (wrong[0], general[tuple(wrong[0])], tiled[tuple(wrong[0])])
        checked += a.size * b.shape[1]
    assert checked == 2 * 37 * length * 73


@pytest.mark.slow
def test_without_avx512(monkeypatch: pytest.MonkeyPatch) -> None:
    """Machines that cannot round in a stated direction have other code for the same bits."""
    flags = (*fast_library._FLAGS, "-mno-avx512f")
    monkeypatch.setattr(fast_library, "_FLAGS", flags)
    fast_library.kernels.cache_clear()
    fast._plan.cache_clear()
    try:
        assert not fast_library.kernels().macsmith_has_native_tiles()
        for text in TILED:
            with monkeypatch.context() as patch:
                test_tiles_as_wide_integers(text, patch)
        for mode in Rounding:
            with monkeypatch.context() as patch:
                test_sums_of_terms_far_apart(mode.value, patch)
        test_binary32_as_the_same_in_binary64()
    finally:
        monkeypatch.undo()
        fast_library.kernels.cache_clear()
        fast._plan.cache_clear()


@pytest.mark.parametrize("mode", [mode.value for mode in Rounding] + ["sra3", "src3"])
def test_sums_of_terms_far_apart(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Terms more than one double apart, most of which cancel, so that what is left decides."""
    generator = np.random.default_rng(77)
    length, checked = 8, 0
    columns = []
    for _ in range(400):
        # 1, and a few of: pairs that cancel, a midpoint's last bit, ones too small to see
        terms = 2.0 ** generator.choice([-120, -77, -60, -54, -53, -25, -24, -23, -1, 0, 60, 90], 3)
        terms *= generator.choice([1, -1, 1.5, 1 + 2.0**-23], 3)
        columns.append(generator.permutation([*terms, *-terms[:2], 1, terms[0], 0][:length]))
    b = fast.encode("fp32", np.array(columns).T).astype(np.uint32)
    a = fast.encode("fp32", np.ones((2, length)) * [[1], [-(2.0**-100)]]).astype(np.uint32)
    for text in ("fp32:fp32:lanes8", "fp32:e8m4:lanes4", "fp32:exact/8/fp32"):
        config = parse_design(f"{text}:{mode}").mac
        assert fast.engine_of(config, length) is Engine.TILES64
        got = fast.matmul(config, a, b)
        with monkeypatch.context() as patch:
            patch.setattr(fast, "_plan", lambda *_: fast.Plan(Engine.GENERAL))
            assert (fast.matmul(config, a, b) == got).all(), text
        if mode[:2] != "sr":
            checked += check_matmul(config, a, b[:, :50])
    assert checked == (0 if mode[:2] == "sr" else 3 * 2 * 8 * 50)


def test_random_tiles_as_wide_integers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Random designs again, more and larger, wherever the general path was not taken anyway."""
    draw = Drawer(21)
    plan = fast._plan
    checked = 0
    while checked < 20_000_000:
        length = draw.random.choice([8, 64, 256])
        config = draw.config(length)
        if plan(config, length).engine is Engine.GENERAL:
            continue
        a, b = draw.codes(config.a, (9, length)), draw.codes(config.b, (length, 33))
        monkeypatch.setattr(fast, "_plan", plan)
        results = fast.matmul(config, a, b)
        monkeypatch.setattr(fast, "_plan", lambda *_: fast.Plan(Engine.GENERAL))
        assert (fast.matmul(config, a, b) == results).all(), (config, plan(config, length))
        checked += a.size * b.shape[1]


def test_thin_products_are_turned(monkeypatch: pytest.MonkeyPatch) -> None:
    remember(monkeypatch)
    draw = Drawer(2)
    config = parse_design("e4m3xe5m2:e6m9/8").mac
    for rows, columns in ((1, 1), (50, 1), (1, 50), (33, 31), (5, 4)):
        a, b = draw.codes(config.a, (rows, 16)), draw.codes(config.b, (16, columns))
        assert check_matmul(config, a, b) == rows * 16 * columns


def test_engines() -> None:
    native = fast_library.kernels().macsmith_has_native_tiles()  # of the processor
    expected = {
        "e4m3:e6m9": Engine.TILES32,
        "e4m3:e6m5": Engine.TILES32,
        "fp32:fp32": Engine.TILES32 if native else Engine.TILES64,
        "fp32:fp32:rna": Engine.TILES64,
        "int4:int32": Engine.BLAS32,
        "e4m3:exact": Engine.BLAS64,
        "e4m3:fp32_aligned25": Engine.ALIGNED,
        "fp32:fp32_aligned60": Engine.GENERAL,  # sums of more than 53 bits
        "e5m2:exact": Engine.TILES64,
        "e4m3:e5m0": Engine.TILES64,  # no fraction: ties go to even exponents
        "e4m3:e5m0:sr4": Engine.GENERAL,
        "posit8:posit16": Engine.TILES64,
        "bf16:fp32:lanes4": Engine.TILES64,
        "bf16:exact": Engine.TILES64,
        "bf16:exact:outraw": Engine.GENERAL,  # all of its 500 bits show
        "e5m2:exact:outraw": Engine.GENERAL,  # the integer under a NaN shows
    }
    assert {text: fast.engine_of(parse_design(text).mac, 128) for text in expected} == expected


def test_a_wrong_rounding_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted: tiles that tie away from zero fail the comparison with the definition."""
    config = parse_design("e2m1:e3m2").mac
    pairs = np.array(list(itertools.product(range(16), repeat=2)))[:40]
    planted = fast.make_plan(config.model_copy(update={"rounding": Rounding.NEAREST_AWAY}), 2)
    monkeypatch.setattr(fast, "_plan", lambda *_: planted)
    with pytest.raises(AssertionError, match="TILES32 gives"):
        check_matmul(config, pairs, pairs.T)


def test_wide_raw_results() -> None:
    config = parse_design("bf16:exact:outraw").mac
    bits = mac_widths(config).output_bits
    assert bits > 500
    a, b = np.array([[0x3F80, 0x0001]]), np.array([[0xBF80], [0x0001]])
    got = fast.matmul(config, a, b)
    assert got.shape == (1, 1, -(-bits // 64))
    assert as_integers(got, bits) == golden.matmul(config, a.tolist(), b.tolist())[0]


@pytest.mark.parametrize("bits", [63, 64, 65, 128, 130])
def test_small_sums_in_wide_registers(bits: int) -> None:
    for overflow in ("wrap", "clip"):
        config = parse_design(f"int4xint8:int{bits}:{overflow}").mac
        draw = Drawer(bits)
        a, b = draw.codes(config.a, (4, 8)), draw.codes(config.b, (8, 4))
        assert check_matmul(config, a, b) == 128


# -- errors -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("a", "b", "error", "message"),
    [
        (np.zeros((2, 3)), np.zeros((3, 2), int), TypeError, "codes must be unsigned integers"),
        (np.full((2, 4), 256), np.zeros((4, 2), int), ValueError, "code must be 0 to 255, not 256"),
        (np.zeros((2, 4), int), np.full((4, 2), -1), ValueError, "code must be 0 to 255, not -1"),
        (np.zeros((2, 4), int), np.zeros((3, 2), int), ValueError, r"not \(2, 4\) and \(3, 2\)"),
        (np.zeros(4, int), np.zeros((4, 2), int), ValueError, "must be M x K and K x N codes"),
        (np.zeros((2, 3), int), np.zeros((3, 2), int), ValueError, "multiple of the 2 lanes"),
        (np.zeros((2, 64), int), np.zeros((64, 2), int), ValueError, "at most the 32 terms"),
    ],
)
def test_bad_operands(a: np.ndarray, b: np.ndarray, error: type[Exception], message: str) -> None:
    config = parse_design("e4m3:exact:lanes2:terms32").mac
    with pytest.raises(error, match=message):
        fast.matmul(config, a, b)


def test_bad_steps() -> None:
    config = parse_design("e4m3:e3m2:lanes2").mac
    zeros = np.zeros((3, 2), int)
    with pytest.raises(ValueError, match="partial sums must have at most 6 bits"):
        fast.step(config, np.full(3, 64), zeros, zeros)
    with pytest.raises(TypeError, match=r"must be unsigned integers, not float64"):
        fast.step(config, np.zeros(3), zeros, zeros)
    with pytest.raises(ValueError, match=r"shape \(3, 2\) of batch and lanes, not \(2, 2\)"):
        fast.step(config, np.zeros(3, int), zeros[:2], zeros)
    with pytest.raises(ValueError, match="must have 9 words on the last axis"):
        fast.result(parse_design("bf16:exact").mac, np.zeros(3, int))


def test_bad_policies() -> None:
    with pytest.raises(ValueError, match="e4m3 has no infinity: overflow must be sat or nan"):
        fast.encode("e4m3", [1.0], overflow="inf")
    with pytest.raises(ValueError, match="'odd' is not a valid Rounding"):
        fast.quantise("e4m3", [1.0], "odd")


# -- compilation ------------------------------------------------------------------------------


def test_no_compiler(tmp_path: Path) -> None:
    with pytest.raises(fast.CompileError, match=r"compiler, and 'no-such-c\+\+' is not on PATH"):
        fast_library.compile_kernels("no-such-c++", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_failing_compiler(tmp_path: Path) -> None:
    compiler = tmp_path / "broken-c++"
    compiler.write_text("#!/bin/sh\necho it broke >&2\nexit 3\n")
    compiler.chmod(0o755)
    with pytest.raises(fast.CompileError) as caught:
        fast_library.compile_kernels(str(compiler), tmp_path / "cache")
    message = str(caught.value)
    assert "fast_kernels.cpp" in message
    assert message.endswith("failed with exit code 3:\nit broke")
    assert list((tmp_path / "cache").iterdir()) == []


def test_cache_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MACSMITH_CACHE", str(tmp_path))
    assert fast_library.cache_folder() == tmp_path
    monkeypatch.delenv("MACSMITH_CACHE")
    assert fast_library.cache_folder() == Path.home() / ".cache" / "macsmith"
    assert fast_library.compile_kernels() == fast_library.compile_kernels()
