"""What float additions of loosely normalised terms have in common."""

from typing import Any

from amaranth.hdl import Const, Module, Mux, Signal, Value
from amaranth.lib.wiring import In, Out
from macsmith.hw.block import Block, place
from macsmith.hw.encode import Encode
from macsmith.hw.loose_term import LooseTerm, TermRange, loose_obstacle
from macsmith.hw.terms import Term
from macsmith.model.formats import FloatFormat
from macsmith.model.rounding import Overflow, Rounding

__all__ = ["LooseAdd"]


class LooseAdd(Block):
    """Next partial sum of a float accumulator: ``round(partial_sum + term)``; combinational.

    Parameters
    ----------
    name
        Of the module.
    shape
        Shape of the term.
    fmt
        Format of the partial sum.
    rounding, overflow
        Of the one rounding.

    Members
    -------
    term_* : In
        Those of `LooseTerm`.
    partial_sum_i : In(fmt.bits)
    partial_sum_o : Out(fmt.bits)
    """

    term_sign: Signal
    term_significand: Signal
    term_exponent_a: Signal
    term_exponent_b: Signal
    term_is_zero: Signal
    term_is_nan: Signal
    term_is_infinity: Signal
    partial_sum_i: Signal
    partial_sum_o: Signal

    def __init__(
        self,
        name: str,
        shape: LooseTerm,
        fmt: FloatFormat,
        rounding: Rounding,
        overflow: Overflow,
    ) -> None:
        obstacle = loose_obstacle(shape, fmt)
        if obstacle:
            raise ValueError(f"{name}: {obstacle}")
        self.shape, self.format = shape, fmt
        self.rounding, self.overflow = rounding, overflow
        self.range = TermRange.of(shape, fmt, rounding)
        super().__init__(
            f"{name}_{shape.significand_bits}_to_{fmt.name}",
            {
                **shape.members(is_input=True),
                "partial_sum_i": In(fmt.bits),
                "partial_sum_o": Out(fmt.bits),
            },
        )

    def elaborate(self, platform: Any) -> Module:
        """Logic of the addition."""
        raise NotImplementedError

    def _encode(
        self,
        m: Module,
        platform: Any,
        magnitude: Value,
        sign: Value,
        partial_sum: Term,
        is_subtraction: Value,
        overflows: Value | None = None,
    ) -> None:
        """Specials beside the datapath: NaN from NaN or from infinities of both signs."""
        fmt = self.format
        term_is_nan = self.term_is_nan if self.shape.has_nan else Const(0)
        term_is_infinity = self.term_is_infinity if self.shape.has_infinity else Const(0)
        both = self.shape.has_infinity and partial_sum.shape.has_infinity
        has_nan = self.shape.has_nan or partial_sum.shape.has_nan or both
        is_nan = (
            term_is_nan
            | partial_sum.is_nan
            | (term_is_infinity & partial_sum.is_infinity & is_subtraction)
        )
        has_infinity = self.shape.has_infinity or partial_sum.shape.has_infinity
        if not self.range.can_overflow and not self.shape.has_infinity:
            # an infinite partial sum counts as the number its code would be, and stays that
            magnitude = magnitude[: fmt.magnitude_bits]
            if fmt.has_infinity and self.overflow is not Overflow.INFINITY:
                has_infinity = True
            else:
                has_infinity = False
        encode = Encode(
            fmt,
            self.rounding,
            self.overflow,
            len(magnitude),
            has_nan=has_nan,
            has_infinity=has_infinity,
            knows_overflow=overflows is not None,
        )
        if overflows is not None:
            m.d.comb += encode.overflows.eq(overflows)
        place(m, platform, "encode", encode)
        if has_nan:
            m.d.comb += encode.is_nan.eq(is_nan)
        if has_infinity:
            m.d.comb += encode.is_infinity.eq(term_is_infinity | partial_sum.is_infinity)
            infinite_sign = (self.term_sign & term_is_infinity) | (
                partial_sum.sign & partial_sum.is_infinity
            )
            sign = Mux(encode.is_infinity, infinite_sign, sign)
        m.d.comb += [
            encode.magnitude.eq(magnitude),
            encode.sign.eq(sign),
            self.partial_sum_o.eq(encode.code),
        ]
