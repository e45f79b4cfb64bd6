"""A plain-Verilog bench with golden vectors, for people without Python."""

from collections.abc import Sequence
from typing import Protocol

from macsmith.hw.ports import design_ports
from macsmith.model.design import Design

__all__ = ["Vectors", "bench_verilog", "vectors_hex"]


class Vectors(Protocol):
    """Values of whole ports, as integers, and what must come out.

    `a`, `b`: ``i_a`` and ``i_b`` of each beat (``a`` and ``b`` of a unit). `last`: ``i_last`` of
    each beat (``chunk_end`` of a unit that has one). `modes`: ``i_mode`` (``mode``) of each beat of
    a switchable design, else empty. `partial_sums`: ``partial_sum_i`` of each
    vector of a unit, empty for a stream. `expected`: ``o_data`` of each result beat, in order, or
    ``partial_sum_o`` of each vector. `random`: ``i_random`` of each beat (``random`` of a unit),
    empty where there is no such port.
    """

    @property
    def a(self) -> Sequence[int]: ...
    @property
    def b(self) -> Sequence[int]: ...
    @property
    def last(self) -> Sequence[bool]: ...
    @property
    def modes(self) -> Sequence[int]: ...
    @property
    def partial_sums(self) -> Sequence[int]: ...
    @property
    def expected(self) -> Sequence[int]: ...
    @property
    def random(self) -> Sequence[int]: ...
    @property
    def scales(self) -> Sequence[int]: ...


def _has_own_words(design: Design) -> bool:
    """Whether random words come from inside."""
    implementation = design.implementation
    return implementation.form == "stream" and implementation.lfsr != "port"


def _check(design: Design, vectors: Vectors) -> None:
    count = len(vectors.a)
    lengths = {"b": len(vectors.b), "last": len(vectors.last)}
    if design.is_switchable:
        lengths["modes"] = len(vectors.modes)
    if design.implementation.form == "unit":
        lengths |= {"partial_sums": len(vectors.partial_sums), "expected": len(vectors.expected)}
    else:
        results = sum(vectors.last) * design.implementation.rows
        if len(vectors.expected) != results:
            raise ValueError(
                f"vectors: expected must have the {results} result beats of "
                f"{sum(vectors.last)} sums, not {len(vectors.expected)}"
            )
    if design.mac.random_bits and not _has_own_words(design):
        lengths["random"] = len(vectors.random)
    if design.mac.scales:
        lengths["scales"] = len(vectors.scales)
    for name, length in lengths.items():
        if length != count:
            raise ValueError(f"vectors: {name} must have {count} entries as a has, not {length}")
    if not count or not vectors.expected:
        raise ValueError("vectors: must have at least one result")


def vectors_hex(design: Design, vectors: Vectors) -> str:
    """Memory file: first one line per beat, then one line per result.

    A beat is, least significant first, ``| i_a | i_b | i_last | i_mode | i_random |`` for a stream
    and ``| a | b | partial_sum_i | chunk_end | mode | random |`` for a unit, the last ones only
    where the design has them; the scales of A and B are where the random word is.

    Raises
    ------
    ValueError
        Lengths do not match.
    """
    _check(design, vectors)
    width = {port.name: port.width for port in design_ports(design)}
    is_unit = design.implementation.form == "unit"
    a_bits = width["a" if is_unit else "i_a"]
    b_bits = width["b" if is_unit else "i_b"]
    lines: list[str] = []
    for index in range(len(vectors.a)):
        beat = vectors.a[index] | vectors.b[index] << a_bits
        if is_unit:
            beat |= vectors.partial_sums[index] << (a_bits + b_bits)
            end_at = a_bits + b_bits + width["partial_sum_i"]
            if "chunk_end" in width:
                beat |= int(vectors.last[index]) << end_at
                end_at += 1
        else:
            beat |= int(vectors.last[index]) << (a_bits + b_bits)
            end_at = a_bits + b_bits + 1
        if design.is_switchable:
            beat |= vectors.modes[index] << end_at
        if vectors.random:  # no design has both
            beat |= vectors.random[index] << end_at
        if design.mac.scales:
            beat |= vectors.scales[index] << end_at
        lines.append(f"{beat:x}")
    lines += [f"{value:x}" for value in vectors.expected]
    return "\n".join(lines) + "\n"


