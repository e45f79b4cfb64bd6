"""The language model: its parts against plain definitions, the whole against what it must know."""

import math

import numpy as np
import pytest
from macsmith.model.accuracy.arithmetic import Float32Array, ReferenceArithmetic
from macsmith.model.accuracy.news import CATEGORIES, select_articles, token_digest
from macsmith.model.accuracy.smollm2 import (
    GgufFile,
    LlamaShape,
    SmolLM2,
    causal_attention,
    linear_layer_names,
    rms_norm,
    rotary_tables,
    rotate,
    silu,
)
from tokenizers import Tokenizer


def test_rms_norm() -> None:
    values = np.array([[3.0, 4.0]], dtype=np.float32)
    gain = np.array([1.0, 2.0], dtype=np.float32)
    root = math.sqrt(12.5 + 0.5)
    np.testing.assert_allclose(rms_norm(values, gain, 0.5), [[3 / root, 8 / root]], rtol=1e-6)


def test_silu_at_extremes() -> None:
    values = np.array([-1e4, -100.0, -1.0, 0.0, 1.0, 100.0, 1e4], dtype=np.float32)
    expected = [0.0, -100 / (1 + math.exp(100)), -1 / (1 + math.e), 0.0, 1 / (1 + 1 / math.e)]
    np.testing.assert_allclose(silu(values), [*expected, 100.0, 1e4], rtol=1e-6, atol=1e-40)


def test_rotation_turns_neighbouring_pairs() -> None:
    cosine, sine = rotary_tables(3, 4, base=100.0)
    values = np.array([[1.0, 0.0, 0.0, 2.0]] * 3, dtype=np.float32)
    turned = rotate(values, cosine, sine)
    # Frequencies 1 and 1/10.
    for position in range(3):
        slow = position / 10
        expected = [math.cos(position), math.sin(position), -2 * math.sin(slow), 2 * math.cos(slow)]
        np.testing.assert_allclose(turned[position], expected, atol=1e-6)


def test_rotated_products_depend_on_distance_only() -> None:
    random = np.random.default_rng(2)
    cosine, sine = rotary_tables(40, 64, base=1e5)
    query, key = random.standard_normal((2, 64)).astype(np.float32)
    queries = rotate(np.tile(query, (40, 1)), cosine, sine)
    keys = rotate(np.tile(key, (40, 1)), cosine, sine)
    assert queries[39] @ keys[30] == pytest.approx(queries[9] @ keys[0], abs=1e-4)
    assert queries[39] @ keys[30] != pytest.approx(queries[39] @ keys[31], abs=1e-2)


def naive_attention(
    queries: Float32Array, keys: Float32Array, values: Float32Array
) -> Float32Array:
    """One output at a time, in float64."""
    heads, length, width = queries.shape
    result = np.zeros_like(queries)
    for head in range(heads):
        shared = head // (heads // keys.shape[0])
        for position in range(length):
            scores = [
                float(queries[head, position].astype(float) @ keys[shared, past]) / math.sqrt(width)
                for past in range(position + 1)
            ]
            weights = np.exp(scores) / np.exp(scores).sum()
            result[head, position] = weights @ values[shared, : position + 1]
    return result


@pytest.mark.parametrize("length", [1, 7, 128, 131])
def test_attention(length: int) -> None:
    random = np.random.default_rng(length)
    queries = random.standard_normal((6, length, 8)).astype(np.float32)
    keys, values = random.standard_normal((2, 2, length, 8)).astype(np.float32)
    expected = naive_attention(queries, keys, values)
    np.testing.assert_allclose(causal_attention(queries, keys, values), expected, atol=2e-6)


def test_shape_and_layers(smollm2_file: GgufFile) -> None:
    shape = smollm2_file.shape
    assert shape == LlamaShape(
        blocks=30,
        width=576,
        feed_forward_width=1536,
        heads=9,
        key_value_heads=3,
        vocabulary=49152,
        rope_base=100000.0,
        norm_epsilon=pytest.approx(1e-5),
    )
    assert shape.head_width == 64
    names = linear_layer_names(shape)
    assert len(names) == len(set(names)) == 210
    # Every matrix of the file but the embedding is one of them.
    matrices = [name for name in smollm2_file.tensor_names if "norm" not in name]
    assert sorted(matrices) == sorted(["token_embd.weight", *(f"{name}.weight" for name in names)])
    sizes = {name: smollm2_file.tensor(f"blk.7.{name}.weight").shape for name in LAYER_SIZES}
    assert sizes == LAYER_SIZES


