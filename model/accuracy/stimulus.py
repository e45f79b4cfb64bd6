"""Real operands for energy figures: what one MAC sees when a network's layer runs on it."""

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
from macsmith.model.design import Design

# Middle of the network; the input of ffn_up is that of most of a network's MACs: normalised
# activations of both signs.
DEFAULT_LAYERS = {"smollm2": "blk.14.ffn_up", "g2p": "dec_w_hh"}
# Inputs captured: predicted tokens of one article, or words.
CAPTURED = {"smollm2": 128, "g2p": 200}


def operand_stream(
    task: str,
    design: Design,
    length: int,
    seed: int = 0,
    *,
    layer: str | None = None,
    scaling: str | Scaling = Scaling.ROW,
) -> tuple[Codes, Codes]:
    """Return real operands in the order in which one output-stationary MAC takes them.

    Activations of one layer are captured while the unquantised network runs on real text, and
    quantised with the layer's weights to the design's formats. The MAC computes one whole output
    (K products, in the order of K) after the other; which outputs, as in a large array they are
    spread over tokens and columns, is drawn with `seed`.

    Parameters
    ----------
    task
        ``smollm2`` or ``g2p``.
    design
        Only its operand formats matter. With several lanes, consecutive operands go to the lanes
        of a step.
    length
        How many pairs. The last output may be cut off.
    seed
        Another seed gives other outputs of the layer.
    layer
        A linear layer by its name in the network's file; by default the first half of the gated
        feed-forward pair of block 14 (``blk.14.ffn_up``), or the decoder's recurrent layer
        (``dec_w_hh``).
    scaling
        Rule for the scales.

    Returns
    -------
    a_codes, b_codes
        Activations and weights, `length` codes each.

    Raises
    ------
    ValueError
        Unknown task, layer or scaling, or a length below 1.
    MissingPackageError
        A package with the task's data is not installed.
    """
    find_task(task)
    rule = parse_scaling(scaling)
    if length < 1:
        raise ValueError(f"operand stream: length must be at least 1 pair, not {length}")
    name = DEFAULT_LAYERS[task] if layer is None else layer
    captured = capture_layer(task, name)
    config = design.mac
    a = scale_matrix(captured["activations"], target_magnitude(config.a), rule)
    b = scale_matrix(captured["weights"], target_magnitude(config.b), rule)
    products = a.values.shape[1]
    outputs = -(-length // products)
    random = np.random.Generator(np.random.PCG64(seed))
    rows = random.integers(a.values.shape[0], size=outputs)
    columns = random.integers(b.values.shape[0], size=outputs)
    a_values = a.values[rows].reshape(-1)[:length]
    b_values = b.values[columns].reshape(-1)[:length]
    return encode_values(config.a, a_values), encode_values(config.b, b_values)


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
