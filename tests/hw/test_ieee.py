"""Fused multiply-add in the IEEE formats, on corners as TestFloat makes them, in all roundings.

Operands have corner exponents and corner fractions; the addend is such a number too, or nearly
cancels the product, or lies half a last place or less away from it. The definition, the compiled
model and the hardware are compared with the C library's fma, where there is one for the rounding:
binary32 directly; binary16 and bfloat16 by the fma of binary64, rounded to odd and then once more
by NumPy's cast or by its neighbours.
"""

import ctypes
import ctypes.util
import random

import numpy as np
import pytest
from logic import Logic, block_verilog
from macsmith.hw.step import Unit
from macsmith.model import fast, golden
from macsmith.model.design import parse_design
from macsmith.model.formats import FloatFormat, parse_format
from macsmith.model.rounding import Rounding

FORMATS = ("fp16", "bf16", "fp32")
#: fesetround's numbers on x86.
DIRECTIONS = {
    Rounding.NEAREST_EVEN: 0x000,
    Rounding.DOWN: 0x400,
    Rounding.UP: 0x800,
    Rounding.TOWARD_ZERO: 0xC00,
}
INEXACT = 0x20


def corner_codes(fmt: FloatFormat, rng: random.Random) -> list[int]:
    """Corner exponents with corner fractions, both signs."""
    top = (1 << fmt.exponent_bits) - 1
    fields = {0, 1, 2, fmt.precision, fmt.bias - fmt.precision, fmt.bias - 1, fmt.bias}
    fields |= {fmt.bias + 1, fmt.bias + fmt.precision, top - fmt.precision, top - 2, top - 1, top}
    fields = {field for field in fields if 0 <= field <= top}
    ones = (1 << fmt.fraction_bits) - 1
    codes = []
    for field in sorted(fields):
        fractions = {0, 1, 2, ones, ones - 1, 1 << (fmt.fraction_bits - 1)}
        fractions |= {rng.getrandbits(fmt.fraction_bits), ones ^ (1 << rng.randrange(4))}
        codes += [field << fmt.fraction_bits | fraction for fraction in fractions]
    return codes + [code | 1 << fmt.magnitude_bits for code in codes]


