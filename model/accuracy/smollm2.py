"""SmolLM2-135M-Instruct in plain NumPy: a causal language model with real activation outliers.

The network is of the Llama family: 30 blocks of width 576, 9 query and 3 key/value heads of 64,
rotary positions, a gated feed-forward layer of 1536, root-mean-square norms, and an output head
tied to the embedding. Its file stores linear weights as Q4_1, so *weights* are less varied than
in a float network; activations are real. Every number about its shape is read from the file's
metadata.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import gguf
import numpy as np
from macsmith.model.accuracy.arithmetic import AnyArithmetic, Float32Array
from numpy.typing import NDArray

# Rows of logits computed at a time: 128 x 49,152 float32 are 25 MB.
LOGIT_ROWS = 128
# Queries handled at a time, so that keys after the last of them are never touched.
QUERY_ROWS = 128

IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class LlamaShape:
    """Sizes and constants of a Llama-like network.

    Attributes
    ----------
    blocks, width, feed_forward_width, heads, key_value_heads, vocabulary
        Counts.
    rope_base
        Base of the rotary angles.
    norm_epsilon
        Added to the mean square before its root is taken.
    """

    blocks: int
    width: int
    feed_forward_width: int
    heads: int
    key_value_heads: int
    vocabulary: int
    rope_base: float
    norm_epsilon: float

    @property
    def head_width(self) -> int:
        """Elements of one attention head."""
        return self.width // self.heads


class GgufFile:
    """Metadata and tensors of a GGUF file; a tensor is turned into float32 when asked for.

    Parameters
    ----------
    path
        The file. It is mapped, not read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._reader = gguf.GGUFReader(path)
        self._tensors = {tensor.name: tensor for tensor in self._reader.tensors}

    @property
    def tensor_names(self) -> list[str]:
        """Names of all tensors, in the order of the file."""
        return list(self._tensors)

    def metadata(self, key: str) -> Any:
        """Return a metadata value.

        Raises
        ------
        ValueError
            If the file has no such key.
        """
        entry = self._reader.fields.get(key)
        if entry is None:
            raise ValueError(f"{self.path.name}: metadata must have {key}, and has none")
        return entry.contents()

    def tensor(self, name: str) -> Float32Array:
        """Return a tensor as float32, outputs first: a linear layer comes as ``[N, K]``.

        Raises
        ------
        ValueError
            If the file has no such tensor.
        """
        stored = self._tensors.get(name)
        if stored is None:
            raise ValueError(f"{self.path.name}: tensor {name} must be there, and is not")
        values = gguf.dequantize(stored.data, stored.tensor_type)
        return np.ascontiguousarray(values, dtype=np.float32)

    @cached_property
    def shape(self) -> LlamaShape:
        """Sizes of the network in the file."""
        return LlamaShape(
            blocks=int(self.metadata("llama.block_count")),
            width=int(self.metadata("llama.embedding_length")),
            feed_forward_width=int(self.metadata("llama.feed_forward_length")),
            heads=int(self.metadata("llama.attention.head_count")),
            key_value_heads=int(self.metadata("llama.attention.head_count_kv")),
            vocabulary=int(self.metadata("llama.vocab_size")),
            rope_base=float(self.metadata("llama.rope.freq_base")),
            norm_epsilon=float(self.metadata("llama.attention.layer_norm_rms_epsilon")),
        )


# Linear layers of one block; layers in one group share their input.
LINEAR_GROUPS = (
    ("attn_q", "attn_k", "attn_v"),
    ("attn_output",),
    ("ffn_gate", "ffn_up"),
    ("ffn_down",),
)


def linear_layer_names(shape: LlamaShape) -> list[str]:
    """Return the names of all linear layers that are computed in a design's arithmetic."""
    return [
        f"blk.{block}.{name}"
        for block in range(shape.blocks)
        for group in LINEAR_GROUPS
        for name in group
    ]


