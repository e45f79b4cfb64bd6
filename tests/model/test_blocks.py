"""Block formats: names, scales, quantisation, and sums of blocks in the models."""

import random
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from macsmith.model import fast, golden
from macsmith.model.block_formats import (
    NAMED_BLOCK_FORMATS,
    BlockFormat,
    parse_block_format,
    parse_operand,
)
from macsmith.model.blocks import (
    BlockPolicy,
    BlockSpecials,
    ScaleRule,
    block_scale,
    dequantise_block,
    quantise_block,
    tensor_scale,
)
from macsmith.model.config import MacConfig
from macsmith.model.design import Design, load_designs, parse_design
from macsmith.model.formats import Special, parse_format
from macsmith.model.widths import mac_widths


def test_names() -> None:
    for named in NAMED_BLOCK_FORMATS:
        fmt = parse_block_format(named.name)
        assert fmt.name == named.name
        assert parse_block_format(fmt.text) == fmt
        assert all(parse_block_format(alias) == fmt for alias in named.aliases)
    fmt = parse_block_format("e3m2_ue5m3_b64_tbf16")
    assert (fmt.length, fmt.name) == (64, "e3m2_ue5m3_b64_te8m7")
    assert parse_operand("mxint8") == BlockFormat(parse_format("int8q6"), parse_format("e8m0"), 32)
    assert parse_operand("e4m3") == parse_format("e4m3")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("mxfp7", "unknown block format 'mxfp7'; did you mean"),
        ("e4m3_e4m3_b32", "scale e4m3: must have no sign and no infinity"),
        ("e4m3_ue8m1_b32", "scale ue8m1: must have no sign and no infinity"),
        ("e4m3_e8m0_b1", "a block must have 2 to 256 elements, not 1"),
        ("e4m3_e8m0_b32_tint8", "a tensor's scale must be a signed float, not int8"),
    ],
)
def test_name_errors(name: str, message: str) -> None:
    with pytest.raises(ValueError, match=message.split(";")[0]):
        parse_block_format(name)


#: Codes of E8M0 for blocks of E4M3 by their amax: torchao 0.18, ``to_mx`` with
#: ``ScaleCalculationMode`` FLOOR, RCEIL, CEIL and EVEN.
TORCHAO = {150: (126, 126, 127, 126), 449: (127, 128, 128, 127), 500: (127, 128, 128, 128)}


def test_scale_codes_of_torchao() -> None:
    fmt = parse_block_format("mxfp8_e4m3")
    rules = (ScaleRule.FLOOR, ScaleRule.RCEIL, ScaleRule.CEIL, ScaleRule.EVEN)
    for amax, codes in TORCHAO.items():
        assert tuple(block_scale(fmt, Fraction(amax), rule) for rule in rules) == codes


def test_scale_rules_by_their_definition() -> None:
    """Against a search through all scales."""
    rng = random.Random(1)
    checked = 0
    for name in ("mxfp8_e4m3", "mxfp4", "mxint8", "nvfp4", "vsq4", "e2m3_ue5m3_b16"):
        fmt = parse_block_format(name)
        values = [fmt.scale.decode(code) for code in range(1 << fmt.scale.bits)]
        scales = {v: c for c, v in enumerate(values) if not isinstance(v, Special) and v > 0}
        for _ in range(100):
            amax = Fraction(rng.getrandbits(24) + 1) * Fraction(2) ** rng.randint(-40, 10)
            target = amax / fmt.element.max
            above = [scale for scale in scales if scale >= target]
            rceil = min(above) if above else max(scales)
            assert block_scale(fmt, amax, ScaleRule.RCEIL) == scales[rceil]
            nearest = min(scales, key=lambda scale: (abs(scale - target), scales[scale] & 1))
            assert block_scale(fmt, amax, ScaleRule.MAX) == scales[nearest]
            checked += 2
    assert checked == 1200


def test_just_below_a_power_of_two() -> None:
    """floor(log2) in float32 gives scales twice too large here."""
    fmt = parse_block_format("mxfp8_e4m3")
    for exponent in range(-100, 100):
        amax = Fraction(2) ** exponent
        below = Fraction(float(np.nextafter(np.float32(amax), np.float32(0))))
        assert block_scale(fmt, amax, ScaleRule.FLOOR) == exponent - 8 + 127
        assert block_scale(fmt, below, ScaleRule.FLOOR) == exponent - 9 + 127
        assert block_scale(fmt, amax, ScaleRule.CEIL) == exponent - 8 + 127
        assert block_scale(fmt, below, ScaleRule.CEIL) == exponent - 8 + 127


