"""Designs as columns of numbers: what formats, accumulators and implementations say, one row each.

A table of designs has few different formats and accumulators, so each name is parsed once and its
numbers are gathered for all rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from math import log2
from typing import Any, TypeVar

import numpy as np
from macsmith.model.accumulators import (
    Accumulator,
    AlignedAccumulator,
    ChunkedAccumulator,
    ExactAccumulator,
    FloatAccumulator,
    IntAccumulator,
    IntOverflow,
    PositAccumulator,
    SimpleAccumulator,
    parse_accumulator,
)
from macsmith.model.block_formats import BlockFormat, parse_operand
from macsmith.model.config import RAW
from macsmith.model.design import Design
from macsmith.model.formats import FloatFormat, Format, IntFormat, PositFormat, parse_format
from macsmith.model.rounding import Rounding, StochasticRounding, parse_stochastic
from numpy.typing import NDArray

__all__ = ["TABLE_DEFAULTS", "Columns", "design_columns", "table_columns"]

Columns = dict[str, NDArray[np.floating[Any]]]
"""A number for each design under each name."""

ItemT = TypeVar("ItemT")
PartT = TypeVar("PartT")

#: Kinds of formats and accumulators, as numbers in a column; 0 is none.
FLOAT, INTEGER, POSIT, OTHER = 1, 2, 3, 4
EXACT, INT_SUM, FLOAT_SUM, POSIT_SUM, ALIGNED_SUM = 1, 2, 3, 4, 5

_FORMAT_FIELDS = (
    "kind",
    "bits",
    "signed",
    "precision",
    "exponent_bits",
    "first_binade",
    "last_binade",
    "least_exponent",
    "log2_max",
    "nan",
    "infinity",
    "subnormals",
)
_SUM_FIELDS = ("kind", "bits", "clips", "fraction", "kept", "bound", "late", "rounds_terms")

_FAMILIES = ("none", "ice40", "ecp5", "xilinx7")
_PATHS = ("auto", "single", "compact", "dual")
_ROUNDINGS = tuple(Rounding)

#: Columns of a table of designs, in the words of a design text, and what is meant where one is
#: missing. ``b``, ``output`` and ``terms`` may be None in a row too.
TABLE_DEFAULTS: dict[str, Any] = {
    "a": None,
    "b": None,
    "accumulator": None,
    "lanes": 1,
    "terms": None,
    "rounding": "rne",
    "output": None,
    "form": "stream",
    "stages": 0,
    "interleave": 1,
    "rows": 1,
    "columns": 1,
    "goal": "area",
    "path": "auto",
    "fpga": "none",
}
#: Those that name formats and what is done with them.
_WORDS = ("a", "b", "accumulator", "rounding", "output")


@cache
def _format_facts(fmt: Format | None) -> tuple[float, ...]:
    if fmt is None:
        return (0.0,) * len(_FORMAT_FIELDS)
    common = (float(fmt.least_exponent), log2(fmt.max_integer), float(fmt.has_nan))
    if isinstance(fmt, FloatFormat):
        first = 1 if fmt.has_subnormals else 0
        last = max(fmt.max_magnitude_code >> fmt.fraction_bits, first)
        binades = (fmt.precision, fmt.exponent_bits, first, last)
        flags = (fmt.has_infinity, fmt.has_subnormals)
        return (FLOAT, fmt.bits, fmt.is_signed, *binades, *common, *flags)
    if isinstance(fmt, IntFormat):
        return (INTEGER, fmt.bits, fmt.is_signed, fmt.bits, 0, 0, 0, *common, 0, 0)
    if isinstance(fmt, PositFormat):
        reach = 2 * fmt.max_exponent
        exponent_bits = reach.bit_length()
        return (POSIT, fmt.bits, 1, fmt.precision, exponent_bits, 0, reach, *common, 0, 0)
    return (OTHER, fmt.bits, fmt.is_signed, fmt.bits, 0, 0, 0, *common, 0, 0)


@cache
def _sum_facts(part: SimpleAccumulator | None) -> tuple[float, ...]:
    """An accumulator's fields, then those of its format."""
    own = {
        ExactAccumulator: EXACT,
        IntAccumulator: INT_SUM,
        FloatAccumulator: FLOAT_SUM,
        PositAccumulator: POSIT_SUM,
        AlignedAccumulator: ALIGNED_SUM,
    }
    if part is None:
        return (0.0,) * len(_SUM_FIELDS) + _format_facts(None)
    kind = own[type(part)]
    fields: tuple[float, ...]
    match part:
        case AlignedAccumulator():
            bits = (part.fraction_bits, part.kept_bits)
            is_bound = part.min_exponent is not None
            fields = (kind, 0, 0, *bits, is_bound, part.is_late, part.rounds_terms)
        case IntAccumulator():
            fields = (kind, part.bits, part.overflow is IntOverflow.CLIP, *(0,) * 5)
        case _:
            fields = (kind, *(0,) * 7)
    fmt = None if isinstance(part, ExactAccumulator | IntAccumulator) else part.format
    return tuple(map(float, fields)) + _format_facts(fmt)


