"""The formats of IEEE P3109 by their parameters: Binary{K}p{P}{s|u}{e|f}.

Source: IEEE P3109 interim report, version 4.0: one NaN (the code of a negative zero, or the last
code where there is no sign), infinities only in the extended formats (last code, or last but one),
subnormals everywhere, bias 2 to one less than the width of the exponent field.
"""

from macsmith.model.float_format import FloatFormat, FloatSpecials

__all__ = ["p3109_format"]


def p3109_format(bits: int, precision: int, *, is_signed: bool, is_extended: bool) -> FloatFormat:
    """The format of `bits` bits (K) and a significand of `precision` bits (P).

    Raises
    ------
    ValueError
        P is not in the range that the report allows, or a field is wider than formats here are.
    """
    name = f"binary{bits}p{precision}{'s' if is_signed else 'u'}{'e' if is_extended else 'f'}"
    exponent_bits = bits - precision + (not is_signed)
    if precision < 1 or exponent_bits < 1:
        raise ValueError(
            f"{name}: precision must be 1 to {bits - is_signed} bits of {bits}, not {precision}"
        )
    if is_signed:
        specials = FloatSpecials.INUZ if is_extended else FloatSpecials.FNUZ
    else:
        specials = FloatSpecials.IN if is_extended else FloatSpecials.FN
    bias = 1 << (exponent_bits - 1)
    return FloatFormat(exponent_bits, precision - 1, specials, bias, is_signed=is_signed)
