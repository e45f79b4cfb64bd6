"""Float addition on a single path, for terms far above the smallest binade.

There is no subnormal logic: the hidden bit of the partial sum is a constant, as a subnormal one is
less than a quarter of any term's last place, and leading zeros are shifted out without a limit.
The partial sum and the term are ordered by their whole magnitudes, so a difference is never
negative; and the carry of rounding goes on into the exponent.
"""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from macsmith.hw.block import place
from macsmith.hw.decode import Decode
from macsmith.hw.leading_zeros import anticipated_zeros
from macsmith.hw.loose_add import LooseAdd
from macsmith.hw.loose_term import LooseTerm
from macsmith.hw.round import is_rounded_up
from macsmith.hw.terms import Term
from macsmith.model.formats import FloatFormat
from macsmith.model.rounding import Overflow, Rounding

__all__ = ["CompactAdd"]


class CompactAdd(LooseAdd):
    """Next partial sum of a float accumulator; combinational.

    Parameters
    ----------
    shape, fmt, rounding, overflow
        Of `LooseAdd`, whose members it has.
    count
        Leading zeros are looked for in the difference, level by level of the ``shift``, or beside
        the subtraction (``anticipate``).

    Raises
    ------
    ValueError
        Terms reach the subnormal numbers, or rounding is not to nearest.
    """

    def __init__(
        self,
        shape: LooseTerm,
        fmt: FloatFormat,
        rounding: Rounding,
        overflow: Overflow,
        *,
        count: str = "shift",
    ) -> None:
        super().__init__("compact_add", shape, fmt, rounding, overflow)
        self.count = count
        if self.range.is_limited:
            raise ValueError(
                f"compact_add: terms must lie far above the subnormal numbers of {fmt.name} "
                "and rounding be to nearest"
            )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        fmt, precision = self.format, self.format.precision
        decode = Decode(fmt)
        place(m, platform, "decode_partial_sum", decode)
        m.d.comb += decode.code.eq(self.partial_sum_i)
        partial_sum = decode.term
        is_subtraction = Signal()
        m.d.comb += is_subtraction.eq(self.term_sign ^ partial_sum.sign)

        term, term_exponent = self._normalised_term(m)
        field = self.partial_sum_i[fmt.fraction_bits : fmt.magnitude_bits]
        # places of the partial sum below the term's last one cannot make it smaller than the term
        below = max(precision - len(term), 0)
        own = Cat(self.partial_sum_i[: fmt.fraction_bits], Const(1, 1))
        other = Cat(Const(0, below), term)[len(term) + below - precision :]
        is_below = Signal()  # by magnitude, or the term is 0 and has any exponent
        is_term_larger = Signal()
        difference = Signal(len(term_exponent))
        distance = Signal(len(term_exponent))
        wide_field = Cat(field, Const(0, len(term_exponent) - len(field)))
        m.d.comb += [
            is_below.eq(
                Cat(other[below:-1], term_exponent)
                > Cat(self.partial_sum_i[below : fmt.fraction_bits], wide_field)
            ),
            is_term_larger.eq(is_below & ~self.term_is_zero),
            # field - exponent, or one less: the complement of the difference the other way round
            difference.eq(
                (Cat(Const(1, 1), wide_field) + Cat(~is_below, ~term_exponent))[
                    1 : 1 + len(difference)
                ]
            ),
            distance.eq(difference ^ is_below.replicate(len(difference))),
        ]

        # | 1 . fraction | guard | round |, and a sticky bit apart
        width = precision + 2
        levels = (width - 1).bit_length()
        is_far = Signal()
        keep = Signal()
        larger, smaller = (Signal(precision, name=name) for name in ("larger", "smaller"))
        exponent = Signal(len(term_exponent))
        m.d.comb += [
            is_far.eq(distance[levels:].any()),
            keep.eq(~is_far & ~self.term_is_zero),
            larger.eq(Mux(is_term_larger, other, own)),
            smaller.eq(Mux(is_term_larger, own, other) & keep.replicate(precision)),
            exponent.eq(Mux(is_term_larger, term_exponent, wide_field)),
        ]
        aligned, lost = self._align(m, Cat(Const(0, 2), smaller), distance[:levels])
        sticky = Signal()
        total = Signal(width + 1)
        magnitude = Signal(width + 1)
        m.d.comb += [
            # never 0, the smaller number is lost as a whole
            sticky.eq(lost | (is_far & ~self.term_is_zero)),
            total.eq(
                (
                    Cat(Const(1, 1), Const(0, 2), larger)
                    + Cat(is_subtraction & ~sticky, aligned ^ is_subtraction.replicate(width))
                )[1:]
            ),
            magnitude.eq(Cat(total[:-1], total[-1] & ~is_subtraction)),
        ]
        if self.count == "anticipate":
            subtrahend = aligned ^ is_subtraction.replicate(width)
            zeros = anticipated_zeros(
                m, Cat(Const(0, 2), larger), subtrahend, is_subtraction=is_subtraction
            )
            normalised, is_exact = self._shift_by(m, magnitude, zeros)
        else:
            normalised, zeros = self._shift_out_zeros(m, magnitude)
            is_exact = Const(1, 1)
        self._finish(
            m,
            platform,
            partial_sum,
            Mux(is_term_larger, self.term_sign, partial_sum.sign),
            is_subtraction,
            exponent,
            normalised,
            zeros,
            is_exact,
            sticky,
        )
        return m

    @property
    def exponent_bits(self) -> int:
        """Width of exponents, wide enough for results."""
        bits = self.format.exponent_bits
        if self.range.can_overflow:
            # rounding and the carry of an addition can add 2
            bits = (max((1 << bits) - 1, self.range.max_exponent + 1) + 2).bit_length()
        return bits

    def _normalised_term(self, m: Module) -> tuple[Value, Value]:
        """The term with its leading bit on top, and its exponent, as wide as results need it."""
        bits = self.exponent_bits
        term = self.term_significand
        normalised = Signal(len(term), name="term_normalised")
        parts = [Signal(bits, name=f"term_exponent_{name}") for name in "ab"]
        total = Signal(bits, name="term_exponents")
        exponent = Signal(bits, name="term_exponent")
        top = term[-1]
        m.d.comb += [
            normalised.eq(Mux(top, term, Cat(Const(0, 1), term[:-1]))),
            parts[0].eq(self.term_exponent_a),
            parts[1].eq(self.term_exponent_b),
            total.eq((Cat(Const(1, 1), parts[0]) + Cat(top, parts[1]))[1 : 1 + bits]),
            exponent.eq(total + self.range.offset % (1 << bits)),
        ]
        return normalised, exponent

    @staticmethod
    def _align(m: Module, word: Value, distance: Value) -> tuple[Value, Value]:
        """`word` shifted right, far shifts first, and whether a 1 was lost."""
        lost: list[Value] = []
        for level in reversed(range(len(distance))):
            step = 1 << level
            shifted = Signal(len(word), name=f"align_{level}")
            m.d.comb += shifted.eq(Mux(distance[level], Cat(word[step:], Const(0, step)), word))
            lost.append(distance[level] & word[:step].any())
            word = shifted
        return word, Cat(*lost).any()

    @staticmethod
    def _shift_out_zeros(m: Module, word: Value) -> tuple[Value, Value]:
        """`word` shifted left by its leading zeros, and their number unless all is 0."""
        taken: list[Value] = []
        for level in reversed(range((len(word) - 1).bit_length())):
            step = 1 << level
            is_clear = Signal(name=f"is_clear_{level}")
            shifted = Signal(len(word), name=f"normalised_{level}")
            m.d.comb += [
                is_clear.eq(~word[len(word) - step :].any()),
                shifted.eq(Mux(is_clear, Cat(Const(0, step), word)[: len(word)], word)),
            ]
            taken.append(is_clear)
            word = shifted
        return word, Cat(*reversed(taken))

    @staticmethod
    def _shift_by(m: Module, word: Value, zeros: Value) -> tuple[Value, Value]:
        """`word` shifted left by `zeros`, and once more if that is one too few; whether it is
        not."""
        for level in reversed(range(len(zeros))):
            step = 1 << level
            shifted = Signal(len(word), name=f"normalised_{level}")
            m.d.comb += shifted.eq(Mux(zeros[level], Cat(Const(0, step), word)[: len(word)], word))
            word = shifted
        corrected = Signal(len(word), name="corrected")
        m.d.comb += corrected.eq(Mux(word[-1], word, Cat(Const(0, 1), word[:-1])))
        return corrected, word[-1]

    def _finish(
        self,
        m: Module,
        platform: Any,
        partial_sum: Term,
        larger_sign: Value,
        is_subtraction: Value,
        exponent: Value,
        normalised: Value,
        zeros: Value,
        is_exact: Value,
        sticky: Value,
    ) -> None:
        """Round and encode."""
        fmt, precision = self.format, self.format.precision
        is_plain = not (self.range.can_overflow or self.shape.has_infinity) and (
            # an infinite partial sum counts as the number its code would be, and stays that
            not fmt.has_infinity or self.overflow is Overflow.INFINITY
        )
        is_nan: Value = Const(0)
        if is_plain:
            # NaN clears what is rounded: its code is put in by an OR at the end
            is_nan = Signal(name="is_nan")
            term_is_nan = self.term_is_nan if self.shape.has_nan else Const(0)
            m.d.comb += is_nan.eq(term_is_nan | partial_sum.is_nan)
            kept = Signal(len(normalised), name="kept")
            m.d.comb += kept.eq(normalised & (~is_nan).replicate(len(kept)))
            normalised = kept
        hidden = normalised[-1]
        fraction = normalised[len(normalised) - precision : -1]
        rest = normalised[: len(normalised) - precision - 1]
        up = Signal()
        rounded = Signal(precision, name="rounded")  # and its carry
        code_exponent = Signal(len(exponent), name="code_exponent")
        unrounded = exponent + is_exact - zeros
        m.d.comb += [
            up.eq(
                is_rounded_up(
                    self.rounding,
                    Const(0),
                    fraction[0] if len(fraction) else unrounded[0],
                    normalised[len(normalised) - precision - 1],
                    rest.any() | sticky,
                )
            ),
            rounded.eq(fraction + up),
            code_exponent.eq(unrounded + rounded[-1]),
        ]
        both_are_zero = self.term_is_zero & ~self.partial_sum_i[: fmt.magnitude_bits].any()
        # what cancels is +0, as rounding is to nearest
        sign = larger_sign & hidden & ~(both_are_zero & is_subtraction)
        magnitude = Cat(rounded[:-1], code_exponent & hidden.replicate(len(code_exponent)))
        if is_plain and fmt.has_nan:
            nan = Const(fmt.nan_code, fmt.bits)
            code = Cat(magnitude, sign)
            m.d.comb += self.partial_sum_o.eq(code | (nan & is_nan.replicate(fmt.bits)))
        else:
            self._encode(m, platform, magnitude, sign, partial_sum, is_subtraction)
