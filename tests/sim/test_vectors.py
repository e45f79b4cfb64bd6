"""Golden vectors and port waveforms against the definition."""

import numpy as np
import pytest
from macsmith.model import golden
from macsmith.model.design import parse_design
from macsmith.model.widths import mac_widths
from macsmith.sim.vectors import golden_vectors
from macsmith.sim.waveforms import port_waveforms


def lanes_of(word: int, bits: int, count: int) -> list[int]:
    return [word >> (bits * index) & ((1 << bits) - 1) for index in range(count)]


@pytest.mark.parametrize(
    "text",
    ["e4m3:e6m9/64", "int8:int32:2x3", "e5m2:exact:lanes4", "bf16:exact:outraw", "e4m3:e6m9"],
)
def test_stream_vectors_are_golden(text: str) -> None:
    design = parse_design(text)
    mac, implementation = design.mac, design.implementation
    vectors = golden_vectors(design, seed=5)
    assert len(vectors.a) == len(vectors.b) == len(vectors.last) >= 100
    assert vectors.last[-1]
    assert len(vectors.expected) == sum(vectors.last) * implementation.rows
    rows: list[list[int]] = [[] for _ in range(implementation.rows)]
    columns: list[list[int]] = [[] for _ in range(implementation.columns)]
    results = iter(vectors.expected)
    for a, b, last in zip(vectors.a, vectors.b, vectors.last, strict=True):
        a_codes = lanes_of(a, mac.a.bits, mac.lanes * implementation.rows)
        b_codes = lanes_of(b, mac.b.bits, mac.lanes * implementation.columns)
        for index, row in enumerate(rows):
            row += a_codes[index * mac.lanes : (index + 1) * mac.lanes]
        for index, column in enumerate(columns):
            column += b_codes[index * mac.lanes : (index + 1) * mac.lanes]
        if last:
            for row in rows:
                wanted = [golden.dot(mac, row, column) for column in columns]
                bits = mac_widths(mac).output_bits
                assert lanes_of(next(results), bits, implementation.columns) == wanted
            rows = [[] for _ in rows]
            columns = [[] for _ in columns]


def test_unit_vectors_are_golden() -> None:
    design = parse_design("e5m2:e6m9/64:lanes2:unit")
    vectors = golden_vectors(design)
    assert len(vectors.expected) == len(vectors.partial_sums) == 400
    for index, wanted in enumerate(vectors.expected):
        assert wanted == golden.step(
            design.mac,
            vectors.partial_sums[index],
            lanes_of(vectors.a[index], 8, 2),
            lanes_of(vectors.b[index], 8, 2),
            chunk_end=vectors.last[index],
        )


def test_waveforms_of_a_stream() -> None:
    design = parse_design("e2m1xint8:exact:lanes2:1x3")
    rng = np.random.default_rng(1)
    a = rng.integers(0, 16, (4, 1, 12))
    b = rng.integers(0, 256, (4, 3, 12))
    waves = port_waveforms(design, a, b, sum_products=6, reset_cycles=3)
    assert set(waves) == {"rst", "i_valid", "i_a", "i_b", "i_last", "o_ready"}
    assert all(wave.shape[:2] == (9, 4) for wave in waves.values())
    assert waves["rst"][:, 0].tolist() == [1] * 3 + [0] * 6
    assert waves["i_valid"][:, 0].tolist() == [0] * 3 + [1] * 6
    assert waves["i_last"][:, 0].tolist() == [0] * 5 + [1, 0, 0, 1]
    assert waves["o_ready"].all()
    for step in range(6):
        for stream in range(4):
            products = slice(2 * step, 2 * step + 2)
            word = int(waves["i_a"][3 + step, stream])
            assert lanes_of(word, 4, 2) == a[stream, 0, products].tolist()
            word = int(waves["i_b"][3 + step, stream])
            assert lanes_of(word, 8, 6) == b[stream, :, products].reshape(-1).tolist()


def test_waveforms_of_wide_ports_have_words() -> None:
    design = parse_design("int8:int32:lanes16")
    codes = np.arange(64).reshape(2, 32)
    waves = port_waveforms(design, codes, codes, sum_products=32)
    assert waves["i_a"].shape == (4, 2, 2)
    assert waves["i_a"].dtype == np.uint64
    word = int(waves["i_a"][3, 1, 0]) | int(waves["i_a"][3, 1, 1]) << 64
    assert lanes_of(word, 8, 16) == list(range(48, 64))


def test_waveforms_of_a_unit_follow_the_golden_model() -> None:
    design = parse_design("e4m3:e6m9/4:unit")
    rng = np.random.default_rng(2)
    a, b = (rng.integers(0, 120, (3, 20)) for _ in range(2))
    waves = port_waveforms(design, a, b, sum_products=10)
    assert set(waves) == {"a", "b", "partial_sum_i", "chunk_end"}
    for stream in range(3):
        partial_sum = 0
        for step in range(20):
            assert waves["partial_sum_i"][step, stream] == partial_sum
            in_sum = step % 10 + 1
            is_end = in_sum in (4, 8, 10)
            assert waves["chunk_end"][step, stream] == is_end
            partial_sum = golden.step(
                design.mac,
                partial_sum,
                [int(a[stream, step])],
                [int(b[stream, step])],
                chunk_end=is_end,
            )
            if in_sum == 10:
                partial_sum = 0


@pytest.mark.parametrize(
    ("a_shape", "b_shape", "sum_products", "told"),
    [
        ((2, 8), (2, 8), 3, "a sum must have a positive multiple of the 2 lanes up to 64 products"),
        (
            (2, 8),
            (2, 8),
            66,
            "a sum must have a positive multiple of the 2 lanes up to 64 products",
        ),
        ((2, 7), (2, 7), 2, "a: products must be a positive multiple of the 2 lanes, not 7"),
        ((2, 2, 8), (2, 8), 2, r"a: operands must have the shape \(streams, 1, products\) or"),
        ((2, 8), (3, 8), 2, "a and b must have as many streams and products"),
    ],
)
def test_waveforms_refuse_what_does_not_fit(
    a_shape: tuple[int, ...], b_shape: tuple[int, ...], sum_products: int, told: str
) -> None:
    design = parse_design("e4m3:exact:lanes2:terms64")
    a, b = np.zeros(a_shape, int), np.zeros(b_shape, int)
    with pytest.raises(ValueError, match=told):
        port_waveforms(design, a, b, sum_products=sum_products)
