"""Output stages: the definition against worked numbers, the fast model against the definition."""

import re
from itertools import product

import numpy as np
import pytest
from macsmith.model import fast, golden
from macsmith.model.design import parse_design
from macsmith.model.formats import IntFormat
from macsmith.model.output_stage import OutputStage
from macsmith.model.rounding import Rounding

INT8, UINT8 = IntFormat(8), IntFormat(8, is_signed=False)


def test_worked_numbers() -> None:
    half = OutputStage(1, 1)
    tied = {  # of -3, -1, 1, 3 halves
        Rounding.NEAREST_EVEN: [-2, 0, 0, 2],
        Rounding.NEAREST_AWAY: [-2, -1, 1, 2],
        Rounding.TOWARD_ZERO: [-1, 0, 0, 1],
        Rounding.UP: [-1, 0, 1, 2],
        Rounding.DOWN: [-2, -1, 0, 1],
        Rounding.TO_ODD: [-1, -1, 1, 1],
    }
    for rounding, want in tied.items():
        assert [half.code(INT8, n, rounding) for n in (-3, -1, 1, 3)] == [x & 255 for x in want]
    # a scale of 0.0231: 1513 / 2**16; ReLU6 with an output scale of 6 / 100
    stage = OutputStage(1513, 16, zero_point=-28, bias=10, is_rectified=True, bound=100)
    nearest = Rounding.NEAREST_EVEN
    codes = [stage.code(INT8, n, nearest) for n in (-500, -10, 0, 433, 4000, 100_000)]
    assert [code - 256 if code > 127 else code for code in codes] == [-28, -28, -28, -18, 65, 72]
    assert OutputStage(1, 0, zero_point=128).code(UINT8, -200, nearest) == 0


def drawn_stage(rng: np.random.Generator, fmt: IntFormat) -> OutputStage:
    low, high = fmt.min_code_integer, fmt.max_code_integer
    zero_point = int(rng.integers(low, high))
    is_rectified = bool(rng.integers(0, 2))
    bound = int(rng.integers(1, high - zero_point + 1)) if rng.integers(0, 2) else None
    multiplier_bits = int(rng.integers(0, 31))
    return OutputStage(
        int(rng.integers(1 << multiplier_bits, 2 << multiplier_bits)),
        int(np.clip(multiplier_bits + rng.integers(0, 12), 0, 62)),
        zero_point if rng.integers(0, 2) or is_rectified else 0,
        int(rng.integers(-(1 << 20), 1 << 20)) if rng.integers(0, 2) else 0,
        is_rectified,
        bound if is_rectified else None,
    )


def test_fast_is_the_definition() -> None:
    """Sums of random products, and results of random registers with ties and extremes."""
    rng = np.random.default_rng(5)
    checked = 0
    for rounding, accumulator in product(Rounding, ("int32", "int20:wrap", "int63", "exact")):
        for output in ("int8", "uint8", "int16", "int4sym"):
            text = f"int8:{accumulator}:{rounding.value}:out{output}"
            fmt = parse_design(text).mac.output_format
            assert isinstance(fmt, IntFormat)
            config = parse_design(f"{text}:{drawn_stage(rng, fmt)}").mac
            a, b = rng.integers(0, 256, (3, 16)), rng.integers(0, 256, (16, 3))
            want = golden.matmul(config, a.tolist(), b.tolist())
            assert fast.matmul(config, a, b).tolist() == want
            bits = golden.mac_widths(config).last.bits
            spread = rng.integers(0, bits, 200)
            sums = (rng.integers(0, 1 << 62, 200) >> (62 - spread)).astype(np.uint64)
            sums[::2] = np.uint64((1 << bits) - 1) - sums[::2]  # negative ones
            wanted = [golden.result(config, int(each)) for each in sums]
            assert fast.result(config, sums).tolist() == wanted, config
            checked += 209
    assert checked == 6 * 4 * 4 * 209


def test_texts_lead_back() -> None:
    rng = np.random.default_rng(6)
    for _ in range(200):
        stage = drawn_stage(rng, INT8)
        design = parse_design(f"int8:int32:outint8:{stage}")
        assert design.mac.requantise == stage
        assert parse_design(design.text) == design


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("int8:int32:requant3s4", "requant3s4 gives integers: state outintN or outuintN"),
        ("int8:int32:oute4m3:requant3s4", "requant3s4 gives integers: state outintN"),
        ("e4m3:e6m9:outint8:requant3s4", "takes an integer sum: the last accumulator must be"),
        ("int4:posit8:outint8:requant3s4", "takes an integer sum: the last accumulator must be"),
        ("e4m3:exact:outint8:requant3s4", "takes an integer sum: the last accumulator must be"),
        ("int8:int32:outint8:requant0s4", "multiplier must be 1 to 2**31 - 1, not 0"),
        ("int8:int32:outint8:requant3s63", "shift must be 0 to 62, not 63"),
        ("int8:int32:outint8:requant3s4z128", "zero point must be -128 to 127, which int8 has"),
        ("int8:int32:outint8:requant3s4z100relu28", "relu must be bounded by at most 27"),
        ("int8:int32:outint8:requant3", "must be requantMULTIPLIERsSHIFT, then zZERO_POINT"),
        ("int8+int4:int32:outint8:requant3s4", "modes cannot be switched with an output stage"),
    ],
)
def test_bad_stages(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        parse_design(text)
