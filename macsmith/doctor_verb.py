"""The verb ``doctor``: which tools are there."""

from __future__ import annotations

import typer

from macsmith.verbs import (
    EXIT_NO,
    JsonOption,
    app,
    finish,
    help_text,
)

__all__ = ["app"]


@app.command(
    short_help="Which tools are there, how to get the others.",
    help=help_text(
        "Tell which tools are there, in which versions, and how to get the missing ones.",
        "macsmith doctor",
        "macsmith doctor --json",
    ),
)
def doctor(as_json: JsonOption = False) -> None:
    from dataclasses import asdict

    from macsmith.console import columns
    from macsmith.doctor import examine, how_to_get

    findings = examine()
    ways = how_to_get(findings)
    is_ready = all(finding.is_usable for finding in findings if finding.required)
    rows = [
        (
            finding.name,
            finding.version,
            "ok" if finding.is_usable else ("MISSING" if finding.required else "optional"),
            finding.purpose if finding.is_usable else f"{finding.purpose}: {finding.problem}",
        )
        for finding in findings
    ]
    text = columns(("tool", "version", "", "needed for"), rows)
    if ways:
        text += "\n\nHow to get what is missing:\n" + "\n".join(f"  {way}" for way in ways)
    result = {
        "ready": is_ready,
        "tools": [asdict(finding) for finding in findings],
        "how_to_get": ways,
    }
    finish(result, as_json, text)
    if not is_ready:
        raise typer.Exit(EXIT_NO)
