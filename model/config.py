"""What a MAC computes (`MacConfig`), how it is built (`Implementation`), and the text for both.

Design text is ``A[xB][+...]:ACCUMULATOR[:OPTION...]``, for example
``e4m3xe5m2:e6m9/64:lanes4:8x8:stages2``.

=============  ==========================================================================
part           meaning
=============  ==========================================================================
A, B           operand formats (`macsmith.model.formats`); B defaults to A
``A[xB]+...``  modes that are switched at run time; ``2C`` packs two codes of C into a lane
               (`macsmith.model.switch`); ACCUMULATOR then is one, or one each, joined by ``+``
ACCUMULATOR    ``exact``, ``intN``, a float format, ``FORMAT_alignedBITS...``, the name of a GPU
               (`macsmith.model.tensor_cores`), or ``INNER/LENGTH[/OUTER]`` of those
``lanesN``     products summed per step (1)
``termsN``     most products one result may sum (a default by accumulator)
``mulFORMAT``  each product is rounded to this format first (exact)
``rne rna rtz rup rdn``  rounding of every step that rounds (rne)
``srN``        stochastic rounding of float accumulators with N random bits; ``sraN`` (the same),
               ``srbN``, ``srcN``: `macsmith.model.rounding.StochasticRounding`
``sat inf nan``  overflow of float accumulators and output (inf if the format has it, else sat)
``wrap clip``  overflow of an intN accumulator (neither: it must be wide enough)
``outFORMAT``  format of the result, ``outraw`` for the accumulator's own bits
``RxC``        systolic array of R rows and C columns (1x1: a single MAC)
``os ws``      dataflow: output-stationary (default) or weight-stationary
``stagesN``    pipeline stages before the accumulator (0)
``KEY=VALUE``  an architecture in place of the default: see `ARCHITECTURE_CHOICES`
``unit``       only the combinational arithmetic step
=============  ==========================================================================
"""

from __future__ import annotations

import re
import tomllib
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

from macsmith.model.accumulators import (
    Accumulator,
    AlignedAccumulator,
    ChunkedAccumulator,
    FloatAccumulator,
    IntOverflow,
    SimpleAccumulator,
    accumulator_parts,
    dump_accumulator,
    format_accumulator,
    int_overflow_of,
    parse_accumulator,
)
from macsmith.model.formats import Format, IntFormat, parse_format
from macsmith.model.rounding import (
    Overflow,
    Rounding,
    RoundingMode,
    StochasticRounding,
    check_overflow,
    default_overflow,
    parse_stochastic,
)
from macsmith.model.switch import check_modes
from macsmith.model.tensor_cores import find_tensor_core
from macsmith.model.widths import mac_widths
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationError,
    model_validator,
)

__all__ = [
    "ARCHITECTURE_CHOICES",
    "Dataflow",
    "Design",
    "Implementation",
    "MacConfig",
    "load_designs",
    "parse_design",
]

MAX_LANES = 64
RAW = "raw"

_FormatField = Annotated[Format, BeforeValidator(parse_format), PlainSerializer(str)]
_AccumulatorField = Annotated[
    Accumulator, BeforeValidator(parse_accumulator), PlainSerializer(dump_accumulator)
]


def _parse_output(value: Any) -> Any:
    return value if value is None or value == RAW else parse_format(value)


_OutputField = Annotated[
    Format | Literal["raw"] | None,
    BeforeValidator(_parse_output),
    PlainSerializer(lambda value: None if value is None else str(value)),
]


_StochasticField = Annotated[
    StochasticRounding,
    BeforeValidator(parse_stochastic),
    PlainSerializer(str),
]


class Dataflow(Enum):
    """Which operand stays in the processing elements of an array."""

    OUTPUT_STATIONARY = "os"
    WEIGHT_STATIONARY = "ws"


