"""The command line: runs the verbs and turns errors into one line and an exit code.

Exit codes: 0 done; 1 done, and the answer is no (a check failed, a tool is missing, points of a
sweep failed); 2 not done (bad input, a tool's error, an interrupt), with one clear line on stderr.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

import typer
from typer.exceptions import TyperException

from macsmith import (
    board_verb,
    doctor_verb,
    estimate_verb,
    explore_verb,
    export_verb,
    formats_verb,
    generate_verb,
    layers_verb,
    mixed_verb,
    synth_verb,
    verify_verb,
)
from macsmith.console import error_text
from macsmith.verbs import app

__all__ = ["main"]

EXIT_NOT_DONE = 2


def _place(verb: Callable[..., None] | None) -> int:
    """Where a verb stands in the help."""
    names = [module.__name__ for module in VERBS]
    return names.index(verb.__module__) if verb is not None else len(names)


#: Modules that add verbs when they are imported, in the order of the help.
VERBS = (
    formats_verb,
    generate_verb,
    verify_verb,
    synth_verb,
    estimate_verb,
    explore_verb,
    mixed_verb,
    layers_verb,
    board_verb,
    export_verb,
    doctor_verb,
)
app.registered_commands.sort(key=lambda command: _place(command.callback))

_INTERRUPTED = "interrupted"
_TYPER_INTERRUPTED = 130  # what typer makes of a KeyboardInterrupt


def _liberty_files_apart(arguments: Sequence[str]) -> list[str]:
    """Repeat ``--liberty`` before each of several files that follow one: ``--liberty A B``.

    What follows is a file unless it is an option, a design text (it has a colon) or a .toml file.
    """
    result: list[str] = []
    is_more_files = False
    for position, argument in enumerate(arguments):
        if argument == "--liberty":
            is_more_files = False
        elif position and arguments[position - 1] == "--liberty":
            is_more_files = True
        elif argument.startswith("-") or ":" in argument or argument.endswith(".toml"):
            is_more_files = False
        elif is_more_files:
            result.append("--liberty")
        result.append(argument)
    return result


def _fail(message: str) -> NoReturn:
    print(f"macsmith: {message}", file=sys.stderr)
    sys.exit(EXIT_NOT_DONE)


def main() -> NoReturn:
    """Run the command line on ``sys.argv`` and exit."""
    try:
        arguments = _liberty_files_apart(sys.argv[1:] or ["--help"])
        code = app(arguments, standalone_mode=False, prog_name="macsmith")
    except TyperException as error:
        _fail(f"{error.format_message()} (see `macsmith --help`)")
    except typer.Abort:
        _fail(_INTERRUPTED)
    except (ValueError, TypeError, OSError, RuntimeError, subprocess.SubprocessError) as error:
        # A user's mistake or a tool's failure; with the option, a bug of ours can be told apart.
        if os.environ.get("MACSMITH_TRACEBACK"):
            raise
        _fail(error_text(error))
    if code == _TYPER_INTERRUPTED:
        _fail(_INTERRUPTED)
    sys.exit(code if isinstance(code, int) else 0)


if __name__ == "__main__":
    main()