def _gathered(
    prefix: str,
    names: Sequence[str],
    items: Sequence[ItemT],
    facts: Callable[[ItemT], tuple[float, ...]],
) -> Columns:
    """Columns ``prefix_name`` of what `facts` says of each item, asked once for equal ones."""
    # formats and accumulators of equal names are one object, which is told apart more quickly
    keys = list(map(id, items))
    first = dict(zip(keys, items, strict=True))
    index = {key: place for place, key in enumerate(first)}
    places = np.fromiter(map(index.__getitem__, keys), dtype=np.intp, count=len(keys))
    unique = list(first.values())
    table = np.array([facts(item) for item in unique], dtype=np.float64)
    table = table.reshape(len(unique), len(names))
    return {f"{prefix}_{name}": table[places, k] for k, name in enumerate(names)}


def _rounding_facts(rounding: Rounding | StochasticRounding) -> tuple[float, float]:
    if isinstance(rounding, StochasticRounding):
        return float(_ROUNDINGS.index(Rounding.NEAREST_EVEN)), float(rounding.bits)
    return float(_ROUNDINGS.index(rounding)), 0.0


def _parts(accumulator: Accumulator) -> tuple[SimpleAccumulator, SimpleAccumulator | None, float]:
    if isinstance(accumulator, ChunkedAccumulator):
        return accumulator.inner, accumulator.outer, float(accumulator.length)
    return accumulator, None, 0.0


_SUM_NAMES = (*_SUM_FIELDS, *(f"format_{name}" for name in _FORMAT_FIELDS))


def _arithmetic_columns(
    a: Sequence[Format],
    b: Sequence[Format],
    scales: tuple[Sequence[Format | None], Sequence[Format | None]],
    accumulators: Sequence[Accumulator],
    output: Sequence[Format | str | None],
    rounding: Sequence[Rounding | StochasticRounding],
) -> Columns:
    columns = _gathered("a", _FORMAT_FIELDS, a, _format_facts)
    columns |= _gathered("b", _FORMAT_FIELDS, b, _format_facts)
    columns |= _gathered("a_scale", _FORMAT_FIELDS, scales[0], _format_facts)
    columns |= _gathered("b_scale", _FORMAT_FIELDS, scales[1], _format_facts)

    def sums(accumulator: Accumulator) -> tuple[float, ...]:
        inner, outer, length = _parts(accumulator)
        return (*_sum_facts(inner), *_sum_facts(outer), length)

    names = [f"{part}_{name}" for part in ("inner", "outer") for name in _SUM_NAMES]
    found = _gathered("sum", [*names, "chunk"], accumulators, sums)
    columns |= {name.removeprefix("sum_"): column for name, column in found.items()}

    def stated(fmt: Format | str | None) -> tuple[float, ...]:
        is_stated = fmt is not None
        return (is_stated, fmt == RAW, *_format_facts(None if isinstance(fmt, str) else fmt))

    columns |= _gathered("output", ("stated", "raw", *_FORMAT_FIELDS), output, stated)
    columns |= _gathered("rounding", ("mode", "random_bits"), rounding, _rounding_facts)
    return columns


