"""Two products in one DSP block."""

from typing import Any

from amaranth.hdl import Cat, Const, Instance, Module, Signal, Value, signed, unsigned
from amaranth.lib.wiring import In, Out
from macsmith.hw.block import Block, Emission

__all__ = [
    "PAIR_MODULE",
    "PAIR_SUFFIXES",
    "PackedMultiply",
    "PairMultiply",
    "SharedMultiply",
    "pair_box",
    "pair_verilog",
]

#: Name of the primitive of `PairMultiply`; a suffix says which of the operands are signed.
PAIR_MODULE = "macsmith_multiply_pair"
PAIR_SUFFIXES = ("uu", "su", "ss")
_PAIR_PORTS = "(input [15:0] a, input [15:0] b, output [31:0] product)"
_PAIR_BITS = 8


def pair_verilog(suffix: str) -> str:
    """Verilog of the primitive: portable, or with ``MACSMITH_SB_MAC16`` defined one iCE40 block.

    In its 8 x 8 mode the block multiplies the high and the low bytes of its operands apart
    (Lattice TN1295, figure 2); outputs are taken behind the two multipliers.
    """
    name = f"{PAIR_MODULE}_{suffix}"
    a_signed, b_signed = (int(letter == "s") for letter in suffix)
    guard = name.upper()
    wires = ""
    for port, is_signed in (("a", a_signed), ("b", b_signed)):
        for half, (high, low) in enumerate(((7, 0), (15, 8))):
            # one more bit, the sign or 0, so that all operands can be taken as signed
            top = f"{port}[{high}]" if is_signed else "1'b0"
            wires += f"  wire signed [8:0] {port}{half} = {{{top}, {port}[{high}:{low}]}};\n"
    return f"""\
`ifndef {guard}
`define {guard}
module {name}{_PAIR_PORTS};
`ifdef MACSMITH_SB_MAC16 // for Yosys after or without its pass ice40_dsp, which would undo MODE_8x8
  SB_MAC16 #(
    .A_SIGNED(1'b{a_signed}), .B_SIGNED(1'b{b_signed}), .MODE_8x8(1'b1),
    .TOPOUTPUT_SELECT(2'b10), .BOTOUTPUT_SELECT(2'b10)
  ) block (
    .A(a), .B(b), .C(16'b0), .D(16'b0), .O(product),
    .CLK(1'b0), .CE(1'b0), .AHOLD(1'b0), .BHOLD(1'b0), .CHOLD(1'b0), .DHOLD(1'b0),
    .IRSTTOP(1'b0), .IRSTBOT(1'b0), .ORSTTOP(1'b0), .ORSTBOT(1'b0),
    .OLOADTOP(1'b0), .OLOADBOT(1'b0), .ADDSUBTOP(1'b0), .ADDSUBBOT(1'b0),
    .OHOLDTOP(1'b0), .OHOLDBOT(1'b0), .CI(1'b0), .ACCUMCI(1'b0), .SIGNEXTIN(1'b0)
  );
`else
{wires}  wire signed [17:0] product0 = a0 * b0;
  wire signed [17:0] product1 = a1 * b1;
  assign product = {{product1[15:0], product0[15:0]}};
`endif
endmodule
`endif
"""


def pair_box(suffix: str) -> str:
    """Verilog of the primitive as a black box."""
    return f"(* blackbox *)\nmodule {PAIR_MODULE}_{suffix}{_PAIR_PORTS};\nendmodule\n"


