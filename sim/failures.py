"""Telling a failing check: the line that reproduces it, codes in hex, values exact."""

from fractions import Fraction

from macsmith.model.design import Design
from macsmith.model.formats import Special
from macsmith.model.widths import PartialSumWidths, mac_widths
from macsmith.sim.trace import SumTracer

__all__ = ["command_line", "describe_partial_sum", "describe_result", "hex_codes"]

#: A line shows this many operand codes at each end of a long sum.
SHOWN_CODES = 24


def command_line(design: Design, *, seed: int, quick: bool) -> str:
    """The command that runs the same check again."""
    return f"macsmith verify {design.text} --seed {seed}{' --quick' if quick else ''}"


def hex_codes(codes: list[int]) -> str:
    """Codes in hex; the middle of a long list is left out, with its count."""
    if len(codes) <= 2 * SHOWN_CODES:
        return "[" + " ".join(f"{code:x}" for code in codes) + "]"
    head = " ".join(f"{code:x}" for code in codes[:SHOWN_CODES])
    tail = " ".join(f"{code:x}" for code in codes[-SHOWN_CODES:])
    return f"[{head} ...{len(codes) - 2 * SHOWN_CODES} more... {tail}]"


def _exact(value: Fraction | Special) -> str:
    return value.value if isinstance(value, Special) else str(value)


def describe_result(design: Design, code: int) -> str:
    """A result code in hex and its exact value."""
    fmt = design.mac.output_format
    if fmt is not None:
        return f"0x{code:x} ({_exact(fmt.decode(code))})"
    value = SumTracer.partial_sum_value(mac_widths(design.mac).last, code)
    return f"0x{code:x} ({_exact(value)})"


def describe_partial_sum(design: Design, bits: int) -> str:
    """A partial sum in hex and the exact values of its parts, outer first."""
    widths = mac_widths(design.mac)

    def part(each: PartialSumWidths, number: int) -> str:
        return _exact(SumTracer.partial_sum_value(each, number & ((1 << each.bits) - 1)))

    inner = part(widths.inner, bits)
    if widths.outer is None:
        return f"0x{bits:x} ({inner})"
    outer = part(widths.outer, bits >> widths.inner_state_bits)
    if not widths.inner_state_bits:
        return f"0x{bits:x} ({outer})"
    return f"0x{bits:x} (outer {outer}, inner {inner})"
