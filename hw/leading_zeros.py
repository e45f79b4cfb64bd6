"""Leading zeros counted by a tree, in time that grows with the logarithm of the width; those of a
difference also beside the subtraction."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value

__all__ = ["anticipated_zeros", "count_leading_zeros"]


def count_leading_zeros(m: Module, name: str, value: Value) -> Value:
    """Leading zeros of `value`.

    The width is rounded up to a power of two by ones below, so that the count of a 0 is its width,
    or one less if that is a power of two itself.

    Returns
    -------
    Value
        ``(len(value) - 1).bit_length()`` bits, at least one.
    """
    levels = max((len(value) - 1).bit_length(), 1)
    padding = (1 << levels) - len(value)
    padded = Cat(Const((1 << padding) - 1, padding), value)
    # pairs of | is there a one | zeros before it |, the most significant first
    found: list[tuple[Value, list[Value]]] = [(bit, []) for bit in reversed(list(padded))]
    for level in range(levels):
        merged: list[tuple[Value, list[Value]]] = []
        for index in range(0, len(found), 2):
            (high, high_count), (low, low_count) = found[index], found[index + 1]
            has_one = Signal(name=f"{name}_has_one_{level}_{index // 2}")
            m.d.comb += has_one.eq(high | low)
            count: list[Value] = []
            for bit in range(level):
                chosen = Signal(name=f"{name}_count_{level}_{index // 2}_{bit}")
                m.d.comb += chosen.eq(Mux(high, high_count[bit], low_count[bit]))
                count.append(chosen)
            merged.append((has_one, [*count, ~high]))
        found = merged
    return Cat(*found[0][1])


def anticipated_zeros(m: Module, x: Value, y: Value, *, is_subtraction: Value) -> Value:
    """Leading zeros of ``| carry | x + y |``, or one less, without the carries of the sum.

    With `is_subtraction`, y is the complement of what is subtracted and not more than x, the carry
    out is dropped, and there may be a carry in; without, one of the two top places is 1. Of a
    difference of 0 it means nothing.

    A difference begins with places whose bits differ, then one where both are 1, then some where
    both are 0: its leading 1 is at the end of these or one place below, as a carry comes or not.

    Source: M. S. Schmookler, K. J. Nowka, Leading Zero Anticipation and Detection, 15th IEEE
    Symposium on Computer Arithmetic, 2001.
    """
    width = len(x)
    differ = Signal(width, name="bits_differ")
    both_clear = Signal(width, name="bits_clear")
    leads = Signal(width + 1, name="may_lead")
    m.d.comb += [
        differ.eq(x ^ y),
        both_clear.eq(~(x | y)),
        leads.eq(Cat(~(differ ^ Cat(Const(0, 1), both_clear[:-1])), ~is_subtraction)),
    ]
    return count_leading_zeros(m, "anticipate", leads)