def design_columns(designs: Sequence[Design]) -> Columns:
    """Columns of designs; what of a design they cannot say is in ``unmodelled``.

    Returns
    -------
    dict
        ``unmodelled`` is 1 where a design has several modes, an output stage, rounded products, or
        an architecture choice that the columns do not have.
    """
    macs = [design.mac for design in designs]
    columns = _arithmetic_columns(
        [mac.a for mac in macs],
        [mac.b for mac in macs],
        ([mac.a_scale for mac in macs], [mac.b_scale for mac in macs]),
        [mac.accumulator for mac in macs],
        [mac.output for mac in macs],
        [mac.stochastic or mac.rounding for mac in macs],
    )
    choices = [_implementation_facts(design) for design in designs]
    table = np.array(choices, dtype=np.float64).reshape(len(designs), len(_CHOICES))
    columns |= {name: table[:, k] for k, name in enumerate(_CHOICES)}
    columns["lanes"] = np.array([mac.lanes for mac in macs], dtype=np.float64)
    columns["terms"] = np.array([mac.terms or 0 for mac in macs], dtype=np.float64)
    return columns


_CHOICES = (
    "unit",
    "stages",
    "interleave",
    "rows",
    "columns",
    "speed",
    "path",
    "fpga",
    "unmodelled",
)
#: Choices of an implementation that have a column, or make no difference to the others.
_MODELLED = {"goal", "path", "fpga"}


def _implementation_facts(design: Design) -> tuple[float, ...]:
    from macsmith.model.implementation import ARCHITECTURE_CHOICES

    chosen, mac = design.implementation, design.mac
    unmodelled = (
        design.is_switchable
        or mac.requantise is not None
        or mac.product is not None
        or any(
            getattr(chosen, key) != values[0]
            for key, values in ARCHITECTURE_CHOICES.items()
            if key not in _MODELLED
        )
    )
    return (
        chosen.form == "unit",
        chosen.stages,
        chosen.interleave,
        chosen.rows,
        chosen.columns,
        chosen.goal == "speed",
        _PATHS.index(chosen.path),
        _FAMILIES.index(chosen.fpga),
        unmodelled,
    )


def _column(table: Mapping[str, Any], name: str, rows: int) -> Sequence[Any]:
    value = table.get(name, TABLE_DEFAULTS[name])
    if value is None or isinstance(value, str | int):
        return [value] * rows
    found = value.tolist() if hasattr(value, "tolist") else list(value)
    if len(found) != rows:
        raise ValueError(f"table of designs: column {name} must have {rows} rows, not {len(found)}")
    return found


def _mapped(items: Sequence[Any], parse: Callable[[Any], ItemT]) -> list[ItemT]:
    """Each item parsed, equal ones once."""
    known = {item: parse(item) for item in dict.fromkeys(items)}
    return list(map(known.__getitem__, items))


def _each(items: Sequence[ItemT], function: Callable[[ItemT], PartT]) -> list[PartT]:
    """What a function gives of each item, asked once for each object."""
    keys = list(map(id, items))
    known = {key: function(item) for key, item in dict(zip(keys, items, strict=True)).items()}
    return list(map(known.__getitem__, keys))


def _numbers(
    table: Mapping[str, Any], name: str, rows: int, parse: Callable[[Any], float]
) -> NDArray[np.float64]:
    """A column of numbers."""
    value = table.get(name, TABLE_DEFAULTS[name])
    if value is None or isinstance(value, str | int):
        return np.full(rows, float(parse(value)))
    return np.array(_mapped(_column(table, name, rows), parse), dtype=np.float64)


