"""C text of bit-sliced operators: statements from a mapped circuit, array loops, an example."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Circuit", "SlicePort", "example_text", "header_text"]

_GATES = {"$_AND_": "MS_AND", "$_OR_": "MS_OR", "$_XOR_": "MS_XOR", "$_ANDNOT_": "MS_ANDNOT"}


@dataclass(frozen=True)
class SlicePort:
    """A parameter of the operator."""

    name: str
    bits: int

    @property
    def value_bytes(self) -> int:
        """Bytes of a value in an array: 1, 2, 4, 8, or a multiple of 8."""
        sizes = (size for size in (1, 2, 4, 8) if 8 * size >= self.bits)
        return next(sizes, 8 * -(-self.bits // 64))

    @property
    def c_type(self) -> str:
        """Type of an array's elements; several of them make a value beyond 64 bits."""
        return f"uint{8 * min(self.value_bytes, 8)}_t"


class Circuit:
    """A mapped circuit as C statements.

    Parameters
    ----------
    module
        From Yosys' JSON: gates AND, OR, XOR, ANDNOT, NOT, or ``$lut`` of at most three inputs.

    Attributes
    ----------
    statements
        In an order in which each needs only those before it.
    widths
        Bits of every port.
    operations
        Logic operations.
    """

    def __init__(self, module: Mapping[str, Any]) -> None:
        self.widths = {name: len(port["bits"]) for name, port in module["ports"].items()}
        self._names: dict[Any, str] = {"0": "MS_ZERO", "1": "MS_ONES", "x": "MS_ZERO"}
        self._drivers = {cell["connections"]["Y"][0]: cell for cell in module["cells"].values()}
        self.statements: list[str] = []
        self.operations = 0
        outputs = []
        for name, port in module["ports"].items():
            if port["direction"] == "output":
                outputs += [(f"{name}[{place}]", bit) for place, bit in enumerate(port["bits"])]
            else:
                for place, bit in enumerate(port["bits"]):
                    self._names[bit] = f"{name}[{place}]"
        for _, bit in outputs:
            self._reach(bit)
        # last, so that an operator may write over its own operand
        self.statements += [f"{text} = {self._names[bit]};" for text, bit in outputs]

    def _reach(self, wanted: Any) -> None:
        """Write all that a bit depends on: depth first, so that values are used soon."""
        stack = [wanted]
        while stack:
            bit = stack[-1]
            if bit in self._names:
                stack.pop()
                continue
            cell = self._drivers[bit]
            pins = cell["connections"]
            reads = [b for pin in ("A", "B") for b in pins.get(pin, ())]
            missing = [b for b in reads if b not in self._names]
            if missing:
                stack += missing
                continue
            name = f"t{self.operations}"
            self.statements.append(f"const ms_word {name} = {self._text(cell, reads)};")
            self.operations += 1
            self._names[bit] = name

    def _text(self, cell: Mapping[str, Any], reads: Sequence[Any]) -> str:
        operands = [self._names[bit] for bit in reads]
        if cell["type"] == "$_NOT_":
            return f"MS_XOR({operands[0]}, MS_ONES)"
        if cell["type"] in _GATES:
            return f"{_GATES[cell['type']]}({', '.join(operands)})"
        # a table of fewer inputs does not depend on the others
        rows = int(str(cell["parameters"]["LUT"]), 2)
        count = len(operands)
        table = sum((rows >> (case & ((1 << count) - 1)) & 1) << case for case in range(8))
        first, second, third = (operands + [operands[0]] * 2)[:3]
        return f"MS_TABLE({third}, {second}, {first}, 0x{table:02x})"


def _parameters(ports: Sequence[SlicePort], output: SlicePort) -> str:
    inputs = [f"const ms_word {port.name}[{port.bits}]" for port in ports]
    return ", ".join([*inputs, f"ms_word {output.name}[{output.bits}]"])


