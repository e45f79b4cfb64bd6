"""The addition of a finished chunk to the outer accumulator."""

from typing import Any

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib.wiring import In, Out
from macsmith.hw.block import Block, place
from macsmith.hw.convert import Convert
from macsmith.hw.decode import Decode
from macsmith.hw.fixed_step import clip
from macsmith.hw.float_add import place_float_add
from macsmith.hw.heap import BitHeap
from macsmith.hw.lane import FixedTerm
from macsmith.hw.lanes import add_ones_complements
from macsmith.hw.terms import Term
from macsmith.model.config import MacConfig
from macsmith.model.formats import FloatFormat
from macsmith.model.widths import PartialSumWidths, mac_widths

__all__ = ["OuterStep"]


class OuterStep(Block):
    """Next outer partial sum: the chunk's sum, converted and added; combinational.

    Parameters
    ----------
    config
        What is computed; its accumulator is chunked.

    Members
    -------
    chunk : In(inner.bits)
        A finished inner partial sum.
    random : In(outer random bits)
        Only with a float accumulator that rounds stochastically.
    partial_sum_i : In(outer.bits)
    partial_sum_o : Out(outer.bits)
    """

    chunk: Signal
    random: Signal
    partial_sum_i: Signal
    partial_sum_o: Signal

    def __init__(self, config: MacConfig) -> None:
        widths = mac_widths(config)
        if widths.outer is None:
            raise ValueError("OuterStep: must have a chunked accumulator")
        self.config = config.outer_arithmetic
        self.inner: PartialSumWidths = widths.inner
        self.outer: PartialSumWidths = widths.outer
        members = {
            "chunk": In(self.inner.bits),
            "partial_sum_i": In(self.outer.bits),
            "partial_sum_o": Out(self.outer.bits),
        }
        if random_bits := config.random_bits_of(self.outer.accumulator):
            members["random"] = In(random_bits)
        super().__init__("outer_step", members)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        if self.outer.format is not None:
            self._add_float(m, platform, self.outer.format)
        else:
            self._add_fixed(m, platform)
        return m

    def _add_float(self, m: Module, platform: Any, fmt: FloatFormat) -> None:
        config = self.config
        convert = Convert(config, self.inner, fmt, canonical=True)
        place(m, platform, "convert_chunk", convert)
        decode = Decode(fmt)
        place(m, platform, "decode_chunk", decode)
        term = decode.term
        add = place_float_add(
            m,
            platform,
            ("normalise_chunk", "add_chunk"),
            term,
            fmt,
            config.accumulator_rounding,
            config.overflow_of(fmt),
            self.partial_sum_i,
        )
        m.d.comb += [
            convert.partial_sum.eq(self.chunk),
            decode.code.eq(convert.code),
            self.partial_sum_o.eq(add.partial_sum_o),
        ]
        if "random" in self.signature.members:
            m.d.comb += add.random.eq(self.random)

    def _add_fixed(self, m: Module, platform: Any) -> None:
        outer = self.outer
        width = outer.integer_bits
        if outer.clips:
            width = max(width, self._chunk_bits()) + 1
        heap = BitHeap(m, platform, "add", width)
        if self.inner.format is not None:
            flags = self._float_chunk(m, platform, heap, self.inner.format)
        else:
            flags = self._fixed_chunk(heap)
        partial_sum = self.partial_sum_i[: outer.integer_bits]
        if outer.clips:
            heap.add_sign_extended(partial_sum)
        else:
            heap.add_unsigned(partial_sum)
        total = heap.sum()
        if outer.clips:
            total = clip(m, "clipped", total, outer.integer_bits)
        m.d.comb += self.partial_sum_o.eq(
            Cat(total, self.partial_sum_i[outer.integer_bits :] | flags)
        )

    def _chunk_bits(self) -> int:
        if self.inner.format is None:
            return self.inner.integer_bits
        return self._term_bits(self.inner.format) + 1

    def _term_bits(self, source: FloatFormat) -> int:
        """Width of the largest finite inner sum in units of the outer sum."""
        largest = source.max_integer
        lift = source.least_exponent - self.outer.lsb_exponent
        return (largest << lift if lift >= 0 else largest >> -lift).bit_length()

    def _fixed_chunk(self, heap: BitHeap) -> Value:
        """Put a fixed-point chunk into the heap; returns its flags. A special one adds 0."""
        integer = self.chunk[: self.inner.integer_bits]
        flags = self.chunk[self.inner.integer_bits :]
        if self.inner.flag_bits:
            integer = integer & (~flags.any()).replicate(len(integer))
        heap.add_sign_extended(integer)
        return flags

    def _float_chunk(self, m: Module, platform: Any, heap: BitHeap, source: FloatFormat) -> Value:
        """Put a float chunk into the heap; returns the flags it sets."""
        decode = Decode(source)
        place(m, platform, "decode_chunk", decode)
        term: Term = decode.term
        bits = max(self._term_bits(source), 1)
        fixed = FixedTerm(term.shape, self.outer.lsb_exponent, bits)
        place(m, platform, "fix_chunk", fixed)
        # a special chunk counts as +0
        sign, significand = term.sign, term.significand
        if term.shape.has_specials:
            sign = sign & ~term.is_special
            significand = significand & (~term.is_special).replicate(len(significand))
        m.d.comb += [
            decode.code.eq(self.chunk),
            fixed.term_sign.eq(sign),
            fixed.term_significand.eq(significand),
            fixed.term_exponent.eq(term.exponent),
        ]
        add_ones_complements(m, platform, heap, [fixed.number], [sign])
        if self.outer.flag_bits < 2:
            return (term.is_nan | term.is_infinity)[: self.outer.flag_bits]
        return Cat(
            term.is_nan | (term.is_infinity & ~term.sign),
            term.is_nan | (term.is_infinity & term.sign),
        )
