"""Leading zeros counted by a tree, in time that grows with the logarithm of the width."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value

__all__ = ["count_leading_zeros"]


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
    padded = Cat(Const(-1, (1 << levels) - len(value)), value)
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
