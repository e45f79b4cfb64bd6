"""Component models over the table ``components.json`` beside this file; needs no macsmith.

Units are those of hwcomponents: m^2, J, W, s.
"""

import json
from pathlib import Path
from typing import Any, ClassVar

from hwcomponents import ActionCost, ComponentModel, action

_TABLE: list[dict[str, Any]] = json.loads(
    Path(__file__).with_name("components.json").read_text(encoding="utf-8")
)


def _find(kind: str, design: str, technology: str | None) -> dict[str, Any]:
    """The table's row; ValueError with what there is otherwise."""
    rows = [row for row in _TABLE if row["kind"] == kind]
    found = [
        row for row in rows if row["design"] == design and technology in (None, row["technology"])
    ]
    if len(found) == 1:
        return found[0]
    known = ", ".join(f"{row['design']} ({row['technology']})" for row in rows) or "none"
    problem = "state the technology" if found else "not in this package's table"
    raise ValueError(f"{kind} {design!r}, technology {technology!r}: {problem}; there is: {known}")


class _MacsmithModel(ComponentModel):
    """A row of the table.

    Parameters
    ----------
    design
        Design text of macsmith, such as ``e4m3:e6m9/64``; of a quantiser its format.
    technology
        Name of the technology, such as ``asap7``; may be left out where the table has one.
    """

    _kind = ""
    # measured figures of just this unit: before a library's general one
    priority = 0.9

    def __init__(self, design: str, technology: str | None = None) -> None:
        row = _find(self._kind, design, technology)
        self.row = row
        self.width_a = row["input_bits"][0]
        self.width_b = row["input_bits"][-1]
        self.output_width = row["output_bits"]
        super().__init__(leak_power=(row["leakage_nw"] or 0.0) * 1e-9, area=row["area_um2"] * 1e-12)

    def _cost(self) -> ActionCost:
        self.logger.info(f"{self.row['name']}: {self.row['source']}")
        delay_s = self.row["delay_ps"] * 1e-12
        return ActionCost(
            energy=self.row["energy_pj"] * 1e-12,
            latency=delay_s * self.row["latency_cycles"],
            throughput=1 / delay_s,
        )

    @action
    def compute(self) -> ActionCost:
        """What the unit does once, as an architecture's compute node calls it."""
        return self._cost()

    @action
    def read(self) -> ActionCost:
        """The same, as a library calls the typical action."""
        return self._cost()


class MacsmithMac(_MacsmithModel):
    """A multiply-accumulate of a design."""

    component_name: ClassVar[list[str]] = ["MacsmithMac", "MacsmithMAC"]
    _kind = "mac"

    @action
    def mac(self) -> ActionCost:
        """One multiply-accumulate."""
        return self._cost()


class MacsmithMultiplier(_MacsmithModel):
    """Decoding and multiplying half of a MAC; its product is exact."""

    component_name: ClassVar[list[str]] = ["MacsmithMultiplier"]
    _kind = "multiplier"

    @action
    def multiply(self) -> ActionCost:
        """One product."""
        return self._cost()


class MacsmithAccumulator(_MacsmithModel):
    """Adding half of a MAC, with its registers: alignment, addition, rounding."""

    component_name: ClassVar[list[str]] = ["MacsmithAccumulator"]
    _kind = "accumulator"

    @action
    def add(self) -> ActionCost:
        """One product added to the sum."""
        return self._cost()


class MacsmithQuantiser(_MacsmithModel):
    """One binary32 number to a code of a format."""

    component_name: ClassVar[list[str]] = ["MacsmithQuantiser", "MacsmithQuantizer"]
    _kind = "quantiser"

    @action(bits_per_action="output_width")
    def quantise(self) -> ActionCost:
        """One number quantised."""
        return self._cost()

    @action(bits_per_action="output_width")
    def read(self) -> ActionCost:
        """The same, as a node that values pass through calls it."""
        return self._cost()

    @action(bits_per_action="output_width")
    def write(self) -> ActionCost:
        """The same, on the way back."""
        return self._cost()
