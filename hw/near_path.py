"""The path of a float adder where leading bits cancel: no alignment, no rounding."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib.wiring import In, Out
from macsmith.hw.block import Block
from macsmith.hw.prefix_adder import PrefixAdder

__all__ = ["NearPath", "leading_zeros"]


def leading_zeros(m: Module, name: str, value: Value) -> Value:
    """Number of leading zeros, by halves at once; of a value of 0 it means nothing.

    ``ceil(log2 n)`` bits.
    """
    width = 1 << max((len(value) - 1).bit_length(), 0)
    # zeros below: they are counted last
    bits = [Const(0)] * (width - len(value)) + [value[at] for at in range(len(value))]
    count = 0

    def of(part: list[Value]) -> tuple[Value, list[Value]]:
        nonlocal count
        if len(part) == 1:
            return part[0], []
        half = len(part) // 2
        low_any, low = of(part[:half])
        high_any, high = of(part[half:])
        found = Signal(name=f"{name}_any_{count}")
        zeros = Signal(len(high) + 1, name=f"{name}_zeros_{count}")
        count += 1
        m.d.comb += [
            found.eq(low_any | high_any),
            zeros.eq(
                Cat(
                    *(Mux(high_any, upper, lower) for upper, lower in zip(high, low, strict=True)),
                    ~high_any,
                )
            ),
        ]
        return found, [zeros[at] for at in range(len(zeros))]

    zeros = of(bits)[1]
    return Cat(*zeros) if zeros else Const(0, 1)


class NearPath(Block):
    """Difference of a partial sum and a term of nearly the same exponent; combinational.

    Parameters
    ----------
    precision
        Bits of the partial sum's significand.
    term_bits
        Bits of the term's significand, its leading bit in one of the top two places.
    max_place
        Largest value of `place`.
    guard_bits
        Places needed below the partial sum's last.
    exponent_bits
        Width of the partial sum's exponent.
    is_limited
        Whether a difference can lie below the smallest binade, exponent 1.

    Members
    -------
    partial_sum, term : In
        Significands.
    exponent : In(exponent_bits)
        Of the partial sum.
    place : In
        Exponent of the place below the term's top, less that of the partial sum, plus
        ``max_place - 1``.
    magnitude : Out(precision - 1 + exponent_bits)
        Code of the difference's magnitude; right if `is_exact`.
    is_partial_sum_larger, is_zero : Out(1)
    is_exact : Out(1)
        The difference has no more bits than `precision`; if not, at most one leading bit of the
        larger number cancelled.
    """

    partial_sum: Signal
    term: Signal
    exponent: Signal
    place: Signal
    magnitude: Signal
    is_partial_sum_larger: Signal
    is_zero: Signal
    is_exact: Signal

    def __init__(
        self,
        precision: int,
        term_bits: int,
        max_place: int,
        guard_bits: int,
        exponent_bits: int,
        *,
        is_limited: bool,
    ) -> None:
        self.guard_bits = guard_bits
        self.precision, self.max_place, self.is_limited = precision, max_place, is_limited
        super().__init__(
            f"near_path_{term_bits}_{precision}",
            {
                "partial_sum": In(precision),
                "term": In(term_bits),
                "exponent": In(exponent_bits),
                "place": In(max(max_place.bit_length(), 1)),
                "magnitude": Out(precision - 1 + exponent_bits),
                "is_partial_sum_larger": Out(1),
                "is_zero": Out(1),
                "is_exact": Out(1),
            },
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        precision, term = self.precision, self.term
        # | 2 | 1 . fraction | guard |
        guard = self.guard_bits
        width = precision + 1 + guard
        # The place below the term's top has weight 2 at place max_place. Bits that fall off
        # either end are 0 whenever the result is asked for.
        options: list[Value] = []
        for place in range(self.max_place + 1):
            start = width - 1 - (len(term) - 2) - (self.max_place - place)
            options.append(
                Cat(
                    *(
                        term[at - start] if 0 <= at - start < len(term) else Const(0)
                        for at in range(width)
                    )
                )
            )
        placed: Value = self._select(m, options)
        adder = PrefixAdder(
            m, "difference", Cat(Const(0, guard), self.partial_sum, Const(0, 1)), ~placed
        )
        # end-around carry: partial_sum - term where that is positive, else its complement
        is_larger = Signal()
        magnitude = Signal(width, name="difference_magnitude")
        m.d.comb += [
            is_larger.eq(adder.generates),
            magnitude.eq(adder.sum(is_larger) ^ (~is_larger).replicate(width)),
            self.is_partial_sum_larger.eq(is_larger),
            self.is_zero.eq(adder.passes),
            self.is_exact.eq(~magnitude[width - 1 - guard :].any()),
        ]
        value = magnitude[: width - 1]
        detected: Value = value
        count = len(value)
        if self.is_limited:
            # a leading bit is feigned where exponent 1 is reached
            stops = [
                self.exponent == zeros + 1 if zeros + 1 < 1 << len(self.exponent) else Const(0)
                for zeros in range(count)
            ]
            detected = Signal(count, name="detected")
            m.d.comb += detected.eq(value | Cat(*reversed(stops)))
        zeros = Signal(max((count - 1).bit_length(), 1), name="leading_zeros")
        m.d.comb += zeros.eq(leading_zeros(m, "detect", detected))
        word = value
        for level in reversed(range(len(zeros))):
            distance = 1 << level
            shifted = Signal(count, name=f"normalised_{level}")
            m.d.comb += shifted.eq(
                Mux(zeros[level], Cat(Const(0, min(distance, count)), word)[:count], word)
            )
            word = shifted
        field = Signal(len(self.exponent), name="field")
        hidden = word[-1]
        m.d.comb += [
            field.eq((self.exponent - zeros)[: len(field)]),
            self.magnitude.eq(
                Cat(word[count - precision : count - 1], field & hidden.replicate(len(field)))
            ),
        ]
        return m

    def _select(self, m: Module, options: list[Value]) -> Value:
        """The option of index `place`, by a tree of multiplexers, the first bit first."""
        level = 0
        while len(options) > 1:
            chosen: list[Value] = []
            for at in range(0, len(options), 2):
                if at + 1 == len(options):
                    chosen.append(options[at])
                    continue
                signal = Signal(len(options[at]), name=f"placed_{level}_{at // 2}")
                m.d.comb += signal.eq(Mux(self.place[level], options[at + 1], options[at]))
                chosen.append(signal)
            options = chosen
            level += 1
        return options[0]
