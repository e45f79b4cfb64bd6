"""What the verbs of the command line share; each is a module of its own, ``*_verb``.

A verb is a thin layer over a function of the Python API. Imports stand inside the verbs:
``macsmith --help`` must not wait for NumPy.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from macsmith.model.design import Design

__all__ = [
    "BUILD_DIR",
    "EXIT_NO",
    "BuildDirOption",
    "DesignArgument",
    "JsonOption",
    "ScalingOption",
    "SeedOption",
    "app",
    "finish",
    "help_text",
    "read_design",
]

#: Exit code of a verb that did its work and has to answer no.
EXIT_NO = 1

# A paragraph that begins with \b is shown as it stands.
_EPILOG = """\
\b
A design is a text, A[xB]:ACCUMULATOR[:OPTION...], or a .toml file with one:
  e4m3:exact                 products of two E4M3, summed without any rounding
  e4m3xe5m2:e6m9/64          rounded to 1-6-9 after each addition, chunks of 64
  int8:int32:16x16:stages1   a 16x16 systolic array, one pipeline stage
  e2m1:exact:lanes32:unit    32 products a step, only the arithmetic

\b
Start here:
  macsmith doctor                        are all tools there?
  macsmith formats e4m3                  what a format can say
  macsmith generate e4m3:e6m9/64 -o rtl  its Verilog, with a bench to check it
  macsmith verify e4m3:e6m9/64           against the golden model, bit by bit
  macsmith synth e4m3:e6m9/64            area, delay, energy in a 7 nm library
  macsmith bitslice e4m3:e6m9            the arithmetic as C for processors
  macsmith estimate e4m3:e6m9/64         area, delay, energy in milliseconds
  macsmith accuracy g2p e4m3:e6m9/64     a network computed in this arithmetic
  macsmith explore                       all of it for many designs: a report
  macsmith mixed g2p e2m1:exact int8:exact   a design for each group of layers
  macsmith layers smollm2 e4m3:exact:16x16  a network's layers on an accelerator
  macsmith export --to zigzag int8:int32 -o out   as a component of other tools
  macsmith board sim e4m3:exact:4x4 --run   an accelerator that computes what it is sent

Every verb takes --json and shows examples with --help.
"""

app = typer.Typer(
    name="macsmith",
    help="Hardware for sums of products in any small number format: generate it, check it bit "
    "for bit, price it, and see what the arithmetic does to a real network.",
    epilog=_EPILOG,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

DesignArgument = Annotated[
    str, typer.Argument(metavar="DESIGN", help="Design text, or a .toml file with one design.")
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Print one JSON object on stdout, all else on stderr.")
]
BuildDirOption = Annotated[
    Path,
    typer.Option("--build-dir", metavar="DIR", help="Where artefacts go: DIR/<design id>/<verb>/."),
]
SeedOption = Annotated[int, typer.Option("--seed", min=0, help="Seed of everything random.")]
ScalingOption = Annotated[
    list[str] | None,
    typer.Option(
        "--scaling",
        metavar="RULE",
        help="How networks' operands are scaled (a sweep's own otherwise): row, tensor, ..., or "
        "for blocks floor, ceil, ...; may be repeated.",
    ),
]

BUILD_DIR = Path("build")


def help_text(summary: str, *examples: str) -> str:
    """Help of a verb: what it does, then examples as they are typed."""
    return "\n".join([summary, "", "\b", "Examples:", *(f"  {example}" for example in examples)])


@app.callback()
def _common(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
    traceback: Annotated[
        bool, typer.Option("--traceback", help="On an error, show where in the code it arose.")
    ] = False,
) -> None:
    if traceback:
        os.environ["MACSMITH_TRACEBACK"] = "1"
    if version:
        import importlib.metadata

        print(f"macsmith {importlib.metadata.version('macsmith')}")
        raise typer.Exit


def read_design(argument: str) -> Design:
    """The one design that an argument names: a design text, or a TOML file."""
    from macsmith.model.design import load_designs, parse_design

    if not argument.endswith(".toml"):
        return parse_design(argument)
    designs = load_designs(Path(argument))
    if len(designs) != 1:
        raise ValueError(
            f"{argument}: must hold one design, not {len(designs)}: use `macsmith explore`"
        )
    return designs[0]


def finish(result: dict[str, Any], as_json: bool, text: str) -> None:
    from macsmith.console import print_json

    if as_json:
        print_json(result)
    else:
        print(text)
