"""Boolean functions of Liberty files."""

import itertools

import pytest
from macsmith.sim.netlist_cells import generic_gate
from macsmith.sim.netlist_function import FunctionError, parse_function


@pytest.mark.parametrize(
    ("text", "python"),
    [
        ("A", "a"),
        ("!A", "not a"),
        ("A'", "not a"),
        ("A''", "a"),
        ("!A'", "a"),
        ("A B", "a and b"),
        ("A&B*C", "a and b and c"),
        ("A+B|C", "a or b or c"),
        ("A+B C", "a or (b and c)"),
        ("A B'+C", "(a and not b) or c"),
        ("A^B C", "(a != b) and c"),
        ("!(A B)^C", "(not (a and b)) != c"),
        ("(A+B)(B+C)", "(a or b) and (b or c)"),
        ("0", "False"),
        ("A*1", "a"),
    ],
)
def test_value_and_text(text: str, python: str) -> None:
    function = parse_function(text)
    names = ("A", "B", "C")
    for bits in itertools.product((0, 1), repeat=3):
        a, b, c = map(bool, bits)
        wanted = int(eval(python, {"a": a, "b": b, "c": c}))
        values = dict(zip(names, bits, strict=True))
        assert function.evaluate(values) == wanted
        assert parse_function(str(function)).evaluate(values) == wanted
        index = sum(bit << position for position, bit in enumerate(bits))
        assert function.truth_table(names) >> index & 1 == wanted


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "an operand is missing"),
        ("A+", "an operand is missing"),
        ("(A", "a closing parenthesis is missing"),
        ("A)", r"unexpected '\)'"),
        ("A & *B", r"where '\*' is"),
        ("A ? B", r"unknown sign '\?'"),
    ],
)
def test_errors_show_the_text(text: str, message: str) -> None:
    with pytest.raises(FunctionError, match=message):
        parse_function(text)


# Definitions from Yosys' simcells: (cell, next state as Python over d, e, r, q).
@pytest.mark.parametrize(
    ("name", "following"),
    [
        ("$_DFF_P_", "d"),
        ("$_DFF_N_", "d"),
        ("$_DFFE_PP_", "d if e else q"),
        ("$_DFFE_PN_", "q if e else d"),
        ("$_SDFF_PP0_", "0 if r else d"),
        ("$_SDFF_PN1_", "d if r else 1"),
        ("$_SDFFE_PP0P_", "0 if r else d if e else q"),
        ("$_SDFFE_PN1N_", "1 if not r else q if e else d"),
        ("$_SDFFCE_PP1P_", "(1 if r else d) if e else q"),
        ("$_SDFFCE_PN0N_", "q if e else (0 if not r else d)"),
        ("$_DFFE_PP0P_", "d if e else q"),
    ],
)
def test_generic_registers(name: str, following: str) -> None:
    model = generic_gate(name)
    assert model is not None
    register = model.flip_flop
    assert register is not None
    for d, e, r, q in itertools.product((0, 1), repeat=4):
        wanted = int(eval(following, {"d": d, "e": e, "r": r, "q": q}))
        values = {"D": d, "E": e, "R": r, register.state: q}
        assert register.next_state.evaluate(values) == wanted, (d, e, r, q)
    rising = register.clocked_on.evaluate({"C": 1}) == 1
    assert rising == ("_P" in name)
    is_asynchronous = name == "$_DFFE_PP0P_"
    assert (register.clear is not None) == is_asynchronous
    assert register.preset is None


def test_what_is_no_generic_gate() -> None:
    for name in ("$add", "NAND2", "$_DFFE_P_", "$_TBUF_", "$_AND", "$_DLATCH_P_"):
        assert generic_gate(name) is None, name