class PairMultiply(Block):
    """Two products of numbers of up to 8 bits, in a block that works as two multipliers.

    Parameters
    ----------
    a_bits, b_bits
        Widths of the operands.
    a_signed, b_signed
        Whether they are two's complement.

    Members
    -------
    a_0, a_1 : In(a_bits)
    b_0, b_1 : In(b_bits)
    product_0, product_1 : Out(a_bits + b_bits)
    """

    a_0: Signal
    a_1: Signal
    b_0: Signal
    b_1: Signal
    product_0: Signal
    product_1: Signal

    def __init__(self, a_bits: int, b_bits: int, *, a_signed: bool, b_signed: bool) -> None:
        if max(a_bits, b_bits) > _PAIR_BITS:
            raise ValueError(
                f"a pair of products must have operands of at most {_PAIR_BITS} bits, not "
                f"{a_bits} x {b_bits}"
            )
        self.a_signed, self.b_signed = a_signed, b_signed
        super().__init__(
            f"multiply_pair_{a_bits}x{b_bits}",
            {
                "a_0": In(a_bits),
                "a_1": In(a_bits),
                "b_0": In(b_bits),
                "b_1": In(b_bits),
                "product_0": Out(a_bits + b_bits),
                "product_1": Out(a_bits + b_bits),
            },
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()

        def byte(value: Value, is_signed: bool) -> Value:
            missing = _PAIR_BITS - len(value)
            return Cat(value, value[-1].replicate(missing) if is_signed else Const(0, missing))

        a = Cat(byte(self.a_0, self.a_signed), byte(self.a_1, self.a_signed))
        b = Cat(byte(self.b_0, self.b_signed), byte(self.b_1, self.b_signed))
        a_signed, b_signed = self.a_signed, self.b_signed
        if b_signed and not a_signed:
            a, a_signed, b, b_signed = b, b_signed, a, a_signed
        product = Signal(4 * _PAIR_BITS)
        if isinstance(platform, Emission):
            suffix = "".join("s" if is_signed else "u" for is_signed in (a_signed, b_signed))
            m.submodules.block = Instance(
                f"{PAIR_MODULE}_{suffix}", i_a=a, i_b=b, o_product=product
            )
        else:
            for half in (0, 1):
                factors: list[Value] = []
                for index, (value, is_signed) in enumerate(((a, a_signed), (b, b_signed))):
                    shape = signed(_PAIR_BITS) if is_signed else unsigned(_PAIR_BITS)
                    factor = Signal(shape, name=f"factor_{index}_{half}")
                    m.d.comb += factor.eq(value.word_select(half, _PAIR_BITS))
                    factors.append(factor)
                m.d.comb += product.word_select(half, 2 * _PAIR_BITS).eq(factors[0] * factors[1])
        m.d.comb += [
            self.product_0.eq(product.word_select(0, 2 * _PAIR_BITS)),
            self.product_1.eq(product.word_select(1, 2 * _PAIR_BITS)),
        ]
        return m


class PackedMultiply(Block):
    """Two products of unsigned numbers in one multiplication.

    Parameters
    ----------
    a_bits, b_bits
        Widths of the operands.
    a_offset, b_offset
        Shifts of the second operands, from `macsmith.hw.dsp_plan.pack_two`.

    Members
    -------
    a_0, a_1 : In(a_bits)
    b_0, b_1 : In(b_bits)
    product_0, product_1 : Out(a_bits + b_bits)
    """

    a_0: Signal
    a_1: Signal
    b_0: Signal
    b_1: Signal
    product_0: Signal
    product_1: Signal

    def __init__(self, a_bits: int, b_bits: int, a_offset: int, b_offset: int) -> None:
        self.offsets = a_offset, b_offset
        super().__init__(
            f"multiply_packed_{a_bits}x{b_bits}",
            {
                "a_0": In(a_bits),
                "a_1": In(a_bits),
                "b_0": In(b_bits),
                "b_1": In(b_bits),
                "product_0": Out(a_bits + b_bits),
                "product_1": Out(a_bits + b_bits),
            },
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        a_offset, b_offset = self.offsets
        bits = len(self.product_0)
        factors: list[Signal] = []
        for name, low, high, offset in (
            ("a", self.a_0, self.a_1, a_offset),
            ("b", self.b_0, self.b_1, b_offset),
        ):
            factor = Signal(offset + len(high), name=f"packed_{name}")
            m.d.comb += factor.eq(Cat(low, Const(0, offset - len(low)), high))
            factors.append(factor)
        product = Signal(len(factors[0]) + len(factors[1]))
        m.d.comb += [
            product.eq(factors[0] * factors[1]),
            self.product_0.eq(product[:bits]),
            self.product_1.eq(product[a_offset + b_offset :]),
        ]
        return m


class SharedMultiply(Block):
    """Two products with one operand in common, in one multiplication.

    ``a * (b_0 + b_1 * 2**offset)``: below the offset lies the first product. Where it is negative,
    its sign is borrowed from the second.

    Parameters
    ----------
    a_bits, b_bits
        Widths of the operands.
    a_signed, b_signed
        Whether they are two's complement.

    Members
    -------
    a : In(a_bits)
    b_0, b_1 : In(b_bits)
    product_0 : Out(a_bits + b_bits)
    product_1 : Out(a_bits + b_bits)
        Less `borrow`.
    borrow : Out(1)
        To be added to `product_1`.
    """

    a: Signal
    b_0: Signal
    b_1: Signal
    product_0: Signal
    product_1: Signal
    borrow: Signal

    def __init__(self, a_bits: int, b_bits: int, *, a_signed: bool, b_signed: bool) -> None:
        self.a_signed, self.b_signed = a_signed, b_signed
        super().__init__(
            f"multiply_shared_{a_bits}x{b_bits}",
            {
                "a": In(a_bits),
                "b_0": In(b_bits),
                "b_1": In(b_bits),
                "product_0": Out(a_bits + b_bits),
                "product_1": Out(a_bits + b_bits),
                "borrow": Out(1),
            },
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        offset = len(self.product_0)
        low, high = self.b_0, self.b_1
        width = offset + len(high)
        a = Signal(signed(len(self.a)) if self.a_signed else unsigned(len(self.a)), name="shared_a")
        if self.b_signed:
            packed = Signal(signed(width + 1), name="packed_b")
            low_part: Value = Cat(low, low[-1].replicate(offset - len(low)))
            # the second operand, less one where the first is negative
            high_part: Value = (high.as_signed() - low[-1])[: len(high) + 1]
            m.d.comb += packed.eq(Cat(low_part, high_part))
        else:
            packed = Signal(unsigned(width), name="packed_b")
            m.d.comb += packed.eq(Cat(low, Const(0, offset - len(low)), high))
        is_signed = self.a_signed or self.b_signed
        product = Signal(2 * offset)
        m.d.comb += [
            a.eq(self.a),
            product.eq(a * packed),
            self.product_0.eq(product[:offset]),
            self.product_1.eq(product[offset:]),
            self.borrow.eq(product[offset - 1] if is_signed else 0),
        ]
        return m
