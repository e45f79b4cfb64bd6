"""A seeded selection of BBC news articles, read from an installed package, never stored."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from macsmith.model.accuracy.packages import NEWS, find_data
from numpy.typing import NDArray
from tokenizers import Tokenizer

CATEGORIES = ("business", "entertainment", "politics", "sports", "tech")


@dataclass(frozen=True)
class NewsSample:
    """Token sequences cut from the beginnings of articles.

    Attributes
    ----------
    articles
        Which ones, such as ``tech/017``, in the order of the sequences.
    tokens
        ``[sequences, length + 1]``: `length` inputs and, shifted by one, `length` targets.
    """

    articles: tuple[str, ...]
    tokens: NDArray[np.int64]


def select_articles(
    tokenizer: Tokenizer,
    sequences: int,
    length: int,
    seed: int,
    *,
    exclude: frozenset[str] = frozenset(),
) -> NewsSample:
    """Choose articles long enough for `length` predictions, the five categories in turn.

    Within a category, articles are taken in the order of the SHA-256 of seed and name; too short
    ones and ones whose text was already taken (the corpus has duplicates) are passed over.

    Parameters
    ----------
    tokenizer
        Turns text into token codes.
    sequences, length
        How many articles, and how many predictions in each.
    seed
        Another seed gives other articles.
    exclude
        Names not to take.

    Raises
    ------
    MissingPackageError
        If the corpus is not installed.
    ValueError
        If there are not that many articles of that length.
    """
    if sequences < 1 or length < 1:
        raise ValueError(
            f"news sample: sequences and length must be at least 1, not {sequences} and {length}"
        )
    folder = find_data(NEWS, "bbcnews/data")
    queues = {category: _shuffled(folder / category, seed) for category in CATEGORIES}
    names: list[str] = []
    rows: list[list[int]] = []
    taken: set[tuple[int, ...]] = set()
    for turn in range(sequences):
        category = CATEGORIES[turn % len(CATEGORIES)]
        queue = queues[category]
        while queue:
            path = queue.pop()
            name = f"{category}/{path.stem}"
            codes = tokenizer.encode(path.read_text(encoding="utf-8", errors="replace")).ids
            row = codes[: length + 1]
            if len(row) == length + 1 and name not in exclude and tuple(row) not in taken:
                taken.add(tuple(row))
                names.append(name)
                rows.append(row)
                break
        else:
            raise ValueError(
                f"news sample: {category} has fewer than {turn // len(CATEGORIES) + 1} articles of "
                f"{length + 1} tokens; ask for shorter or fewer sequences"
            )
    tokens = np.array(rows, dtype=np.int64)
    return NewsSample(tuple(names), tokens)


def token_digest(tokens: NDArray[np.int64]) -> str:
    """Return the first 16 hexadecimal digits of the SHA-256 of token codes."""
    return hashlib.sha256(tokens.astype("<i8").tobytes()).hexdigest()[:16]


def _shuffled(folder: Path, seed: int) -> list[Path]:
    # A hash, not a random generator: the order cannot change with a version of Python or NumPy.
    def key(path: Path) -> str:
        return hashlib.sha256(f"{seed}:{folder.name}/{path.name}".encode()).hexdigest()

    return sorted(folder.glob("*.txt"), key=key, reverse=True)
