"""Sweeps: which designs, technologies and accuracy tasks an exploration covers, as TOML.

::

    title = "Chunk lengths"
    designs = ["e4m3:exact", "e4m3xe5m2:e6m9/64"]   # design texts
    technologies = ["asap7", "sky130"]              # default: asap7
    tasks = ["smollm2", "g2p"]                      # default: none
    operands = "smollm2"                            # whose operands drive energy, or "none"
    seed = 0                                        # of stimulus and test material
    bit_exact_tokens = 256                          # text for networks in a design's own sums
    scaling = "ceil"                                # of operands, for accuracy; or a list

    [[grid]]                                        # every combination becomes a design
    operands = ["e4m3", "e5m2"]
    accumulators = ["exact", "e6m9", "e6m9/64"]
    options = ["", "lanes4"]                        # default: [""]

    [search]                                        # estimates discard, synthesis confirms
    objectives = ["area_um2_per_mac", "layer_error_percent"]    # the default; all minimised
    target = "area"                                 # clock target; default: the model's first
    confirm = 100                                   # most designs synthesised per technology
    explore = true                                  # then the front's designs through all steps

At least one of `designs` and `grid`; a design that is named twice is explored once.
"""

from __future__ import annotations

import itertools
import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from importlib import resources
from pathlib import Path
from typing import Any

from macsmith.model.design import Design, parse_design

__all__ = [
    "DEFAULT_SWEEP",
    "LAYER_ERROR",
    "Search",
    "Sweep",
    "default_sweep_path",
    "load_sweep",
    "parse_sweep",
]

DEFAULT_SWEEP = "default"
DEFAULT_TECHNOLOGIES = ("asap7",)
DEFAULT_SEED = 0

DEFAULT_OPERANDS = "smollm2"
_SWEEP_FIELDS = (
    "title",
    "designs",
    "grid",
    "technologies",
    "tasks",
    "operands",
    "seed",
    "bit_exact_tokens",
    "scaling",
    "search",
)
_GRID_FIELDS = ("operands", "accumulators", "options")

#: Objective of a search: `macsmith.model.accuracy.layer_error`, of the sweep's operands.
LAYER_ERROR = "layer_error_percent"


@dataclass(frozen=True)
class Search:
    """How the front of a sweep's designs is looked for.

    Attributes
    ----------
    objectives
        Two or more, all minimised: figures of the cost model, also per MAC, and `LAYER_ERROR`.
    target
        Clock target of estimates and synthesis; None: the first that the model has.
    confirm
        Most designs to synthesise per technology.
    explore
        Whether the front's designs then go through all steps of a sweep.
    calibrate
        Designs outside of what the cost model was fitted to that are synthesised first, to learn
        how far their estimates can be trusted.
    batch
        Least number of designs to synthesise before the front is looked at again.
    """

    objectives: tuple[str, ...] = ("area_um2_per_mac", LAYER_ERROR)
    target: str | None = None
    confirm: int = 100
    explore: bool = True
    calibrate: int = 24
    batch: int = 8


@dataclass(frozen=True)
class Sweep:
    """What is explored.

    Attributes
    ----------
    designs
        At least one, each once.
    technologies
        Names of technologies that each design is priced in; may be empty.
    tasks
        Names of accuracy tasks; may be empty.
    operands
        Accuracy task whose operands drive the energy figures; None: no energy.
    seed
        Of stimulus and of the selection of test material.
    title
        Heading of the report.
    bit_exact_tokens
        Sample of the language model where every sum is computed as the hardware does; None: as
        many as the task takes by default.
    scaling
        How networks' operands are scaled: rules of `macsmith.model.accuracy.scaling`, at most one
        for rows and tensors and one for blocks; else the formats' own.
    search
        Whether and how most designs are discarded by estimates; None: all are explored.
    """

    designs: tuple[Design, ...]
    technologies: tuple[str, ...] = DEFAULT_TECHNOLOGIES
    tasks: tuple[str, ...] = ()
    operands: str | None = DEFAULT_OPERANDS
    seed: int = DEFAULT_SEED
    title: str = ""
    bit_exact_tokens: int | None = None
    scaling: tuple[str, ...] = ()
    search: Search | None = None
    source: str = field(default="", compare=False)