_STREAM = """\
// Plays the vectors into {top} with pauses on both streams and compares every result.
// iverilog -g2005 -o tb *.v && vvp tb
`timescale 1ns/1ps
module {top}_tb;
  localparam BEATS = {beats};
  localparam RESULTS = {results};
  localparam WIDTH = {width};
  reg [WIDTH-1:0] vectors [0:BEATS+RESULTS-1];
  reg clk = 1'b0;
  reg rst = 1'b1;
  reg i_valid = 1'b0;
  reg o_ready = 1'b0;
  reg [WIDTH-1:0] beat = {{WIDTH{{1'b0}}}};
  wire i_ready;
  wire o_valid;
  wire [{data}-1:0] o_data;
  wire [WIDTH-1:0] expected = vectors[BEATS + received];
  reg [15:0] noise = 16'hace1;
  integer sent = 0;
  integer received = 0;
  integer errors = 0;
  integer idle = 0;

  {top} dut (
    .clk(clk),
    .rst(rst),
    .i_valid(i_valid),
    .i_ready(i_ready),
    .i_a(beat[{a}-1:0]),
    .i_b(beat[{a}+{b}-1:{a}]),
    .i_last(beat[{a}+{b}]),{mode}{random}
    .o_valid(o_valid),
    .o_ready(o_ready),
    .o_data(o_data)
  );

  always #5 clk = ~clk;

  always @(posedge clk) begin
    noise <= {{noise[14:0], noise[15] ^ noise[13] ^ noise[12] ^ noise[10]}};
    idle <= idle + 1;
    if (i_valid && i_ready && !rst) idle <= 0;
    if (o_valid && o_ready && !rst) begin
      idle <= 0;
      received <= received + 1;
      if (received >= RESULTS) begin
        $display("FAIL: result %0d is one too many: %h", received, o_data);
        errors = errors + 1;
      end else if (o_data !== expected[{data}-1:0]) begin
        $display("FAIL: result %0d is %h, must be %h", received, o_data, expected[{data}-1:0]);
        errors = errors + 1;
      end
    end
    if (idle > 2000) begin
      $display("FAIL: nothing moves after %0d of %0d beats and %0d of %0d results",
               sent, BEATS, received, RESULTS);
      $fatal(1);
    end
  end

  // stimulus changes between the rising edges
  always @(negedge clk) begin
    if (!rst) begin
      o_ready <= noise[0] | noise[5];
      if (accepted) begin
        i_valid <= 1'b0;
      end
      if ((accepted || !i_valid) && sent < BEATS && (noise[1] | noise[7])) begin
        i_valid <= 1'b1;
        beat <= vectors[sent];
        sent <= sent + 1;
      end
    end
  end

  reg accepted = 1'b0;
  always @(posedge clk) accepted <= i_valid && i_ready && !rst;

  initial begin
    $readmemh("{top}_vectors.hex", vectors);
    repeat (3) @(negedge clk);
    rst = 1'b0;
    wait (received == RESULTS);
    repeat (50) @(negedge clk);
    if (errors != 0) begin
      $display("FAIL: %0d of %0d results", errors, RESULTS);
      $fatal(1);
    end
    $display("PASS: %0d results of %0d beats", RESULTS, BEATS);
    $finish;
  end
endmodule
"""

_UNIT = """\
// Puts the vectors on {top} and compares every partial sum.
// iverilog -g2005 -o tb *.v && vvp tb
`timescale 1ns/1ps
module {top}_tb;
  localparam VECTORS = {beats};
  localparam WIDTH = {width};
  reg [WIDTH-1:0] vectors [0:2*VECTORS-1];
  reg [WIDTH-1:0] beat;
  reg [WIDTH-1:0] expected;
  wire [{data}-1:0] partial_sum_o;
  integer index;
  integer errors;

  {top} dut (
    .a(beat[{a}-1:0]),
    .b(beat[{a}+{b}-1:{a}]),
    .partial_sum_i(beat[{a}+{b}+{data}-1:{a}+{b}]),{chunk_end}{mode}{random}
    .partial_sum_o(partial_sum_o)
  );

  initial begin
    $readmemh("{top}_vectors.hex", vectors);
    errors = 0;
    for (index = 0; index < VECTORS; index = index + 1) begin
      beat = vectors[index];
      expected = vectors[VECTORS + index];
      #10;
      if (partial_sum_o !== expected[{data}-1:0]) begin
        $display("FAIL: vector %0d gives %h, must be %h", index, partial_sum_o,
                 expected[{data}-1:0]);
        errors = errors + 1;
      end
    end
    if (errors != 0) begin
      $display("FAIL: %0d of %0d vectors", errors, VECTORS);
      $fatal(1);
    end
    $display("PASS: %0d vectors", VECTORS);
    $finish;
  end
endmodule
"""


def bench_verilog(design: Design, vectors: Vectors) -> str:
    """The bench module ``<design id>_tb``; it ends with PASS, or with FAIL and a non-zero code."""
    width = {port.name: port.width for port in design_ports(design)}
    is_unit = design.implementation.form == "unit"
    a, b = (width["a"], width["b"]) if is_unit else (width["i_a"], width["i_b"])
    data = width["partial_sum_o" if is_unit else "o_data"]
    beat = a + b + (data if is_unit else 1)
    chunk_end = ""
    if "chunk_end" in width:
        chunk_end = f"\n    .chunk_end(beat[{beat}]),"
        beat += 1
    mode = ""
    if design.is_switchable:
        port = "mode" if is_unit else "i_mode"
        mode = f"\n    .{port}(beat[{beat} +: {width[port]}]),"
        beat += width[port]
    random = ""
    if design.mac.random_bits and _has_own_words(design):
        random = "\n    .o_random()," if design.implementation.lfsr == "inside" else ""
    elif design.mac.random_bits:
        name = "random" if is_unit else "i_random"
        random = f"\n    .{name}(beat[{beat + design.mac.random_bits - 1}:{beat}]),"
        beat += design.mac.random_bits
    for side, fmt in (("a", design.mac.a_scale), ("b", design.mac.b_scale)):
        if fmt is not None:
            name = f"{side}_scale" if is_unit else f"i_{side}_scale"
            random += f"\n    .{name}(beat[{beat} +: {width[name]}]),"
            beat += width[name]
    return (_UNIT if is_unit else _STREAM).format(
        top=design.id,
        beats=len(vectors.a),
        results=len(vectors.expected),
        width=max(beat, data),
        a=a,
        b=b,
        data=data,
        chunk_end=chunk_end,
        mode=mode,
        random=random,
    )
