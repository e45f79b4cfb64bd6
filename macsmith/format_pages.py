"""What ``macsmith formats`` shows: the list of named formats, or one format's table and drawing."""

from __future__ import annotations

import math
import shutil
import sys
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from macsmith.console import columns, fields
from macsmith.model import describe
from macsmith.model.block_formats import BlockFormat, parse_operand
from macsmith.model.formats import FloatFormat, Format

__all__ = ["Page", "format_page", "formats_page"]

_MAX_WIDTH = 100


@dataclass(frozen=True)
class Page:
    """The same content for people and as a JSON object."""

    text: str
    document: dict[str, Any]


def formats_page() -> Page:
    """All named formats with their sources."""
    rows = describe.named_format_table()
    heads = ("name", "title", "bits", "largest", "smallest")
    table = columns(heads, [[row[head] for head in heads] for row in rows])
    sources: dict[str, list[str]] = {}
    for row in rows:
        sources.setdefault(row["source"], []).append(row["name"])
    lines = [f"  {', '.join(names)}: {source}" for source, names in sources.items()]
    rule = (
        "Any eXmY or, without a sign, ueXmY (1 <= X <= 8, 0 <= Y <= 23) is a format too, with an "
        "optional bias (b7),\nspecials (ieee, fn, fnuz, in, inuz, f) and ns for no subnormals: "
        "e5m3b20fnns. All of IEEE P3109 are: binary8p4se.\n"
        "So are int2..int16 and uint2..uint16; int8sym never gives -128, int8wrap wraps; "
        "q3.4 is int8q4.\n"
        "And posit4..posit16 with es0..es3 (posit8es1), r4e1..r4e4 (powers of four, also r4e3odd), "
        "bin1..bin8, ternary."
    )
    blocks = describe.block_format_table()
    block_heads = ("name", "title", "element", "scale", "block", "tensor scale", "bits per element")
    block_table = columns(block_heads, [[row[head] for head in block_heads] for row in blocks])
    block_rule = (
        "Any ELEMENT_SCALE_bLENGTH[_tFORMAT] is a block format: e3m2_ue5m3_b64, "
        "int4_uint4_b16_tfp32.\n`macsmith formats NAME` has the source of each."
    )
    text = "\n".join(
        [table, "", "Sources", *lines, "", rule, "", "Block formats", block_table, "", block_rule]
    )
    return Page(text, {"formats": rows, "block_formats": blocks})


def _block_page(fmt: BlockFormat) -> Page:
    """One block format: what it is made of."""
    facts = dict(describe.block_format_facts(fmt))
    for row in describe.block_format_table():
        if row["name"] == fmt.name:
            facts |= {"title": row["title"], "source": row["source"]}
    return Page(fields(facts), facts)


def _number(value: Fraction) -> float | str:
    """A value as JSON holds it: a number if a double is exact, else the fraction as text."""
    number = float(value)
    return number if math.isfinite(number) and Fraction(number) == value else str(value)


def _facts(fmt: Format) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "name": fmt.name,
        "bits": fmt.bits,
        "is_signed": fmt.is_signed,
        "max": _number(fmt.max),
        "min": _number(fmt.min),
        "smallest": _number(fmt.smallest),
        "has_nan": fmt.has_nan,
        "has_infinity": fmt.has_infinity,
        "has_negative_zero": fmt.has_negative_zero,
        "fraction_bits": fmt.fraction_bits,
    }
    if isinstance(fmt, FloatFormat):
        facts |= {
            "exponent_bits": fmt.exponent_bits,
            "bias": fmt.bias,
            "precision": fmt.precision,
            "specials": fmt.specials.value,
            "has_subnormals": fmt.has_subnormals,
            "smallest_normal": _number(fmt.smallest_normal),
        }
    return facts


def format_page(name: str, plot: Path | None = None) -> Page:
    """One format: properties and a drawing of its values.

    Parameters
    ----------
    name
        What `parse_format` reads.
    plot
        Also write a PNG there.

    Raises
    ------
    ValueError
        Unknown format; the message has the nearest names.
    OSError
        The PNG cannot be written.
    """
    block = parse_operand(name)
    if isinstance(block, BlockFormat):
        if plot is not None:
            raise ValueError(
                f"--plot draws the values of a format, not of a block format: take its element, "
                f"{block.element.name}"
            )
        return _block_page(block)
    fmt = block
    table = describe.format_table(fmt)
    width = min(shutil.get_terminal_size().columns if sys.stdout.isatty() else 80, _MAX_WIDTH)
    drawing = describe.draw_values(fmt, width)
    document = _facts(fmt) | {"properties": dict(table), "drawing": drawing.splitlines()}
    text = f"{fields(dict(table))}\n\n{drawing}"
    if plot is not None:
        describe.save_picture([fmt], plot)
        document["plot"] = str(plot)
        text += f"\n\nwrote {plot}"
    return Page(text, document)