def _count(value: Any) -> float:
    return 0.0 if value is None else float(value)


def _parse_rounding(text: str) -> Rounding | StochasticRounding:
    if not text.startswith("sr"):
        return Rounding(text)
    found: StochasticRounding = parse_stochastic(text)
    return found


def _parse_output(text: str | None) -> Format | str | None:
    return text if text is None or text == RAW else parse_format(text)


def table_columns(table: Mapping[str, Any]) -> Columns:
    """Columns of a table of designs, without making a design of each row.

    Parameters
    ----------
    table
        Columns by the names of `TABLE_DEFAULTS`: sequences or arrays of one length, or one value
        for all rows. ``a`` and ``b`` are names of formats or block formats, ``accumulator`` as in a
        design text, ``rounding`` its option (``rtz``, ``sr8``), ``output`` a format or ``raw``. A
        pandas DataFrame is such a mapping.

    Raises
    ------
    ValueError
        An unknown column or name, columns of different lengths, or no ``a`` or ``accumulator``.
    """
    unknown = [name for name in table if name not in TABLE_DEFAULTS]
    if unknown:
        raise ValueError(
            f"table of designs: column {unknown[0]!r} is unknown; must be one of "
            f"{', '.join(TABLE_DEFAULTS)}"
        )
    if "a" not in table or "accumulator" not in table:
        raise ValueError("table of designs: must have the columns a and accumulator")
    lengths = [
        len(table[name])
        for name in table
        if not (table[name] is None or isinstance(table[name], str | int))
    ]
    rows = lengths[0] if lengths else 1
    get = {name: _column(table, name, rows) for name in _WORDS}
    a = _mapped(get["a"], parse_operand)
    stated_b = _mapped(get["b"], lambda name: None if name is None else parse_operand(name))
    b = [left if right is None else right for left, right in zip(a, stated_b, strict=True)]
    accumulators = _mapped(get["accumulator"], parse_accumulator)
    if BlockFormat in {*map(type, a), *map(type, b)}:
        accumulators = _block_accumulators(a, b, accumulators)
    columns = _arithmetic_columns(
        _each(a, _element),
        _each(b, _element),
        (_each(a, _scale), _each(b, _scale)),
        accumulators,
        _mapped(get["output"], _parse_output),
        _mapped(get["rounding"], _parse_rounding),
    )
    for name in ("lanes", "terms", "stages", "interleave", "rows", "columns"):
        columns[name] = _numbers(table, name, rows, _count)
    columns["unit"] = _numbers(table, "form", rows, ("stream", "unit").index)
    columns["speed"] = _numbers(table, "goal", rows, ("area", "speed").index)
    columns["path"] = _numbers(table, "path", rows, _PATHS.index)
    columns["fpga"] = _numbers(table, "fpga", rows, _FAMILIES.index)
    columns["unmodelled"] = np.zeros(rows)
    return columns


def _element(fmt: Format | BlockFormat) -> Format:
    return fmt.element if isinstance(fmt, BlockFormat) else fmt


def _scale(fmt: Format | BlockFormat) -> Format | None:
    return fmt.scale if isinstance(fmt, BlockFormat) else None


def _block_accumulators(
    a: Sequence[Format | BlockFormat],
    b: Sequence[Format | BlockFormat],
    accumulators: Sequence[Accumulator],
) -> list[Accumulator]:
    """Where operands come in blocks, an exact accumulator of a block before the one stated."""
    known: dict[tuple[int, int], Accumulator] = {}
    found: list[Accumulator] = []
    for left, right, accumulator in zip(a, b, accumulators, strict=True):
        scaled = left if isinstance(left, BlockFormat) else right
        if not isinstance(scaled, BlockFormat) or isinstance(accumulator, ChunkedAccumulator):
            found.append(accumulator)
            continue
        key = (id(accumulator), scaled.length)
        if key not in known:
            known[key] = ChunkedAccumulator(ExactAccumulator(), scaled.length, accumulator)
        found.append(known[key])
    return found
