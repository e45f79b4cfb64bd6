"""Operand codes worth trying: classes, corners, and random ones with chosen exponents."""

from functools import cache

import numpy as np
from macsmith.model import fast
from macsmith.model.formats import FloatFormat, Format, IntFormat, OrderedFormat, Special
from macsmith.sim.ordered_codes import ordered_corners, ordered_powers, random_ordered
from numpy.typing import NDArray

__all__ = [
    "OPERAND_CLASSES",
    "classify_codes",
    "corner_codes",
    "power_of_two_codes",
    "random_codes",
]

Codes = NDArray[np.uint32]

#: Classes of operand codes, in the order of `classify_codes`.
OPERAND_CLASSES = (
    "zero",
    "negative zero",
    "subnormal",
    "normal",
    "largest",
    "infinity",
    "NaN",
)


def classify_codes(fmt: Format, codes: Codes) -> NDArray[np.uint8]:
    """Index in `OPERAND_CLASSES` of each code.

    ``largest`` are the codes of greatest magnitude of either sign; an integer's other codes are
    ``normal``.
    """
    result = np.full(codes.shape, OPERAND_CLASSES.index("normal"), dtype=np.uint8)
    if isinstance(fmt, IntFormat):
        result[codes == 0] = OPERAND_CLASSES.index("zero")
        largest = np.uint32((1 << (fmt.bits - fmt.is_signed)) - 1)
        result[codes == largest] = OPERAND_CLASSES.index("largest")
        if fmt.is_signed:
            result[codes == largest + 1] = OPERAND_CLASSES.index("largest")
        return result
    if isinstance(fmt, OrderedFormat):
        values = fast.decode(fmt, codes)
        result[np.abs(values) == float(fmt.max)] = OPERAND_CLASSES.index("largest")
        result[values == 0] = OPERAND_CLASSES.index("zero")
        result[np.isnan(values)] = OPERAND_CLASSES.index("NaN")
        return result
    magnitude = codes & np.uint32((1 << fmt.magnitude_bits) - 1)
    negative = codes >> np.uint32(fmt.magnitude_bits) != 0
    result[magnitude == fmt.max_magnitude_code] = OPERAND_CLASSES.index("largest")
    if fmt.has_subnormals and fmt.fraction_bits:
        result[magnitude < (1 << fmt.fraction_bits)] = OPERAND_CLASSES.index("subnormal")
    result[magnitude > fmt.max_magnitude_code] = OPERAND_CLASSES.index("NaN")
    if fmt.has_infinity:
        result[magnitude == fmt.infinity_code] = OPERAND_CLASSES.index("infinity")
    result[magnitude == 0] = OPERAND_CLASSES.index("zero")
    negative_zero = "negative zero" if fmt.has_negative_zero else "NaN"
    result[(magnitude == 0) & negative] = OPERAND_CLASSES.index(negative_zero)
    return result


