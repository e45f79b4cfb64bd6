"""Number formats as rules: every kind of format, and the name of each.

A format is described by counts and flags, never by its name. Each kind stands in a module of its
own with its grammar (`macsmith.model.float_format`, `int_format`, `posit_format`, `digit_format`,
`radix4_format`), common names in `format_names`;
`parse_format` resolves all of them, and NumPy or ml_dtypes types too.
"""

from __future__ import annotations

import difflib
import re
from functools import cache
from typing import Any

from macsmith.model.digit_format import DigitFormat
from macsmith.model.float_format import (
    BARE_SPECIALS,
    MAX_EXPONENT_BITS,
    MAX_FRACTION_BITS,
    FloatFormat,
    FloatSpecials,
)
from macsmith.model.format_names import ALIASES, NAMED_FORMATS, NamedFormat
from macsmith.model.int_format import INT_BITS, IntFormat
from macsmith.model.p3109_format import p3109_format
from macsmith.model.posit_format import PositFormat
from macsmith.model.radix4_format import Radix4Format
from macsmith.model.special import Special

__all__ = [
    "NAMED_FORMATS",
    "DigitFormat",
    "FloatFormat",
    "FloatSpecials",
    "Format",
    "IntFormat",
    "IntegerFormat",
    "NamedFormat",
    "OrderedFormat",
    "PositFormat",
    "Radix4Format",
    "Special",
    "parse_format",
]

Format = FloatFormat | IntFormat | PositFormat | Radix4Format | DigitFormat

#: Formats of integers (or integers with a binary point): sums of their products are integers.
IntegerFormat = IntFormat | DigitFormat

#: Formats with one rounding of their own (`macsmith.model.ordered_rounding`).
OrderedFormat = PositFormat | Radix4Format | DigitFormat

_FLOAT_NAME = re.compile(
    r"(?P<unsigned>u)?e(?P<exponent>\d+)m(?P<fraction>\d+)(?:b(?P<bias>m?\d+))?"
    r"(?P<specials>ieee|fnuz|fn|inuz|in|f)?(?P<smallest>ns|nz)?"
)
_INT_NAME = re.compile(
    r"(?P<unsigned>u)?int(?P<bits>\d+)(?P<symmetric>sym)?(?P<wrap>wrap)?(?:q(?P<fraction>\d+))?"
)
_Q_NAME = re.compile(r"(?P<unsigned>u)?q(?P<integer>\d+)\.(?P<fraction>\d+)(?P<rule>sym|wrap)?")
_POSIT_NAME = re.compile(r"posit(?P<bits>\d+)(?:es(?P<exponent>\d+))?")
_POSIT_TEMPLATE = re.compile(r"posit<(?P<bits>\d+)(?:, ?(?P<exponent>\d+))?>")
_RADIX4_NAME = re.compile(r"r4e(?P<exponent>\d+)(?:b(?P<bias>m?\d+))?(?P<odd>odd)?")
_BINARY_NAME = re.compile(r"bin(?P<digits>\d+)")


_P3109_NAME = re.compile(
    r"(?:binary|p3109_k)(?P<bits>\d+)p(?P<precision>\d+)(?P<sign>[su])(?P<domain>[ef])"
)


