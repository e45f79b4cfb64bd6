"""Letters to phonemes: dictionary, network, scoring."""

from pathlib import Path

import numpy as np
import pytest
from macsmith.model.accuracy import g2p
from macsmith.model.accuracy.arithmetic import ReferenceArithmetic


def phonemes(text: str) -> tuple[int, ...]:
    """Return the codes of phonemes written with spaces."""
    return tuple(g2p.PHONEMES.index(phoneme) for phoneme in text.split())


def test_alphabets_have_the_sizes_of_the_embeddings() -> None:
    assert len(g2p.GRAPHEMES) == 29
    assert len(g2p.PHONEMES) == len(set(g2p.PHONEMES)) == 74


def test_dictionary_keeps_words_of_letters_with_all_pronunciations(tmp_path: Path) -> None:
    path = tmp_path / "some.dict"
    path.write_text("'tis T IH1 Z\na AH0\na(2) EY1\na.m. EY2 EH1 M\nox AA1 K S # animal, ox\n")
    assert g2p.read_dictionary(path) == {
        "a": [phonemes("AH0"), phonemes("EY1")],
        "ox": [phonemes("AA1 K S")],
    }


@pytest.mark.parametrize(
    ("answer", "right", "edits"),
    [
        ("", "", 0),
        ("", "K AE1 T", 3),
        ("K AE1 T S", "", 4),
        ("K AE1 T", "K AE1 T", 0),
        ("K AE0 T", "K AE1 T", 1),
        ("AE1 T", "K AE1 T", 1),
        ("T K AE1", "K AE1 T", 2),
    ],
)
def test_edit_distance(answer: str, right: str, edits: int) -> None:
    assert g2p.edit_distance(phonemes(answer), phonemes(right)) == edits
    assert g2p.edit_distance(phonemes(right), phonemes(answer)) == edits


def test_nearest_pronunciation_counts() -> None:
    words = [
        g2p.Word("a", (phonemes("AH0"), phonemes("EY1"))),
        g2p.Word("ox", (phonemes("AA1 K S"),)),
    ]
    errors = g2p.count_errors(words, [phonemes("EY1"), phonemes("AA0 K")])
    assert errors.edits.tolist() == [0, 2]
    assert errors.phonemes.tolist() == [1, 3]
    assert errors.phoneme_error_percent == 50
    assert errors.word_error_percent == 50


@pytest.fixture(scope="module")
def network(g2p_data: None) -> g2p.G2pNetwork:
    """Return the float32 network."""
    return g2p.G2pNetwork(g2p.load_weights(), ReferenceArithmetic())


@pytest.mark.usefixtures("g2p_data")
class TestNetwork:
    """With the real weights."""

    def test_layer_shapes(self) -> None:
        weights = g2p.load_weights()
        shapes = {name: weights[name].shape for name in g2p.LINEAR_LAYERS}
        assert shapes == {
            "enc_w_ih": (768, 256),
            "enc_w_hh": (768, 256),
            "dec_w_ih": (768, 256),
            "dec_w_hh": (768, 256),
            "fc_w": (74, 256),
        }

    def test_known_words(self, network: g2p.G2pNetwork) -> None:
        answers = network.pronounce(["cat", "thinking", "macsmith"])
        assert answers[0] == phonemes("K AE1 T")
        assert answers[1] == phonemes("TH IH1 NG K IH0 NG")
        # No word of the dictionary: a plausible answer shows that the network generalises.
        assert answers[2] == phonemes("M AE1 K S M IH0 TH")

    def test_answers_do_not_depend_on_company(self, network: g2p.G2pNetwork) -> None:
        words = ["a", "extraordinarily", "of", "rhythm", "antidisestablishmentarianism", "ox"]
        together = network.pronounce(words)
        assert together == [network.pronounce([word])[0] for word in words]

    def test_selection_is_seeded_and_grows(self) -> None:
        ten = g2p.select_words(10, seed=0)
        assert g2p.select_words(20, seed=0)[:10] == ten
        assert g2p.select_words(10, seed=1) != ten
        with pytest.raises(ValueError, match=r"g2p: words must be 1 to \d+, not 0"):
            g2p.select_words(0, seed=0)

    def test_reference_error(self, network: g2p.G2pNetwork) -> None:
        words = g2p.select_words(2000, seed=0)
        errors = g2p.count_errors(words, network.pronounce([word.letters for word in words]))
        # One word more or less (0.05 %) may fall otherwise with another BLAS.
        assert errors.phoneme_error_percent == pytest.approx(10.44, abs=0.05)
        assert errors.word_error_percent == pytest.approx(33.3, abs=0.15)

    def test_nan_never_wins(self, network: g2p.G2pNetwork) -> None:
        class Broken(ReferenceArithmetic):
            def product(self, prepared_input, prepared_weight):  # type: ignore[no-untyped-def]
                result = super().product(prepared_input, prepared_weight)
                return np.full_like(result, np.nan)

        answers = g2p.G2pNetwork(network.weights, Broken()).pronounce(["cat"])
        assert len(answers[0]) <= g2p.LONGEST_ANSWER
