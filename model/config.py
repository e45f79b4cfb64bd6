"""What a MAC computes: every field that decides a bit of a result."""

from __future__ import annotations

from contextlib import suppress
from typing import Annotated, Any, Literal, Self

from macsmith.model.accumulators import (
    Accumulator,
    AlignedAccumulator,
    ChunkedAccumulator,
    ExactAccumulator,
    FloatAccumulator,
    PositAccumulator,
    SimpleAccumulator,
    accumulator_parts,
    dump_accumulator,
    parse_accumulator,
)
from macsmith.model.block_formats import (
    BlockFormat,
    is_block_name,
    operand_name,
    parse_block_format,
)
from macsmith.model.config_rules import MAX_LANES, RAW, check_config
from macsmith.model.formats import (
    FloatFormat,
    Format,
    IntegerFormat,
    PositFormat,
    parse_format,
)
from macsmith.model.output_stage import OutputStage, parse_output_stage
from macsmith.model.rounding import (
    Overflow,
    Rounding,
    RoundingMode,
    StochasticRounding,
    check_overflow,
    default_overflow,
    parse_stochastic,
)
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    model_validator,
)

__all__ = ["MAX_LANES", "RAW", "MacConfig"]

#: Accumulators whose partial sum is a code, which is also the result unless stated.
CodeAccumulator = FloatAccumulator | AlignedAccumulator | PositAccumulator


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


_OutputStageField = Annotated[
    OutputStage, BeforeValidator(parse_output_stage), PlainSerializer(str)
]


def _expand_blocks(data: dict[str, Any]) -> dict[str, Any]:
    """Operands that are block formats as elements, scales and a block length; the accumulator then
    is the one that blocks are added to, behind an exact one for a block."""
    data = dict(data)
    for side in ("a", "b"):
        operand = data.get(side)
        if isinstance(operand, str) and is_block_name(operand):
            operand = parse_block_format(operand)
        if not isinstance(operand, BlockFormat):
            continue
        if data.get("block", operand.length) != operand.length:
            raise ValueError(
                f"{operand.name}: both operands must have blocks of one length, not "
                f"{data['block']} and {operand.length}"
            )
        data |= {side: operand.element, f"{side}_scale": operand.scale, "block": operand.length}
    if data.get("b") is None and "a" in data:
        data["b"], data["b_scale"] = data["a"], data.get("a_scale")
    block = data.get("block")
    if block is not None and "accumulator" in data:
        with suppress(ValueError):  # the field itself tells what is wrong
            accumulator = parse_accumulator(data["accumulator"])
            if not isinstance(accumulator, ChunkedAccumulator):
                data["accumulator"] = ChunkedAccumulator(ExactAccumulator(), block, accumulator)
    return data


class MacConfig(BaseModel, frozen=True):
    """Everything that decides a result bit of a sum of products, and nothing else.

    A result is ``round_out(accumulate(a[k] * b[k] for k in range(K)))``. Each step multiplies
    `lanes` pairs, and adds their products and the partial sum *exactly*; a float accumulator then
    rounds once. See `macsmith.model.golden` for the definition.

    With `block`, runs of so many products share a scale of A (`a_scale`), of B, or of both: the
    exact sum of a block times its scales is added to the outer accumulator, which rounds once.

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
    requantise: _OutputStageField | None = None
    a_scale: _FormatField | None = None
    b_scale: _FormatField | None = None
    block: Annotated[int, Field(strict=True)] | None = None

    @model_validator(mode="before")
    @classmethod
    def _b_defaults_to_a(cls, data: Any) -> Any:
        return _expand_blocks(data) if isinstance(data, dict) else data

    @model_validator(mode="after")
    def _check(self) -> Self:
        check_config(self)
        return self

    @property
    def scales(self) -> tuple[Format, ...]:
        """Scale formats of A and B, of those that have one."""
        return tuple(scale for scale in (self.a_scale, self.b_scale) if scale is not None)

    @property
    def is_block_a_step(self) -> bool:
        """Whether each step adds a whole block: then no inner sum is kept between steps."""
        return self.block is not None and self.block == self.lanes

    @property
    def has_chunk_end(self) -> bool:
        """Whether a step must be told that it ends a chunk."""
        return isinstance(self.accumulator, ChunkedAccumulator) and not self.is_block_a_step

    @property
    def operand_names(self) -> tuple[str, str]:
        """Names of A and B, block formats by theirs."""
        return (
            operand_name(self.a, self.a_scale, self.block),
            operand_name(self.b, self.b_scale, self.block),
        )

    @property
    def outer_arithmetic(self) -> MacConfig:
        """What the sum of a chunk is converted and added by.

        The configuration itself, but to nearest even where products are aligned: chunks of a tensor
        core are added outside of it, by units that follow IEEE 754.
        """
        if self.aligned is None or self.rounding is Rounding.NEAREST_EVEN:
            return self
        return self.model_copy(update={"rounding": Rounding.NEAREST_EVEN})

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
    def has_positive_zeros(self) -> bool:
        """Whether products of value 0 have no sign: an operand is of a kind that has no -0."""
        return not (isinstance(self.a, FloatFormat) and isinstance(self.b, FloatFormat))

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
            if fmt is not None and not isinstance(fmt, IntegerFormat | str)
        ]
        return tuple(formats)

    def overflow_of(self, fmt: Format) -> Overflow:
        """Overflow policy where a value is rounded to `fmt`."""
        if self.overflow is None or isinstance(fmt, IntegerFormat):
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

        The default is the accumulator's own format if that is a float. Of a fixed-point
        accumulator over posits it is the wider operand's, of one over integers the raw sum, and
        binary32 else: rounded once on the way out.
        """
        if self.output == RAW:
            last = self.last_accumulator
            return last.format if isinstance(last, CodeAccumulator) else None
        if self.output is not None:
            assert not isinstance(self.output, str)
            return self.output
        last = self.last_accumulator
        if isinstance(last, CodeAccumulator):
            return last.format
        if all(isinstance(fmt, IntegerFormat) for fmt in (self.a, self.b, *self.scales)):
            return None
        posits = [fmt for fmt in (self.a, self.b) if isinstance(fmt, PositFormat)]
        if posits:
            return max(posits, key=lambda fmt: fmt.bits)
        return parse_format("fp32")
