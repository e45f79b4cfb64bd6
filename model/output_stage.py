"""Integer sums brought to a narrow integer format: bias, multiplier and shift, zero point, ReLU.

The arithmetic that quantised networks end a layer with: a product with a fixed-point multiplier
instead of a division by a scale. Source: B. Jacob et al., *Quantization and Training of Neural
Networks for Efficient Integer-Arithmetic-Only Inference*, CVPR 2018, section 2.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from macsmith.model.formats import IntFormat
from macsmith.model.rounding import Rounding, round_to_multiple

__all__ = ["OutputStage", "parse_output_stage"]

MULTIPLIER_BITS = 31
MAX_SHIFT = 62
BIAS_BITS = 32

_TEXT = re.compile(
    r"requant(?P<multiplier>\d+)s(?P<shift>\d+)(?:z(?P<zero_point>m?\d+))?(?:b(?P<bias>m?\d+))?"
    r"(?P<relu>relu(?P<bound>\d+)?)?"
)


@dataclass(frozen=True)
class OutputStage:
    """What becomes of an integer sum.

    The result is ``clip(round((sum + bias) * multiplier / 2**shift) + zero_point)``, rounded once.

    Parameters
    ----------
    multiplier
        1 to ``2**31 - 1``.
    shift
        0 to 62.
    zero_point
        Integer of the output format that stands for 0.
    bias
        Added first, in units of the sum; a signed number of 32 bits.
    is_rectified
        Nothing goes below the zero point (ReLU).
    bound
        Only where rectified: nothing goes above this many units over the zero point (for ReLU6, 6
        divided by the output's scale); None: up to the format's largest integer.

    Raises
    ------
    ValueError
        One of them is out of range.
    """

    multiplier: int
    shift: int
    zero_point: int = 0
    bias: int = 0
    is_rectified: bool = False
    bound: int | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.multiplier < 1 << MULTIPLIER_BITS:
            raise ValueError(
                f"{self.text}: multiplier must be 1 to 2**{MULTIPLIER_BITS} - 1, not "
                f"{self.multiplier}"
            )
        if not 0 <= self.shift <= MAX_SHIFT:
            raise ValueError(f"{self.text}: shift must be 0 to {MAX_SHIFT}, not {self.shift}")
        if not -(1 << (BIAS_BITS - 1)) <= self.bias < 1 << (BIAS_BITS - 1):
            raise ValueError(f"{self.text}: bias must be a signed number of {BIAS_BITS} bits")
        if self.bound is not None and (self.bound < 1 or not self.is_rectified):
            raise ValueError(f"{self.text}: relu must be bounded by at least 1, not {self.bound}")

    @property
    def text(self) -> str:
        """As in a design text, with ``m`` for minus."""
        parts = [f"requant{self.multiplier}s{self.shift}"]
        parts += [f"z{self.zero_point}"] * (self.zero_point != 0)
        parts += [f"b{self.bias}"] * (self.bias != 0)
        parts += [f"relu{'' if self.bound is None else self.bound}"] * self.is_rectified
        return "".join(parts).replace("-", "m")

    def __str__(self) -> str:
        return self.text

    def range_in(self, fmt: IntFormat) -> tuple[int, int]:
        """Least and largest integer of results in `fmt`.

        Raises
        ------
        ValueError
            The zero point or the bound above it is not in the format.
        """
        low, high = fmt.min_code_integer, fmt.max_code_integer
        if not low <= self.zero_point <= high:
            raise ValueError(
                f"{self.text}: the zero point must be {low} to {high}, which {fmt.name} has, not "
                f"{self.zero_point}"
            )
        if self.bound is not None:
            if self.zero_point + self.bound > high:
                raise ValueError(
                    f"{self.text}: relu must be bounded by at most {high - self.zero_point}, up to "
                    f"the largest of {fmt.name}, not {self.bound}"
                )
            high = self.zero_point + self.bound
        return self.zero_point if self.is_rectified else low, high

    def code(self, fmt: IntFormat, integer: int, rounding: Rounding) -> int:
        """Result code of a sum, by definition."""
        low, high = self.range_in(fmt)
        value = Fraction((integer + self.bias) * self.multiplier, 1 << self.shift)
        rounded = int(round_to_multiple(value, Fraction(1), rounding)) + self.zero_point
        return min(max(rounded, low), high) & ((1 << fmt.bits) - 1)


def parse_output_stage(value: Any) -> Any:
    """The output stage that a text such as ``requant1234s16relu`` stands for.

    Anything but a text is returned as it is.

    Raises
    ------
    ValueError
        The text is none, or a number in it is out of range.
    """
    if not isinstance(value, str):
        return value
    match = _TEXT.fullmatch(value)
    if match is None:
        raise ValueError(
            f"output stage {value!r}: must be requantMULTIPLIERsSHIFT, then zZERO_POINT, bBIAS and "
            "relu or reluBOUND as needed, such as requant1518s16zm3relu"
        )

    def number(name: str) -> int:
        return int((match[name] or "0").replace("m", "-"))

    return OutputStage(
        int(match["multiplier"]),
        int(match["shift"]),
        number("zero_point"),
        number("bias"),
        is_rectified=match["relu"] is not None,
        bound=int(match["bound"]) if match["bound"] else None,
    )
