"""Designs that the cost model is fitted to: drawn from families, the same ones every time.

A family is one kind of accumulator, for their structures differ. Designs are drawn from a seeded
generator, so that a prefix of the list is a fair sample of the whole, and the list grows without
what was there changing.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

from macsmith.hw.architecture import resolve_architecture
from macsmith.model.design import Design, parse_design
from macsmith.model.formats import FloatFormat, PositFormat
from macsmith.model.widths import mac_widths

__all__ = ["CORNERS", "FAMILY_WEIGHTS", "LARGEST_LOGIC", "SEED", "rough_gates", "sample_designs"]

SEED = 7
#: Designs that others are often compared with, and far ends of what is drawn.
CORNERS = (
    "e4m3:e6m9:unit",
    "e4m3:e6m9/64",
    "e4m3:exact/64/e6m9",
    "e5m2:exact:unit",
    "int8:int32:lanes8:unit",
    "int16:int48:unit",
    "e4m3:exact:lanes8:unit",
    "e4m3:fp32:lanes4:unit",
    "mxfp8_e4m3:fp32:lanes8:unit",
    "int8:int32:4x4",
    "e4m3:e6m9:2x2",
)
#: Rough gates of a step above which a draw is passed over: mostly small ones, for synthesis takes
#: as long as they are large, and some that are not.
LARGEST_LOGIC = (200,) * 4 + (320,) * 3 + (500, 500, 700)

#: Draws after which a family that has nearly all its designs is left for the next round.
MOST_DRAWS = 100

Draw = Callable[[random.Random], str]

_FLOAT_NAMES = ("e4m3", "e5m2", "e3m2", "e2m3", "e2m1", "e3m4", "e4m3", "e5m2")
_SUM_NAMES = ("e6m9", "e5m10", "e8m7", "e8m23", "e6m5", "e6m9", "e5m10", "e8m7")


def _lanes(rng: random.Random, most: int = 32) -> int:
    return rng.choice([n for n in (1, 1, 1, 2, 4, 8, 16, 32) if n <= most])


def _float(rng: random.Random, widest: int = 16, exponents: int = 5) -> str:
    """A float operand: half of the time one that others have given a name to."""
    if rng.random() < 0.4:
        return rng.choice(_FLOAT_NAMES)
    while True:
        exponent, fraction = rng.randint(2, exponents), rng.randint(0, 10)
        if 3 <= 1 + exponent + fraction <= widest:
            return f"e{exponent}m{fraction}" + rng.choice(("", "", "", "f", "fn"))


def _sum_format(rng: random.Random) -> str:
    if rng.random() < 0.5:
        return rng.choice(_SUM_NAMES)
    return f"e{rng.randint(4, 8)}m{rng.randint(2, 16)}"


def _operands(rng: random.Random, draw: Callable[[random.Random], str]) -> str:
    a = draw(rng)
    return a if rng.random() < 0.7 else f"{a}x{draw(rng)}"


def _form(rng: random.Random, text: str) -> str:
    """A bare step, or a MAC with its registers and up to two stages."""
    if rng.random() < 0.5:
        return f"{text}:unit"
    stages = rng.choice((0, 0, 0, 1, 2))
    return f"{text}:stages{stages}" if stages else text


def _integers(rng: random.Random) -> str:
    kinds = rng.choice((("int", "int"),) * 8 + (("uint", "int"), ("uint", "uint")))
    widths = (2, 3, 4, 4, 5, 6, 6, 7, 8, 8, 8, 9, 10, 11, 12, 14, 16)
    a = rng.choice(widths)
    b = a if rng.random() < 0.65 else rng.choice(widths)
    lanes = _lanes(rng)
    operands = f"{kinds[0]}{a}" + ("" if (kinds[0], a) == (kinds[1], b) else f"x{kinds[1]}{b}")
    if rng.random() < 0.7:
        least = a + b + (lanes - 1).bit_length() + ("uint" in kinds)
        accumulator = f"int{least + rng.choice((2, 4, 6, 8, 10, 12, 16))}"
    else:
        accumulator = rng.choice(("exact", "exact:terms64", "exact:terms256", "exact:terms1024"))
    lane_text = f":lanes{lanes}" if lanes > 1 else ""
    return _form(rng, f"{operands}:{accumulator}{lane_text}")


def _fixed(rng: random.Random) -> str:
    operands = _operands(rng, _float)
    if rng.random() < 0.08:
        operands = f"{_float(rng, 8)}xint{rng.randint(3, 8)}"
    lanes = _lanes(rng)
    terms = rng.choice(("", "", "", ":terms64", ":terms256"))
    text = f"{operands}:exact{f':lanes{lanes}' if lanes > 1 else ''}{terms}"
    text = _form(rng, text)
    if text.endswith(":unit"):
        return text
    return text + rng.choice(("", "", "", ":outraw", ":oute5m10", ":oute8m7"))


def _rounding(rng: random.Random) -> str:
    return rng.choice(("",) * 7 + (":rtz", ":rna", f":sr{rng.randint(4, 12)}"))


def _float_sum(rng: random.Random) -> str:
    goal = rng.choice(("", "", "", ":goal=speed"))
    operands = _operands(rng, lambda r: "e8m7" if r.random() < 0.05 else _float(r))
    return _form(rng, f"{operands}:{_sum_format(rng)}{_rounding(rng)}{goal}")


def _window(rng: random.Random) -> str:
    operands = _operands(rng, lambda r: _float(r, 9))
    lanes = rng.choice((2, 4, 4, 8, 16))
    return _form(rng, f"{operands}:{_sum_format(rng)}:lanes{lanes}{_rounding(rng)}")


def _aligned(rng: random.Random) -> str:
    operands = rng.choice(("e4m3", "e5m2", "e3m2", "e2m3", "e2m1", "e5m10", "e8m7", "e4m3xe5m2"))
    fraction = rng.randint(9, 27)
    fmt, options = rng.choice((("fp32", ""), ("fp32", ""), ("fp32", ":rtz"), ("e5m10", "")))
    lanes = rng.choice((2, 4, 4, 8, 8, 16))
    goal = rng.choice(("", "", ":goal=speed"))
    return _form(rng, f"{operands}:{fmt}_aligned{fraction}:lanes{lanes}{options}{goal}")


def _accelerators(rng: random.Random) -> str:
    """As matrix units of GPUs have been found to add."""
    operands, lanes = rng.choice(
        (("e4m3", 8), ("e5m2", 8), ("e4m3xe5m2", 4), ("e5m10", 4), ("e5m10", 8), ("e8m7", 4))
    )
    fraction = rng.choice((12, 13, 13, 18, 22, 23, 24, 25))
    keep = f"_keep{rng.randint(9, 20)}" if rng.random() < 0.3 else ""
    bound = f"_emin{rng.choice((132, 133))}" if rng.random() < 0.6 else ""
    late, nearest = rng.choice(("", "", "", "_late")), rng.choice(("", "", "", "_rne"))
    used = rng.choice((lanes // 2, lanes, lanes))
    text = f"{operands}:fp32_aligned{fraction}{keep}{bound}{late}{nearest}:lanes{used}"
    return _form(rng, text + rng.choice(("", ":rtz")) + rng.choice(("", "", ":goal=speed")))


def _blocks(rng: random.Random) -> str:
    if rng.random() < 0.6:
        operand, length = rng.choice(
            (
                ("mxfp8_e4m3", 32),
                ("mxfp8_e5m2", 32),
                ("mxfp6_e3m2", 32),
                ("mxfp6_e2m3", 32),
                ("mxfp4", 32),
                ("nvfp4", 16),
                ("mxint8", 32),
            )
        )
    else:
        length = rng.choice((8, 16, 32))
        element = rng.choice((f"int{rng.randint(3, 8)}", _float(rng, 8, 4)))
        operand = f"{element}_{rng.choice(('e8m0', 'e8m0', 'ue4m3'))}_b{length}"
    lanes = rng.choice([n for n in (1, 2, 4, 8, 8, 16, 32) if n <= length])
    outer = rng.choice(("fp32", "fp32", "fp32", "fp16", "bf16", "e6m9"))
    return _form(rng, f"{operand}:{outer}{f':lanes{lanes}' if lanes > 1 else ''}")


def _chunked(rng: random.Random) -> str:
    length = rng.choice((16, 32, 64, 64, 128))
    outer = _sum_format(rng)
    inner, lanes = rng.choice(((outer, 1), (outer, 1), ("exact", 1), ("exact", 4)))
    last = "" if inner == outer else f"/{outer}"
    operands = _operands(rng, lambda r: _float(r, 9))
    lane_text = f":lanes{lanes}" if lanes > 1 else ""
    return _form(rng, f"{operands}:{inner}/{length}{last}{lane_text}")


def _posits(rng: random.Random) -> str:
    fmt = f"posit{rng.randint(4, 9)}es{rng.randint(0, 2)}"
    lanes = rng.choice((1, 1, 2, 4))
    return _form(rng, f"{fmt}:exact{f':lanes{lanes}' if lanes > 1 else ''}")


def _arrays(rng: random.Random) -> str:
    inner = rng.choice(
        (
            f"int{rng.randint(2, 8)}:int{rng.choice((20, 24, 32))}",
            f"{_float(rng, 7)}:exact",
            f"{_float(rng, 8)}:{_sum_format(rng)}",
            f"{_float(rng, 8)}:e6m9/64",
        )
    )
    shape = rng.choice(("2x2", "2x3", "4x2", "4x4"))
    return f"{inner}:{shape}" + rng.choice(("", "", ":stages1"))


FAMILY_WEIGHTS: dict[str, tuple[Draw, int]] = {
    "integers": (_integers, 3),
    "fixed": (_fixed, 3),
    "float": (_float_sum, 6),
    "window": (_window, 3),
    "aligned": (_aligned, 2),
    "accelerators": (_accelerators, 2),
    "blocks": (_blocks, 2),
    "chunked": (_chunked, 5),
    "posits": (_posits, 2),
    "arrays": (_arrays, 2),
}
"""How each family is drawn, and how many of it come in a round."""


def rough_gates(design: Design) -> float:
    """Rough number of gates of a step, to leave out what takes minutes."""
    mac, widths = design.mac, mac_widths(design.mac)
    product = widths.product.max_integer.bit_length()
    narrow = [
        fmt.precision if isinstance(fmt, FloatFormat | PositFormat) else fmt.bits
        for fmt in (mac.a, mac.b)
    ]
    is_placed = widths.inner.format is None or mac.lanes > 1
    lane = 1.5 * narrow[0] * narrow[1] + (2.0 * product if is_placed else 0.0)
    state = 4.0 * widths.partial_sum_bits + 4.0 * widths.inner.integer_bits
    elements = min(design.implementation.rows * design.implementation.columns, 2)
    return elements * (mac.lanes * lane + state)


def sample_designs(rounds: int) -> Iterator[Design]:
    """Designs, none twice: the `CORNERS`, then in rounds of all families by their weights.

    Draws that no design can be built of, or of more than `LARGEST_LOGIC`, are passed over.
    """
    yield from map(parse_design, CORNERS)
    generators = {name: random.Random(f"{SEED} {name}") for name in FAMILY_WEIGHTS}
    seen = {parse_design(text).text for text in CORNERS}
    for _ in range(rounds):
        for name, (draw, weight) in FAMILY_WEIGHTS.items():
            found = 0
            rng = generators[name]
            for _try in range(MOST_DRAWS):
                if found == weight:
                    break
                try:
                    design = parse_design(draw(rng))
                    resolve_architecture(design.mac, design.implementation)
                except ValueError:
                    continue
                if design.text not in seen and rough_gates(design) <= rng.choice(LARGEST_LOGIC):
                    seen.add(design.text)
                    found += 1
                    yield design