LAYER_SIZES = {
    "attn_q": (576, 576),
    "attn_k": (192, 576),
    "attn_v": (192, 576),
    "attn_output": (576, 576),
    "ffn_gate": (1536, 576),
    "ffn_up": (1536, 576),
    "ffn_down": (576, 1536),
}


def test_missing_tensor_and_metadata_are_named(smollm2_file: GgufFile) -> None:
    with pytest.raises(ValueError, match=r"tensor blk\.30\.attn_q\.weight must be there"):
        smollm2_file.tensor("blk.30.attn_q.weight")
    with pytest.raises(ValueError, match=r"metadata must have llama\.colour, and has none"):
        smollm2_file.metadata("llama.colour")


@pytest.mark.parametrize(
    "text",
    [
        "In 1997 it cost £600m -- that's 12.5% more, isn't it?",
        "tabs\tand\n\nnew lines,   spaces  ",
        "Zürich, naïve, 東京, emoji 🙂",
    ],
)
def test_tokenizer_round_trip(smollm2_tokenizer: Tokenizer, text: str) -> None:
    assert smollm2_tokenizer.decode(smollm2_tokenizer.encode(text).ids) == text


def test_tokenizer_splits_digits_and_merges_words(smollm2_tokenizer: Tokenizer) -> None:
    assert smollm2_tokenizer.encode("The year 2024 began").tokens == [
        *("The", "Ġyear", "Ġ", "2", "0", "2", "4", "Ġbegan"),
    ]


def test_network_knows_something(smollm2_file: GgufFile, smollm2_tokenizer: Tokenizer) -> None:
    text = "The capital of France is Paris. The capital of Italy is Rome."
    codes = smollm2_tokenizer.encode(text)
    tokens = np.array([codes.ids], dtype=np.int64)
    arithmetic = ReferenceArithmetic()
    network = SmolLM2(smollm2_file, arithmetic)
    nll = network.negative_log_likelihood(tokens)[0]
    surprise = dict(zip(codes.tokens[1:], nll, strict=True))
    assert surprise["ĠParis"] < 1
    assert surprise["ĠRome"] < 0.5
    assert arithmetic.work.layers == set(linear_layer_names(smollm2_file.shape))
    # What comes later changes nothing before it.
    other = tokens.copy()
    other[0, -2:] = other[0, :2]
    np.testing.assert_allclose(
        network.negative_log_likelihood(other)[0, :-2], nll[:-2], rtol=1e-4, atol=1e-4
    )


def test_articles_are_seeded_and_stated(smollm2_tokenizer: Tokenizer) -> None:
    sample = select_articles(smollm2_tokenizer, 6, 32, seed=0)
    assert sample.tokens.shape == (6, 33)
    assert [name.partition("/")[0] for name in sample.articles] == [*CATEGORIES, CATEGORIES[0]]
    assert len(set(sample.articles)) == 6
    again = select_articles(smollm2_tokenizer, 6, 32, seed=0)
    assert again.articles == sample.articles
    assert token_digest(again.tokens) == token_digest(sample.tokens)
    other = select_articles(smollm2_tokenizer, 6, 32, seed=1)
    assert token_digest(other.tokens) != token_digest(sample.tokens)


def test_too_long_a_sample_is_refused(smollm2_tokenizer: Tokenizer) -> None:
    with pytest.raises(ValueError, match=r"business has fewer than 1 articles of 1000001 tokens"):
        select_articles(smollm2_tokenizer, 1, 1_000_000, seed=0)
    with pytest.raises(ValueError, match="sequences and length must be at least 1, not 0 and 5"):
        select_articles(smollm2_tokenizer, 0, 5, seed=0)