def default_sweep_path() -> Path:
    """The sweep that ships with the package, and that ``make report`` explores."""
    return Path(str(resources.files("macsmith.reports") / "sweeps" / f"{DEFAULT_SWEEP}.toml"))


class _Document:
    """A TOML text with the place of each complaint."""

    def __init__(self, text: str, source: str) -> None:
        self.text = text
        self.source = source

    def error(self, field_name: str, problem: str, *, near: str | None = None) -> ValueError:
        """A ValueError that names file, line and field; `near` is text on the line meant."""
        last = field_name.rpartition(".")[2]
        key = re.sub(r"\[\d+\]", "", last)
        line = self._line_with(near) if near else None
        line = line or self._line_with_key(key)
        place = f"{self.source}, line {line}" if line else self.source
        return ValueError(f"{place}: {field_name}: {problem}")

    def _line_with(self, near: str) -> int | None:
        quoted = re.compile(r"[\"']" + re.escape(near) + r"[\"']")
        return self._first_line(quoted)

    def _line_with_key(self, key: str) -> int | None:
        return self._first_line(re.compile(rf"^\s*(\[+\s*)?[\"']?{re.escape(key)}[\"']?\s*[=\].]"))

    def _first_line(self, pattern: re.Pattern[str]) -> int | None:
        for number, line in enumerate(self.text.splitlines(), start=1):
            if pattern.search(line):
                return number
        return None

    def text_list(self, table: dict[str, Any], key: str, place: str) -> list[str]:
        """A list of texts; ValueError otherwise."""
        value = table[key]
        name = f"{place}{key}"
        if not isinstance(value, list):
            raise self.error(name, f"must be a list of texts, not {value!r}")
        for index, item in enumerate(value):
            if not isinstance(item, str):
                raise self.error(f"{name}[{index}]", f"must be a text, not {item!r}")
        return value


def _only_known(
    document: _Document, table: dict[str, Any], known: Iterable[str], place: str
) -> None:
    for key in table:
        if key not in known:
            raise document.error(
                f"{place}{key}", f"is no field of a sweep; fields are {', '.join(known)}"
            )


def _grid_texts(document: _Document, grids: Any) -> list[tuple[str, str]]:
    """Design texts of all grids, each with the name of its grid."""
    if not isinstance(grids, list) or not all(isinstance(grid, dict) for grid in grids):
        raise document.error("grid", "must be tables, each headed by [[grid]]")
    texts = []
    for index, grid in enumerate(grids):
        place = f"grid[{index}]."
        _only_known(document, grid, _GRID_FIELDS, place)
        for required in ("operands", "accumulators"):
            if required not in grid:
                raise document.error(f"grid[{index}]", f"must have {required}")
        axes = [
            document.text_list(grid, key, place) if key in grid else [""] for key in _GRID_FIELDS
        ]
        for key, axis in zip(_GRID_FIELDS, axes, strict=True):
            if not axis:
                raise document.error(f"{place}{key}", "must not be empty")
        for operands, accumulator, options in itertools.product(*axes):
            text = ":".join(part for part in (operands, accumulator, options) if part)
            texts.append((text, f"grid[{index}]"))
    return texts


