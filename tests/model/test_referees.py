"""The models against outside libraries: ml_dtypes, gfloat and NumPy's own float16 and float32.

Where a referee differs by its own rules, the test says so:

==========  ====================================================================================
ml_dtypes   casts from float32 only are taken: those from float64 are rounded twice. Overflow never
            saturates where there is a NaN or infinity, and always where there is none
            (macsmith's policies `nan`, `inf`, `sat`). NaN into a format that has none gives a
            negative zero there, zero here. A NaN keeps its sign there, is positive here
gfloat      formats without subnormals have no underflow rule in 0.5.2, and of formats in which all
            numbers are subnormal (e1mY with infinity) it takes a wrong largest number: left out
==========  ====================================================================================
"""

import itertools
from itertools import chain
from types import ModuleType

import gfloat
import ml_dtypes
import numpy as np
import pytest
from edges import edge_values, float32_edges
from gfloat import Domain, FormatInfo, RoundMode, Signedness
from gfloat.formats import format_info_p3109
from macsmith.model import fast
from macsmith.model.design import parse_design
from macsmith.model.formats import FloatFormat, FloatSpecials, Special, parse_format
from macsmith.model.p3109 import ROUNDINGS, projection
from macsmith.model.rounding import Overflow, Rounding, encode

DTYPES = {
    "e4m3": "float8_e4m3fn",
    "e5m2": "float8_e5m2",
    "e4m3fnuz": "float8_e4m3fnuz",
    "e5m2fnuz": "float8_e5m2fnuz",
    "e4m3b11fnuz": "float8_e4m3b11fnuz",
    "e4m3ieee": "float8_e4m3",
    "e3m4": "float8_e3m4",
    "e2m3": "float6_e2m3fn",
    "e3m2": "float6_e3m2fn",
    "e2m1": "float4_e2m1fn",
    "e8m7": "bfloat16",
}