class MacConfig(BaseModel, frozen=True):
    """Everything that decides a result bit of a sum of products, and nothing else.

    A result is ``round_out(accumulate(a[k] * b[k] for k in range(K)))``. Each step multiplies
    `lanes` pairs, and adds their products and the partial sum *exactly*; a float accumulator then
    rounds once. See `macsmith.model.golden` for the definition.

    Raises
    ------
    pydantic.ValidationError
        A ValueError that names the field, what it must be and what it was.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    a: _FormatField
    b: _FormatField
    accumulator: _AccumulatorField
    lanes: Annotated[int, Field(strict=True)] = 1
    terms: Annotated[int, Field(strict=True)] | None = None
    product: _FormatField | None = None
    rounding: Rounding = Rounding.NEAREST_EVEN
    stochastic: _StochasticField | None = None
    overflow: Overflow | None = None
    output: _OutputField = None

    @model_validator(mode="before")
    @classmethod
    def _b_defaults_to_a(cls, data: Any) -> Any:
        if isinstance(data, dict) and "a" in data and data.get("b") is None:
            return {**data, "b": data["a"]}
        return data

    @model_validator(mode="after")
    def _check(self) -> Self:
        what = f"{self.a.name}x{self.b.name}:{format_accumulator(self.accumulator)}"
        if not 1 <= self.lanes <= MAX_LANES:
            raise ValueError(f"{what}: lanes must be 1 to {MAX_LANES}, not {self.lanes}")
        if self.terms is not None and self.terms < 1:
            raise ValueError(f"{what}: terms must be at least 1 product, not {self.terms}")
        if self.terms is not None and self.terms < self.lanes:
            raise ValueError(
                f"{what}: terms must be at least the {self.lanes} lanes of one step, "
                f"not {self.terms}"
            )
        if isinstance(self.accumulator, ChunkedAccumulator):
            length = self.accumulator.length
            if length % self.lanes:
                raise ValueError(
                    f"{what}: the chunk of {length} products must be a multiple of the "
                    f"{self.lanes} lanes summed per step"
                )
        if self.aligned is not None:
            for fmt in (self.a, self.b):
                if isinstance(fmt, IntFormat):
                    raise ValueError(
                        f"{what}: an aligned accumulator must have float operands, not {fmt.name}"
                    )
            if self.product is not None:
                raise ValueError(
                    f"{what}: products are aligned as they are: mul{self.product.name} must be "
                    "left out"
                )
        if self.overflow is not None:
            for fmt in self.float_formats:
                check_overflow(fmt, self.overflow)
        if self.stochastic is not None:
            self._check_stochastic(what)
        # the widths are derived here once, so that a too narrow accumulator fails at birth
        mac_widths(self)
        return self

    def _check_stochastic(self, what: str) -> None:
        parts = accumulator_parts(self.accumulator)
        if any(isinstance(part, AlignedAccumulator) for part in parts):
            raise ValueError(
                f"{what}: an aligned accumulator rounds as it states: leave {self.stochastic} out"
            )
        formats = [part.format for part in parts if isinstance(part, FloatAccumulator)]
        if not formats:
            raise ValueError(
                f"{what}: stochastic rounding needs a float accumulator; a fixed-point one never "
                "rounds"
            )
        if self.rounding is not Rounding.NEAREST_EVEN:
            raise ValueError(
                f"{what}: beside {self.stochastic}, which rounds the accumulators, all else must "
                f"round to nearest even, not {self.rounding.value}"
            )
        for fmt in formats:
            if not fmt.has_subnormals:
                raise ValueError(
                    f"{what}: stochastic rounding needs an accumulator with subnormals, which "
                    f"{fmt.name} has not: no power of two divides its step above 0"
                )

    @property
    def accumulator_rounding(self) -> RoundingMode:
        """How float accumulators round; products and results round by `rounding`."""
        return self.stochastic or self.rounding

    def random_bits_of(self, accumulator: SimpleAccumulator | None) -> int:
        """Random bits that one step of an accumulator takes."""
        if self.stochastic is None or not isinstance(accumulator, FloatAccumulator):
            return 0
        return self.stochastic.bits

    @property
    def random_bits(self) -> int:
        """Width of the random word of a step: bits of the outer accumulator, if that is a float,
        above those of the inner one, if that is."""
        return sum(self.random_bits_of(part) for part in accumulator_parts(self.accumulator))

    @property
    def aligned(self) -> AlignedAccumulator | None:
        """The accumulator that products are added to, where it aligns them; else None."""
        inner = accumulator_parts(self.accumulator)[0]
        return inner if isinstance(inner, AlignedAccumulator) else None

    @property
    def float_formats(self) -> tuple[Format, ...]:
        """Float formats that results are rounded to: accumulators, product, stated output."""
        formats: list[Format] = []
        formats += [
            part.format
            for part in accumulator_parts(self.accumulator)
            if isinstance(part, FloatAccumulator | AlignedAccumulator)
        ]
        formats += [
            fmt
            for fmt in (self.product, self.output)
            if fmt is not None and not isinstance(fmt, IntFormat | str)
        ]
        return tuple(formats)

    def overflow_of(self, fmt: Format) -> Overflow:
        """Overflow policy where a value is rounded to `fmt`."""
        if self.overflow is None or isinstance(fmt, IntFormat):
            return default_overflow(fmt)
        try:
            check_overflow(fmt, self.overflow)
        except ValueError:  # only for a default output format, which may lack the code
            return default_overflow(fmt)
        return self.overflow

    @property
    def last_accumulator(self) -> SimpleAccumulator:
        """The accumulator that the result is read from: the outer one when chunked."""
        return accumulator_parts(self.accumulator)[-1]

    @property
    def output_format(self) -> Format | None:
        """Format of the result; None where it is the raw fixed-point partial sum.

        The default is the accumulator's own format if that is a float; binary32 for a
        fixed-point accumulator over float operands (rounded once on the way out); raw for a
        fixed-point accumulator over integers.
        """
        if self.output == RAW:
            last = self.last_accumulator
            return last.format if isinstance(last, FloatAccumulator | AlignedAccumulator) else None
        if self.output is not None:
            assert not isinstance(self.output, str)
            return self.output
        last = self.last_accumulator
        if isinstance(last, FloatAccumulator | AlignedAccumulator):
            return last.format
        if isinstance(self.a, IntFormat) and isinstance(self.b, IntFormat):
            return None
        return parse_format("fp32")


class Implementation(BaseModel, frozen=True):
    """Everything that changes only cost or latency.

    The fields of `ARCHITECTURE_CHOICES` name one of several architectures of the same function;
    ``auto`` takes the one that was measured to be best for `goal`
    (`macsmith.hw.architecture.resolve_architecture`).

    With stochastic rounding, `lfsr` says where the random words come from: one shift register
    inside the MAC or the array, or a port.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    stages: Annotated[int, Field(strict=True)] = 0
    rows: Annotated[int, Field(strict=True)] = 1
    columns: Annotated[int, Field(strict=True)] = 1
    dataflow: Dataflow = Dataflow.OUTPUT_STATIONARY
    form: Literal["stream", "unit"] = "stream"
    goal: Literal["area", "speed"] = "area"
    path: Literal["auto", "single", "compact", "dual"] = "auto"
    share: Literal["auto", "datapath", "ports"] = "auto"
    multiply: Literal["auto", "array", "dadda", "booth", "operator", "table"] = "auto"
    align: Literal["auto", "shift", "split"] = "auto"
    signs: Literal["auto", "word", "block"] = "auto"
    reduce: Literal["auto", "columns", "dadda"] = "auto"
    outer: Literal["auto", "own", "shared"] = "auto"
    loop: Literal["auto", "merged", "apart", "carrysave"] = "auto"
    fpga: Literal["none", "ice40", "ecp5", "xilinx7"] = "none"
    dsp: Literal["off", "on"] = "off"
    lfsr: Literal["inside", "port"] = "inside"

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not 0 <= self.stages <= 32:
            raise ValueError(f"stages must be 0 to 32, not {self.stages}")
        for axis in ("rows", "columns"):
            size = getattr(self, axis)
            if not 1 <= size <= 256:
                raise ValueError(f"array {axis} must be 1 to 256, not {size}")
        if self.dataflow is Dataflow.WEIGHT_STATIONARY:
            raise ValueError(
                "dataflow ws (weight-stationary) is not built yet: leave it out for "
                "output-stationary"
            )
        if self.dsp == "on" and self.fpga == "none":
            raise ValueError(
                "dsp=on needs the family whose blocks are meant: fpga=ice40, ecp5 or xilinx7"
            )
        if self.form == "unit" and (self.stages or self.is_array):
            raise ValueError("a unit is one combinational step: it takes no stages and no array")
        return self

    @property
    def is_array(self) -> bool:
        """Whether there is more than one processing element."""
        return self.rows * self.columns > 1