def _search(document: _Document, table: Any) -> Search:
    if not isinstance(table, dict):
        raise document.error("search", "must be a table, headed by [search]")
    known = [entry.name for entry in fields(Search)]
    _only_known(document, table, known, "search.")
    chosen = dict(table)
    if "objectives" in table:
        objectives = tuple(dict.fromkeys(document.text_list(table, "objectives", "search.")))
        if len(objectives) < 2:
            raise document.error("search.objectives", f"must be 2 or more, not {len(objectives)}")
        chosen["objectives"] = objectives
    for name in ("confirm", "calibrate", "batch"):
        value = table.get(name, 1)
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise document.error(f"search.{name}", f"must be a whole number from 1, not {value!r}")
    if not isinstance(table.get("target", ""), str):
        raise document.error("search.target", f"must be a text, not {table['target']!r}")
    if not isinstance(table.get("explore", True), bool):
        raise document.error("search.explore", f"must be true or false, not {table['explore']!r}")
    return Search(**chosen)


def _scaling(document: _Document, table: dict[str, Any]) -> tuple[str, ...]:
    from macsmith.model.accuracy.scaling import check_scalings

    value = table["scaling"]
    names = [value] if isinstance(value, str) else document.text_list(table, "scaling", "")
    try:
        check_scalings(names)
    except ValueError as error:
        raise document.error("scaling", str(error)) from None
    return tuple(names)


def parse_sweep(text: str, source: str = "sweep") -> Sweep:
    """The sweep that a TOML text describes.

    Parameters
    ----------
    text
        TOML; see the head of this module.
    source
        Name of the text in messages.

    Raises
    ------
    ValueError
        One line: where, which field, what it must be and what it was.
    """
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        lines = len(text.splitlines())
        problem = str(error).replace("at end of document", f"at line {lines}, the end of the file")
        raise ValueError(f"{source}: not TOML: {problem}") from None
    document = _Document(text, source)
    _only_known(document, table, _SWEEP_FIELDS, "")
    entries: list[tuple[str, str]] = []
    if "designs" in table:
        texts = document.text_list(table, "designs", "")
        entries += [(item, f"designs[{index}]") for index, item in enumerate(texts)]
    if "grid" in table:
        entries += _grid_texts(document, table["grid"])
    if not entries:
        raise document.error("designs", "must name at least one design (or use [[grid]])")
    designs: dict[str, Design] = {}
    for design_text, name in entries:
        try:
            design = parse_design(design_text)
        except ValueError as error:
            raise document.error(name, str(error), near=design_text) from None
        designs.setdefault(design.text, design)
    seed = table.get("seed", DEFAULT_SEED)
    if not isinstance(seed, int) or isinstance(seed, bool) or seed < 0:
        raise document.error("seed", f"must be a whole number from 0, not {seed!r}")
    tokens = table.get("bit_exact_tokens")
    if tokens is not None and (not isinstance(tokens, int) or isinstance(tokens, bool)):
        raise document.error("bit_exact_tokens", f"must be a whole number, not {tokens!r}")
    if tokens is not None and tokens < 1:
        raise document.error("bit_exact_tokens", f"must be at least 1 token, not {tokens}")
    operands = table.get("operands", DEFAULT_OPERANDS)
    if not isinstance(operands, str):
        raise document.error("operands", f"must be a task or none, not {operands!r}")
    title = table.get("title", "")
    if not isinstance(title, str):
        raise document.error("title", f"must be a text, not {title!r}")
    names = {}
    for key, default in (("technologies", DEFAULT_TECHNOLOGIES), ("tasks", ())):
        chosen = document.text_list(table, key, "") if key in table else list(default)
        names[key] = tuple(dict.fromkeys(chosen))
    return Sweep(
        designs=tuple(designs.values()),
        technologies=names["technologies"],
        tasks=names["tasks"],
        operands=None if operands == "none" else operands,
        seed=seed,
        title=title,
        bit_exact_tokens=tokens,
        scaling=_scaling(document, table) if "scaling" in table else (),
        search=_search(document, table["search"]) if "search" in table else None,
        source=source,
    )


def load_sweep(path: Path) -> Sweep:
    """The sweep of a TOML file.

    Raises
    ------
    ValueError
        The file, line and field, and what is wrong there.
    OSError
        The file cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: not TOML: {error}") from None
    return parse_sweep(text, str(path))