def header_text(
    name: str,
    what: str,
    ports: Sequence[SlicePort],
    output: SlicePort,
    gates: Circuit,
    tables: Circuit,
) -> str:
    """The header of one operator."""
    guard = f"{name.upper()}_H"
    rows = [f" *   {port.name:<10} {port.bits} bits" for port in (*ports, output)]
    arrays = [f"const {port.c_type} *{port.name}" for port in ports]
    packs = [
        f"    ms_pack((const uint8_t *){port.name} + first * {port.value_bytes}, lanes, "
        f"{port.value_bytes}, {port.bits}, {port.name}_words);"
        for port in ports
    ]
    words = [f"  ms_word {port.name}_words[{port.bits}];" for port in (*ports, output)]
    names = ", ".join(f"{port.name}_words" for port in (*ports, output))
    return "\n".join(
        [
            f"/* {what}",
            " *",
            f" * Bit-sliced: {gates.operations} operations on words, {tables.operations} with "
            "AVX-512.",
            *rows,
            " *",
            f" * {name}() computes MS_LANES values, a word per bit, least significant first;",
            f" * {name}_array() any number of them, with packing. In arrays a value of more than",
            " * 64 bits is several uint64_t, least significant first. See macsmith_bitslice.h.",
            " */",
            f"#ifndef {guard}",
            f"#define {guard}",
            '#include "macsmith_bitslice.h"',
            "",
            f"static inline void {name}({_parameters(ports, output)}) {{",
            "#if defined(MS_TABLE)",
            *(f"  {statement}" for statement in tables.statements),
            "#else",
            *(f"  {statement}" for statement in gates.statements),
            "#endif",
            "}",
            "",
            f"static inline void {name}_array(size_t count, {', '.join(arrays)}, "
            f"{output.c_type} *{output.name}) {{",
            "  size_t first;",
            *words,
            "  for (first = 0; first < count; first += MS_LANES) {",
            "    const size_t lanes = count - first < MS_LANES ? count - first : MS_LANES;",
            *packs,
            f"    {name}({names});",
            f"    ms_unpack({output.name}_words, {output.bits}, {output.value_bytes}, lanes,",
            f"              (uint8_t *){output.name} + first * {output.value_bytes});",
            "  }",
            "}",
            "",
            "#endif",
            "",
        ]
    )


def _literals(port: SlicePort, values: NDArray[np.uint64]) -> str:
    return ", ".join(f"UINT64_C(0x{int(value):x})" for value in values.reshape(-1))


def example_text(
    name: str,
    what: str,
    ports: Sequence[SlicePort],
    output: SlicePort,
    values: Mapping[str, NDArray[np.uint64]],
    expected: NDArray[np.uint64],
) -> str:
    """A program that computes some values and compares them; exit code 0 if all are right."""
    count = len(expected)
    per_value = max(1, output.value_bytes // 8)
    declared = [
        f"static const {port.c_type} {port.name}[] = {{{_literals(port, values[port.name])}}};"
        for port in ports
    ]
    arguments = ", ".join(port.name for port in ports)
    return "\n".join(
        [
            f"/* {what}",
            " *",
            f" *   cc -O2 {name}_example.c && ./a.out",
            f" *   cc -O2 -mavx2 -DMACSMITH_AVX2 {name}_example.c && ./a.out",
            f" *   cc -O2 -mavx512f -DMACSMITH_AVX512 {name}_example.c && ./a.out",
            " *",
            " * The expected values are those of the golden model.",
            " */",
            "#include <stdio.h>",
            f'#include "{name}.h"',
            "",
            *declared,
            f"static const {output.c_type} expected[] = {{{_literals(output, expected)}}};",
            "",
            "int main(void) {",
            f"  {output.c_type} y[{count * per_value}];",
            "  int value, wrong = 0;",
            f"  {name}_array({count}, {arguments}, y);",
            f"  for (value = 0; value < {count * per_value}; ++value)",
            "    if (y[value] != expected[value]) {",
            '      printf("value %d: 0x%llx, must be 0x%llx\\n", value, '
            "(unsigned long long)y[value],",
            "             (unsigned long long)expected[value]);",
            "      ++wrong;",
            "    }",
            f'  printf("%d of {count} values differ\\n", wrong);',
            "  return wrong != 0;",
            "}",
            "",
        ]
    )
