"""Number formats as rules: every kind of format, and the name of each.

A format is described by counts and flags, never by its name. Each kind stands in a module of its
own with its grammar (`macsmith.model.float_format`, `int_format`), common names in `format_names`;
`parse_format` resolves all of them, and NumPy or ml_dtypes types too.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import replace
from functools import cache
from typing import Any

from macsmith.model.float_format import (
    BARE_SPECIALS,
    MAX_EXPONENT_BITS,
    MAX_FRACTION_BITS,
    FloatFormat,
    FloatSpecials,
)
from macsmith.model.format_names import ALIASES, NAMED_FORMATS, NamedFormat
from macsmith.model.int_format import INT_BITS, IntFormat
from macsmith.model.special import Special

__all__ = [
    "NAMED_FORMATS",
    "FloatFormat",
    "FloatSpecials",
    "Format",
    "IntFormat",
    "NamedFormat",
    "Special",
    "parse_format",
]

Format = FloatFormat | IntFormat

_FLOAT_NAME = re.compile(
    r"e(?P<exponent>\d+)m(?P<fraction>\d+)(?:b(?P<bias>m?\d+))?(?P<specials>ieee|fnuz|fn|f)?(?P<ns>ns)?"
)
_INT_NAME = re.compile(
    r"(?P<unsigned>u)?int(?P<bits>\d+)(?P<symmetric>sym)?(?:q(?P<fraction>\d+))?"
)


@cache
def _parse_name(name: str) -> Format:
    text = ALIASES.get(name.removeprefix("format_info_"), name)
    if match := _FLOAT_NAME.fullmatch(text):
        exponent_bits, fraction_bits = int(match["exponent"]), int(match["fraction"])
        base = f"e{exponent_bits}m{fraction_bits}"
        specials = (
            FloatSpecials(match["specials"])
            if match["specials"]
            else BARE_SPECIALS.get(base, FloatSpecials.IEEE)
        )
        fmt = FloatFormat(exponent_bits, fraction_bits, specials, has_subnormals=not match["ns"])
        if match["bias"]:
            fmt = replace(fmt, bias=int(match["bias"].replace("m", "-")))
        return fmt
    if match := _INT_NAME.fullmatch(text):
        return IntFormat(
            int(match["bits"]),
            is_signed=not match["unsigned"],
            is_symmetric=bool(match["symmetric"]),
            fraction_bits=int(match["fraction"] or 0),
        )
    known = sorted({*ALIASES, *(f"int{bits}" for bits in INT_BITS), "uint4", "uint8", "int8sym"})
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.4)
    hint = f"; did you mean {', '.join(near)}?" if near else ""
    raise ValueError(
        f"unknown format {name!r}{hint} A format is eXmY (1 <= X <= {MAX_EXPONENT_BITS}, "
        f"0 <= Y <= {MAX_FRACTION_BITS}), intN or uintN (2 <= N <= 16), or an alias: "
        "see `macsmith formats`"
    )


def _from_gfloat(info: Any) -> Format:
    """The format of a gfloat FormatInfo, by its counts and flags (its codes decide, not its name).

    Raises
    ------
    ValueError
        An encoding that no format here has: another number of NaN codes, no sign.
    """
    exponent_bits = info.k - info.precision
    if getattr(info, "is_twos_complement", False):
        return IntFormat(info.k, fraction_bits=info.bias + info.precision - 2)
    extended = str(getattr(info.domain, "name", info.domain)).lower().endswith("extended")
    # NaN codes of one sign: every nonzero fraction of the top exponent, one, or none
    kinds = {
        (True, (1 << (info.precision - 1)) - 1, True): FloatSpecials.IEEE,
        (False, 1, True): FloatSpecials.FN,
        (False, 0, False): FloatSpecials.FNUZ,
        (False, 0, True): FloatSpecials.FINITE,
    }
    specials = kinds.get((extended, info.num_high_nans, info.has_nz))
    if specials is None or not info.is_signed:
        raise ValueError(f"gfloat format {info.name}: its encoding of NaN, sign or infinity is new")
    return FloatFormat(
        exponent_bits, info.precision - 1, specials, info.bias, bool(info.has_subnormals)
    )


def parse_format(description: Any) -> Format:
    """The format a name or a NumPy type stands for.

    Parameters
    ----------
    description
        A canonical name or alias (any case, ``-`` and ``_`` as the alias has them), a dtype or
        scalar type of NumPy, ml_dtypes or PyTorch, a gfloat FormatInfo, or a format, which is
        returned as it is.

    Raises
    ------
    ValueError
        No such format (the message names the nearest ones), or a width out of range.
    TypeError
        `description` is none of these.
    """
    if isinstance(description, FloatFormat | IntFormat):
        return description
    if isinstance(description, str):
        return _parse_name(description.strip().lower())
    if hasattr(description, "num_high_nans"):
        return _from_gfloat(description)
    dtype_name = getattr(description, "name", None) or getattr(description, "__name__", None)
    if dtype_name is None and str(description).startswith("torch."):
        dtype_name = str(description).removeprefix("torch.")
    if isinstance(dtype_name, str):
        return _parse_name(dtype_name.lower())
    raise TypeError(
        "a format is given by its name or a NumPy dtype, not by "
        f"{type(description).__name__} {description!r}"
    )
