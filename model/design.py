"""A design: what is computed, how it is built, and the text for both.

Design text is ``A[xB][+...]:ACCUMULATOR[:OPTION...]``, for example
``e4m3xe5m2:e6m9/64:lanes4:8x8:stages2``; its parts are in `macsmith.model.design_text`.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Self

from macsmith.model.config import MacConfig
from macsmith.model.design_rules import check_design
from macsmith.model.design_text import read_design_text, write_design_text
from macsmith.model.implementation import Implementation
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

__all__ = ["Design", "load_designs", "parse_design"]


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
        check_design(self.modes, self.implementation)
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

    @property
    def text(self) -> str:
        """Canonical design text; `parse_design` gives this very design back."""
        return write_design_text(self.modes, self.implementation)

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
    try:
        modes, implementation = read_design_text(text)
        return Design(
            mac=modes[0],
            implementation=implementation,
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
