"""Design text: how people write what is computed and how it is built, and how it is read.

Design text is ``A[xB][+...]:ACCUMULATOR[:OPTION...]``, for example
``e4m3xe5m2:e6m9/64:lanes4:8x8:stages2``.

=============  ==========================================================================
part           meaning
=============  ==========================================================================
A, B           operand formats (`macsmith.model.formats`), or block formats such as
               ``mxfp8_e4m3`` (`macsmith.model.block_formats`); B defaults to A
``A[xB]+...``  modes that are switched at run time; ``2C`` packs two codes of C into a lane
               (`macsmith.model.switch`); ACCUMULATOR then is one, or one each, joined by ``+``
ACCUMULATOR    ``exact``, ``intN``, a float format, ``FORMAT_alignedBITS...``, the name of a GPU
               (`macsmith.model.tensor_cores`), or ``INNER/LENGTH[/OUTER]`` of those
``lanesN``     products summed per step (1)
``termsN``     most products one result may sum (a default by accumulator)
``mulFORMAT``  each product is rounded to this format first (exact)
``rne rna rtz rup rdn rto``  rounding of every step that rounds (rne)
``srN``        stochastic rounding of float accumulators with N random bits; ``sraN`` (the same),
               ``srbN``, ``srcN``: `macsmith.model.rounding.StochasticRounding`
``sat inf nan prop``  overflow of float accumulators and output (inf if the format has it, else sat)
``wrap clip``  overflow of an intN accumulator (neither: it must be wide enough)
``outFORMAT``  format of the result, ``outraw`` for the accumulator's own bits
``requantMsS`` an integer sum times M / 2**S as an ``outintN``: `macsmith.model.output_stage`
``RxC``        systolic array of R rows and C columns (1x1: a single MAC)
``os ws``      dataflow: output-stationary (default) or weight-stationary
``stagesN``    pipeline stages before the accumulator (0)
``interleaveN``  N independent sums in rotation, N cycles in the accumulator's loop (1)
``KEY=VALUE``  an architecture in place of the default: see `ARCHITECTURE_CHOICES`
``unit``       only the combinational arithmetic step
=============  ==========================================================================
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from macsmith.model.accumulators import (
    ChunkedAccumulator,
    IntOverflow,
    format_accumulator,
    int_overflow_of,
    parse_accumulator,
)
from macsmith.model.block_formats import BlockFormat, parse_operand
from macsmith.model.config import RAW, MacConfig
from macsmith.model.formats import Format, parse_format
from macsmith.model.implementation import ARCHITECTURE_CHOICES, Dataflow, Implementation
from macsmith.model.output_stage import parse_output_stage
from macsmith.model.rounding import Overflow, Rounding, parse_stochastic
from macsmith.model.tensor_cores import find_tensor_core

__all__ = ["read_design_text", "write_design_text"]

Operand = Format | BlockFormat
Fields = dict[str, Any]

_COUNT_OPTION = re.compile(r"(lanes|terms|stages|interleave)(-?\d+)")
_STOCHASTIC_OPTION = re.compile(r"sr[abc]?\d+")
_ARRAY_OPTION = re.compile(r"(\d+)x(\d+)")


def write_design_text(modes: Sequence[MacConfig], implementation: Implementation) -> str:
    """Canonical text of modes, one where nothing is switched, and of how they are built."""
    mac = modes[0]
    accumulators = [_accumulator_text(mode) for mode in modes]
    parts = [
        "+".join(_operand_text(mode, mode.lanes // mac.lanes) for mode in modes),
        accumulators[0] if len(set(accumulators)) == 1 else "+".join(accumulators),
    ]
    if mac.lanes != 1:
        parts.append(f"lanes{mac.lanes}")
    if mac.terms is not None:
        parts.append(f"terms{mac.terms}")
    if mac.product is not None:
        parts.append(f"mul{mac.product.name}")
    if mac.rounding is not Rounding.NEAREST_EVEN:
        parts.append(mac.rounding.value)
    if mac.stochastic is not None:
        parts.append(mac.stochastic.text)
    if mac.overflow is not None:
        parts.append(mac.overflow.value)
    int_overflows = [int_overflow_of(mode.accumulator) for mode in modes]
    int_overflow = next(
        (each for each in int_overflows if each is not IntOverflow.FORBID), IntOverflow.FORBID
    )
    if int_overflow is not IntOverflow.FORBID:
        parts.append(int_overflow.value)
    if mac.output is not None:
        parts.append(f"out{mac.output}")
    if mac.requantise is not None:
        parts.append(mac.requantise.text)
    if implementation.is_array:
        parts.append(f"{implementation.rows}x{implementation.columns}")
    if implementation.dataflow is not Dataflow.OUTPUT_STATIONARY:
        parts.append(implementation.dataflow.value)
    if implementation.stages:
        parts.append(f"stages{implementation.stages}")
    if implementation.interleave > 1:
        parts.append(f"interleave{implementation.interleave}")
    for key, values in ARCHITECTURE_CHOICES.items():
        value = getattr(implementation, key)
        if value != values[0]:
            parts.append(f"{key}={value}")
    if implementation.form != "stream":
        parts.append(implementation.form)
    return ":".join(parts)


def _accumulator_text(mode: MacConfig) -> str:
    """A mode's accumulator as a design text has it: of blocks only the one they are added to."""
    accumulator = mode.accumulator
    if mode.block is not None and isinstance(accumulator, ChunkedAccumulator):
        accumulator = accumulator.outer
    return format_accumulator(accumulator)


def _operand_text(mode: MacConfig, rate: int) -> str:
    """A mode's operands as a design text has them."""
    a, b = mode.operand_names
    names = a if a == b else f"{a}x{b}"
    return names if rate == 1 else f"{rate}{names}"


