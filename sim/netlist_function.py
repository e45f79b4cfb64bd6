"""Boolean functions in the notation of Liberty files.

Operators, tightest first: postfix ``'`` (not), prefix ``!`` (not), ``^`` (exclusive or),
``&`` ``*`` or plain juxtaposition (and), ``|`` ``+`` (or); ``0`` and ``1`` are constants. This is
the grammar of the Liberty User Guide's `function` attribute, which the netlist simulator, the
technology tables and the timing analyser all read through this one parser.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

__all__ = ["Function", "FunctionError", "parse_function"]

Operator = Literal["variable", "constant", "not", "and", "or", "xor"]

_TOKEN = re.compile(r"\s*(?:([A-Za-z_][\w.\[\]]*)|([01])|([!'()&*|+^]))")

_C_CONSTANTS = ("UINT64_C(0)", "~UINT64_C(0)")


class FunctionError(ValueError):
    """A Boolean function that cannot be read; the message shows the text."""


# How loosely operators bind; what binds more loosely than its surroundings needs parentheses.
_STRENGTH: dict[Operator, int] = {
    "variable": 0,
    "constant": 0,
    "not": 1,
    "xor": 2,
    "and": 3,
    "or": 4,
}


@dataclass(frozen=True)
class Function:
    """One node of a Boolean expression.

    Parameters
    ----------
    operator
        ``variable`` (uses `name`), ``constant`` (`name` is ``"0"`` or ``"1"``), ``not`` (one
        operand), ``and`` / ``or`` / ``xor`` (two operands).
    """

    operator: Operator
    name: str = ""
    operands: "tuple[Function, ...]" = ()

    def variables(self) -> tuple[str, ...]:
        """Names used, each once, in order of first use."""
        if self.operator == "variable":
            return (self.name,)
        found: dict[str, None] = {}
        for operand in self.operands:
            found.update(dict.fromkeys(operand.variables()))
        return tuple(found)

    def evaluate(self, values: Mapping[str, int], mask: int = 1) -> int:
        """Value of the function on bit vectors.

        Parameters
        ----------
        values
            One non-negative integer per variable; bit k of each belongs to case k.
        mask
            ``2**cases - 1``: the cases looked at (1 for a single case).

        Raises
        ------
        KeyError
            A variable has no value.
        """
        if self.operator == "variable":
            return values[self.name] & mask
        if self.operator == "constant":
            return mask if self.name == "1" else 0
        first = self.operands[0].evaluate(values, mask)
        if self.operator == "not":
            return ~first & mask
        second = self.operands[1].evaluate(values, mask)
        if self.operator == "and":
            return first & second
        if self.operator == "or":
            return first | second
        return first ^ second

    def truth_table(self, variables: tuple[str, ...]) -> int:
        """Truth table as an integer: bit k is the value where variable v has bit v of k."""
        cases = 1 << len(variables)
        mask = (1 << cases) - 1
        columns = {
            name: sum(1 << case for case in range(cases) if case >> position & 1)
            for position, name in enumerate(variables)
        }
        return self.evaluate(columns, mask)

    def substitute(self, replace: "Callable[[str], Function]") -> "Function":
        """The same function with every variable replaced by `replace(name)`."""
        if self.operator == "variable":
            return replace(self.name)
        if self.operator == "constant":
            return self
        return Function(self.operator, "", tuple(o.substitute(replace) for o in self.operands))

    def to_c(self, text_of: Callable[[str], str], constants: tuple[str, str] = _C_CONSTANTS) -> str:
        """C expression over words, `text_of(name)` standing for each variable, `constants` for 0
        and 1 in all bits."""
        if self.operator == "variable":
            return text_of(self.name)
        if self.operator == "constant":
            return constants[int(self.name)]
        first = self.operands[0].to_c(text_of, constants)
        if self.operator == "not":
            return f"~{first}"
        second = self.operands[1].to_c(text_of, constants)
        sign = {"and": "&", "or": "|", "xor": "^"}[self.operator]
        return f"({first} {sign} {second})"

    def __str__(self) -> str:
        return self._text("or")

    def _text(self, outer: Operator) -> str:
        """Text with no more parentheses than the operator around it needs."""
        if self.operator in ("variable", "constant"):
            return self.name
        if self.operator == "not":
            return f"!{self.operands[0]._text('not')}"
        sign = {"and": "&", "or": "|", "xor": "^"}[self.operator]
        text = sign.join(operand._text(self.operator) for operand in self.operands)
        return text if _STRENGTH[self.operator] <= _STRENGTH[outer] else f"({text})"


def parse_function(text: str) -> Function:
    """Read a Boolean function.

    Raises
    ------
    FunctionError
        Empty text, unbalanced parentheses, an operator without operand, an unknown sign.
    """
    tokens: list[str] = []
    position = 0
    stripped = text.rstrip()
    while position < len(stripped):
        match = _TOKEN.match(stripped, position)
        if match is None:
            raise FunctionError(
                f"function {text!r}: unknown sign {stripped[position:].strip()[:1]!r}; "
                "must be names, 0, 1, parentheses and ! ' & * | + ^"
            )
        tokens.append(match.group(1) or match.group(2) or match.group(3))
        position = match.end()
    parser = _Parser(text, tokens)
    result = parser.disjunction()
    parser.expect_end()
    return result


class _Parser:
    """Recursive descent over a token list; one method per precedence level."""

    def __init__(self, text: str, tokens: list[str]) -> None:
        self.text = text
        self.tokens = tokens
        self.position = 0

    def peek(self) -> str:
        return self.tokens[self.position] if self.position < len(self.tokens) else ""

    def take(self) -> str:
        token = self.peek()
        self.position += 1
        return token

    def expect_end(self) -> None:
        if self.peek():
            raise FunctionError(f"function {self.text!r}: unexpected {self.peek()!r}")

    def disjunction(self) -> Function:
        left = self.conjunction()
        while self.peek() in ("|", "+"):
            self.take()
            left = Function("or", "", (left, self.conjunction()))
        return left

    def conjunction(self) -> Function:
        left = self.exclusive()
        while True:
            token = self.peek()
            if token in ("&", "*"):
                self.take()
            elif not token or token in ("|", "+", ")", "^", "'"):
                return left
            left = Function("and", "", (left, self.exclusive()))

    def exclusive(self) -> Function:
        left = self.negation()
        while self.peek() == "^":
            self.take()
            left = Function("xor", "", (left, self.negation()))
        return left

    def negation(self) -> Function:
        if self.peek() == "!":
            self.take()
            return Function("not", "", (self.negation(),))
        result = self.primary()
        while self.peek() == "'":
            self.take()
            result = Function("not", "", (result,))
        return result

    def primary(self) -> Function:
        token = self.take()
        if token == "(":
            result = self.disjunction()
            if self.take() != ")":
                raise FunctionError(f"function {self.text!r}: a closing parenthesis is missing")
            return result
        if token in ("0", "1"):
            return Function("constant", token)
        if not token or not (token[0].isalpha() or token[0] == "_"):
            raise FunctionError(
                f"function {self.text!r}: a name, 0, 1 or ( must stand where {token!r} is"
                if token
                else f"function {self.text!r}: an operand is missing"
            )
        return Function("variable", token)