def rms_norm(values: Float32Array, gain: Float32Array, epsilon: float) -> Float32Array:
    """Divide each row by the root of its mean square and multiply by a gain per column."""
    mean_square = np.mean(np.square(values), axis=-1, keepdims=True)
    normalised: Float32Array = values * (gain / np.sqrt(mean_square + np.float32(epsilon)))
    return normalised


def rotary_tables(length: int, head_width: int, base: float) -> tuple[Float32Array, Float32Array]:
    """Return cosine and sine ``[length, head_width / 2]`` of position times frequency.

    Frequency i is ``base ** (-2 i / head_width)``; it turns the pair of elements 2i and 2i + 1,
    the order in which GGUF files store query and key weights.
    """
    frequencies = base ** (-np.arange(0, head_width, 2) / head_width)
    angles = np.arange(length)[:, None] * frequencies
    return np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)


def rotate(values: Float32Array, cosine: Float32Array, sine: Float32Array) -> Float32Array:
    """Turn pairs (2i, 2i + 1) of ``[..., length, head_width]`` by the angles of their position."""
    even, odd = values[..., 0::2], values[..., 1::2]
    turned = np.empty_like(values)
    turned[..., 0::2] = even * cosine - odd * sine
    turned[..., 1::2] = even * sine + odd * cosine
    return turned