def test_special_blocks() -> None:
    fmt = parse_block_format("mxfp8_e4m3")
    nan, inf = float("nan"), float("inf")
    saturate = BlockPolicy(specials=BlockSpecials.SATURATE)
    assert quantise_block(fmt, [1.0, nan]).scale == 0xFF
    assert quantise_block(fmt, [1.0, nan], saturate).scale == 0xFF
    assert quantise_block(fmt, [1.0, -inf]).scale == 0xFF
    block = quantise_block(fmt, [256.0, -inf], saturate)
    assert dequantise_block(fmt, block) == [256, -448]
    assert dequantise_block(fmt, quantise_block(fmt, [nan])) == [Special.NAN]
    zeros = quantise_block(fmt, [0.0, -0.0])
    assert (zeros.scale, zeros.codes) == (0, (0x00, 0x80))
    assert quantise_block(parse_block_format("nvfp4"), [0.0, 0.0]).scale == 0
    # the smallest scale, not zero, where amax is out of reach
    tiny = parse_block_format("e2m1_ue4m3_b16")
    block = quantise_block(tiny, [2.0**-9, 2.0**-11])
    assert block.scale == 1
    assert dequantise_block(tiny, block) == [Fraction(1, 512), 0]
    vsq = parse_block_format("vsq4")  # no NaN anywhere: it is left to the element, as 0
    assert quantise_block(vsq, [nan, 7.0, -inf]).codes == (0, 7, 9)


def test_symmetric_integers_by_name() -> None:
    values = [-1.9999, 1.0]
    assert quantise_block(parse_block_format("mxint8"), values).codes == (0x80, 0x40)
    assert quantise_block(parse_block_format("mxint8sym"), values).codes == (0x81, 0x40)


def test_two_levels() -> None:
    fmt = parse_block_format("nvfp4")
    tensor = tensor_scale(fmt, Fraction(2688))  # 448 * 6
    assert tensor == 1
    block = quantise_block(fmt, [2688.0, -700.0, 100.0], tensor=tensor)
    assert block.scale == 0x7E
    # 448 * {6, -1.5, 0}: 700 / 448 = 1.5625 and 100 / 448 = 0.22
    assert dequantise_block(fmt, block, tensor) == [2688, -672, 0]
    assert tensor_scale(fmt, Fraction(0)) == 1


def test_elements_are_rounded_once() -> None:
    """Not by a reciprocal: 0.75 of a scale of 13/8 is a tie that a rounded reciprocal may miss."""
    fmt = parse_block_format("e2m1_ue4m3_b16")
    rng = random.Random(2)
    boundaries = [Fraction(n, 4) for n in (1, 3, 5, 7, 10, 14, 20)]
    for _ in range(400):
        scale = fmt.scale.decode(rng.randint(1, 0x7E))
        assert not isinstance(scale, Special)
        top = 6 * scale
        index = rng.randrange(len(boundaries))
        tie = boundaries[index] * scale
        nudge = rng.choice([-1, 0, 1]) * Fraction(1, 1 << 60)
        block = quantise_block(fmt, [top, tie + nudge])
        even = index if index % 2 == 0 else index + 1
        expected = even if nudge == 0 else index + (nudge > 0)
        assert block.codes == (7, expected)


def test_designs_round_trip(tmp_path: Any) -> None:
    for text, canonical in (
        ("mxfp8_e4m3:fp32:lanes32", "mxfp8_e4m3:e8m23:lanes32"),
        ("mxfp8_e4m3:exact/32/fp32:lanes8", "mxfp8_e4m3:e8m23:lanes8"),
        ("nvfp4xmxfp4:fp32:lanes4", None),
        ("mxfp8_e4m3xe5m2:bf16", "mxfp8_e4m3xe5m2:e8m7"),
        ("e4m3xmxfp4:fp32:unit", "e4m3xmxfp4:e8m23:unit"),
        ("vsq4:int24:lanes16:wrap", "vsq4:int24:lanes16:wrap"),
        ("e2m1_ue4m3_b16xe4m3_ue5m3_b16:fp16", "nvfp4xe4m3_ue5m3_b16:e5m10"),
    ):
        if canonical is None:
            with pytest.raises(ValueError, match="blocks of one length, not 16 and 32"):
                parse_design(text)
            continue
        design = parse_design(text)
        assert design.text == canonical
        assert parse_design(canonical) == design
        file = tmp_path / "design.toml"
        file.write_text(design.to_toml())
        assert load_designs(file) == [design]
    config = MacConfig(a="mxfp4", accumulator="fp32", lanes=32)  # type: ignore[arg-type]
    assert Design(mac=config) == parse_design("mxfp4:fp32:lanes32")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("mxfp4:fp32/64:lanes32", "the products of a block are summed exactly"),
        ("mxfp4:exact/16/fp32", "the products of a block are summed exactly"),
        ("mxfp4:fp32:lanes5", "must be a multiple of the 5 lanes"),
        ("mxfp4:fp32:mule4m3", "mule4m3 is not built for blocks"),
        ("mxfp4:fp32:sr8", "sr8 is not built for blocks"),
        ("mxfp4:fp32:4x4:outer=shared", "an array of block formats hands its operands on"),
        ("mxfp4+mxint4:fp32", "block formats cannot be switched"),
        ("mxfp8_e4m3:h100", "the operands must be"),
        ("mxfp4:fp32_aligned25", "the products of a block are summed exactly"),
    ],
)
def test_designs_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_design(text)


