"""Aligned accumulators: by hand, and the fast model's two ways."""

from fractions import Fraction

import numpy as np
import pytest
from macsmith.model import fast, golden
from macsmith.model.config import MacConfig
from macsmith.model.design import parse_design
from macsmith.model.fast import Engine
from macsmith.model.formats import FloatFormat, parse_format
from macsmith.model.rounding import encode
from macsmith.model.tensor_cores import TENSOR_CORES
from macsmith.sim.operands import random_codes


def code(name: str, value: float | Fraction) -> int:
    return encode(parse_format(name), Fraction(value))


def dot(text: str, a: list[float], b: list[float], c: float = 0) -> Fraction:
    """One step from a partial sum of `c`, as a value."""
    config = parse_design(text).mac
    fmt = config.accumulator.format  # type: ignore[union-attr]
    after = golden.step(
        config,
        encode(fmt, Fraction(c)),
        [encode(config.a, Fraction(x)) for x in a],
        [encode(config.b, Fraction(x)) for x in b],
    )
    return Fraction(fmt.decode(after))


# -- by hand --------------------------------------------------------------------------------------


def test_terms_are_cut_below_the_largest_exponent() -> None:
    # unit of the terms: 2**(4 - 3) = 2; 1.5 * 1 is below it, 1.5 * 2 = 3 keeps 2
    assert dot("e5m2:fp32_aligned3:lanes2", [16, 1.5], [1, 1]) == 16
    assert dot("e5m2:fp32_aligned3:lanes2", [16, 1.5], [1, 2]) == 18
    assert dot("e5m2:fp32_aligned3:lanes2", [16, -1.5], [1, 2]) == 14  # toward zero
    # rounded to nearest, 3 goes to the even multiple, 4
    assert dot("e5m2:fp32_aligned3_rne:lanes2", [16, 1.5], [1, 2]) == 20
    assert dot("e5m2:fp32_aligned3_rne:lanes2", [16, -1.5], [1, 2]) == 12


def test_a_product_is_aligned_by_the_exponents_of_its_operands() -> None:
    # 1.5 * 1.5 = 2.25 has exponent 0 here: the unit is 2**-3, so 2**-3 is kept
    assert dot("e5m2:fp32_aligned3:lanes2", [1.5, 0.125], [1.5, 1]) == Fraction(19, 8)
    # a subnormal has the exponent of the smallest binade, -14: the unit is 2**-16
    tiny = 2.0**-16
    assert dot("e5m2:fp32_aligned2:lanes2", [tiny, tiny], [1, 0.5]) == Fraction(tiny)


def test_zeros_do_not_count() -> None:
    assert dot("e4m3:fp32_aligned2:lanes2", [0, 2**-6], [448, 2**-6]) == Fraction(1, 4096)
    assert dot("e4m3:fp32_aligned2:lanes2", [0, 2**-6], [448, 2**-6], c=0) == Fraction(1, 4096)
    # a sum of 0 is +0, whatever the zeros' signs
    config = parse_design("e4m3:fp32_aligned2:lanes2").mac
    assert golden.step(config, 1 << 31, [0x80, 0x80], [0x38, 0x38]) == 0
    assert golden.step(config, 0, [0x38, 0xB8], [0x38, 0x38]) == 0


def test_the_partial_sum_is_a_term_unless_late() -> None:
    # the partial sum's exponent 10 leaves nothing of 1 in 5 bits; a late one rounds it in 24
    assert dot("e4m3:fp32_aligned5:lanes2", [1, 0], [1, 0], c=1024) == 1024
    assert dot("e4m3:fp32_aligned5_late:lanes2", [1, 0], [1, 0], c=1024) == 1025
    # it is cut itself where a product is larger
    assert dot("e4m3:fp32_aligned5:lanes2", [256, 0], [2, 0], c=1.5) == 512
    assert dot("e4m3:fp32_aligned5_late:lanes2", [256, 0], [2, 0], c=1.5) == Fraction("513.5")


def test_a_late_sum_is_rounded_to_nearest() -> None:
    """Products are truncated to 2 kept bits; the addition of 1-6-9 ties to even."""
    text = "e4m3:e6m9_aligned9_keep2_late:lanes2:rtz"
    assert dot(text, [7, 1], [1, 0.875]) == 7  # 7.875 truncated
    assert dot(text, [1, 0], [1, 0], c=1026) == 1028  # between 1026 and 1028, which is even


def test_least_exponent_and_kept_bits() -> None:
    # aligned to 2**-2 at least: the unit is 2**-5
    assert dot("e4m3:fp32_aligned3_emin2:lanes2", [2**-6, 2**-5], [1, 1]) == Fraction(1, 32)
    # 15 needs 3 fraction bits; two are kept, then 14 is what truncation leaves
    assert dot("e4m3:fp32_aligned9_keep2:lanes2:rtz", [8, 7], [1, 1]) == 14
    assert dot("e4m3:fp32_aligned9_keep2:lanes2", [8, 7], [1, 1]) == 16


def test_overflow_follows_its_policy_in_every_rounding() -> None:
    big = code("e5m2", 57344)
    for text, want in (
        ("e5m2:fp16_aligned9:rtz", 0x7C00),
        ("e5m2:fp16_aligned9:rtz:sat", 0x7BFF),
        ("e5m2:fp16_aligned9:rdn:nan", 0x7E00),
    ):
        assert golden.step(parse_design(text).mac, 0, [big], [big]) == want


