"""A design: what is computed, how it is built, and the text for both.

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
import tomllib
from pathlib import Path
from typing import Any, Self

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
from macsmith.model.rounding import (
    Overflow,
    Rounding,
    parse_stochastic,
)
from macsmith.model.switch import check_modes
from macsmith.model.tensor_cores import find_tensor_core
from macsmith.model.widths import mac_widths
from pydantic import (
    BaseModel,
    ConfigDict,
    ValidationError,
    model_validator,
)

__all__ = ["Design", "load_designs", "parse_design"]

Operand = Format | BlockFormat


class Design(BaseModel, frozen=True):
    """A computation and a way to build it; one row of a report.

    A switchable design has several modes, each a configuration of its own: `mac` is mode 0,
    `alternatives` are the others (`macsmith.model.switch`).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    mac: MacConfig
    implementation: Implementation = Implementation()
    alternatives: tuple[MacConfig, ...] = ()

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.alternatives:
            check_modes(self.modes)
            if self.mac.requantise is not None:
                raise ValueError("modes cannot be switched with an output stage (requant) yet")
            if self.mac.stochastic is not None:
                raise ValueError("modes cannot be switched with stochastic rounding yet")
            if self.implementation.is_array and self.implementation.dsp == "on":
                raise ValueError(
                    "dsp=on: an array of several modes has no form with DSP blocks: leave it out"
                )
            if any(mac_widths(mode).last.posit is not None for mode in self.modes):
                raise ValueError("modes cannot be switched with a posit accumulator yet")
            if any(mode.block is not None for mode in self.modes):
                raise ValueError("block formats cannot be switched at run time: state one mode")
        elif self.implementation.share != "auto":
            raise ValueError("share is for designs of several modes, such as e4m3+e5m2:exact")
        if self.implementation.feed == "broadcast" and (
            self.is_switchable or self.mac.random_bits or self.implementation.outer == "shared"
        ):
            raise ValueError(
                "feed=broadcast is for arrays of one mode, without stochastic rounding and with "
                "outer adders in the elements (outer=own): leave it out"
            )
        if self.implementation.interleave > 1:
            self._check_interleave()
        if self.implementation.is_weight_stationary:
            self._check_weight_stationary()
        if self.implementation.outer == "shared":
            self._check_shared_outer()
        if self.implementation.loop == "carrysave":
            self._check_carry_save()
        if self.implementation.accumulate not in ("auto", "whole"):
            self._check_accumulate()
        if self.mac.block is not None:
            self._check_blocks()
        if mac_widths(self.mac).last.posit is not None and self.implementation.dsp == "on":
            raise ValueError(
                "dsp=on: a posit accumulator has no form with DSP blocks: leave it out"
            )
        if self.implementation.lfsr == "port" and not self.mac.random_bits:
            raise ValueError("lfsr=port needs stochastic rounding (srN): nothing else is random")
        if self.implementation.lfsr == "each" and not (
            self.mac.random_bits and self.implementation.is_array
        ):
            raise ValueError(
                "lfsr=each gives each element of an array its own random words: it must be an "
                "array (RxC) with stochastic rounding (srN); leave it out"
            )
        if self.implementation.lfsr == "port" and self.implementation.form == "unit":
            raise ValueError("a unit always has its random word at a port: leave lfsr=port out")
        return self

    @property
    def modes(self) -> tuple[MacConfig, ...]:
        """What is computed in each mode; one where nothing is switched."""
        return (self.mac, *self.alternatives)

    @property
    def is_switchable(self) -> bool:
        """Whether there is more than one mode."""
        return bool(self.alternatives)

    @property
    def mode_designs(self) -> tuple[Design, ...]:
        """The design of each mode alone."""
        # elements of a switchable array have their outer adders
        own = {"outer": "own"} if self.implementation.is_array and self.is_switchable else {}
        implementation = self.implementation.model_copy(update={"share": "auto", **own})
        return tuple(Design(mac=mode, implementation=implementation) for mode in self.modes)

    def _check_interleave(self) -> None:
        what = f"interleave{self.implementation.interleave}"
        if self.is_switchable or self.mac.random_bits:
            raise ValueError(
                f"{what}: sums are interleaved neither in several modes nor with stochastic "
                "rounding: leave it out"
            )
        if self.implementation.loop == "carrysave":
            raise ValueError(f"{what} or loop=carrysave make a short loop, not both: leave one out")

    def _check_weight_stationary(self) -> None:
        what = f"a weight-stationary array (ws) of {self.implementation.rows} rows"
        if self.is_switchable or self.mac.random_bits or self.mac.block is not None:
            raise ValueError(
                f"{what} has neither several modes, stochastic rounding nor block formats: leave "
                "ws out"
            )
        accumulator = self.mac.accumulator
        if isinstance(accumulator, ChunkedAccumulator):
            products = self.implementation.rows * self.mac.lanes
            if accumulator.length % products:
                raise ValueError(
                    f"{what} adds {products} products on the way through a column: a chunk must be "
                    f"a multiple of them, not {accumulator.length}"
                )

    def _check_blocks(self) -> None:
        implementation = self.implementation
        if implementation.outer == "shared" or implementation.feed == "broadcast":
            raise ValueError(
                "an array of block formats hands its operands on, and has an outer adder in each "
                "element: leave outer=shared and feed=broadcast out"
            )
        if (
            implementation.loop == "carrysave"
            or implementation.fpga != "none"
            or implementation.interleave > 1
            or implementation.accumulate not in ("auto", "whole")
        ):
            raise ValueError(
                "block formats take neither loop=carrysave, accumulate=, fpga= nor interleaveN: "
                "leave it out"
            )

    def _check_carry_save(self) -> None:
        widths, implementation = mac_widths(self.mac).inner, self.implementation
        if widths.code_format is not None or widths.clips:
            raise ValueError(
                "loop=carrysave keeps a fixed-point sum as two numbers: the inner accumulator must "
                f"be exact or intN and not clip, not {format_accumulator(self.mac.accumulator)}; "
                "take loop=apart"
            )
        if implementation.form == "unit" or self.is_switchable or implementation.fpga != "none":
            raise ValueError(
                "loop=carrysave is for a MAC or an array with one mode and of standard cells, not "
                "for a unit, modes or fpga=; take loop=merged"
            )

    def _check_accumulate(self) -> None:
        widths, implementation = mac_widths(self.mac).inner, self.implementation
        asked = f"accumulate={implementation.accumulate}"
        if widths.code_format is not None or widths.clips:
            raise ValueError(
                f"{asked} keeps a fixed-point sum in parts: the inner accumulator must be exact or "
                f"intN and not clip, not {format_accumulator(self.mac.accumulator)}; leave it out"
            )
        if implementation.form == "unit" or self.is_switchable or implementation.fpga != "none":
            raise ValueError(
                f"{asked} is for a MAC or an array with one mode and of standard cells, not for a "
                "unit, modes or fpga=; leave it out"
            )
        if implementation.interleave > 1:
            raise ValueError(f"{asked} is for one sum at a time: leave interleave out")
        if implementation.loop == "carrysave":
            raise ValueError(
                f"{asked} and loop=carrysave are two ways to keep a sum in parts: leave one out"
            )

    def _check_shared_outer(self) -> None:
        if self.is_switchable:
            raise ValueError("outer=shared: modes are not switched in a shared adder; leave it out")
        accumulator, rows = self.mac.accumulator, self.implementation.rows
        if not isinstance(accumulator, ChunkedAccumulator):
            raise ValueError(
                "outer=shared shares the adder of chunks: the accumulator must be chunked, such "
                f"as e6m9/64, not {format_accumulator(accumulator)}"
            )
        if rows < 2:
            raise ValueError(
                "outer=shared serves the rows of an array: it must have 2 rows or more, not "
                f"{rows}; leave it out"
            )
        beats = accumulator.length // self.mac.lanes
        if beats < rows:
            raise ValueError(
                f"outer=shared adds one row's chunk per cycle: a chunk must have at least as many "
                f"beats as the array has rows, {rows}, not {beats}; take outer=own, longer chunks "
                "or fewer rows"
            )

    @property
    def text(self) -> str:
        """Canonical design text; `parse_design` gives this very design back."""
        mac, impl = self.mac, self.implementation
        accumulators = [_accumulator_text(mode) for mode in self.modes]
        parts = [
            "+".join(_operand_text(mode, mode.lanes // mac.lanes) for mode in self.modes),
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
        int_overflows = [int_overflow_of(mode.accumulator) for mode in self.modes]
        int_overflow = next(
            (each for each in int_overflows if each is not IntOverflow.FORBID), IntOverflow.FORBID
        )
        if int_overflow is not IntOverflow.FORBID:
            parts.append(int_overflow.value)
        if mac.output is not None:
            parts.append(f"out{mac.output}")
        if mac.requantise is not None:
            parts.append(mac.requantise.text)
        if impl.is_array:
            parts.append(f"{impl.rows}x{impl.columns}")
        if impl.dataflow is not Dataflow.OUTPUT_STATIONARY:
            parts.append(impl.dataflow.value)
        if impl.stages:
            parts.append(f"stages{impl.stages}")
        if impl.interleave > 1:
            parts.append(f"interleave{impl.interleave}")
        for key, values in ARCHITECTURE_CHOICES.items():
            value = getattr(impl, key)
            if value != values[0]:
                parts.append(f"{key}={value}")
        if impl.form != "stream":
            parts.append(impl.form)
        return ":".join(parts)

    @property
    def id(self) -> str:
        """The text with ``_`` for punctuation (``_or_`` between modes): a file name and a Verilog
        module name."""
        return re.sub(r"\W", "_", self.text.replace("+", "_or_"))

    def __str__(self) -> str:
        return self.text

    def to_toml(self) -> str:
        """The design as a TOML document that `load_designs` reads back."""
        lines = []
        tables: list[tuple[str, BaseModel]] = [
            ("[mac]", self.mac),
            ("[implementation]", self.implementation),
            *(("[[alternatives]]", mode) for mode in self.alternatives),
        ]
        for table, model in tables:
            lines.append(table)
            for key, value in model.model_dump(mode="json", exclude_none=True).items():
                lines.append(f"{key} = {value}" if isinstance(value, int) else f'{key} = "{value}"')
        return "\n".join(lines) + "\n"


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


def _split_rate(text: str) -> tuple[int, str]:
    """``2e2m1`` is two products of e2m1 in a lane; ``1-6-9`` is a format."""
    match = re.match(r"\d+(?=[a-z])", text)
    if match is None:
        return 1, text
    rate = int(match[0])
    if rate < 1:
        raise ValueError(f"operands {text!r}: the products of a lane must be at least 1, not 0")
    return rate, text[match.end() :]


_COUNT_OPTION = re.compile(r"(lanes|terms|stages|interleave)(-?\d+)")
_STOCHASTIC_OPTION = re.compile(r"sr[abc]?\d+")
_ARRAY_OPTION = re.compile(r"(\d+)x(\d+)")


def _first_line(error: ValidationError) -> str:
    """The first problem of a pydantic error as one line that names the field."""
    problem = error.errors()[0]
    message = problem["msg"].removeprefix("Value error, ")
    field = ".".join(str(part) for part in problem["loc"])
    return f"{field}: {message}" if field else message


def parse_design(text: str) -> Design:
    """The design that a design text stands for.

    Raises
    ------
    ValueError
        One line: what is wrong, what it must be, what it was.
    """
    parts = text.strip().lower().split(":")
    if len(parts) < 2 or not all(parts):
        raise ValueError(
            f"design {text!r}: must be A[xB]:ACCUMULATOR[:OPTION...], such as e4m3:exact or "
            "e4m3xe5m2:e6m9/64:lanes4"
        )
    mac: dict[str, Any] = {}
    implementation: dict[str, Any] = {}
    int_overflow = IntOverflow.FORBID

    def put(target: dict[str, Any], key: str, value: Any, option: str) -> None:
        if key in target:
            raise ValueError(f"design {text!r}: option {option!r} states {key} a second time")
        target[key] = value

    for option in parts[2:]:
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
    operands = [_split_rate(part) for part in parts[0].split("+")]
    accumulators = parts[1].split("+")
    if len(accumulators) not in (1, len(operands)):
        raise ValueError(
            f"design {text!r}: must have one accumulator, or one for each of the {len(operands)} "
            f"modes, not {len(accumulators)}"
        )
    try:
        modes = []
        for index, (rate, names) in enumerate(operands):
            a, b = _split_operands(names)
            mode = dict(mac)
            name, slash, chunks = accumulators[index % len(accumulators)].partition("/")
            tensor_core = find_tensor_core(name, a, b)
            if tensor_core is not None:
                put(mode, "lanes", tensor_core.lanes, name)
                put(mode, "rounding", tensor_core.rounding, name)
                name = tensor_core.accumulator
            accumulator = parse_accumulator(name + slash + chunks, int_overflow)
            lanes = mode.get("lanes", 1) * rate
            modes.append(
                MacConfig(**mode | {"a": a, "b": b, "lanes": lanes}, accumulator=accumulator)
            )
        return Design(
            mac=modes[0],
            implementation=Implementation(**implementation),
            alternatives=tuple(modes[1:]),
        )
    except ValidationError as error:
        raise ValueError(_first_line(error)) from None


def load_designs(path: Path) -> list[Design]:
    """Designs of a TOML file: one as ``[mac]`` and ``[implementation]`` tables, or several as a
    list of design texts, ``designs = ["e4m3:exact", ...]``.

    Raises
    ------
    ValueError
        The file, the line or field, and what is wrong there.
    OSError
        The file cannot be read.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: not TOML: {error}") from None
    if "designs" in document:
        designs = []
        texts = document["designs"]
        if not isinstance(texts, list) or not texts:
            raise ValueError(f"{path}: designs must be a list of design texts, not {texts!r}")
        for index, text in enumerate(texts):
            if not isinstance(text, str):
                raise ValueError(f"{path}: designs[{index}] must be a design text, not {text!r}")
            try:
                designs.append(parse_design(text))
            except ValueError as error:
                raise ValueError(f"{path}: designs[{index}]: {error}") from None
        return designs
    if "mac" not in document:
        raise ValueError(f"{path}: must have a list `designs` or a table [mac]")
    try:
        return [Design.model_validate(document, strict=False)]
    except ValidationError as error:
        raise ValueError(f"{path}: {_first_line(error)}") from None