ARCHITECTURE_CHOICES: dict[str, tuple[str, ...]] = {
    key: get_args(Implementation.model_fields[key].annotation)
    for key in (
        "goal",
        "path",
        "outer",
        "loop",
        "multiply",
        "align",
        "signs",
        "reduce",
        "fpga",
        "dsp",
        "lfsr",
        "share",
    )
}
"""Values that ``KEY=VALUE`` in a design text can have, the default first."""


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
            if self.implementation.is_array:
                raise ValueError(
                    "modes are switched in a single MAC or a unit, not in an array: leave RxC out"
                )
            if self.mac.stochastic is not None:
                raise ValueError("modes cannot be switched with stochastic rounding yet")
        elif self.implementation.share != "auto":
            raise ValueError("share is for designs of several modes, such as e4m3+e5m2:exact")
        if self.implementation.outer == "shared":
            self._check_shared_outer()
        if self.implementation.loop == "carrysave":
            self._check_carry_save()
        for mode in self.modes if self.implementation.fpga != "none" else ():
            if mac_widths(mode).inner.format is not None:
                raise ValueError(
                    f"fpga={self.implementation.fpga}: only sums in fixed point (exact, intN) have "
                    f"a form for FPGAs, not {format_accumulator(mode.accumulator)}; leave it out"
                )
        if self.implementation.lfsr == "port" and not self.mac.random_bits:
            raise ValueError("lfsr=port needs stochastic rounding (srN): nothing else is random")
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
        implementation = self.implementation.model_copy(update={"share": "auto"})
        return tuple(Design(mac=mode, implementation=implementation) for mode in self.modes)

    def _check_carry_save(self) -> None:
        widths, implementation = mac_widths(self.mac).inner, self.implementation
        if widths.format is not None or widths.clips:
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

    def _check_shared_outer(self) -> None:
        if self.mac.random_bits_of(self.mac.last_accumulator):
            raise ValueError(
                "outer=shared: an outer adder that rounds stochastically is not shared; leave it "
                "out"
            )
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
        accumulators = [format_accumulator(mode.accumulator) for mode in self.modes]
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
        if impl.is_array:
            parts.append(f"{impl.rows}x{impl.columns}")
        if impl.dataflow is not Dataflow.OUTPUT_STATIONARY:
            parts.append(impl.dataflow.value)
        if impl.stages:
            parts.append(f"stages{impl.stages}")
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