def same_values(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Equal as numbers with their signs of zero, or both NaN."""
    return ((a == b) & (np.signbit(a) == np.signbit(b))) | (np.isnan(a) & np.isnan(b))


@pytest.mark.parametrize("name", DTYPES)
def test_decode_as_ml_dtypes(name: str) -> None:
    fmt = parse_format(name)
    dtype = np.dtype(getattr(ml_dtypes, DTYPES[name]))
    assert parse_format(dtype) == fmt
    codes = np.arange(1 << fmt.bits, dtype=np.uint8 if fmt.bits <= 8 else np.uint16)
    with np.errstate(invalid="ignore"):  # signalling NaN
        theirs = codes.view(dtype).astype(np.float64)
    wrong = ~same_values(theirs, fast.decode(fmt, codes))
    assert not wrong.any(), codes[wrong]


@pytest.mark.parametrize("name", DTYPES)
def test_encode_as_ml_dtypes(name: str) -> None:
    fmt = parse_format(name)
    assert isinstance(fmt, FloatFormat)
    dtype = np.dtype(getattr(ml_dtypes, DTYPES[name]))
    if fmt.bits <= 8:
        values = float32_edges(fmt)
        assert len(values) > 10 * (1 << fmt.bits)
    else:
        values = np.random.default_rng(7).integers(0, 1 << 32, 200_000, np.uint32).view(np.float32)
        values = np.concatenate(
            [values, (np.arange(1 << 16, dtype=np.uint32) << 16).view(np.float32)]
        )
    if not fmt.has_nan:
        values = values[~np.isnan(values)]
    policy = "inf" if fmt.has_infinity else "nan" if fmt.has_nan else "sat"
    with np.errstate(all="ignore"):
        theirs = values.astype(dtype).view(np.uint8 if fmt.bits <= 8 else np.uint16)
        ours = fast.encode(fmt, values.astype(np.float64), "rne", policy)
    is_nan = np.isnan(values)
    wrong = (ours != theirs) & ~(is_nan & np.isnan(fast.decode(fmt, theirs)))
    # a NaN that overflow makes: theirs has the sign of the value
    wrong &= ~(np.isnan(fast.decode(fmt, theirs)) & np.isnan(fast.decode(fmt, ours)))
    assert not wrong.any(), (values[wrong][:5], ours[wrong][:5], theirs[wrong][:5])


def test_e8m0_as_ml_dtypes() -> None:
    """Decoded on all codes. Encoded beside every number and midpoint: there a tie goes up, so that
    it is our ties away, and zero and negative numbers become NaN, as our policy `nan` has it."""
    fmt = parse_format("e8m0")
    assert isinstance(fmt, FloatFormat)
    dtype = np.dtype(ml_dtypes.float8_e8m0fnu)
    codes = np.arange(256, dtype=np.uint8)
    with np.errstate(invalid="ignore"):
        assert same_values(codes.view(dtype).astype(np.float64), fast.decode(fmt, codes)).all()
    with np.errstate(over="ignore"):
        values = float32_edges(fmt)
    values = values[(values == 0) | (np.abs(values) >= np.finfo(np.float32).tiny)]
    with np.errstate(all="ignore"):
        theirs = values.astype(dtype).view(np.uint8)
    wrong = theirs != fast.encode(fmt, values, "rna", "nan")
    assert not wrong.any(), (values[wrong][:5], theirs[wrong][:5])
    assert len(values) > 7000


def gfloat_formats() -> list[tuple[FloatFormat, FormatInfo]]:
    pairs = []
    kinds = (FloatSpecials.IEEE, FloatSpecials.FN, FloatSpecials.FNUZ, FloatSpecials.FINITE)
    for x, y, specials in itertools.product(range(1, 8), range(7), kinds):
        bits = 1 + x + y
        if not 3 <= bits <= 8:
            continue
        fmt = FloatFormat(x, y, specials)
        if specials is FloatSpecials.IEEE and (y == 0 or x == 1):
            continue  # y = 0: gfloat's infinity would take the place of NaN
        high_nans = {FloatSpecials.IEEE: (1 << y) - 1, FloatSpecials.FN: 1}.get(specials, 0)
        info = FormatInfo(
            name=fmt.name,
            k=bits,
            precision=y + 1,
            bias=fmt.bias,
            is_signed=True,
            domain=Domain.Extended if specials is FloatSpecials.IEEE else Domain.Finite,
            has_nz=specials is not FloatSpecials.FNUZ,
            num_high_nans=high_nans,
            has_subnormals=True,
            is_twos_complement=False,
        )
        pairs.append((fmt, info))
    return pairs


GFLOAT = gfloat_formats()
MODES = {
    Rounding.NEAREST_EVEN: RoundMode.TiesToEven,
    Rounding.NEAREST_AWAY: RoundMode.TiesToAway,
    Rounding.TOWARD_ZERO: RoundMode.TowardZero,
    Rounding.UP: RoundMode.TowardPositive,
    Rounding.DOWN: RoundMode.TowardNegative,
}


def test_decode_as_gfloat() -> None:
    checked = 0
    for fmt, info in GFLOAT:
        codes = np.arange(1 << fmt.bits)
        theirs = gfloat.decode_ndarray(info, codes)
        wrong = ~same_values(theirs, fast.decode(fmt, codes))
        assert not wrong.any(), (fmt.name, codes[wrong])
        checked += codes.size
    assert checked == 11_280


@pytest.mark.parametrize("rounding", MODES)
def test_round_as_gfloat(rounding: Rounding) -> None:
    checked = 0
    for fmt, info in GFLOAT:
        values = np.array([float(point) for point in edge_values(fmt)])
        for overflow in (Overflow.SATURATE, Overflow.INFINITY, Overflow.NAN):
            if overflow is Overflow.INFINITY and not fmt.has_infinity:
                continue
            if overflow is Overflow.NAN and (fmt.has_infinity or not fmt.has_nan):
                continue  # gfloat overflows to infinity where there is one
            saturates = overflow is Overflow.SATURATE
            theirs = gfloat.round_ndarray(info, values, MODES[rounding], saturates)
            ours = fast.quantise(fmt, values, rounding, overflow)
            wrong = ~same_values(theirs, ours)
            assert not wrong.any(), (
                fmt.name, overflow, values[wrong][:4], ours[wrong][:4], theirs[wrong][:4]
            )  # fmt: skip
            checked += values.size
    assert checked > 100_000


P3109 = [
    (bits, precision, is_signed, is_extended)
    for bits in range(3, 9)
    for is_signed in (True, False)
    for precision in range(1, bits + 1 - is_signed)
    for is_extended in (True, False)
]


def p3109_pair(
    bits: int, precision: int, is_signed: bool, is_extended: bool
) -> tuple[FloatFormat, FormatInfo]:
    domain, sign = ("ef"[not is_extended], "su"[not is_signed])
    fmt = parse_format(f"binary{bits}p{precision}{sign}{domain}")
    assert isinstance(fmt, FloatFormat)
    info = format_info_p3109(
        bits,
        precision,
        Signedness.Signed if is_signed else Signedness.Unsigned,
        Domain.Extended if is_extended else Domain.Finite,
    )
    assert parse_format(info.name) == parse_format(info) == fmt
    return fmt, info


def test_decode_p3109_as_gfloat() -> None:
    """All of K 3 to 8, on all codes."""
    checked = 0
    for parameters in P3109:
        fmt, info = p3109_pair(*parameters)
        assert fmt.bits == parameters[0]
        codes = np.arange(1 << fmt.bits)
        theirs = gfloat.decode_ndarray(info, codes)
        wrong = ~same_values(theirs, fast.decode(fmt, codes))
        assert not wrong.any(), (info.name, codes[wrong])
        defined = [fmt.decode(int(code)) for code in codes]
        numbers = [value for value in defined if not isinstance(value, Special)]
        assert [float(value) for value in numbers] == theirs[np.isfinite(theirs)].tolist()
        checked += codes.size
    assert len(P3109) == 2 * sum(2 * bits - 1 for bits in range(3, 9))
    assert checked == 2 * sum((2 * bits - 1) << bits for bits in range(3, 9))


@pytest.mark.parametrize("rounding", MODES)
def test_round_p3109_as_gfloat(rounding: Rounding) -> None:
    """SatFinite and SatNone on all edges; of unsigned formats the positive ones (gfloat 0.5.2
    drops the sign of others), and SatNone of extended formats only (to v4.0, a finite format
    saturates; gfloat gives NaN)."""
    checked = 0
    for parameters in P3109:
        fmt, info = p3109_pair(*parameters)
        values = np.array([float(point) for point in edge_values(fmt)] + [np.inf, -np.inf])
        if fmt.max_magnitude_code < 1 << fmt.fraction_bits:
            continue  # all numbers are subnormal: gfloat takes a wrong largest number
        if not fmt.is_signed:
            values = values[values >= 0]
        for saturation in ("SatFinite", "SatNone"):
            if saturation == "SatNone" and not fmt.has_infinity:
                continue
            name = next(name for name, mode in ROUNDINGS.items() if mode is rounding)
            mode, overflow = projection(fmt, name, saturation)
            assert mode is rounding
            theirs = gfloat.round_ndarray(info, values, MODES[rounding], saturation == "SatFinite")
            ours = fast.quantise(fmt, values, rounding, overflow)
            wrong = ~same_values(theirs, ours)
            assert not wrong.any(), (
                fmt.name, overflow, values[wrong][:4], ours[wrong][:4], theirs[wrong][:4]
            )  # fmt: skip
            checked += values.size
    assert checked > 100_000


def test_saturations_of_p3109() -> None:
    """SatPropagate keeps infinities, and no finite value becomes one."""
    values = np.array([np.inf, -np.inf, 1e9, -1e9, 448.0])
    largest = float(parse_format("binary8p4se").max)
    expected = {
        "SatFinite": [largest, -largest, largest, -largest, largest],
        "SatPropagate": [np.inf, -np.inf, largest, -largest, largest],
        "SatNone": [np.inf, -np.inf, np.inf, -np.inf, np.inf],
    }
    for saturation, want in expected.items():
        fmt = parse_format("binary8p4se")
        assert isinstance(fmt, FloatFormat)
        mode, overflow = projection(fmt, "NearestTiesToEven", saturation)
        assert fast.quantise(fmt, values, mode, overflow).tolist() == want  # type: ignore[arg-type]
        finite = parse_format("binary8p4sf")
        assert isinstance(finite, FloatFormat)
        assert projection(finite, "ToOdd", saturation) == (Rounding.TO_ODD, Overflow.SATURATE)
    with pytest.raises(ValueError, match="SatFinite, SatPropagate, SatNone, not 'sat'"):
        projection(fmt, "ToOdd", "sat")
    with pytest.raises(ValueError, match=r"rounding must be one of NearestTiesToEven, .*'rne'"):
        projection(fmt, "rne")
    with pytest.raises(ValueError, match="StochasticA: random bits must be stated"):
        projection(fmt, "StochasticA")


STOCHASTIC = {
    "StochasticA": RoundMode.StochasticFastest,
    "StochasticB": RoundMode.StochasticFast,
    "StochasticC": RoundMode.Stochastic,
}


@pytest.mark.parametrize("name", STOCHASTIC)
def test_stochastic_p3109_as_gfloat(name: str) -> None:
    """All formats of K 3 to 8, 1 to 4 random bits, all of them: at every 32nd of the way between
    neighbours at both ends of the format and of a binade, and just beside them. The definition
    itself for the formats of 3 and 4 bits."""
    compared = defined = 0
    for parameters in P3109:
        fmt, info = p3109_pair(*parameters)
        if fmt.max_magnitude_code < 1 << fmt.fraction_bits:
            continue  # all numbers are subnormal: gfloat takes a wrong largest number
        last = fmt.max_magnitude_code
        codes = {0, 1, 2, (1 << fmt.fraction_bits) - 1, 1 << fmt.fraction_bits, last - 1, last}
        points = []
        for code in sorted(code for code in codes if 0 <= code <= last):
            low, step = fmt.magnitude_value(code), fmt.magnitude_value(code + 1)
            step -= low
            points += [low + step * k / 32 for k in range(32)]
            points += [low + step / 1024, low + step * 1023 / 1024]
        points += [-point for point in points if fmt.is_signed]
        values = np.array([float(point) for point in points])
        for bits in range(1, 5):
            mode, overflow = projection(fmt, name, "SatFinite", bits)
            words = np.arange(1 << bits)
            every, random = np.repeat(values, len(words)), np.tile(words, len(values))
            ours = fast.quantise(fmt, every, mode, overflow, random=random)
            theirs = gfloat.round_ndarray(info, every, STOCHASTIC[name], True, random, bits)
            assert same_values(ours, theirs).all(), (fmt.name, bits)
            compared += ours.size
            if fmt.bits <= 4:
                want = [
                    [encode(fmt, point, mode, overflow, random=word) for word in words.tolist()]
                    for point in points
                ]
                got = fast.encode(fmt, every, mode, overflow, random=random)
                assert got.tolist() == list(chain.from_iterable(want)), (fmt.name, bits)
                defined += got.size
    assert compared > 1_000_000
    assert defined > 50_000


@pytest.mark.parametrize("name", ["e5m10", "e8m23"])
def test_multiply_then_add_as_numpy(name: str) -> None:
    """Products rounded, then sums rounded: what NumPy does with its own types."""
    config = parse_design(f"{name}:{name}:mul{name}").mac
    dtype = np.dtype(np.float16 if name == "e5m10" else np.float32)
    words = np.uint16 if name == "e5m10" else np.uint32
    generator = np.random.default_rng(1)
    checked = 0
    for exponents in (None, 3):
        operands = []
        for shape in ((64, 32), (32, 256)):
            if exponents is None:
                operands.append(generator.integers(0, 1 << config.a.bits, shape, dtype=np.uint32))
            else:  # numbers close to 1, so that sums cancel and carry
                scales = 2.0 ** generator.integers(-exponents, exponents, shape)
                operands.append(fast.encode(name, generator.normal(size=shape) * scales))
        a, b = operands
        x, y = a.astype(words).view(dtype), b.astype(words).view(dtype)
        total = np.zeros((64, 256), dtype)
        with np.errstate(all="ignore"):
            for k in range(32):
                total = total + x[:, k : k + 1] * y[k]
        ours = fast.matmul(config, a, b)
        is_nan = np.isnan(total)
        assert not exponents or not is_nan.any()
        assert (ours[~is_nan] == total.view(words)[~is_nan]).all()
        assert (ours[is_nan] == config.output_format.nan_code).all()  # type: ignore[union-attr]
        checked += total.size * 32
    assert checked == 2 * 64 * 256 * 32


def test_comparison_catches_ties_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """The edges tell roundings to nearest apart: planted, ties-away fails against ml_dtypes."""
    honest = fast.encode

    def planted(fmt: object, values: object, *_: object) -> np.ndarray:
        return honest("e5m2", values, "rna", "inf")  # type: ignore[arg-type]

    fake = ModuleType("fast")
    fake.encode, fake.decode = planted, fast.decode  # type: ignore[attr-defined]
    monkeypatch.setitem(globals(), "fast", fake)
    with pytest.raises(AssertionError):
        test_encode_as_ml_dtypes("e5m2")