def causal_attention(
    queries: Float32Array, keys: Float32Array, values: Float32Array
) -> Float32Array:
    """Softmax attention in which a position sees itself and what came before it.

    Parameters
    ----------
    queries
        ``[heads, length, head_width]``.
    keys, values
        ``[key_value_heads, length, head_width]``; consecutive query heads share one of them.

    Returns
    -------
    numpy.ndarray
        ``[heads, length, head_width]``.
    """
    heads, length, head_width = queries.shape
    shared = heads // keys.shape[0]
    result = np.empty_like(queries)
    scale = np.float32(1.0 / np.sqrt(head_width))
    for head in range(heads):
        key, value = keys[head // shared], values[head // shared]
        for start in range(0, length, QUERY_ROWS):
            stop = min(start + QUERY_ROWS, length)
            scores = (queries[head, start:stop] * scale) @ key[:stop].T
            hidden = np.arange(stop)[None, :] > np.arange(start, stop)[:, None]
            scores[hidden] = -np.inf
            scores -= scores.max(axis=-1, keepdims=True)
            np.exp(scores, out=scores)
            scores /= scores.sum(axis=-1, keepdims=True)
            result[head, start:stop] = scores @ value[:stop]
    return result


def silu(values: Float32Array) -> Float32Array:
    """Return ``x / (1 + exp(-x))``, without overflow for any x."""
    # exp of minus the magnitude never overflows; the two branches are the same function.
    decay = np.exp(-np.abs(values))
    result: NDArray[Any] = np.where(values >= 0, values, values * decay) / (1 + decay)
    return result.astype(np.float32, copy=False)


class SmolLM2:
    """The network, computing its linear layers in a given arithmetic.

    Embedding, norms, rotary positions, attention scores and their weighted sums, activation
    functions and the output head stay in float32.

    Parameters
    ----------
    file
        The network's file.
    arithmetic
        How the linear layers are computed.
    """

    def __init__(self, file: GgufFile, arithmetic: AnyArithmetic) -> None:
        self.file = file
        self.shape = file.shape
        self.arithmetic = arithmetic

    def hidden_states(
        self,
        tokens: IntArray,
        *,
        blocks: int | None = None,
        progress: Callable[[float], None] | None = None,
        watch: Callable[[str, Float32Array], None] | None = None,
    ) -> Float32Array:
        """Return what enters the final norm, ``[sequences, length, width]``.

        Parameters
        ----------
        tokens
            ``[sequences, length]``; every sequence starts at position 0.
        blocks
            How many blocks to run; all by default.
        progress
            Called with the fraction done after each block.
        watch
            Called with the name of each group of layers (``blk.3.ffn_down``) and its input ``[M,
            K]``.
        """
        shape = self.shape
        sequences, length = tokens.shape
        embedding = self.file.tensor("token_embd.weight")
        state = embedding[tokens.reshape(-1)]
        del embedding
        cosine, sine = rotary_tables(length, shape.head_width, shape.rope_base)
        count = shape.blocks if blocks is None else blocks
        for block in range(count):
            prefix = f"blk.{block}."
            gain = self.file.tensor(prefix + "attn_norm.weight")
            normalised = rms_norm(state, gain, shape.norm_epsilon)
            query, key, value = self._linear(prefix, LINEAR_GROUPS[0], normalised, watch)
            attended = np.empty_like(state)
            for sequence in range(sequences):
                rows = slice(sequence * length, (sequence + 1) * length)
                attended[rows] = _join_heads(
                    causal_attention(
                        rotate(_split_heads(query[rows], shape.heads), cosine, sine),
                        rotate(_split_heads(key[rows], shape.key_value_heads), cosine, sine),
                        _split_heads(value[rows], shape.key_value_heads),
                    )
                )
            state = state + self._linear(prefix, LINEAR_GROUPS[1], attended, watch)[0]
            gain = self.file.tensor(prefix + "ffn_norm.weight")
            normalised = rms_norm(state, gain, shape.norm_epsilon)
            gate, up = self._linear(prefix, LINEAR_GROUPS[2], normalised, watch)
            state = state + self._linear(prefix, LINEAR_GROUPS[3], silu(gate) * up, watch)[0]
            if progress is not None:
                progress((block + 1) / count)
        return state.reshape(sequences, length, shape.width)

    def negative_log_likelihood(
        self,
        tokens: IntArray,
        *,
        progress: Callable[[float], None] | None = None,
    ) -> NDArray[np.float64]:
        """Return -log p of each next token, in nats.

        Parameters
        ----------
        tokens
            ``[sequences, length + 1]``: the first `length` are inputs, the last `length` are
            predicted.
        progress
            Called with the fraction done.

        Returns
        -------
        numpy.ndarray
            ``[sequences, length]``.
        """
        inputs, targets = tokens[:, :-1], tokens[:, 1:].reshape(-1)
        state = self.hidden_states(inputs, progress=progress).reshape(-1, self.shape.width)
        final = rms_norm(state, self.file.tensor("output_norm.weight"), self.shape.norm_epsilon)
        head = self.file.tensor("token_embd.weight")
        result = np.empty(len(targets), dtype=np.float64)
        for start in range(0, len(targets), LOGIT_ROWS):
            rows = slice(start, min(start + LOGIT_ROWS, len(targets)))
            logits = final[rows] @ head.T
            wanted = logits[np.arange(len(logits)), targets[rows]].astype(np.float64)
            largest = logits.max(axis=-1, keepdims=True)
            logits -= largest
            np.exp(logits, out=logits)
            total = logits.sum(axis=-1, dtype=np.float64)
            result[rows] = np.log(total) + largest[:, 0] - wanted
        return result.reshape(inputs.shape)

    def _linear(
        self,
        prefix: str,
        group: tuple[str, ...],
        values: Float32Array,
        watch: Callable[[str, Float32Array], None] | None,
    ) -> list[Float32Array]:
        if watch is not None:
            watch(prefix + group[0], values)
        prepared = self.arithmetic.prepare_input(values)
        outputs = []
        for name in group:
            weight = self.file.tensor(prefix + name + ".weight")
            prepared_weight = self.arithmetic.prepare_weight(prefix + name, weight)
            outputs.append(self.arithmetic.product(prepared, prepared_weight))
        return outputs


def _split_heads(values: Float32Array, heads: int) -> Float32Array:
    length, width = values.shape
    return np.ascontiguousarray(values.reshape(length, heads, width // heads).transpose(1, 0, 2))


def _join_heads(values: Float32Array) -> Float32Array:
    heads, length, head_width = values.shape
    return values.transpose(1, 0, 2).reshape(length, heads * head_width)