def test_specials() -> None:
    config = parse_design("e5m2:fp32_aligned9:lanes2:rtz").mac
    infinity, one, zero = 0x7C, 0x3C, 0
    assert golden.step(config, 0, [infinity, one], [one, one]) == 0x7F800000
    assert golden.step(config, 0, [infinity, infinity], [one, one | 0x80]) == 0x7FC00000
    assert golden.step(config, 0, [infinity, one], [zero, one]) == 0x7FC00000
    assert golden.step(config, 0xFF800000, [one, one], [one, one]) == 0xFF800000


# -- tensor cores ---------------------------------------------------------------------------------


def test_every_tensor_core_is_a_design() -> None:
    for name, units in TENSOR_CORES.items():
        for operand in units:
            design = parse_design(f"{operand}:{name}")
            assert design.mac.aligned is not None
            assert parse_design(design.text) == design


# -- the fast model's two ways --------------------------------------------------------------------

DESIGNS = """
e4m3:fp32_aligned25:lanes8  e4m3:ada  e4m3:b200  fp16:v100  bf16:a100  fp16:h100_fp16
e5m2:fp32_aligned13_keep13_emin12:lanes4:rna  e4m3:e6m9_aligned6_rne:lanes3
e5m2:e5m2_aligned4:lanes4:rup  e5m2:e4m3_aligned3_keep2_rne:lanes2:rdn  e4m3xe5m2:ada/32/fp32
e5m2:e6m9_aligned7_late_rne:lanes3  bf16:e5m3_aligned40:lanes2:sat  e4m3:e4m3_aligned9_keep1:nan
e5m2ns:e4m3ns_aligned4:lanes2:rtz  e5m2fnuz:e5m10_aligned8:inf  e5m2:e5m10_aligned9/8/exact
"""


def _operands(config: MacConfig, length: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    made = []
    for fmt, shape in ((config.a, (24, length)), (config.b, (length, 70))):
        assert isinstance(fmt, FloatFormat)
        codes = random_codes(fmt, rng, shape, rng.random(shape), 1)
        anything = rng.integers(0, 1 << fmt.bits, shape)
        made.append(np.where(rng.random(shape) < 0.002 * seed, anything, codes).astype(np.uint32))
    return made[0], made[1]


@pytest.mark.parametrize("text", DESIGNS.split())
def test_vectors_as_wide_integers(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    config = parse_design(text).mac
    length = 2 * 48 * config.lanes // np.gcd(48, config.lanes)
    assert fast.engine_of(config, int(length)) is Engine.ALIGNED
    cases = [_operands(config, int(length), seed) for seed in range(3)]
    aligned = [fast.matmul(config, a, b) for a, b in cases]
    monkeypatch.setattr(fast, "_plan", lambda *_: fast.Plan(Engine.GENERAL))
    for (a, b), got in zip(cases, aligned, strict=True):
        assert (got == fast.matmul(config, a, b)).all()


# -- refused --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("int8:fp32_aligned9", "must have float operands, not int8"),
        ("e4m3:fp32_aligned9:mulfp16", "mule5m10 must be left out"),
        ("e4m3:fp32_aligned0", "must be aligned to 1 to 64 fraction bits, not 0"),
        ("e4m3:fp32_aligned65", "must be aligned to 1 to 64 fraction bits, not 65"),
        ("e4m3:fp32_aligned9_keep24", "keep must be 1 to the 23 fraction bits of e8m23, not 24"),
        ("e4m3:e6m9ns_aligned9_keep4", "keep must be left out, e6m9ns has no subnormals"),
        ("e4m3:e5m0_aligned9_keep2", "keep must be left out, e5m0 has no fraction bits"),
        ("e4m3:fp32_aligned9_early", "must be FORMAT_alignedBITS"),
        ("e4m3:int8_aligned9", "must have a float format, not int8"),
        ("e4m3:fp32/64/fp32_aligned9", "nothing to be aligned with"),
        ("e4m3:v100", "the operands must be e5m10, not e4m3"),
        ("e4m3:ada:lanes8", "states lanes a second time"),
    ],
)
def test_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_design(text)


@pytest.mark.parametrize("gpu", ["h100", "ada"])
def test_sums_promoted_every_128_products(gpu: str) -> None:
    """The two-level scheme: each 128 products by the tensor core from 0, their sums added in
    binary32 to nearest even, here by NumPy."""
    config = parse_design(f"e4m3:{gpu}/128/fp32").mac
    inner = parse_design(f"e4m3:{gpu}").mac
    generator = np.random.default_rng(8)
    scales = np.repeat(2.0 ** np.array([3, -3, -4, 4, -3]), 128)  # so that chunks differ in size
    a = fast.encode("e4m3", generator.normal(size=(24, 640)) * scales)
    b = fast.encode("e4m3", generator.normal(size=(640, 16)) * scales[:, None])
    got = fast.matmul(config, a, b).astype(np.uint32).view(np.float32)
    total = np.zeros(got.shape, np.float32)
    truncated = 0
    for k in range(0, 640, 128):
        chunk = fast.matmul(inner, a[:, k : k + 128], b[k : k + 128])
        single = chunk.astype(np.uint32).view(np.float32)
        exact = total.astype(np.float64) + single
        total = total + single
        truncated += int((np.abs(total) > np.abs(exact)).sum())
    assert (got == total).all()
    assert truncated > 50  # where toward zero would have given something else
    defined = golden.matmul(config, a[:2].tolist(), b[:, :2].tolist())
    assert fast.matmul(config, a[:2], b[:, :2]).tolist() == defined
