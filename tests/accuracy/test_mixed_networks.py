"""Networks in mixed arithmetics: equal to the plain ones where they must be, layer by layer."""

from __future__ import annotations

import numpy as np
import pytest
from macsmith.model.accuracy import g2p
from macsmith.model.accuracy.arithmetic import AnyArithmetic, ReferenceArithmetic
from macsmith.model.accuracy.mixed import (
    MixedArithmetic,
    layer_groups,
    layer_macs,
    mixed_loss,
)
from macsmith.model.accuracy.quantise import Scaling
from macsmith.model.accuracy.quantised import ExactArithmetic
from macsmith.model.accuracy.tasks import evaluate
from macsmith.model.design import parse_design

WORDS = 60


def make(text: str) -> AnyArithmetic:
    mac = parse_design(text).mac
    return ExactArithmetic(mac.a, mac.b, Scaling.ROW)


def test_each_layer_is_computed_in_its_own_arithmetic() -> None:
    random = np.random.default_rng(0)
    x, v, w = (random.standard_normal((8, 8), dtype=np.float32) for _ in range(3))
    mixed = MixedArithmetic({"v": "e4m3:exact", "w": "int4:exact"}, make)
    prepared = mixed.prepare_input(x)
    for name, weight, design in (("v", v, "e4m3:exact"), ("w", w, "int4:exact"), ("u", v, None)):
        plain = ReferenceArithmetic() if design is None else make(design)
        expected = plain.product(plain.prepare_input(x), plain.prepare_weight(name, weight))
        found = mixed.product(prepared, mixed.prepare_weight(name, weight))
        assert (found == expected).all()
    assert mixed.macs == {"v": 512, "w": 512, "u": 512}
    assert mixed.work.macs == 1536
    assert mixed.work.layers == {"u", "v", "w"}


def test_one_design_for_all_is_that_design() -> None:
    layers = dict.fromkeys(g2p.LINEAR_LAYERS, "int3:exact")
    mixed = mixed_loss("g2p", layers, tokens=WORDS)
    plain = evaluate("g2p", parse_design("int3:exact"), tokens=WORDS)
    for name in ("phoneme_error_percent", "word_error_percent"):
        assert mixed.metrics[name] == plain.metrics[name]
    assert mixed.loss > 3 * mixed.standard_error > 0
    assert mixed_loss("g2p", {}, tokens=WORDS).loss == 0
    (one, *_) = g2p.LINEAR_LAYERS
    assert 0 < abs(mixed_loss("g2p", {one: "int3:exact"}, tokens=WORDS).loss) < mixed.loss


def test_bit_exact_sums_count() -> None:
    layers = dict.fromkeys(g2p.LINEAR_LAYERS, "e4m3:e4m2")
    exact = mixed_loss("g2p", layers, tokens=20)
    own = mixed_loss("g2p", layers, tokens=20, accumulation="bit-exact")
    assert own.loss > 2 * exact.loss


def test_macs_of_layers_are_those_of_the_task() -> None:
    macs = layer_macs("g2p", tokens=WORDS)
    assert tuple(macs) == g2p.LINEAR_LAYERS
    result = evaluate("g2p", parse_design("e2m1:exact"), tokens=WORDS)
    reference = result.provenance["macs"]
    # another arithmetic gives a few longer or shorter answers
    assert sum(macs.values()) == pytest.approx(int(reference), rel=0.05)


def test_words_do_not_disturb_each_other() -> None:
    network = g2p.G2pNetwork(g2p.load_weights(), ReferenceArithmetic())
    words = g2p.select_words(12, 3)
    letters, answers = [w.letters for w in words], [w.pronunciations[0] for w in words]
    together = network.negative_log_likelihood(letters, answers)
    alone = [
        network.negative_log_likelihood([word], [answer])
        for word, answer in zip(letters, answers, strict=True)
    ]
    assert [len(each) for each in alone] == [len(answer) + 1 for answer in answers]
    np.testing.assert_allclose(together, np.concatenate(alone), atol=1e-5)
    # what the network says itself is what it holds most likely
    own = network.pronounce(letters)
    likely = network.negative_log_likelihood(letters, own)
    assert likely.mean() < together.mean()
    assert (likely < np.log(len(g2p.PHONEMES) + 4)).all()


def test_groups_hold_every_layer_once() -> None:
    assert list(layer_groups("g2p", "layer")) == list(g2p.LINEAR_LAYERS)
    counts = {"layer": 210, "kind": 7, "block": 30}
    for grouping, count in counts.items():
        groups = layer_groups("smollm2", grouping)
        layers = [layer for group in groups.values() for layer in group]
        assert (len(groups), len(layers), len(set(layers))) == (count, 210, 210)
    with pytest.raises(ValueError, match="groups must be one of layer, kind, block, not 'all'"):
        layer_groups("g2p", "all")
    with pytest.raises(ValueError, match="it has no blocks"):
        layer_groups("g2p", "block")


def test_a_layer_that_does_not_exist_is_told() -> None:
    with pytest.raises(ValueError, match="g2p: there is no layer 'enc'"):
        mixed_loss("g2p", {"enc": "e4m3:exact"}, tokens=2)
