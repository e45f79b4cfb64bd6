"""How wide an integer accumulator must be, when the weights are known.

`intN` accumulators are as wide as the formats ask: every product may be the largest one. With the
weights of a layer known, less will do, and a training can hold the weights to what a given width
allows. With inputs x of N bits, s = 1 if they are signed and 0 if not, and P bits of two's
complement, no sum of ``w * x`` overflows, in any order of its terms:

- *from the norm* (A2Q): if ``sum(|w|) <= (2**(P-1) - 1) * 2**(s - N)``
- *zero-centred* (A2Q+): with weights that add up to 0 and unsigned inputs, if
  ``sum(|w|) <= (2**P - 2) / (2**N - 1)``
- *exact*: if P bits hold the largest and the least sum, every input at one end of its range

Both bounds are as the Brevitas library has them, after Colbert, Pappalardo and Petri-Koenig, A2Q:
Accumulator-Aware Quantization with Guaranteed Overflow Avoidance, ICCV 2023, and Colbert et al.,
A2Q+: Improving Accumulator-Aware Weight Quantization, ICML 2024.
"""

from __future__ import annotations

from collections.abc import Sequence

from macsmith.model.formats import DigitFormat, IntFormat

__all__ = [
    "accumulator_bits",
    "largest_norm",
    "largest_zero_centred_norm",
    "norm_bits",
    "sum_range",
]

InputFormat = IntFormat | DigitFormat


def _input_range(inputs: InputFormat) -> tuple[int, int]:
    """The least and the largest integer that a code stands for."""
    if isinstance(inputs, DigitFormat):
        return -inputs.max_integer, inputs.max_integer
    return -inputs.max_integer if inputs.is_signed else 0, inputs.max_code_integer


def _input_bits(inputs: InputFormat) -> int:
    """N - s: inputs are at most 2 to this in magnitude."""
    if isinstance(inputs, DigitFormat):
        return inputs.digits
    return inputs.bits - inputs.is_signed


def _check_bits(bits: int) -> None:
    if bits < 2:
        raise ValueError(f"an accumulator must have at least 2 bits, not {bits}")


def sum_range(weights: Sequence[int], inputs: InputFormat) -> tuple[int, int]:
    """The least and the largest value of ``sum(w * x)``, over all codes x of a format.

    Partial sums stay between them whatever the order of the terms, and whichever are left out:
    each term may be 0 or of either sign, or is at 0 at one end.

    Parameters
    ----------
    weights
        Integers: codes' values in units of their last bit.
    inputs
        Of x; its values count in units of their last bit too.
    """
    low, high = _input_range(inputs)
    least = sum(min(w * low, w * high, 0) for w in weights)
    largest = sum(max(w * low, w * high, 0) for w in weights)
    return least, largest


def accumulator_bits(weights: Sequence[int], inputs: InputFormat) -> int:
    """The fewest bits of two's complement, at least 2, in which no sum of these weights with any
    inputs overflows, nor any partial sum of it; one bit less does not do.

    ``f"intA x intB:int{accumulator_bits(...)}:wrap"`` is then exact.
    """
    least, largest = sum_range(weights, inputs)
    return max(largest.bit_length() + 1, (-least - 1).bit_length() + 1 if least else 0, 2)


def largest_norm(bits: int, inputs: InputFormat) -> int:
    """The largest ``sum(|w|)`` for which an accumulator of `bits` never overflows, as A2Q has it.

    Raises
    ------
    ValueError
        `bits` is less than 2.
    """
    _check_bits(bits)
    return ((1 << (bits - 1)) - 1) >> _input_bits(inputs)


def norm_bits(norm: int, inputs: InputFormat) -> int:
    """The fewest bits that A2Q's bound allows for ``sum(|w|) == norm``.

    Raises
    ------
    ValueError
        `norm` is negative.
    """
    if norm < 0:
        raise ValueError(f"a norm must be at least 0, not {norm}")
    # the smallest P with norm * 2**(N - s) <= 2**(P-1) - 1
    return max((norm << _input_bits(inputs)).bit_length() + 1, 2)


def largest_zero_centred_norm(bits: int, inputs: IntFormat) -> int:
    """The largest ``sum(|w|)`` of weights that add up to 0 for which an accumulator of `bits` never
    overflows, as A2Q+ has it: about twice A2Q's.

    Raises
    ------
    ValueError
        `bits` is less than 2; inputs are signed, for which centring gains nothing.
    """
    _check_bits(bits)
    if inputs.is_signed:
        raise ValueError(f"zero-centred weights need unsigned inputs, not {inputs.name}")
    return ((1 << bits) - 2) // ((1 << inputs.bits) - 1)