DESIGNS = """
mxfp8_e4m3:fp32:lanes32  mxfp8_e5m2:fp32:lanes8  nvfp4:fp32:lanes16  mxint8:fp32:lanes32
vsq4:int24:lanes16  vsq4:exact:lanes4  mxfp4:exact:lanes32  mxfp8_e4m3xe5m2:bf16:lanes16:rtz
mxfp6_e3m2xmxfp4:e6m9:lanes4  mxfp8_e5m2:exact:lanes32:terms64  e4m3_ue8m1fn_b16:fp16
e5m2_ue4m3_b16:fp16:lanes16  e4m3xint8_uint4_b8:e6m9fnns:lanes2:rup  mxint4:fp16:rna:lanes8
e5m2_ue4m3_b4:e4m3:rdn:nan
"""


def _codes(rng: np.random.Generator, fmt: Any, shape: tuple[int, ...], spread: int) -> Any:
    """Codes of which few are special, around the middle of a format if `spread` says so."""
    limit = 1 << fmt.bits
    codes = rng.integers(0, limit, shape)
    if spread:
        codes = np.clip(limit // 2 + rng.integers(-spread, spread, shape), 0, limit - 1)
        codes = np.where(rng.random(shape) < 0.05, rng.integers(0, limit, shape), codes)
    elif fmt.has_specials:
        magnitude = codes % (limit // 2) % (fmt.max_magnitude_code + 1)
        plain = codes // (limit // 2) * (limit // 2) + magnitude
        codes = np.where(rng.random(shape) < 0.996, plain, codes)
    return codes.astype(np.uint32)


def _numbers(results: Any) -> list[list[int]]:
    if results.ndim == 2:
        return [[int(code) for code in row] for row in results]
    return [[int.from_bytes(code.tobytes(), "little") for code in row] for row in results]


@pytest.mark.parametrize("text", DESIGNS.split())
def test_fast_is_golden(text: str) -> None:
    config = parse_design(text).mac
    rng = np.random.default_rng(len(text))
    block = config.block
    assert block is not None
    length = min(4 * block, mac_widths(config).max_terms or 4 * block) - block // 2
    length -= length % config.lanes
    blocks = -(-length // block)
    a, b = _codes(rng, config.a, (5, length), 0), _codes(rng, config.b, (length, 6), 0)
    a_scales = None if config.a_scale is None else _codes(rng, config.a_scale, (5, blocks), 12)
    b_scales = None if config.b_scale is None else _codes(rng, config.b_scale, (blocks, 6), 12)
    got = fast.matmul(config, a, b, a_scales=a_scales, b_scales=b_scales)
    wanted = golden.matmul(
        config,
        a.tolist(),
        b.tolist(),
        a_scales=None if a_scales is None else a_scales.tolist(),
        b_scales=None if b_scales is None else b_scales.tolist(),
    )
    assert _numbers(got) == wanted


def test_lanes_do_not_matter() -> None:
    """A block is a block, however many steps it takes."""
    rng = np.random.default_rng(3)
    for name in ("mxfp8_e5m2", "nvfp4"):
        found = set()
        for lanes in (1, 2, 4, 8, 16):
            config = parse_design(f"{name}:fp16:lanes{lanes}").mac
            assert config.a_scale is not None
            rng = np.random.default_rng(3)
            a, b = _codes(rng, config.a, (4, 128), 0), _codes(rng, config.a, (128, 4), 0)
            blocks = 128 // (config.block or 1)
            scales = _codes(rng, config.a_scale, (4, blocks), 9)
            found.add(
                fast.matmul(config, a, b, a_scales=scales, b_scales=scales.T.copy()).tobytes()
            )
        assert len(found) == 1


def test_one_rounding_a_block() -> None:
    """The conversion of a chunk's sum would round a second time; with scales of 1 it is seen."""
    block = parse_design("e4m3_e8m0_b2:e4m3").mac
    one = 127
    a = [0x38, 0x38, 0x01, 0x38]  # 1 + 1, then 2^-9 + 0.125: beyond a tie of 0.125 steps of 0.25
    b = [0x38, 0x38, 0x38, 0x20]
    code = golden.dot(block, a, b, scales=[(one, one), (one, one)])
    assert parse_format("e4m3").decode(code) == Fraction(9, 4)
    chunked = parse_design("e4m3:exact/2/e4m3").mac
    assert parse_format("e4m3").decode(golden.dot(chunked, a, b)) == 2


def test_wrong_scales_are_told() -> None:
    config = parse_design("mxfp4:fp32:lanes32").mac
    codes = np.zeros((1, 32), dtype=np.uint32)
    with pytest.raises(ValueError, match=r"a_scales: must have the shape \(1, 1\), not None"):
        fast.matmul(config, codes, codes.T)
    with pytest.raises(ValueError, match="there must be scales of 1 blocks, not of 0"):
        golden.dot(config, [0] * 32, [0] * 32)
    with pytest.raises(ValueError, match="a step must be given 2 scales, not 0"):
        golden.step(config, 0, [0] * 32, [0] * 32)
    with pytest.raises(ValueError, match="as no operand has blocks"):
        fast.step(parse_design("e4m3:exact").mac, [0], [[0]], [[0]], scales=[[1]])
