"""The search for the largest array that fits a board, with counts that are made up."""

import json
from pathlib import Path
from typing import Any

import pytest
from macsmith.model.accelerator import AcceleratorConfig
from macsmith.model.design import parse_design
from macsmith.synth import board_fit
from macsmith.synth.board_fit import FitTry, array_sizes, largest_fit
from macsmith.synth.boards import DoesNotFitError

from macsmith.board_fit import fit_text

MADE_UP = {"LC": 5280, "RAM": 30}


def _find(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, counts: Any, text: str) -> Any:
    asked: list[AcceleratorConfig] = []

    def count(
        board: str, config: AcceleratorConfig, directory: Path, *, baud: int
    ) -> dict[str, tuple[int, int]]:
        asked.append(config)
        used = counts(config.rows, config.columns)
        return {kind: (used[kind], most) for kind, most in MADE_UP.items()}

    monkeypatch.setattr(board_fit, "count_cells", count)
    monkeypatch.setattr(board_fit, "find_board", lambda name: name)
    monkeypatch.setattr(board_fit, "device_cells", lambda platform: MADE_UP)
    found = largest_fit("made up", parse_design(text), 16, tmp_path, tell=lambda line: None)
    assert len(asked) == len(found.tries) <= 8
    return found


def test_sizes_grow_and_are_nearly_square() -> None:
    sizes = list(array_sizes(200))
    assert sizes[:5] == [(1, 2), (2, 2), (2, 3), (2, 4), (3, 3)]
    assert (12, 13) in sizes
    assert all(rows <= columns <= 2 * rows for rows, columns in sizes)
    elements = [rows * columns for rows, columns in sizes]
    assert elements == sorted(set(elements))


@pytest.mark.parametrize(
    ("counts", "largest", "next_one"),
    [
        # 1500 + 150 an element, 20 a row or a column: 4,680 for 4x5, 5,300 for 4x6
        (lambda r, c: {"LC": 1500 + 150 * r * c + 20 * (r + c), "RAM": 10}, (4, 5), (4, 6)),
        (lambda r, c: {"LC": 100, "RAM": r * c}, (5, 6), (4, 8)),
        (lambda r, c: {"LC": 100, "RAM": 2 * c + r * c}, (4, 5), (4, 6)),
        (lambda r, c: {"LC": 2640 * r * c, "RAM": 1}, (1, 2), (2, 2)),
    ],
)
def test_the_largest_is_found(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, counts: Any, largest: Any, next_one: Any
) -> None:
    found = _find(monkeypatch, tmp_path, counts, "int4:int12:7x9:fpga=ice40")
    assert (found.largest.rows, found.largest.columns) == largest
    assert found.design.implementation.rows == largest[0]
    assert found.design.implementation.fpga == "ice40"
    failing = [each for each in found.tries if each.missing]
    smallest = min(failing, key=lambda each: each.rows * each.columns)
    assert (smallest.rows, smallest.columns) == next_one


def test_nothing_fits(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(DoesNotFitError, match="fits made up: the smallest lacks 720 LC"):
        _find(monkeypatch, tmp_path, lambda r, c: {"LC": 6000, "RAM": 1}, "int4:int12")


def test_the_table_says_what_is_missing() -> None:
    tries = [FitTry(2, 4, {"LC": (6000, 5280)}), FitTry(2, 2, {"LC": (4000, 5280)}, is_placed=True)]
    rows = [
        {
            "rows": each.rows,
            "columns": each.columns,
            "cells": {kind: {"used": u, "available": a} for kind, (u, a) in each.cells.items()},
            "missing": each.missing,
            "placed": each.is_placed,
        }
        for each in tries
    ]
    text = fit_text(json.loads(json.dumps({"tries": rows, "design": "int4:int12:2x2"})))
    lines = text.splitlines()
    assert "2x2" in lines[1]
    assert "placed and routed" in lines[1]
    assert "lacks 720 LC" in lines[2]
    assert lines[-1] == "largest array that fits: int4:int12:2x2"


def test_counting_logic_cells() -> None:
    """A LUT and the flip-flop behind it share a cell, unless something else reads the LUT."""

    def cell(kind: str, **ports: Any) -> dict[str, Any]:
        outputs = ("O", "CO", "Q")
        return {
            "type": kind,
            "connections": {name: [bit] for name, bit in ports.items()},
            "port_directions": {n: "output" if n in outputs else "input" for n in ports},
        }

    lut = cell("SB_LUT4", I0="0", I1=2, I2=3, I3=9, O=4)
    carry = cell("SB_CARRY", I0=2, I1=3, CI="0", CO=9)
    alone = cell("SB_CARRY", I0=5, I1=6, CI=7, CO=10)
    flip_flop = cell("SB_DFF", D=4, Q=8, C=1)
    count = board_fit._ice40_logic_cells
    assert count([lut, carry, flip_flop]) == 1
    assert count([lut, carry, flip_flop, cell("SB_LUT4", I0=4, I1=2, I2=5, I3="0", O=11)]) == 3
    assert count([alone]) == 2  # its own cell, and one for its carry to get in


def test_only_boards_whose_cells_are_known() -> None:
    with pytest.raises(ValueError, match="--fit counts cells of iCE40 and ECP5 FPGAs, not of this"):
        board_fit.device_cells(object())