@cache
def _parse_name(name: str) -> Format:
    name = name.removeprefix("format_info_")
    text = ALIASES.get(name, name)
    if match := _P3109_NAME.fullmatch(text):
        return p3109_format(
            int(match["bits"]),
            int(match["precision"]),
            is_signed=match["sign"] == "s",
            is_extended=match["domain"] == "e",
        )
    if match := _FLOAT_NAME.fullmatch(text):
        exponent_bits, fraction_bits = int(match["exponent"]), int(match["fraction"])
        base = f"{match['unsigned'] or ''}e{exponent_bits}m{fraction_bits}"
        specials = (
            FloatSpecials(match["specials"])
            if match["specials"]
            else BARE_SPECIALS.get(base, FloatSpecials.IEEE)
        )
        return FloatFormat(
            exponent_bits,
            fraction_bits,
            specials,
            int(match["bias"].replace("m", "-")) if match["bias"] else None,  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
            has_subnormals=not match["smallest"],
            is_signed=not match["unsigned"],
            has_zero=match["smallest"] != "nz",
        )
    if match := _INT_NAME.fullmatch(text):
        return IntFormat(
            int(match["bits"]),
            is_signed=not match["unsigned"],
            is_symmetric=bool(match["symmetric"]),
            fraction_bits=int(match["fraction"] or 0),
            wraps=bool(match["wrap"]),
        )
    if match := _Q_NAME.fullmatch(text):
        # | sign, if there is one | integer bits | fraction bits |
        fraction_bits, is_signed = int(match["fraction"]), not match["unsigned"]
        return IntFormat(
            is_signed + int(match["integer"]) + fraction_bits,
            is_signed=is_signed,
            is_symmetric=match["rule"] == "sym",
            fraction_bits=fraction_bits,
            wraps=match["rule"] == "wrap",
        )
    if match := _POSIT_NAME.fullmatch(text) or _POSIT_TEMPLATE.fullmatch(text):
        bits = int(match["bits"])
        return PositFormat(bits) if not match["exponent"] else PositFormat(bits, int(match[2]))
    if match := _RADIX4_NAME.fullmatch(text):
        radix4 = Radix4Format(int(match["exponent"]), is_odd=bool(match["odd"]))
        if not match["bias"]:
            return radix4
        bias = int(match["bias"].replace("m", "-"))
        return Radix4Format(radix4.exponent_bits, bias, radix4.is_odd)
    if match := _BINARY_NAME.fullmatch(text):
        return DigitFormat(int(match["digits"]))
    if text == "ternary":
        return DigitFormat(has_zero=True)
    known = sorted({*ALIASES, *(f"int{bits}" for bits in INT_BITS), "uint4", "uint8", "int8sym"})
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.4)
    hint = f"; did you mean {', '.join(near)}?" if near else "."
    raise ValueError(
        f"unknown format {name!r}{hint} A format is eXmY or ueXmY (1 <= X <= {MAX_EXPONENT_BITS}, "
        f"0 <= Y <= {MAX_FRACTION_BITS}), intN or uintN (2 <= N <= 16), qM.F, positNesE, r4eX, "
        "binN, ternary, or an alias: see `macsmith formats`"
    )


def _from_gfloat(info: Any) -> Format:
    """The format of a gfloat FormatInfo, by its counts and flags (its codes decide, not its name).

    Raises
    ------
    ValueError
        An encoding that no format here has: another number of NaN codes.
    """
    is_signed = bool(info.is_signed)
    exponent_bits = info.k - info.precision + (not is_signed)
    if getattr(info, "is_twos_complement", False):
        return IntFormat(info.k, fraction_bits=info.bias + info.precision - 2)
    extended = str(getattr(info.domain, "name", info.domain)).lower().endswith("extended")
    # NaN codes of one sign: every nonzero fraction of the top exponent, one, or none
    kinds = {
        (False, 1, True): FloatSpecials.FN,
        (True, 1, True): FloatSpecials.IN,
        (True, 0, False): FloatSpecials.INUZ,
        (False, 0, False): FloatSpecials.FNUZ,
        (False, 0, True): FloatSpecials.FINITE,
    }
    if is_signed or info.precision != 2:  # with one fraction bit both are the same codes
        kinds[True, (1 << (info.precision - 1)) - 1, True] = FloatSpecials.IEEE
    specials = kinds.get((extended, info.num_high_nans, info.has_nz or not is_signed))
    if specials is None:
        raise ValueError(f"gfloat format {info.name}: its encoding of NaN or infinity is new")
    return FloatFormat(
        exponent_bits,
        info.precision - 1,
        specials,
        info.bias,
        bool(info.has_subnormals),
        is_signed,
        bool(getattr(info, "has_zero", True)),
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
    if isinstance(description, Format):
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
