"""Shapes of the matrix products that an accuracy task's network computes in a design."""

from collections import Counter
from dataclasses import dataclass

from macsmith.model.accuracy import g2p
from macsmith.model.accuracy.arithmetic import Float32Array, ReferenceArithmetic
from macsmith.model.accuracy.smollm2 import LINEAR_GROUPS, LlamaShape
from macsmith.model.accuracy.smollm2_task import SmolLM2Task, open_smollm2
from macsmith.model.accuracy.tasks import find_task

__all__ = ["DEFAULT_TOKENS", "LayerShape", "layer_shapes", "llama_layer_shapes"]

#: Tokens of one pass over a text, or words side by side, when nobody says.
DEFAULT_TOKENS = {"smollm2": 512, "g2p": 100}


@dataclass(frozen=True)
class LayerShape:
    """`count` products ``[M, K] x [K, N]`` of layers of one name: M tokens or words side by side,
    K inputs, N outputs."""

    layer: str
    count: int
    m: int
    k: int
    n: int

    @property
    def macs(self) -> int:
        """Multiply-accumulate operations of all of them."""
        return self.count * self.m * self.k * self.n


def layer_shapes(task: str, tokens: int | None = None, seed: int = 0) -> list[LayerShape]:
    """Shapes of a network's products, in the order of its layers.

    Only products that the accuracy tasks compute in a design are there: no attention scores, no
    output head of ``smollm2``.

    Parameters
    ----------
    task
        ``smollm2`` or ``g2p``.
    tokens
        ``smollm2``: tokens of the context that are computed at once, 512 by default; 1 is a step
        of generation. ``g2p``: words side by side, 100 by default; the network is run on them,
        for their lengths decide how many are still being read or written at each step.
    seed
        Selects the words.

    Raises
    ------
    ValueError
        Unknown task, or fewer than one token.
    MissingPackageError
        A package with the network is not installed.
    """
    chosen = find_task(task)
    count = DEFAULT_TOKENS[task] if tokens is None else tokens
    if count < 1:
        raise ValueError(f"{task}: tokens must be at least 1, not {count}")
    if isinstance(chosen, SmolLM2Task):
        return llama_layer_shapes(open_smollm2()[0].shape, count)
    sample = chosen.sample(count, seed)
    weights = g2p.load_weights()
    seen: Counter[tuple[str, int]] = Counter()

    def watch(name: str, values: Float32Array) -> None:
        seen[name, len(values)] += 1

    words = [word.letters for word in sample.content]
    g2p.G2pNetwork(weights, ReferenceArithmetic()).pronounce(words, watch=watch)
    return [
        LayerShape(name, times, m, weights[name].shape[1], weights[name].shape[0])
        for layer in g2p.LINEAR_LAYERS
        for (name, m), times in seen.items()
        if name == layer
    ]


def llama_layer_shapes(shape: LlamaShape, tokens: int) -> list[LayerShape]:
    """Shapes of one pass of so many tokens through a network of the Llama family; layers of the
    same name in different blocks are one entry."""
    heads = shape.heads * shape.head_width
    key_values = shape.key_value_heads * shape.head_width
    sizes = {
        "attn_q": (shape.width, heads),
        "attn_k": (shape.width, key_values),
        "attn_v": (shape.width, key_values),
        "attn_output": (heads, shape.width),
        "ffn_gate": (shape.width, shape.feed_forward_width),
        "ffn_up": (shape.width, shape.feed_forward_width),
        "ffn_down": (shape.feed_forward_width, shape.width),
    }
    return [
        LayerShape(name, shape.blocks, tokens, *sizes[name])
        for group in LINEAR_GROUPS
        for name in group
    ]
