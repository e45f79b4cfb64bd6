"""The definitional model, remembering what it has already worked out about codes."""

from typing import Any

import numpy as np
import pytest
from macsmith.model import aligned_sum, golden
from macsmith.model.config import MacConfig
from macsmith.model.formats import Format
from macsmith.model.widths import MacWidths


def remember(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make `golden` keep every decoded code, product and rounded sum of its last configuration.

    The functions stay those of the definition; they are only called once for each argument.
    """
    decode, product, round_term = golden.decode_term, golden.product, golden.round_term
    mac_widths = golden.mac_widths
    codes: dict[tuple[int, int], tuple[Format, golden.Term]] = {}
    products: dict[tuple[int, int], golden.Term] = {}
    rounded: dict[tuple[int, object, bool], tuple[Format, int]] = {}
    last: list[Any] = [None, None]

    def same_widths(config: MacConfig) -> MacWidths:
        if last[0] is not config:
            last[:] = config, mac_widths(config)
            products.clear()
            rounded.clear()
            codes.clear()
        return last[1]  # type: ignore[no-any-return]

    def remembered_decode(fmt: Format, code: int) -> golden.Term:
        found = codes.get((id(fmt), code))
        if found is None or found[0] is not fmt:
            found = codes[id(fmt), code] = fmt, decode(fmt, code)
        return found[1]

    def remembered_product(config: MacConfig, a: int, b: int) -> golden.Term:
        same_widths(config)
        found = products.get((a, b))
        if found is None:
            found = products[a, b] = product(config, a, b)
        return found

    def remembered_round(config: MacConfig, fmt: Format, term: golden.Term) -> int:
        same_widths(config)
        key = id(fmt), term.value, term.negative
        found = rounded.get(key)
        if found is None or found[0] is not fmt:
            found = rounded[key] = fmt, round_term(config, fmt, term)
        return found[1]

    monkeypatch.setattr(golden, "mac_widths", same_widths)
    monkeypatch.setattr(golden, "product", remembered_product)
    for module in (golden, aligned_sum):
        monkeypatch.setattr(module, "decode_term", remembered_decode)
        monkeypatch.setattr(module, "round_term", remembered_round)


def as_integers(array: np.ndarray, bits: int) -> list[int]:
    """Results or partial sums of `bits` bits, flattened, as Python integers."""
    if bits <= 64:
        return [int(number) for number in array.reshape(-1)]
    words = array.reshape(-1, array.shape[-1])
    return [sum(int(word) << 64 * at for at, word in enumerate(row)) for row in words]
