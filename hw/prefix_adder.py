"""Parallel-prefix addition with a late carry: for adders whose carry comes last.

Every position finds out whether the positions up to it generate a carry and whether they let one
pass, in ``ceil(log2 n)`` levels; the carry into the adder joins behind them, one gate before the
sum. So it may be as late as the sum itself, and may even be the carry out (end-around carry).

Source of the prefix network: J. Sklansky, Conditional-sum addition logic, IRE Transactions on
Electronic Computers EC-9, 1960.
"""

from collections.abc import Sequence

from amaranth.hdl import Cat, Module, Signal, Value

__all__ = ["PrefixAdder"]


class PrefixAdder:
    """Carries and sum of two unsigned numbers, the carry in still open.

    Parameters
    ----------
    m
        Where the logic goes.
    name
        Goes before the names of signals.
    x, y
        Numbers of one width, at least 1 bit. Constant bits cost nothing after synthesis.
    """

    def __init__(self, m: Module, name: str, x: Value, y: Value) -> None:
        if len(x) != len(y) or not len(x):
            raise ValueError(f"{name}: numbers must have one width, not {len(x)} and {len(y)}")
        self._m, self._name, width = m, name, len(x)
        self.half = Signal(width, name=f"{name}_half")
        generate = Signal(width, name=f"{name}_generate_0")
        m.d.comb += [self.half.eq(x ^ y), generate.eq(x & y)]
        # sums that pass a carry: x ^ y serves as well as x | y and is needed anyway
        passes: Value = self.half
        level = 0
        distance = 1
        while distance < width:
            level += 1
            next_generate = Signal(width, name=f"{name}_generate_{level}")
            next_passes = Signal(width, name=f"{name}_passes_{level}")
            m.d.comb += [
                next_generate.eq(Cat(*self._joined(generate, passes, generate, distance))),
                next_passes.eq(
                    Cat(
                        *(
                            passes[at] & passes[at // distance * distance - 1]
                            if at & distance
                            else passes[at]
                            for at in range(width)
                        )
                    )
                ),
            ]
            generate, passes = next_generate, next_passes
            distance *= 2
        self._generate: Value = generate
        self._passes: Value = passes

    @staticmethod
    def _joined(generate: Value, passes: Value, below: Value, distance: int) -> Sequence[Value]:
        return [
            generate[at] | (passes[at] & below[at // distance * distance - 1])
            if at & distance
            else generate[at]
            for at in range(len(generate))
        ]

    @property
    def generates(self) -> Value:
        """The carry out if there is no carry in."""
        return self._generate[-1]

    @property
    def passes(self) -> Value:
        """Whether a carry in comes out; the half sum is all ones."""
        return self._passes[-1]

    def carry_out(self, carry_in: Value) -> Value:
        """The carry out."""
        return self._generate[-1] | (self._passes[-1] & carry_in)

    def sum(self, carry_in: Value, name: str = "sum") -> Value:
        """The sum with that carry in, as wide as the numbers."""
        total = Signal(len(self.half), name=f"{self._name}_{name}")
        carries = [
            carry_in,
            *(
                self._generate[at] | (self._passes[at] & carry_in)
                for at in range(len(self.half) - 1)
            ),
        ]
        self._m.d.comb += total.eq(self.half ^ Cat(*carries))
        return total