def _split_operands(text: str) -> tuple[Format, Format]:
    """``AxB`` at the ``x`` where both sides are formats; names may hold an ``x`` themselves."""
    for at in (index for index, letter in enumerate(text) if letter == "x"):
        try:
            return parse_format(text[:at]), parse_format(text[at + 1 :])
        except ValueError:
            continue
    if "x" in text:  # tell which of the two is wrong, unless the whole is one format
        try:
            whole = parse_format(text)
        except ValueError:
            left, _, right = text.partition("x")
            return parse_format(left), parse_format(right)
        return whole, whole
    whole = parse_format(text)
    return whole, whole


def _operand_text(mode: MacConfig, rate: int) -> str:
    """A mode's operands as a design text has them."""
    names = mode.a.name if mode.a == mode.b else f"{mode.a.name}x{mode.b.name}"
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


_COUNT_OPTION = re.compile(r"(lanes|terms|stages)(-?\d+)")
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
            put(implementation if key == "stages" else mac, key, count, option)
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
        elif option.startswith("mul") and len(option) > 3:
            put(mac, "product", parse_format(option[3:]), option)
        else:
            raise ValueError(
                f"design {text!r}: unknown option {option!r}; options are lanesN, termsN, "
                "mulFORMAT, rne/rna/rtz/rup/rdn, srN/srbN/srcN, sat/inf/nan, wrap/clip, "
                "outFORMAT, RxC, stagesN, KEY=VALUE, unit"
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