def _split_operands(text: str) -> tuple[Operand, Operand]:
    """``AxB`` at the ``x`` where both sides are formats; names may hold an ``x`` themselves."""
    for at in (index for index, letter in enumerate(text) if letter == "x"):
        try:
            return parse_operand(text[:at]), parse_operand(text[at + 1 :])
        except ValueError:
            continue
    if "x" in text:  # tell which of the two is wrong, unless the whole is one format
        try:
            whole = parse_operand(text)
        except ValueError:
            left, _, right = text.partition("x")
            return parse_operand(left), parse_operand(right)
        return whole, whole
    whole = parse_operand(text)
    return whole, whole


def _split_rate(text: str) -> tuple[int, str]:
    """``2e2m1`` is two products of e2m1 in a lane; ``1-6-9`` is a format."""
    match = re.match(r"\d+(?=[a-z])", text)
    if match is None:
        return 1, text
    rate = int(match[0])
    if rate < 1:
        raise ValueError(f"operands {text!r}: the products of a lane must be at least 1, not 0")
    return rate, text[match.end() :]


def _put(text: str, target: Fields, key: str, value: Any, option: str) -> None:
    if key in target:
        raise ValueError(f"design {text!r}: option {option!r} states {key} a second time")
    target[key] = value


def _read_options(text: str, options: Sequence[str]) -> tuple[Fields, Fields, IntOverflow]:
    """Fields of `MacConfig` and of `Implementation` that the options of a text state, and what
    becomes of integers too wide for their accumulator."""
    mac: Fields = {}
    implementation: Fields = {}
    int_overflow = IntOverflow.FORBID

    def put(target: Fields, key: str, value: Any, option: str) -> None:
        _put(text, target, key, value, option)

    for option in options:
        if match := _COUNT_OPTION.fullmatch(option):
            key, count = match[1], int(match[2])
            target = implementation if key in ("stages", "interleave") else mac
            put(target, key, count, option)
        elif match := _ARRAY_OPTION.fullmatch(option):
            put(implementation, "rows", int(match[1]), option)
            put(implementation, "columns", int(match[2]), option)
        elif option in {mode.value for mode in Rounding}:
            put(mac, "rounding", Rounding(option), option)
        elif _STOCHASTIC_OPTION.fullmatch(option):
            put(mac, "stochastic", parse_stochastic(option), option)
        elif option in {mode.value for mode in Overflow}:
            put(mac, "overflow", Overflow(option), option)
        elif option in {IntOverflow.WRAP.value, IntOverflow.CLIP.value}:
            int_overflow = IntOverflow(option)
        elif option in {flow.value for flow in Dataflow}:
            put(implementation, "dataflow", Dataflow(option), option)
        elif "=" in option:
            key, _, value = option.partition("=")
            if value not in ARCHITECTURE_CHOICES.get(key, ()):
                ways = "; ".join(
                    f"{name}={'/'.join(values)}" for name, values in ARCHITECTURE_CHOICES.items()
                )
                raise ValueError(f"design {text!r}: unknown choice {option!r}; choices are {ways}")
            put(implementation, key, value, option)
        elif option == "unit":
            put(implementation, "form", "unit", option)
        elif option.startswith("out") and len(option) > 3:
            put(
                mac, "output", option[3:] if option[3:] == RAW else parse_format(option[3:]), option
            )
        elif option.startswith("requant"):
            put(mac, "requantise", parse_output_stage(option), option)
        elif option.startswith("mul") and len(option) > 3:
            put(mac, "product", parse_format(option[3:]), option)
        else:
            raise ValueError(
                f"design {text!r}: unknown option {option!r}; options are lanesN, termsN, "
                "mulFORMAT, rne/rna/rtz/rup/rdn/rto, srN/srbN/srcN, sat/inf/nan/prop, wrap/clip, "
                "outFORMAT, requantMsS, RxC, stagesN, interleaveN, KEY=VALUE, unit"
            )
    return mac, implementation, int_overflow


def read_design_text(text: str) -> tuple[list[MacConfig], Implementation]:
    """The modes of a design text, one where nothing is switched, and how they are built.

    Raises
    ------
    ValueError
        What is wrong, what it must be, what it was; pydantic's own error where a value is refused
        by the configuration it is for.
    """
    parts = text.strip().lower().split(":")
    if len(parts) < 2 or not all(parts):
        raise ValueError(
            f"design {text!r}: must be A[xB]:ACCUMULATOR[:OPTION...], such as e4m3:exact or "
            "e4m3xe5m2:e6m9/64:lanes4"
        )
    mac, implementation, int_overflow = _read_options(text, parts[2:])
    operands = [_split_rate(part) for part in parts[0].split("+")]
    accumulators = parts[1].split("+")
    if len(accumulators) not in (1, len(operands)):
        raise ValueError(
            f"design {text!r}: must have one accumulator, or one for each of the {len(operands)} "
            f"modes, not {len(accumulators)}"
        )
    modes = []
    for index, (rate, names) in enumerate(operands):
        a, b = _split_operands(names)
        mode = dict(mac)
        name, slash, chunks = accumulators[index % len(accumulators)].partition("/")
        tensor_core = find_tensor_core(name, a, b)
        if tensor_core is not None:
            _put(text, mode, "lanes", tensor_core.lanes, name)
            _put(text, mode, "rounding", tensor_core.rounding, name)
            name = tensor_core.accumulator
        accumulator = parse_accumulator(name + slash + chunks, int_overflow)
        lanes = mode.get("lanes", 1) * rate
        modes.append(MacConfig(**mode | {"a": a, "b": b, "lanes": lanes}, accumulator=accumulator))
    return modes, Implementation(**implementation)
