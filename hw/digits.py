"""Products of signed digits, put into a bit heap digit by digit.

Of two binary numbers every pair of digits is one bit, their XNOR, twice, less a constant: the
multi-branch form of Sun et al. (`macsmith.model.digit_format`), with all branches in one heap. A
digit times an integer is the integer, inverted where the digit is negative, and 1 more.
"""

from amaranth.hdl import Cat, Const, Value
from macsmith.hw.heap import BitHeap
from macsmith.model.formats import DigitFormat, Format, IntFormat

__all__ = ["add_digit_product", "has_zero_product"]


def _digits(fmt: DigitFormat, code: Value) -> list[tuple[Value, Value | None]]:
    """Each digit, the lowest first: whether it is negative, and whether it is not 0 (None: always
    so)."""
    if fmt.has_zero:
        return [(code[1], code[0])]
    return [(~code[index], None) for index in range(fmt.digits)]


def _add_digit_pair(
    heap: BitHeap,
    x: tuple[Value, Value | None],
    y: tuple[Value, Value | None],
    weight: int,
) -> None:
    """Put the product of two digits in: -1, 0 or 1."""
    negative = x[0] ^ y[0]
    present = [each for each in (x[1], y[1]) if each is not None]
    if not present:
        # 1 for equal digits, else -1
        heap.add_bit(weight + 1, ~negative, 1.0)
        heap.add_constant(-(1 << weight))
        return
    is_one = present[0] & present[1] if len(present) == 2 else present[0]
    heap.add_bit(weight, is_one, 1.0)
    heap.add_negative_bit(weight + 1, is_one & negative, 2.0)


def _add_digit_times_integer(
    heap: BitHeap, digit: tuple[Value, Value | None], fmt: IntFormat, code: Value, weight: int
) -> None:
    negative, is_not_zero = digit
    if is_not_zero is not None:
        negative = negative & is_not_zero
        code = code & is_not_zero.replicate(len(code))
    word = code ^ negative.replicate(len(code))
    if fmt.is_signed:
        heap.add_signed(word, weight)
    else:
        heap.add_signed(Cat(word, negative), weight)
    heap.add_bit(weight, negative)


def add_digit_product(
    heap: BitHeap, formats: tuple[Format, Format], codes: tuple[Value, Value], weight: int = 0
) -> None:
    """Put the product of two codes in, shifted left by `weight`.

    Parameters
    ----------
    formats
        Signed digits, of which one may be an integer.
    """
    (a_format, b_format), (a, b) = formats, codes
    if isinstance(a_format, IntFormat):
        (a_format, b_format), (a, b) = (b_format, a_format), (b, a)
    if not isinstance(a_format, DigitFormat):
        raise TypeError(f"add_digit_product: must have signed digits, not {a_format}")
    for place, digit in enumerate(_digits(a_format, a)):
        if isinstance(b_format, DigitFormat):
            for other_place, other in enumerate(_digits(b_format, b)):
                _add_digit_pair(heap, digit, other, weight + place + other_place)
        elif isinstance(b_format, IntFormat):
            _add_digit_times_integer(heap, digit, b_format, b, weight + place)
        else:
            raise TypeError(f"add_digit_product: must have digits or an integer, not {b_format}")


def has_zero_product(formats: tuple[Format, Format], codes: tuple[Value, Value]) -> Value:
    """Whether the product of two codes is 0."""
    is_zero: Value = Const(0)
    for fmt, code in zip(formats, codes, strict=True):
        if isinstance(fmt, IntFormat):
            is_zero = is_zero | ~code.any()
        elif isinstance(fmt, DigitFormat) and fmt.has_zero:
            is_zero = is_zero | ~code[0]
    return is_zero