def corners(name: str, count: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Operands and addends."""
    fmt = parse_format(name)
    assert isinstance(fmt, FloatFormat)
    rng = random.Random(seed)
    codes = corner_codes(fmt, rng)
    a = np.array([rng.choice(codes) for _ in range(count)])
    b = np.array([rng.choice(codes) for _ in range(count)])
    addends = np.array([rng.choice(codes) for _ in range(count)])
    with np.errstate(all="ignore"):
        products = fast.encode(fmt, fast.decode(fmt, a) * fast.decode(fmt, b), "rtz", "sat")
    sign = 1 << fmt.magnitude_bits
    for index, product in enumerate(products.tolist()):
        magnitude = product & (sign - 1)
        if rng.random() < 0.4:  # nearly cancels, or nearly doubles
            near = min(max(magnitude + rng.randint(-3, 3), 0), fmt.max_magnitude_code)
            addends[index] = near | rng.getrandbits(1) * sign
        elif rng.random() < 0.4:  # about half a last place away
            steps = fmt.precision + rng.randint(-1, 2)
            far = magnitude + rng.choice((-1, 1)) * (steps << fmt.fraction_bits)
            if 0 <= far <= fmt.max_magnitude_code:
                ones = (1 << fmt.fraction_bits) - 1
                addends[index] = far & ~ones | rng.choice((0, 1, ones)) | rng.getrandbits(1) * sign
    return a, b, addends


def rounded(name: str, exact: float, rounding: Rounding) -> float:
    """A binary64 number that was rounded to odd, in binary16 or bfloat16."""
    import ml_dtypes

    dtype = np.float16 if name == "fp16" else ml_dtypes.bfloat16
    if not np.isfinite(exact):
        return exact
    with np.errstate(all="ignore"):
        if name == "fp16":
            nearest = float(np.float64(exact).astype(dtype))
        else:  # through binary32 rounded to odd, as ml_dtypes rounds binary64 twice
            single = np.float32(exact)
            if float(single) != exact and np.isfinite(single):
                if abs(float(single)) > abs(exact):
                    single = np.nextafter(single, np.float32(0))
                single = (single.view(np.uint32) | np.uint32(1)).view(np.float32)
            nearest = float(single.astype(dtype))
        up = exact > 0
        if rounding is Rounding.UP and nearest < exact:
            nearest = float(np.nextafter(dtype(nearest), dtype(np.inf)))
        elif rounding is Rounding.DOWN and nearest > exact:
            nearest = float(np.nextafter(dtype(nearest), dtype(-np.inf)))
        elif rounding is Rounding.TOWARD_ZERO and abs(nearest) > abs(exact):
            nearest = float(np.nextafter(dtype(nearest), dtype(0)))
    return float(np.copysign(nearest, 1 if up else -1))


def witness(name: str, rounding: Rounding, *codes: np.ndarray) -> np.ndarray:
    """Values of the C library's a * b + c."""
    library = ctypes.CDLL(ctypes.util.find_library("m"))
    library.fma.restype, library.fma.argtypes = ctypes.c_double, [ctypes.c_double] * 3
    library.fmaf.restype, library.fmaf.argtypes = ctypes.c_float, [ctypes.c_float] * 3
    values = [fast.decode(name, each).tolist() for each in codes]
    results = []
    for a, b, c in zip(*values, strict=True):
        direct = name == "fp32"
        library.fesetround(DIRECTIONS[rounding if direct else Rounding.TOWARD_ZERO])
        library.feclearexcept(INEXACT)
        total = library.fmaf(a, b, c) if direct else library.fma(a, b, c)
        inexact = library.fetestexcept(INEXACT)
        library.fesetround(DIRECTIONS[Rounding.NEAREST_EVEN])
        if not direct:
            if inexact and np.isfinite(total):
                word = np.float64(total).view(np.uint64)
                total = float((word | np.uint64(1)).view(np.float64))
            is_zero = total == 0 and rounding is Rounding.DOWN
            total = rounded(name, total, rounding) if total else total
            if is_zero:  # cancelled: -0 only rounding down
                signs = {np.signbit(a) != np.signbit(b), np.signbit(c)}
                total = -0.0 if True in signs else 0.0
        results.append(total)
    return np.array(results)


def same(fmt: FloatFormat, codes: np.ndarray, values: np.ndarray) -> np.ndarray:
    ours = fast.decode(fmt, codes)
    equal = (ours == values) & (np.signbit(ours) == np.signbit(values))
    return equal | (np.isnan(ours) & np.isnan(values))


@pytest.mark.parametrize("rounding", Rounding)
@pytest.mark.parametrize("name", FORMATS)
def test_models_on_corners(name: str, rounding: Rounding) -> None:
    config = parse_design(f"{name}:{name}:{rounding.value}:unit").mac
    fmt = config.output_format
    assert isinstance(fmt, FloatFormat)
    a, b, c = corners(name, 12_000, 31)
    ours = fast.step(config, c, a, b)
    for index in range(0, len(a), 40):
        want = golden.step(config, int(c[index]), [int(a[index])], [int(b[index])])
        assert int(ours[index]) == want, (hex(a[index]), hex(b[index]), hex(c[index]))
    if rounding not in DIRECTIONS:
        return
    if not ctypes.util.find_library("m"):
        pytest.skip("no C mathematics library to compare with")
    values = witness(name, rounding, a, b, c)
    wrong = ~same(fmt, ours, values)
    at = np.flatnonzero(wrong)[:3]
    assert not wrong.any(), [
        (hex(a[i]), hex(b[i]), hex(c[i]), hex(int(ours[i])), values[i]) for i in at
    ]


@pytest.mark.parametrize("name", FORMATS)
def test_corners_tell_roundings_apart(name: str) -> None:
    """Planted, another rounding than the witness's is found wrong, each of them."""
    a, b, c = corners(name, 4_000, 33)
    fmt = parse_format(name)
    assert isinstance(fmt, FloatFormat)
    values = witness(name, Rounding.NEAREST_EVEN, a, b, c)
    for rounding in Rounding:
        config = parse_design(f"{name}:{name}:{rounding.value}").mac
        wrong = ~same(fmt, fast.step(config, c, a, b), values)
        assert wrong.any() == (rounding is not Rounding.NEAREST_EVEN), rounding


@pytest.mark.parametrize(
    ("name", "rounding"),
    [
        pytest.param(
            name,
            rounding,
            marks=[pytest.mark.slow]
            if name == "fp32" and rounding not in (Rounding.NEAREST_EVEN, Rounding.TO_ODD)
            else [],
        )
        for name in FORMATS
        for rounding in Rounding
    ],
)
def test_hardware_on_corners(name: str, rounding: Rounding) -> None:
    design = parse_design(f"{name}:{name}:{rounding.value}:unit")
    count = 1500 if name == "fp32" else 4000
    a, b, c = corners(name, count, 32)
    logic = Logic(block_verilog(Unit(design.mac, design.implementation)))
    got = logic(a=a.tolist(), b=b.tolist(), partial_sum_i=c.tolist())["partial_sum_o"]
    want = fast.step(design.mac, c, a, b).tolist()
    wrong = [
        (hex(a[i]), hex(b[i]), hex(c[i]), hex(got[i]), hex(want[i]))
        for i in range(count)
        if got[i] != want[i]
    ]
    assert wrong == [], wrong[:3]
