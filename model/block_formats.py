"""Block formats as rules: runs of elements that share one scale.

A block format is an element format, a scale format, a block length, and maybe a tensor's scale on
top. Names are one grammar::

    ELEMENT_SCALE_bLENGTH[_tFORMAT]      e4m3_e8m0_b32, e2m1_ue4m3_b16_tfp32, int4_uint4_b16

with the names of `macsmith.model.formats` for its parts, plus the names that others use
(`NAMED_BLOCK_FORMATS`). An element stands for ``element * scale * tensor scale``; a scale is
positive or zero, and NaN makes the whole block NaN.

Sources: OCP Microscaling Formats (MX) v1.0 (MXFP8, MXFP6, MXFP4, MXINT8, E8M0); NVIDIA NVFP4, as
TransformerEngine's reference has it (E2M1, 16 elements, E4M3 scale without sign, FP32 per tensor);
Dai et al., VS-Quant, MLSys 2021 (integer scales); Rouhani et al., NeurIPS 2020 (MSFP).
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, cached_property
from typing import Any

from macsmith.model.formats import FloatFormat, Format, IntFormat, parse_format

__all__ = [
    "BLOCK_LENGTHS",
    "NAMED_BLOCK_FORMATS",
    "BlockFormat",
    "NamedBlockFormat",
    "check_scale",
    "fraction_bits_at_top",
    "is_block_name",
    "operand_name",
    "parse_block_format",
    "parse_operand",
]

BLOCK_LENGTHS = range(2, 257)


@dataclass(frozen=True)
class BlockFormat:
    """Elements that share a scale.

    Parameters
    ----------
    element
        Format of the elements.
    scale
        Unsigned format of the scale.
    length
        Elements of a block.
    tensor_scale
        Format of a second scale, one for a whole tensor; None: there is none. It is applied to
        results, so that a MAC knows nothing of it.

    Raises
    ------
    ValueError
        The scale has a sign or an infinity, or the length is out of range.
    """

    element: FloatFormat | IntFormat
    scale: FloatFormat | IntFormat
    length: int
    tensor_scale: FloatFormat | None = None

    def __post_init__(self) -> None:
        check_scale(self.scale)
        if self.length not in BLOCK_LENGTHS:
            raise ValueError(
                f"{self.element.name}: a block must have {BLOCK_LENGTHS.start} to "
                f"{BLOCK_LENGTHS.stop - 1} elements, not {self.length}"
            )

    @property
    def has_power_of_two_scale(self) -> bool:
        """Whether every scale is a power of two (or zero)."""
        return isinstance(self.scale, FloatFormat) and self.scale.fraction_bits == 0

    @property
    def scale_name(self) -> str:
        """Name of the scale's format, as literature has it."""
        return short_scale_name(self.scale)

    @property
    def bits_per_element(self) -> Fraction:
        """Storage of an element with its share of the scale."""
        return self.element.bits + Fraction(self.scale.bits, self.length)

    @cached_property
    def name(self) -> str:
        """Canonical name: that of others where there is one, else the grammar's."""
        for named in NAMED_BLOCK_FORMATS:
            if parse_block_format(named.text) == self:
                return named.name
        return self.text

    @property
    def text(self) -> str:
        """The name by the grammar."""
        return _text(self.element, self.scale, self.length) + (
            f"_t{self.tensor_scale.name}" if self.tensor_scale else ""
        )

    def __str__(self) -> str:
        return self.name


def check_scale(scale: Format) -> None:
    """ValueError unless a format can be a block's scale."""
    if not isinstance(scale, FloatFormat | IntFormat) or scale.is_signed or scale.has_infinity:
        raise ValueError(
            f"scale {scale.name}: must have no sign and no infinity, such as e8m0, ue4m3 or uint4"
        )


def short_scale_name(scale: Format) -> str:
    return "e8m0" if scale == parse_format("e8m0") else scale.name


def _text(element: Format, scale: Format, length: int) -> str:
    return f"{element.name}_{short_scale_name(scale)}_b{length}"


@dataclass(frozen=True)
class NamedBlockFormat:
    """A block format with a common name."""

    name: str
    text: str
    title: str
    aliases: tuple[str, ...]
    source: str


_MX = "OCP Microscaling Formats (MX) v1.0"
_BY_ANALOGY = "by analogy with MXINT8; not in OCP MX v1.0"
_NVIDIA = "NVIDIA NVFP4, as in TransformerEngine's reference"
_MSFP = (
    "Rouhani et al., NeurIPS 2020: 16 elements of sign and magnitude share an 8-bit exponent "
    "(widths from memory, not verified)"
)

