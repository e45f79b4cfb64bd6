"""Operands for energy figures: what one MAC sees when a network's layer runs on it, and others."""

from dataclasses import dataclass

import numpy as np
from macsmith.model.accuracy import g2p
from macsmith.model.accuracy.arithmetic import Float32Array, ReferenceArithmetic
from macsmith.model.accuracy.cache import Arrays, remember
from macsmith.model.accuracy.quantise import (
    Codes,
    Scaling,
    encode_values,
    parse_scaling,
    scale_matrix,
    target_magnitude,
)
from macsmith.model.accuracy.smollm2 import LINEAR_GROUPS, SmolLM2, linear_layer_names
from macsmith.model.accuracy.smollm2_task import open_smollm2
from macsmith.model.accuracy.tasks import find_task
from macsmith.model.config import MacConfig
from macsmith.model.design import Design
from macsmith.model.formats import FloatFormat, Format, IntFormat, Special

# Middle of the network; the input of ffn_up is that of most of a network's MACs: normalised
# activations of both signs.
DEFAULT_LAYERS = {"smollm2": "blk.14.ffn_up", "g2p": "dec_w_hh"}
# Inputs captured: predicted tokens of one article, or words.
CAPTURED = {"smollm2": 128, "g2p": 200}


SYNTHETIC = ("uniform", "gaussian")
"""Operands of no network: all finite codes equally often, and normally distributed numbers."""
# Length of their sums and of the rows that share a scale: that of SmolLM2's hidden state.
SYNTHETIC_PRODUCTS = 576


@dataclass(frozen=True)
class Operands:
    """Where operands come from.

    Parameters
    ----------
    source
        An accuracy task, or one of `SYNTHETIC`.
    layer
        A linear layer of the task's network by its name in the file, empty for synthetic ones.
    """

    source: str
    layer: str = ""

    @property
    def text(self) -> str:
        """As `parse_operands` reads it."""
        return f"{self.source}/{self.layer}" if self.layer else self.source

    @property
    def is_synthetic(self) -> bool:
        """Whether no network is behind them."""
        return self.source in SYNTHETIC


def parse_operands(text: str | Operands) -> Operands:
    """Operands of a text: ``uniform``, ``gaussian``, ``TASK`` or ``TASK/LAYER``.

    Without a layer: the first half of the gated feed-forward pair of block 14
    (``blk.14.ffn_up``), or the decoder's recurrent layer (``dec_w_hh``).

    Raises
    ------
    ValueError
        There is no such source. A layer is looked for when it is captured.
    """
    if isinstance(text, Operands):
        return text
    source, _, layer = text.strip().partition("/")
    if source not in (*SYNTHETIC, *DEFAULT_LAYERS) or (layer and source in SYNTHETIC):
        raise ValueError(
            f"operands {text!r} are unknown; must be {', '.join((*SYNTHETIC, *DEFAULT_LAYERS))}, "
            "or a network and a layer of it, as smollm2/blk.14.ffn_up"
        )
    if source in DEFAULT_LAYERS:
        layer = layer or DEFAULT_LAYERS[source]
    return Operands(source, layer)


def sum_products(operands: str | Operands) -> int:
    """Products of one output of the layer, or of one sum of synthetic operands."""
    operands = parse_operands(operands)
    if operands.is_synthetic:
        return SYNTHETIC_PRODUCTS
    return int(capture_layer(operands.source, operands.layer)["weights"].shape[1])


