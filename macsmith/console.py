"""What the command line prints, and where: results on stdout, everything else on stderr."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

__all__ = ["columns", "error_text", "fields", "only_results_on_stdout", "print_json", "tell"]


def print_json(document: Mapping[str, Any]) -> None:
    """Print one JSON object on stdout, on lines of its own."""
    print(json.dumps(document, indent=2, allow_nan=False))


def tell(text: str) -> None:
    """Print a note for people on stderr."""
    print(text, file=sys.stderr, flush=True)


def fields(values: Mapping[str, Any]) -> str:
    """Lines ``name  value``, values aligned."""
    width = max((len(name) for name in values), default=0)
    return "\n".join(f"{name:<{width}}  {_shown(value)}" for name, value in values.items())


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list | tuple):
        return ", ".join(_shown(item) for item in value)
    return str(value)


def columns(heads: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A table with aligned columns, numbers to the right; missing values are shown as ``-``."""
    texts = [["-" if cell is None else _shown(cell) for cell in row] for row in rows]
    widths = [max(len(text) for text in column) for column in zip(heads, *texts, strict=True)]
    numeric = [
        any(isinstance(cell, int | float) for cell in column)
        and all(cell is None or isinstance(cell, int | float) for cell in column)
        for column in zip(*rows, strict=True)
    ] or [False] * len(heads)

    def line(cells: Sequence[str]) -> str:
        parts = [
            cell.rjust(width) if is_number else cell.ljust(width)
            for cell, width, is_number in zip(cells, widths, numeric, strict=True)
        ]
        return "  ".join(parts).rstrip()

    return "\n".join([line(heads), *(line(text) for text in texts)])


def error_text(error: BaseException) -> str:
    """One line for an error (the log's tail may follow for a tool's)."""
    if isinstance(error, OSError) and error.strerror:
        names = [str(name) for name in (error.filename, error.filename2) if name is not None]
        return ": ".join([*names, error.strerror])
    return str(error) or type(error).__name__


@contextlib.contextmanager
def only_results_on_stdout() -> Iterator[None]:
    """Send to stderr whatever is written to file descriptor 1 inside, tools' output included.

    So stdout holds nothing but what is printed after the work is done.
    """
    sys.stdout.flush()
    kept = os.dup(1)
    try:
        os.dup2(2, 1)
        with contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)
