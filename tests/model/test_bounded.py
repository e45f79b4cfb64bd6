"""Widths of integer accumulators from their weights: by exhaustion; harmless wrapping."""

from itertools import permutations, product

import numpy as np
import pytest
from macsmith.model import fast, golden
from macsmith.model.bounded import (
    accumulator_bits,
    largest_norm,
    largest_zero_centred_norm,
    norm_bits,
    sum_range,
)
from macsmith.model.design import parse_design
from macsmith.model.formats import DigitFormat, IntFormat, parse_format

INPUTS = [
    *(IntFormat(bits, is_signed=signed) for bits in (2, 3) for signed in (True, False)),
    *(DigitFormat(1), DigitFormat(2), DigitFormat(has_zero=True)),
]


def fits(value: int, bits: int) -> bool:
    return -(1 << (bits - 1)) <= value < 1 << (bits - 1)


def values_of(inputs: IntFormat | DigitFormat) -> list[int]:
    return [int(inputs.decode(code)) for code in range(1 << inputs.bits)]  # type: ignore[arg-type]


@pytest.mark.parametrize("inputs", INPUTS, ids=str)
def test_never_overflows_and_is_tight(inputs: IntFormat | DigitFormat) -> None:
    """Every sum of three products, every partial sum in every order."""
    values = values_of(inputs)
    count = 0
    for weights in product(range(-3, 4), repeat=3):
        if list(weights) != sorted(weights):
            continue  # orders of the terms are tried below
        bits = accumulator_bits(weights, inputs)
        reached: set[int] = set()
        for chosen in product(values, repeat=3):
            terms = [w * x for w, x in zip(weights, chosen, strict=True)]
            for order in permutations(terms):
                reached |= {order[0], order[0] + order[1], sum(order)}
        assert all(fits(value, bits) for value in reached)
        assert bits == 2 or not all(fits(value, bits - 1) for value in reached)
        least, largest = sum_range(weights, inputs)
        assert least <= min(reached)
        assert largest >= max(reached)
        count += 1
    assert count == 84


def test_the_bound_on_the_norm() -> None:
    """All weights up to the bound are safe, and beyond it some are not."""
    for inputs in INPUTS[:4]:
        assert isinstance(inputs, IntFormat)
        for bits in range(4, 9):
            bound = largest_norm(bits, inputs)
            worst = -1 if inputs.is_signed else 1  # weights of this sign reach farthest
            assert accumulator_bits([worst] * bound, inputs) <= bits
            assert accumulator_bits([worst * bound], inputs) <= bits
            assert norm_bits(bound, inputs) <= bits < norm_bits(bound + 1, inputs)
            largest_input = inputs.max_integer
            beyond = ((1 << (bits - 1)) - 1) // largest_input + 1
            assert accumulator_bits([worst * beyond], inputs) > bits
            # with signed inputs the published bound itself is tight
            assert not inputs.is_signed or beyond == bound + 1
    for bits in (4, 5, 6):  # by exhaustion, two weights
        inputs = IntFormat(2, is_signed=False)
        bound = largest_norm(bits, inputs)
        for weights in product(range(-bound, bound + 1), repeat=2):
            if sum(map(abs, weights)) <= bound:
                for chosen in product(values_of(inputs), repeat=2):
                    assert fits(sum(w * x for w, x in zip(weights, chosen, strict=True)), bits)


def test_published_values() -> None:
    """(2**(P-1) - 1) * 2**(s - N), and (2**P - 2) / (2**N - 1)."""
    uint8, int8 = IntFormat(8, is_signed=False), IntFormat(8)
    for bits, unsigned, signed, centred in (
        (16, 127, 255, 256),
        (14, 31, 63, 64),
        (20, 2047, 4095, 4112),
    ):
        assert largest_norm(bits, uint8) == unsigned == int((2 ** (bits - 1) - 1) * 2.0**-8)
        assert largest_norm(bits, int8) == signed == int((2 ** (bits - 1) - 1) * 2.0**-7)
        assert largest_zero_centred_norm(bits, uint8) == centred == (2**bits - 2) // 255


def test_zero_centred_weights() -> None:
    inputs = IntFormat(3, is_signed=False)
    for bits in range(5, 9):
        bound = largest_zero_centred_norm(bits, inputs)
        half = bound // 2
        assert accumulator_bits([half, -half], inputs) <= bits
        assert accumulator_bits([half + 1, -half - 1], inputs) > bits
        assert bound >= 2 * largest_norm(bits, inputs)


def test_bad_bounds() -> None:
    with pytest.raises(ValueError, match="at least 2 bits, not 1"):
        largest_norm(1, IntFormat(4))
    with pytest.raises(ValueError, match="at least 0, not -1"):
        norm_bits(-1, IntFormat(4))
    with pytest.raises(ValueError, match="need unsigned inputs, not int8"):
        largest_zero_centred_norm(16, IntFormat(8))


def test_accumulators_of_that_width_are_exact() -> None:
    """Random layers at the bound, in an accumulator that would wrap."""
    rng = np.random.default_rng(7)
    inputs = parse_format("uint4")
    assert isinstance(inputs, IntFormat)
    for _ in range(20):
        weights = rng.integers(-8, 8, 24)
        bits = accumulator_bits(weights.tolist(), inputs)
        config = parse_design(f"int4xuint4:int{bits}:wrap").mac
        x = rng.integers(0, 16, (24, 50))
        x[:, 0], x[:, 1] = np.where(weights > 0, 15, 0), np.where(weights < 0, 15, 0)  # the ends
        got = fast.matmul(config, (weights[np.newaxis] & 15).astype(np.uint8), x.astype(np.uint8))
        signed = (got.astype(np.int64) ^ (1 << (bits - 1))) - (1 << (bits - 1))
        assert np.array_equal(signed[0], weights @ x)
        narrow = parse_design(f"int4xuint4:int{bits - 1}:wrap").mac
        wrong = fast.matmul(narrow, (weights[np.newaxis] & 15).astype(np.uint8), x.astype(np.uint8))
        assert not np.array_equal(
            (wrong.astype(np.int64)[0] ^ (1 << (bits - 2))) - (1 << (bits - 2)), weights @ x
        )


def test_wrapping_on_the_way_does_no_harm() -> None:
    """Partial sums leave the register and come back: the sum is right modulo 2**P."""
    config = parse_design("int4:int6:wrap").mac
    a = [7, 7, 7, 9, 9, 9, 1]
    b = [7, 7, 7, 7, 7, 7, 5]
    wrapped, exact = 0, 0
    left = False
    for x, y in zip(a, b, strict=True):
        wrapped = golden.step(config, wrapped, [x], [y])
        exact += int(config.a.decode(x) * config.b.decode(y))  # type: ignore[operator]
        left |= not fits(exact, 6)
        assert wrapped == exact % 64
    assert left
    assert exact == 5
    assert wrapped == 5
