"""Names of recipes, and the scripts that published comparisons rest on."""

import pytest
from macsmith.synth.recipes import ABC_SCRIPTS, RECIPES, Recipe, recipe, recipes_for


def test_fixed_scripts() -> None:
    head = "strash; &get -n; &fraig -x; &put; scorr; dc2; dch -f; "
    tail = "topo; buffer -c -N 16; topo; "
    assert "; ".join(ABC_SCRIPTS["smallest"]) == head + "amap -m; " + tail + "dnsize -c; stime -p"
    assert (
        "; ".join(ABC_SCRIPTS["fastest"])
        == head + "map -B 0.9; " + tail + "upsize -c; dnsize -c; stime -p"
    )
    assert recipe("smallest") == Recipe("smallest")
    assert recipe("fastest") == Recipe("fastest")
    assert {recipe("smallest"), recipe("fastest")} <= set(RECIPES)


def test_names_are_unique_and_read_back() -> None:
    names = [entry.name for entry in RECIPES]
    assert len(set(names)) == len(names)
    for entry in (*RECIPES, Recipe("default", multiply="booth"), recipe("fastest-arithtree")):
        assert recipe(entry.name) == entry


@pytest.mark.parametrize("name", ["quickest", "smallest-", "smallest-dsp", ""])
def test_unknown_names(name: str) -> None:
    with pytest.raises(ValueError, match=r"is unknown; must be one of default, smallest, balanced"):
        recipe(name)


def test_recipes_that_cannot_differ_are_passed_over() -> None:
    plain = recipes_for(
        RECIPES, full_adders=True, full_adder_cells=False, inverting_flip_flop=False
    )
    assert all(entry.full_adders == "gates" and not entry.fold_inverters for entry in plain)
    assert len({entry.name for entry in plain}) == len(plain)
    everything = recipes_for(
        RECIPES, full_adders=True, full_adder_cells=True, inverting_flip_flop=True
    )
    assert everything == list(RECIPES)
    twice = [Recipe("smallest"), Recipe("smallest", fold_inverters=True)]
    assert (
        recipes_for(twice, full_adders=True, full_adder_cells=True, inverting_flip_flop=False)
        == twice[:1]
    )


def test_only_chains_make_full_adders_where_the_design_has_none() -> None:
    names = [
        entry.name
        for entry in recipes_for(
            RECIPES, full_adders=False, full_adder_cells=True, inverting_flip_flop=True
        )
        if entry.full_adders == "cells"
    ]
    assert names == ["smallest-fa-folded"]
    assert recipe("smallest-fa").front == recipe("smallest-fa-chain").front
    assert recipe("smallest-fa-brentkung").front == recipe("fastest-fa").front
