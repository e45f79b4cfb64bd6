"""Synthesis recipes: what is done with adders and registers before ABC, and ABC's script.

``smallest`` and ``fastest`` are fixed: published comparisons with other units used exactly these
scripts. ABC reads commands separated by newlines.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

__all__ = ["ABC_SCRIPTS", "RECIPES", "Recipe", "recipe", "recipes_for"]

FullAdders = Literal["gates", "cells"]
Carry = Literal[
    "",
    "brent-kung",
    "kogge-stone",
    "ripple",
    "chain",
    "kept-brent-kung",
    "kept-han-carlson",
    "kept-kogge-stone",
    "kept-sklansky",
]

_HEAD = ("strash", "&get -n", "&fraig -x", "&put", "scorr", "dc2", "dch -f")

ABC_SCRIPTS: dict[str, tuple[str, ...]] = {
    # Empty: the script Yosys uses when a constraint file is given.
    "default": (),
    "smallest": (
        *_HEAD,
        "amap -m",
        "topo",
        "buffer -c -N 16",
        "topo",
        "dnsize -c",
        "stime -p",
    ),
    "balanced": (
        *_HEAD,
        "amap -m",
        "topo",
        "buffer -c -N 16",
        "topo",
        "upsize -c",
        "dnsize -c",
        "stime -p",
    ),
    "fastest": (
        *_HEAD,
        "map -B 0.9",
        "topo",
        "buffer -c -N 16",
        "topo",
        "upsize -c",
        "dnsize -c",
        "stime -p",
    ),
}


@dataclass(frozen=True)
class Recipe:
    """One way from RTL to cells.

    Parameters
    ----------
    script
        Which of `ABC_SCRIPTS`.
    full_adders
        ``gates`` dissolves the full-adder primitive, ``cells`` keeps it as the library's cell.
    carry
        How carries of adders written as ``+`` are computed: ``brent-kung`` is what Yosys does by
        itself, ``chain`` makes full adders of them. Empty is ``chain`` for the smallest script with
        full-adder cells (5 to 10 % smaller than prefix adders there), else ``brent-kung``.
    fold_inverters
        Where the library's flip-flop has only an inverted output, store the complement instead
        of adding an inverter behind it; the logic in front absorbs the inversion.
    multiply
        Option of Yosys' ``synth`` for arithmetic written as ``*`` and ``+``: ``""``,
        ``arith_tree`` or ``booth``.
    """

    script: str
    full_adders: FullAdders = "gates"
    carry: Carry = ""
    fold_inverters: bool = False
    multiply: Literal["", "arith_tree", "booth"] = ""

    @property
    def name(self) -> str:
        """Name in results and files: the script, then what differs from the plain flow."""
        parts = [
            self.script,
            "fa" if self.full_adders == "cells" else "",
            self.carry.replace("-", ""),
            self.multiply.replace("_", ""),
            "folded" if self.fold_inverters else "",
        ]
        return "-".join(part for part in parts if part)

    @property
    def front(self) -> tuple[str, str, str]:
        """What the front end (everything before cells are chosen) depends on."""
        carry = "chain" if self.makes_chains else self.carry or "brent-kung"
        return (self.full_adders, carry, self.multiply)

    @property
    def keeps_carries(self) -> bool:
        """Whether the cells of prefix networks are kept while ABC works."""
        return self.carry.startswith("kept-")

    @property
    def makes_chains(self) -> bool:
        """Whether additions become full adders, to be kept as cells."""
        if self.full_adders == "gates":
            return False
        return self.carry == "chain" or (not self.carry and self.script == "smallest")


RECIPES: tuple[Recipe, ...] = (
    *(Recipe(script) for script in ABC_SCRIPTS),
    # Registers that store complements from here on, where that saves anything. The small end of
    # the front:
    Recipe("smallest", full_adders="cells", fold_inverters=True),
    Recipe("balanced", full_adders="cells", fold_inverters=True),
    # the middle, kept prefix networks with little logic around them:
    Recipe("balanced", full_adders="cells", carry="kept-brent-kung", fold_inverters=True),
    Recipe("balanced", carry="kept-brent-kung", fold_inverters=True),
    # the fast end:
    Recipe("fastest", full_adders="cells", carry="kept-han-carlson", fold_inverters=True),
    Recipe("fastest", carry="kogge-stone", fold_inverters=True),
    Recipe("fastest", carry="kept-han-carlson", fold_inverters=True),
)
"""What is run unless the caller says otherwise."""


def recipe(name: str) -> Recipe:
    """The recipe of that name, as `Recipe.name` spells it.

    Raises
    ------
    ValueError
        No such recipe; the message says what a name is made of.
    """
    script, *options = name.split("-")
    fields: dict[str, object] = {}
    known: dict[str, tuple[str, object]] = {
        "fa": ("full_adders", "cells"),
        "brentkung": ("carry", "brent-kung"),
        "chain": ("carry", "chain"),
        "koggestone": ("carry", "kogge-stone"),
        "ripple": ("carry", "ripple"),
        "keptbrentkung": ("carry", "kept-brent-kung"),
        "kepthancarlson": ("carry", "kept-han-carlson"),
        "keptkoggestone": ("carry", "kept-kogge-stone"),
        "keptsklansky": ("carry", "kept-sklansky"),
        "arithtree": ("multiply", "arith_tree"),
        "booth": ("multiply", "booth"),
        "folded": ("fold_inverters", True),
    }
    if script not in ABC_SCRIPTS or not set(options) <= known.keys():
        raise ValueError(
            f"recipe {name!r} is unknown; must be one of {', '.join(ABC_SCRIPTS)}, with "
            f"{', '.join('-' + option for option in known)} behind as wanted"
        )
    for option in options:
        key, value = known[option]
        fields[key] = value
    return Recipe(script, **fields)  # type: ignore[arg-type]


def recipes_for(
    recipes: Sequence[Recipe],
    *,
    full_adders: bool,
    full_adder_cells: bool,
    inverting_flip_flop: bool,
) -> list[Recipe]:
    """Those of `recipes` that differ for a design and library, in order.

    Parameters
    ----------
    full_adders
        Whether the design has full adders itself; otherwise recipes that keep them as cells and
        make none of additions are left out.
    full_adder_cells
        Whether the library has a cell for them; otherwise all recipes that keep them are left out.
    inverting_flip_flop
        Whether the design has registers and the library's flip-flops bring inverters to fold;
        otherwise a recipe that folds is one that does not.
    """
    chosen: dict[Recipe, None] = {}
    for entry in recipes:
        made = full_adders or entry.makes_chains
        if entry.full_adders == "gates" or (full_adder_cells and made):
            folds = entry.fold_inverters and inverting_flip_flop
            chosen[replace(entry, fold_inverters=folds)] = None
    return list(chosen)
