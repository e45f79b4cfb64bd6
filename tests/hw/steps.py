"""Whole steps against the model: vectors that reach the corners, and the comparison."""

import random
from dataclasses import dataclass
from typing import Any

import numpy as np
from logic import Logic, block_verilog
from macsmith.hw.step import Unit
from macsmith.model import fast
from macsmith.model.config import MacConfig
from macsmith.model.design import parse_design
from macsmith.model.formats import FloatFormat, Format
from macsmith.model.widths import PartialSumWidths, mac_widths


@dataclass(frozen=True)
class Vectors:
    """Operand codes by lane, partial sums, and whether the chunk ends."""

    a: list[list[int]]
    b: list[list[int]]
    partial_sums: list[int]
    chunk_ends: list[int]
    random: list[int] | None = None
    scales: list[list[int]] | None = None


def _to_words(numbers: list[int], bits: int) -> Any:
    if bits <= 64:
        return np.array(numbers, dtype=np.uint64)
    mask = (1 << 64) - 1
    words = -(-bits // 64)
    return np.array(
        [[number >> 64 * word & mask for word in range(words)] for number in numbers],
        dtype=np.uint64,
    )


def _from_words(words: Any) -> list[int]:
    if words.ndim == 1:
        return [int(word) for word in words]
    return [sum(int(word) << 64 * index for index, word in enumerate(row)) for row in words]


def model_step(config: MacConfig, vectors: Vectors) -> list[int]:
    """Partial sums after the step."""
    after = fast.step(
        config,
        _to_words(vectors.partial_sums, mac_widths(config).partial_sum_bits),
        np.array(vectors.a, dtype=np.uint32),
        np.array(vectors.b, dtype=np.uint32),
        np.array(vectors.chunk_ends, dtype=np.uint8),
        None if vectors.random is None else np.array(vectors.random, dtype=np.uint64),
        None if vectors.scales is None else np.array(vectors.scales, dtype=np.uint32),
    )
    return _from_words(after)


def _code(rng: random.Random, fmt: Format) -> int:
    """A random code, as often a corner or one of the middle binade, where sums cancel."""
    if rng.random() < 0.5:
        return rng.getrandbits(fmt.bits)
    if not isinstance(fmt, FloatFormat):
        top = 1 << (fmt.bits - 1)
        return rng.choice([0, 1, 2 * top - 1, top, top - 1])
    fraction = rng.getrandbits(fmt.fraction_bits) if fmt.fraction_bits else 0
    magnitude = rng.choice(
        [
            0,
            1,
            fraction,
            fmt.max_magnitude_code,
            (1 << fmt.magnitude_bits) - 1,
            rng.getrandbits(fmt.exponent_bits) << fmt.fraction_bits,
            1 << (fmt.magnitude_bits - 1) | fraction,
        ]
    )
    return magnitude | (rng.getrandbits(1) & fmt.is_signed) << fmt.magnitude_bits


def _near(rng: random.Random, widths: PartialSumWidths, opposite: int) -> int:
    """A partial sum; often one that nearly cancels `opposite`, or is a binade or two off."""
    bits = rng.getrandbits(widths.bits)
    choice = rng.random()
    if widths.posit is not None:
        return bits if choice < 0.6 else -opposite % (1 << widths.bits)
    if widths.format is None:
        if choice < 0.8:  # no flags
            bits &= (1 << widths.integer_bits) - 1
        return bits & 0xFF if choice < 0.3 else bits
    fmt = widths.format
    sign = 1 << fmt.magnitude_bits
    if choice < 0.5:
        low = min(rng.choice([0, 1, 2, 3, fmt.fraction_bits]), fmt.magnitude_bits)
        return opposite ^ sign ^ (rng.getrandbits(low) if low else 0)
    if choice < 0.7:
        return rng.choice([0, 1, sign, fmt.max_magnitude_code, sign - 1])
    if choice < 0.8:
        off = rng.choice([-2, -1, 1, 2, 3]) << fmt.fraction_bits
        return (opposite + off) % (2 * sign) ^ rng.getrandbits(1) << fmt.magnitude_bits
    return bits


def _scale(rng: random.Random, fmt: Format, middle: int) -> int:
    """A scale's code: near others, where sums meet partial sums, or any, or a corner."""
    top = (1 << fmt.bits) - 1
    near = min(max(middle + rng.randint(-2, 2), 0), top)
    return rng.choice(
        [near, near, near, near, rng.randint(0, top), rng.choice([0, 1, top - 1, top])]
    )


def _scale_rows(rng: random.Random, config: MacConfig, count: int) -> list[list[int]]:
    rows = []
    for _ in range(count):
        at = rng.random()
        rows.append([_scale(rng, fmt, int(at * (1 << fmt.bits))) for fmt in config.scales])
    return rows


def make_vectors(config: MacConfig, count: int, seed: object) -> Vectors:
    """Seeded vectors."""
    rng = random.Random(str(seed))
    widths = mac_widths(config)
    lanes = range(config.lanes)
    a = [[_code(rng, config.a) for _ in lanes] for _ in range(count)]
    b = [[_code(rng, config.b) for _ in lanes] for _ in range(count)]
    ends = [rng.getrandbits(1) if widths.outer else 0 for _ in range(count)]
    random_words = None
    if config.random_bits:  # extremes too, which go up or down more than others
        top = (1 << config.random_bits) - 1
        random_words = [
            rng.choice([0, top, rng.randint(0, top), rng.randint(0, top)]) for _ in range(count)
        ]
    scales = _scale_rows(rng, config, count) if config.scales else None
    empty = [0] * count
    from_zero = model_step(config, Vectors(a, b, empty, empty, random_words, scales))
    ended = from_zero
    if config.scales:  # what a block comes to with its scales
        ended = model_step(config, Vectors(a, b, empty, [1] * count, random_words, scales))
        ended = [each >> widths.inner_state_bits for each in ended]
    # a float chunk that goes into a fixed-point sum must be one that sums of products can give
    is_bound = (
        widths.outer is not None and widths.inner.format is not None and widths.outer.format is None
    )
    sums = []
    for index in range(count):
        reached = from_zero[index] & ((1 << widths.inner.bits) - 1)
        inner = rng.choice(from_zero) if is_bound else _near(rng, widths.inner, reached)
        outer = 0
        if widths.outer is not None:
            outer = _near(rng, widths.outer, ended[index] & ((1 << widths.outer.bits) - 1))
        sums.append(outer << widths.inner_state_bits | (inner if widths.inner_state_bits else 0))
    return Vectors(a, b, sums, ends, random_words, scales)


def wrong_steps(text: str, count: int, seed: object = 0) -> list[str]:
    """Vectors for which the emitted unit of a design is not what the model says."""
    design = parse_design(text)
    config = design.mac
    vectors = make_vectors(config, count, (text, seed))
    logic = Logic(block_verilog(Unit(config, design.implementation)))
    inputs = {
        "a": [
            sum(code << index * config.a.bits for index, code in enumerate(row))
            for row in vectors.a
        ],
        "b": [
            sum(code << index * config.b.bits for index, code in enumerate(row))
            for row in vectors.b
        ],
        "partial_sum_i": vectors.partial_sums,
    }
    if mac_widths(config).outer is not None and not config.is_block_a_step:
        inputs["chunk_end"] = vectors.chunk_ends
    if vectors.scales is not None:
        sides = [side for side in ("a", "b") if getattr(config, f"{side}_scale") is not None]
        for index, side in enumerate(sides):
            inputs[f"{side}_scale"] = [row[index] for row in vectors.scales]
    if vectors.random is not None:
        inputs["random"] = vectors.random
    got = logic(**inputs)["partial_sum_o"]
    want = model_step(config, vectors)
    return [
        f"{text}: a {[hex(x) for x in vectors.a[i]]} b {[hex(x) for x in vectors.b[i]]} "
        f"partial sum {vectors.partial_sums[i]:#x} chunk_end {vectors.chunk_ends[i]} "
        f"random {vectors.random and vectors.random[i]}: "
        f"got {got[i]:#x}, must be {want[i]:#x}"
        for i in range(count)
        if got[i] != want[i]
    ]


def _random_format(rng: random.Random, *, operand: bool) -> str:
    if operand and rng.random() < 0.25:
        bits = rng.randint(2, 9)
        return rng.choice([f"int{bits}", f"uint{bits}", f"int{bits}sym", f"int{bits}q2"])
    exponent_bits = rng.randint(1, 5 if operand else 8)
    name = f"e{exponent_bits}m{rng.randint(0, 4 if operand else 10)}"
    if rng.random() < 0.3:
        name += rng.choice([f"b{rng.randint(0, 1 << exponent_bits)}", f"bm{rng.randint(1, 5)}"])
    name += rng.choice(["", "", "ieee", "fn", "fnuz", "f"])
    return name + ("ns" if rng.random() < 0.2 else "")


def _random_accumulator(rng: random.Random) -> str:
    def simple() -> str:
        return rng.choice(
            [
                "exact",
                f"int{rng.randint(4, 60)}",
                f"{_random_format(rng, operand=False)}_aligned{rng.randint(1, 20)}"
                + rng.choice(["", "", f"_keep{rng.randint(1, 6)}"])
                + rng.choice(["", "", f"_emin{rng.randint(0, 20)}"])
                + rng.choice(["", "_late"])
                + rng.choice(["", "", "_rne"]),
            ]
            + [_random_format(rng, operand=False) for _ in range(4)]
        )

    if rng.random() < 0.3:
        outer = f"/{simple()}" if rng.random() < 0.7 else ""
        return f"{simple()}/{rng.choice([4, 8, 12, 24])}{outer}"
    return simple()


def random_design(rng: random.Random) -> str:
    """Text of some design, of any formats, accumulators and options; it may be refused."""
    a = _random_format(rng, operand=True)
    b = _random_format(rng, operand=True) if rng.random() < 0.5 else a
    parts = [f"{a}x{b}", _random_accumulator(rng), f"lanes{rng.choice([1, 1, 1, 2, 3, 4])}"]
    if rng.random() < 0.2:
        parts.append(f"mul{_random_format(rng, operand=False)}")
    stochastic = f"sr{rng.choice('abc')}{rng.randint(1, 12)}"
    parts.append(rng.choice(["rne", "rna", "rtz", "rup", "rdn", stochastic]))
    if rng.random() < 0.4:
        parts.append(rng.choice(["sat", "inf", "nan"]))
    if "int" in parts[1]:
        parts.append(rng.choice(["wrap", "clip"]))
    return ":".join(parts)