NAMED_BLOCK_FORMATS: tuple[NamedBlockFormat, ...] = (
    NamedBlockFormat("mxfp8_e4m3", "e4m3_e8m0_b32", "MXFP8, E4M3 elements", ("mxfp8",), _MX),
    NamedBlockFormat("mxfp8_e5m2", "e5m2_e8m0_b32", "MXFP8, E5M2 elements", (), _MX),
    NamedBlockFormat("mxfp6_e3m2", "e3m2_e8m0_b32", "MXFP6, E3M2 elements", (), _MX),
    NamedBlockFormat("mxfp6_e2m3", "e2m3_e8m0_b32", "MXFP6, E2M3 elements", ("mxfp6",), _MX),
    NamedBlockFormat("mxfp4", "e2m1_e8m0_b32", "MXFP4", ("mxfp4_e2m1",), _MX),
    NamedBlockFormat("mxint8", "int8q6_e8m0_b32", "MXINT8", (), _MX),
    NamedBlockFormat(
        "mxint8sym", "int8symq6_e8m0_b32", "MXINT8 that never rounds to -2", ("mxint8_sym",), _MX
    ),
    NamedBlockFormat("mxint6", "int6q4_e8m0_b32", "6-bit integers with E8M0", (), _BY_ANALOGY),
    NamedBlockFormat("mxint4", "int4q2_e8m0_b32", "4-bit integers with E8M0", (), _BY_ANALOGY),
    NamedBlockFormat("nvfp4", "e2m1_ue4m3_b16_tfp32", "NVFP4, two levels", (), _NVIDIA),
    NamedBlockFormat(
        "nvfp4_ue5m3",
        "e2m1_ue5m3_b16",
        "FP4 with UE5M3 scales instead of a second level",
        (),
        "arXiv 2509.17791 (abstract; bias 15 and one NaN are our reading)",
    ),
    NamedBlockFormat("msfp12", "int4symq2_e8m0_b16", "MSFP-12: 3-bit magnitudes", (), _MSFP),
    NamedBlockFormat("msfp16", "int8symq6_e8m0_b16", "MSFP-16: 7-bit magnitudes", (), _MSFP),
    NamedBlockFormat(
        "vsq4",
        "int4sym_uint4_b16_tfp32",
        "VS-Quant: 4-bit integers, 4-bit integer scales",
        ("vs_quant_4_4",),
        "Dai et al., VS-Quant, MLSys 2021 (abstract; one of the widths it tries)",
    ),
)

_ALIASES = {
    alias: named.text for named in NAMED_BLOCK_FORMATS for alias in (named.name, *named.aliases)
}
_NAME = re.compile(
    r"(?P<element>\w+)_(?P<scale>[a-z0-9]+)_b(?P<length>\d+)(?:_t(?P<tensor>[a-z0-9]+))?"
)


@cache
def _parse_name(name: str) -> BlockFormat:
    match = _NAME.fullmatch(_ALIASES.get(name, name))
    if match is None:
        near = difflib.get_close_matches(name, sorted(_ALIASES), n=3, cutoff=0.5)
        hint = f"; did you mean {', '.join(near)}?" if near else ""
        raise ValueError(
            f"unknown block format {name!r}{hint} A block format is ELEMENT_SCALE_bLENGTH, such as "
            "e4m3_e8m0_b32 or e2m1_ue4m3_b16_tfp32, or a name: see `macsmith formats`"
        )
    tensor = None
    if match["tensor"] is not None:
        fmt = parse_format(match["tensor"])
        if not isinstance(fmt, FloatFormat) or not fmt.is_signed:
            raise ValueError(f"{name}: a tensor's scale must be a signed float, not {fmt.name}")
        tensor = fmt
    element, scale = parse_format(match["element"]), parse_format(match["scale"])
    if not isinstance(element, FloatFormat | IntFormat):
        raise ValueError(f"{element.name}: elements of a block must be floats or integers")
    check_scale(scale)
    assert isinstance(scale, FloatFormat | IntFormat)
    return BlockFormat(element, scale, int(match["length"]), tensor)


def parse_block_format(description: Any) -> BlockFormat:
    """The block format that a name stands for; a block format is returned as it is.

    Raises
    ------
    ValueError
        No such format; the message names the nearest ones.
    TypeError
        `description` is neither.
    """
    if isinstance(description, BlockFormat):
        return description
    if not isinstance(description, str):
        raise TypeError(
            f"a block format is given by its name, not by {type(description).__name__} "
            f"{description!r}"
        )
    return _parse_name(description.strip().lower())


def is_block_name(name: str) -> bool:
    """Whether a name is built like a block format's."""
    name = name.strip().lower()
    return name in _ALIASES or _NAME.fullmatch(name) is not None


def parse_operand(name: str) -> Format | BlockFormat:
    """What a MAC's operand is given as: a format or a block format.

    Raises
    ------
    ValueError
        It is neither.
    """
    text = name.strip().lower()
    if not is_block_name(text):
        return parse_format(text)
    return parse_block_format(text)


def operand_name(element: Format, scale: Format | None, length: int | None) -> str:
    """Name of an operand of a MAC, which knows nothing of a tensor's scale."""
    if scale is None or length is None:
        return element.name
    for named in NAMED_BLOCK_FORMATS:
        fmt = parse_block_format(named.text)
        if (fmt.element, fmt.scale, fmt.length) == (element, scale, length):
            return named.name
    return _text(element, scale, length)


def fraction_bits_at_top(fmt: Format) -> int:
    """Fraction bits in the binade of a format's largest number."""
    if isinstance(fmt, IntFormat):
        return fmt.max_code_integer.bit_length() - 1
    return fmt.fraction_bits