@cache
def corner_codes(fmt: Format) -> tuple[int, ...]:
    """Codes at the edges: zeros, smallest and largest of each kind, both sides of some binade
    edges, significands of one and two bits and of all ones, and every kind of special."""
    codes: list[int] = []
    if isinstance(fmt, IntFormat):
        top = 1 << (fmt.bits - 1)
        codes = [0, 1, 2, 3, top - 1, top, top + 1, 2 * top - 1, 2 * top - 2, top // 2]
        codes += [int("01" * 8, 2) & (2 * top - 1), int("10" * 8, 2) & (2 * top - 1)]
        return tuple(dict.fromkeys(codes))
    if isinstance(fmt, OrderedFormat):
        return ordered_corners(fmt)
    sign = 1 << fmt.magnitude_bits
    largest = fmt.max_magnitude_code
    one = fmt.bias << fmt.fraction_bits  # the code of 1.0 where the format has it
    hidden = 1 << fmt.fraction_bits
    magnitudes = [0, 1, 2, 3, hidden - 1, hidden, hidden + 1, largest - 1, largest]
    for base in (one, one + hidden, largest - largest % hidden):
        # | 1.0 | 1.00..1 | 1.5 | 1.11..1 | and the number below 1.0
        magnitudes += [base - 1, base, base + 1, base + hidden // 2, base + hidden - 1]
    for magnitude in dict.fromkeys(magnitudes):
        if 0 <= magnitude <= largest:
            codes += [magnitude, sign | magnitude]
    specials = range(largest + 1, sign)
    if len(specials):
        # canonical, first and last special of both signs
        for code in (specials[0], specials[-1], fmt.nan_code & (sign - 1)):
            codes += [code, sign | code]
    if len(specials) > 1:
        codes += [specials[1], sign | specials[1]]
    codes.append(sign)
    return tuple(dict.fromkeys(code & ((1 << fmt.bits) - 1) for code in codes))


@cache
def class_codes(fmt: Format) -> tuple[int, ...]:
    """One code of each class that a format has, of either sign where there are two."""
    corners = corner_codes(fmt)
    classes = classify_codes(fmt, np.array(corners, dtype=np.uint32)).tolist()
    chosen: dict[tuple[int, bool], int] = {}
    for code, index in zip(corners, classes, strict=True):
        chosen.setdefault((index, fmt.is_negative(code)), code)
    return tuple(chosen.values())


@cache
def power_of_two_codes(fmt: Format) -> dict[int, int]:
    """Exponent to the positive code whose value is two to that exponent."""
    found: dict[int, int] = {}
    if isinstance(fmt, IntFormat):
        for bit in range(fmt.bits - fmt.is_signed):
            found[bit - fmt.fraction_bits] = 1 << bit
        return found
    if isinstance(fmt, OrderedFormat):
        return ordered_powers(fmt)
    hidden = 1 << fmt.fraction_bits
    candidates = [1 << bit for bit in range(fmt.fraction_bits)] if fmt.has_subnormals else []
    candidates += [field * hidden for field in range(1 << fmt.exponent_bits)]
    for code in candidates:
        if not fmt.has_zero <= code <= fmt.max_magnitude_code:
            continue
        value = fmt.decode(code)
        assert not isinstance(value, Special)
        ratio = value.numerator * value.denominator
        if ratio & (ratio - 1) == 0:
            found[value.numerator.bit_length() - value.denominator.bit_length()] = code
    return found


def _exponent_fields(fmt: FloatFormat) -> int:
    """Exponent fields that hold finite numbers."""
    return (fmt.max_magnitude_code >> fmt.fraction_bits) + 1


def random_codes(
    fmt: Format,
    rng: np.random.Generator,
    shape: tuple[int, ...],
    centre: NDArray[np.float64],
    spread: int,
) -> Codes:
    """Random finite codes with exponents near a centre, so that sums of products interact.

    Parameters
    ----------
    centre
        In 0..1, broadcast to `shape`: where in the format's range of exponents.
    spread
        Greatest distance from the centre in binades (bits of magnitude for an integer).

    Returns
    -------
    Codes
        Codes of `shape`; no NaN or infinity.
    """
    if isinstance(fmt, OrderedFormat):
        return random_ordered(fmt, rng, shape, centre, spread)
    offset = rng.integers(-spread, spread + 1, shape)
    if isinstance(fmt, IntFormat):
        magnitude_bits = fmt.bits - fmt.is_signed
        length = np.rint(centre * magnitude_bits).astype(np.int64) + offset
        length = np.clip(length, 0, magnitude_bits)
        magnitude = rng.integers(0, np.int64(1) << length, shape)
        # a top bit in most, so that the length is what was asked
        magnitude |= np.where(length > 0, (np.int64(1) << length) >> 1, 0)
        signed = np.where(rng.integers(0, 2, shape) & fmt.is_signed, -magnitude, magnitude)
        return (signed & ((1 << fmt.bits) - 1)).astype(np.uint32)
    fields = _exponent_fields(fmt)
    field = np.clip(np.rint(centre * (fields - 1)).astype(np.int64) + offset, 0, fields - 1)
    fraction = rng.integers(0, 1 << fmt.fraction_bits, shape)
    magnitude = np.minimum((field << fmt.fraction_bits) | fraction, fmt.max_magnitude_code)
    negative = rng.integers(0, 2, shape) & fmt.is_signed
    if not fmt.has_negative_zero:
        negative &= magnitude != 0
    codes: Codes = (magnitude | (negative << fmt.magnitude_bits)).astype(np.uint32)
    return codes
