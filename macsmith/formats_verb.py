"""The verb ``formats``: what number formats there are."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from macsmith.verbs import (
    JsonOption,
    app,
    finish,
    help_text,
)

__all__ = ["app"]


@app.command(
    short_help="Number formats: the list, or one with its values.",
    help=help_text(
        "List the named formats, or show one: its properties and a drawing of its values.",
        "macsmith formats",
        "macsmith formats e4m3",
        "macsmith formats e6m9ns --plot e6m9ns.png",
    ),
)
def formats(
    name: Annotated[
        str | None,
        typer.Argument(metavar="[NAME]", help="Any eXmY, intN, uintN, or a name of the list."),
    ] = None,
    plot: Annotated[
        Path | None, typer.Option("--plot", metavar="FILE.png", help="Also draw the values here.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    from macsmith.format_pages import format_page, formats_page

    if name is None and plot is not None:
        raise ValueError("--plot draws one format: name it")
    page = formats_page() if name is None else format_page(name, plot)
    finish(page.document, as_json, page.text)