def operand_stream(
    operands: str | Operands,
    design: Design,
    length: int,
    seed: int = 0,
    *,
    layer: str | None = None,
    scaling: str | Scaling = Scaling.ROW,
) -> tuple[Codes, Codes]:
    """Return operands in the order in which one output-stationary MAC takes them.

    Activations of one layer are captured while the unquantised network runs on real text, and
    quantised with the layer's weights to the design's formats. The MAC computes one whole output
    (K products, in the order of K) after the other; which outputs, as in a large array they are
    spread over tokens and columns, is drawn with `seed`. Both operands change in every step.

    Parameters
    ----------
    operands
        See `parse_operands`. Gaussian numbers are scaled and rounded as a network's are, in rows
        of `SYNTHETIC_PRODUCTS`.
    design
        Only its operand formats matter. With several lanes, consecutive operands go to the lanes
        of a step.
    length
        How many pairs. The last output may be cut off.
    seed
        Another seed gives other outputs of the layer.
    layer
        Instead of that in `operands`.
    scaling
        Rule for the scales.

    Returns
    -------
    a_codes, b_codes
        Activations and weights, `length` codes each.

    Raises
    ------
    ValueError
        Unknown source, layer or scaling, or a length below 1.
    MissingPackageError
        A package with the task's data is not installed.
    """
    chosen = parse_operands(operands)
    if layer is not None:
        chosen = Operands(chosen.source, layer)
    if length < 1:
        raise ValueError(f"operand stream: length must be at least 1 pair, not {length}")
    config, random = design.mac, np.random.Generator(np.random.PCG64(seed))
    if chosen.source == "uniform":
        return (
            uniform_codes(config.a, length, random),
            uniform_codes(config.b, length, random),
        )
    a, b = _matrices(chosen, config, scaling, -(-length // SYNTHETIC_PRODUCTS), random)
    outputs = -(-length // a.shape[1])
    rows = random.integers(a.shape[0], size=outputs)
    columns = random.integers(b.shape[0], size=outputs)
    a_values = a[rows].reshape(-1)[:length]
    b_values = b[columns].reshape(-1)[:length]
    return encode_values(config.a, a_values), encode_values(config.b, b_values)


def weight_stationary_stream(
    operands: str | Operands,
    design: Design,
    streams: int,
    steps: int,
    rows: int,
    seed: int = 0,
    *,
    scaling: str | Scaling = Scaling.ROW,
) -> tuple[Codes, Codes]:
    """Return operands of columns of a weight-stationary array, one column for each stream.

    A column holds the weights of one output, ``rows * lanes`` of them; in every step the
    activations of the next token come by.

    Returns
    -------
    a_codes
        ``[streams, steps, rows * lanes]``: each step another token, in the order of the text.
    b_codes
        ``[streams, rows * lanes]``, held over all steps.

    Raises
    ------
    ValueError, MissingPackageError
        As `operand_stream`; or the layer has fewer inputs than `rows` times the lanes.
    """
    chosen = parse_operands(operands)
    config, random = design.mac, np.random.Generator(np.random.PCG64(seed))
    length = rows * config.lanes
    if chosen.source == "uniform":
        return (
            uniform_codes(config.a, (streams, steps, length), random),
            uniform_codes(config.b, (streams, length), random),
        )
    a, b = _matrices(chosen, config, scaling, max(streams, steps), random)
    if length > a.shape[1]:
        raise ValueError(
            f"{chosen.text}: has {a.shape[1]} inputs; must be at least the {length} of a column of "
            f"{rows} rows"
        )
    # consecutive tokens, from another place in the text and inputs of the layer in each stream
    tokens = (random.integers(a.shape[0], size=(streams, 1)) + np.arange(steps)) % a.shape[0]
    first = random.integers(a.shape[1] // length, size=streams) * length
    places = first[:, np.newaxis] + np.arange(length)
    a_values = a[tokens[:, :, np.newaxis], places[:, np.newaxis, :]]
    b_values = b[random.integers(b.shape[0], size=(streams, 1)), places]
    return encode_values(config.a, a_values), encode_values(config.b, b_values)


def _matrices(
    operands: Operands,
    config: MacConfig,
    scaling: str | Scaling,
    rows: int,
    random: np.random.Generator,
) -> tuple[Float32Array, Float32Array]:
    """Scaled activations and weights; `rows` of each where they are drawn."""
    rule = parse_scaling(scaling)
    activations, weights = layer_matrices(operands, rows, random)
    a = scale_matrix(activations, target_magnitude(config.a), rule)
    b = scale_matrix(weights, target_magnitude(config.b), rule)
    return a.values, b.values


def layer_matrices(
    operands: Operands, rows: int, random: np.random.Generator
) -> tuple[Float32Array, Float32Array]:
    """Return activations and weights before quantisation; `rows` of each where they are drawn."""
    if operands.source == "gaussian":
        shape = (rows, SYNTHETIC_PRODUCTS)
        activations, weights = (random.standard_normal(shape, dtype=np.float32) for _ in range(2))
        return activations, weights
    captured = capture_layer(operands.source, operands.layer)
    return captured["activations"], captured["weights"]


def uniform_codes(fmt: Format, shape: int | tuple[int, ...], random: np.random.Generator) -> Codes:
    """Return codes of finite values, all equally often."""
    if isinstance(fmt, IntFormat):
        return random.integers(1 << fmt.bits, size=shape, dtype=np.uint32)
    if not isinstance(fmt, FloatFormat):  # at most 16 bits: looked up
        codes = range(1 << fmt.bits)
        finite = [code for code in codes if not isinstance(fmt.decode(code), Special)]
        return random.choice(np.array(finite, dtype=np.uint32), size=shape)
    magnitudes = random.integers(fmt.max_magnitude_code + 1, size=shape, dtype=np.uint32)
    signs = random.integers(2, size=shape, dtype=np.uint32)
    if not fmt.has_negative_zero:
        signs = signs * (magnitudes != 0).astype(np.uint32)
    codes_of_both: Codes = magnitudes | signs << np.uint32(fmt.magnitude_bits)
    return codes_of_both


def capture_layer(task: str, layer: str) -> Arrays:
    """Return ``activations`` ``[M, K]`` and ``weights`` ``[N, K]`` of a layer, as float32.

    Raises
    ------
    ValueError
        If the task's network has no such linear layer.
    """
    names = (
        list(g2p.LINEAR_LAYERS) if task == "g2p" else linear_layer_names(open_smollm2()[0].shape)
    )
    if layer not in names:
        raise ValueError(
            f"{task}: layer must be one of {', '.join(names[:7])}"
            f"{', ... ' + names[-1] if len(names) > 7 else ''}, not {layer!r}"
        )
    sample = find_task(task).sample(CAPTURED[task], seed=0)
    content = {
        "task": task,
        "sample": sample.identity,
        "captured": layer,
    }

    def compute() -> Arrays:
        inputs: list[Float32Array] = []
        # Only the first layer of a group that shares an input is announced.
        prefix, _, last = layer.rpartition(".")
        announced = next((group[0] for group in LINEAR_GROUPS if last in group), last)
        watched = f"{prefix}.{announced}" if prefix else layer

        def watch(name: str, values: Float32Array) -> None:
            if name == watched:
                inputs.append(values.copy())

        if task == "g2p":
            weights = g2p.load_weights()
            words = [word.letters for word in sample.content]
            g2p.G2pNetwork(weights, ReferenceArithmetic()).pronounce(words, watch=watch)
            return {"activations": np.concatenate(inputs), "weights": weights[layer]}
        file = open_smollm2()[0]
        network = SmolLM2(file, ReferenceArithmetic())
        block = int(layer.split(".")[1])
        network.hidden_states(sample.content[:, :-1], blocks=block + 1, watch=watch)
        return {
            "activations": np.concatenate(inputs),
            "weights": file.tensor(layer + ".weight"),
        }

    return remember(content, compute)
