"""Posits beside SoftPosit, the reference implementation (`pip install softposit==0.3.4.4`).

Where it is not installed (it is built from C sources), the same tables are compared with digests of
what it gave.
"""

import hashlib
import random
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from macsmith.model import fast, golden
from macsmith.model.design import parse_design
from macsmith.model.formats import PositFormat, parse_format
from macsmith.model.rounding import encode

#: SHA-256 of the codes that SoftPosit 0.3.4.4 gave for all pairs (a, b) of codes, a major.
DIGESTS = {
    ("posit8es0", "product"): "908d123cd2f8b627e7fb8123215f74cf35a1cc9da49b8e69181a345076ae5113",
    ("posit8es0", "sum"): "7682b6f7b414aa0bfe2041e0aa1c2e4f4dbe02fcceb3dff8f0f432b17340f4f6",
    ("posit8es2", "product"): "f2545ccc14582b72c3ad91f514eee78f3d6ce5799fbec1ea0e6f78f83643b4c4",
    ("posit8es2", "sum"): "cb769cd22708759de39c064be37137b19098ddbb1fd3510179abf4dc060157b7",
}


def table(name: str, operation: str) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Rounded products or sums of all pairs, NaR with NaR included, exact in float64 before."""
    fmt = parse_format(name)
    values = fast.decode(fmt, np.arange(256))
    pairs = values[:, np.newaxis], values[np.newaxis]
    exact = pairs[0] * pairs[1] if operation == "product" else pairs[0] + pairs[1]
    return fast.encode(fmt, exact).astype(np.uint8)


@pytest.mark.parametrize(("name", "operation"), DIGESTS)
def test_recorded_tables(name: str, operation: str) -> None:
    ours = table(name, operation)
    assert ours.size == 65536
    assert hashlib.sha256(ours.tobytes()).hexdigest() == DIGESTS[name, operation]


class Referee:
    """SoftPosit's functions on codes, for one of its sizes."""

    def __init__(self, softposit: Any, name: str) -> None:
        self.softposit = softposit
        self.format = parse_format(name)
        assert isinstance(self.format, PositFormat)
        bits = self.format.bits
        # posits with E = 2 are held at the top of 32 bits, and told their width
        self.is_x2 = self.format.exponent_bits == 2
        self.kind = "pX2" if self.is_x2 else f"p{bits}"
        self.shift = 32 - bits if self.is_x2 else 0
        self.width = (bits,) if self.is_x2 else ()

    def posit(self, code: int) -> Any:
        kind = f"posit{'_2' if self.is_x2 else self.format.bits}_t"
        posit = getattr(self.softposit, kind)()
        posit.v = code << self.shift
        return posit

    def call(self, name: str, *codes: int) -> int:
        function = getattr(self.softposit, f"{self.kind}_{name}")
        return int(function(*map(self.posit, codes), *self.width).v >> self.shift)

    def value(self, code: int) -> float:
        name = f"convertP{'X2' if self.is_x2 else self.format.bits}ToDouble"
        return float(getattr(self.softposit, name)(self.posit(code)))

    def encode(self, value: float) -> int:
        name = f"convertDoubleToP{'X2' if self.is_x2 else self.format.bits}"
        return int(getattr(self.softposit, name)(value, *self.width).v >> self.shift)


@pytest.fixture(params=["posit8es0", "posit8es2", "posit16es1"])
def referee(request: pytest.FixtureRequest) -> Referee:
    softposit = pytest.importorskip(
        "softposit", reason="SoftPosit is not installed: pip install softposit==0.3.4.4"
    )
    return Referee(softposit, request.param)


def test_values(referee: Referee) -> None:
    fmt = referee.format
    codes = np.arange(1 << fmt.bits)
    values = fast.decode(fmt, codes)
    for code in range(1 << fmt.bits):
        if not np.isnan(values[code]):
            assert referee.value(code) == values[code]
            assert referee.encode(float(values[code])) == code


def test_rounding(referee: Referee) -> None:
    fmt = referee.format
    assert isinstance(fmt, PositFormat)
    rng = random.Random(5)
    points = [rng.lognormvariate(0, 6) for _ in range(2000)]
    codes = range(fmt.max_magnitude_code)
    for code in codes if fmt.bits == 8 else rng.sample(codes, 1000):
        edge = float(fmt.boundary(code))
        points += [edge, float(np.nextafter(edge, 0)), float(np.nextafter(edge, np.inf))]
    points += [-x for x in points]
    assert [referee.encode(x) for x in points] == fast.encode(fmt, points).tolist()


@pytest.mark.parametrize(
    ("operation", "exact"),
    [("mul", lambda a, b: a * b), ("add", lambda a, b: a + b)],
)
def test_products_and_sums(
    referee: Referee, operation: str, exact: Callable[[Fraction, Fraction], Fraction]
) -> None:
    fmt = referee.format
    assert isinstance(fmt, PositFormat)
    if fmt.bits == 8:
        ours = table(fmt.name, "product" if operation == "mul" else "sum")
        for a in range(256):
            assert [referee.call(operation, a, b) for b in range(256)] == ours[a].tolist()
        return
    rng = random.Random(6)
    for _ in range(4000):
        a, b = rng.getrandbits(16), rng.getrandbits(16)
        if fmt.nan_code not in (a, b):
            want = encode(fmt, exact(fmt.decode(a), fmt.decode(b)))  # type: ignore[arg-type]
            assert referee.call(operation, a, b) == want, (hex(a), hex(b))


def test_multiply_add(referee: Referee) -> None:
    """A step of a posit accumulator is SoftPosit's fused multiply-add."""
    fmt = referee.format
    config = parse_design(f"{fmt.name}:{fmt.name}").mac
    codes = np.random.default_rng(9).integers(0, 1 << fmt.bits, (4000, 3))
    ours = fast.step(config, codes[:, 2], codes[:, 0], codes[:, 1]).tolist()
    assert [referee.call("mulAdd", *triple) for triple in codes.tolist()] == ours


def test_quire(referee: Referee) -> None:
    """Sums of products, exact and rounded once, beside SoftPosit's quire."""
    fmt = referee.format
    assert isinstance(fmt, PositFormat)
    config = parse_design(f"{fmt.name}:exact").mac
    prefix = "qX2" if referee.is_x2 else f"q{fmt.bits}"
    softposit = referee.softposit
    rng = random.Random(8)
    for _ in range(150):
        length = rng.randint(1, 20)
        a = [rng.choice([rng.getrandbits(fmt.bits), rng.getrandbits(2)]) for _ in range(length)]
        b = [rng.getrandbits(fmt.bits) for _ in range(length)]
        if rng.random() < 0.9:
            a, b = ([c if c != fmt.nan_code else 1 for c in codes] for codes in (a, b))
        quire = getattr(softposit, f"{prefix}Clr")()
        for x, y in zip(a, b, strict=True):
            quire = getattr(softposit, f"{prefix}_fdp_add")(
                quire, referee.posit(x), referee.posit(y)
            )
        to_posit = getattr(softposit, f"{prefix}_to_{referee.kind}")
        got = int(to_posit(quire, *referee.width).v >> referee.shift)
        assert got == golden.dot(config, a, b), (a, b)
