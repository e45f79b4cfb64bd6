"""Rows by column, as a page holds them: 10,000 rows of 60 columns are mostly repeated names."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["page_columns", "shared_texts"]


def page_columns(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The rows by column.

    Returns
    -------
    dict
        Of each column that a row has: a list of numbers, rounded to 6 digits, None where a row has
        none (or NaN); or, where a row has a text, ``texts`` (each once) and ``codes`` (a place in
        them for every row, -1 where it has none).
    """
    columns: dict[str, Any] = {}
    for name in dict.fromkeys(name for row in rows for name in row):
        values = [row.get(name) for row in rows]
        if any(isinstance(value, str) for value in values):
            columns[name] = _coded([None if value is None else str(value) for value in values])
        else:
            numbers = [_number(value) for value in values]
            if any(number is not None for number in numbers):
                columns[name] = numbers
    return columns


def _number(value: Any) -> float | int | None:
    if value is None or value != value:  # None or NaN
        return None
    if isinstance(value, int):
        return int(value)
    number = float(value)
    if not math.isfinite(number):
        return None
    short = float(f"{number:.6g}")
    return int(short) if short.is_integer() and abs(short) < 1e15 else short


def _coded(values: Sequence[str | None]) -> dict[str, Any]:
    texts: dict[str, int] = {}
    codes = [-1 if value is None else texts.setdefault(value, len(texts)) for value in values]
    return {"texts": list(texts), "codes": codes}


def shared_texts(values: Mapping[str, Any], keys: Sequence[str]) -> dict[str, Any]:
    """Distinct `values`, and for each of `keys` the place of its value among them.

    Returns
    -------
    dict
        ``values`` and ``codes``.
    """
    places: dict[str, int] = {}
    distinct: list[Any] = []
    place_of: dict[str, int] = {}
    for key, value in values.items():
        text = json.dumps(value)
        if text not in places:
            places[text] = len(distinct)
            distinct.append(value)
        place_of[key] = places[text]
    return {"values": distinct, "codes": [place_of[key] for key in keys]}
