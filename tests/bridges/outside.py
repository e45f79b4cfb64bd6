"""Interpreters that have a tool's real package: this one, or those that a variable names."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

VARIABLE = "MACSMITH_BRIDGE_PYTHONS"

#: Where each package can be had, and with what these tests were written.
NEEDED = {
    "hwcomponents": "hwcomponents 1.0.114 (needs Python 3.12)",
    "accelforge": "accelforge 1.0.467 (hwcomponents needs Python 3.12)",
    "zigzag": "zigzag-dse 3.9.1",
    "accelergy": "accelergy 0.4 with its Library plug-in (from source)",
}


def python_with(package: str) -> str:
    """An interpreter that can import the package; the test is skipped if there is none."""
    if importlib.util.find_spec(package) is not None:
        return sys.executable
    for python in filter(None, os.environ.get(VARIABLE, "").split(os.pathsep)):
        command = [
            python,
            "-c",
            f"import importlib.util as u, sys; sys.exit(not u.find_spec('{package}'))",
        ]
        if subprocess.run(command, check=False).returncode == 0:
            return python
    pytest.skip(f"no {NEEDED[package]}; {VARIABLE} may name interpreters that have it")


def run_script(python: str, name: str, *arguments: Path | str, **environment: Any) -> str:
    """The last line that a script beside this file prints."""
    done = subprocess.run(
        [python, str(Path(__file__).with_name(name)), *map(str, arguments)],
        capture_output=True,
        text=True,
        env=os.environ | {key: str(value) for key, value in environment.items()},
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout.splitlines()[-1]
