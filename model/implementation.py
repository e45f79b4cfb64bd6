"""How a MAC is built: stages, array shape, and the architecture choices that change only cost."""

from __future__ import annotations

from enum import Enum
from typing import Annotated, Literal, Self, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    model_validator,
)

__all__ = ["ARCHITECTURE_CHOICES", "Dataflow", "Implementation"]


class Dataflow(Enum):
    """Which operand stays in the processing elements of an array."""

    OUTPUT_STATIONARY = "os"
    WEIGHT_STATIONARY = "ws"


class Implementation(BaseModel, frozen=True):
    """Everything that changes only cost or latency.

    The fields of `ARCHITECTURE_CHOICES` name one of several architectures of the same function;
    ``auto`` takes the one that was measured to be best for `goal`
    (`macsmith.hw.architecture.resolve_architecture`).

    With `interleave` N, a MAC adds to N independent sums in turn: the beats given to it are one of
    each sum, in rotation, and the loop through the accumulator has N cycles.

    With stochastic rounding, `lfsr` says where the random words come from: one shift register
    inside the MAC or the array, a port, or a shift register in each element of an array.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    stages: Annotated[int, Field(strict=True)] = 0
    interleave: Annotated[int, Field(strict=True)] = 1
    rows: Annotated[int, Field(strict=True)] = 1
    columns: Annotated[int, Field(strict=True)] = 1
    dataflow: Dataflow = Dataflow.OUTPUT_STATIONARY
    form: Literal["stream", "unit"] = "stream"
    goal: Literal["area", "speed"] = "area"
    path: Literal["auto", "single", "compact", "dual"] = "auto"
    normalise: Literal["auto", "early", "late"] = "auto"
    count: Literal["auto", "shift", "anticipate"] = "auto"
    share: Literal["auto", "datapath", "ports"] = "auto"
    multiply: Literal["auto", "array", "dadda", "booth", "operator", "table"] = "auto"
    align: Literal["auto", "shift", "split"] = "auto"
    signs: Literal["auto", "word", "block"] = "auto"
    reduce: Literal["auto", "columns", "dadda"] = "auto"
    outer: Literal["auto", "own", "shared"] = "auto"
    loop: Literal["auto", "merged", "apart", "carrysave", "restart"] = "auto"
    accumulate: Literal[
        "auto",
        "whole",
        "segments8",
        "segments16",
        "segments32",
        "buckets8",
        "buckets16",
        "buckets32",
    ] = "auto"
    fpga: Literal["none", "ice40", "ecp5", "xilinx7"] = "none"
    dsp: Literal["off", "on"] = "off"
    pair: Literal["auto", "off", "columns"] = "auto"
    lfsr: Literal["inside", "port", "each"] = "inside"
    feed: Literal["passed", "broadcast"] = "passed"

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not 0 <= self.stages <= 32:
            raise ValueError(f"stages must be 0 to 32, not {self.stages}")
        if not 1 <= self.interleave <= 32:
            raise ValueError(f"interleave must be 1 to 32 sums, not {self.interleave}")
        for axis in ("rows", "columns"):
            size = getattr(self, axis)
            if not 1 <= size <= 256:
                raise ValueError(f"array {axis} must be 1 to 256, not {size}")
        if self.is_weight_stationary:
            self._check_weight_stationary()
        if self.dsp == "on" and self.fpga == "none":
            raise ValueError(
                "dsp=on needs the family whose blocks are meant: fpga=ice40, ecp5 or xilinx7"
            )
        if self.pair == "columns" and (self.dsp == "off" or self.columns % 2):
            raise ValueError(
                "pair=columns forms the products of two columns of an array in one DSP block: must "
                f"have dsp=on and an even number of columns, not dsp={self.dsp} and "
                f"{self.columns}; leave it out"
            )
        if self.feed == "broadcast" and not self.is_array:
            raise ValueError(
                "feed=broadcast says how operands reach the elements of an array: it must be one "
                "(RxC); leave it out"
            )
        if self.form == "unit" and (self.stages or self.is_array):
            raise ValueError("a unit is one combinational step: it takes no stages and no array")
        if self.interleave > 1 and (self.form == "unit" or self.is_array):
            raise ValueError(
                f"interleave{self.interleave}: sums are interleaved in the loop of a single MAC, "
                "not in a unit or an array: leave it out"
            )
        return self

    def _check_weight_stationary(self) -> None:
        if not self.is_array:
            raise ValueError(
                "ws (weight-stationary) is a dataflow of arrays: state RxC, or leave it out"
            )
        for key in ("outer", "accumulate", "pair"):
            value = getattr(self, key)
            if value not in ("auto", "whole", "off"):
                raise ValueError(
                    f"{key}={value}: partial sums move through a weight-stationary array (ws) as "
                    "they are, one for each column, to outer sums at its edge: leave it out"
                )
        if self.feed == "broadcast":
            raise ValueError(
                "feed=broadcast: a weight-stationary array (ws) hands A on: leave it out"
            )
        if self.loop in ("carrysave", "restart"):
            raise ValueError(
                f"loop={self.loop}: a weight-stationary array (ws) has no loop in its elements: "
                "leave it out"
            )

    @property
    def is_weight_stationary(self) -> bool:
        """Whether B stays in the elements of the array and partial sums move."""
        return self.dataflow is Dataflow.WEIGHT_STATIONARY

    @property
    def is_array(self) -> bool:
        """Whether there is more than one processing element."""
        return self.rows * self.columns > 1


ARCHITECTURE_CHOICES: dict[str, tuple[str, ...]] = {
    key: get_args(Implementation.model_fields[key].annotation)
    for key in (
        "goal",
        "path",
        "normalise",
        "count",
        "outer",
        "loop",
        "accumulate",
        "multiply",
        "align",
        "signs",
        "reduce",
        "fpga",
        "dsp",
        "pair",
        "lfsr",
        "feed",
        "share",
    )
}
"""Values that ``KEY=VALUE`` in a design text can have, the default first."""
