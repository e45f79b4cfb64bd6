"""Hand-written Verilog with the ports of three designs: the checker without a generator."""

from pathlib import Path

from macsmith.model.design import Design, parse_design

MAC = parse_design("int8:int32")
UNIT = parse_design("int8:int32:unit")
ARRAY = parse_design("int4:int16:2x3")

_VERILOG = {
    MAC.id: """
module int8_int32(
  input clk, input rst, input i_valid, output i_ready, input [7:0] i_a, input [7:0] i_b,
  input i_last, output o_valid, input o_ready, output [31:0] o_data
);
  reg [31:0] sum;
  reg [31:0] result;
  reg is_full;
  wire signed [31:0] a = {{24{i_a[7]}}, i_a};
  wire signed [31:0] b = {{24{i_b[7]}}, i_b};
  wire [31:0] next = sum + a * b;
  assign i_ready = !is_full | o_ready;
  assign o_valid = is_full;
  assign o_data = result;
  always @(posedge clk) begin
    if (o_ready) is_full <= 1'b0;
    if (i_valid & i_ready) begin
      sum <= i_last ? 32'd0 : next;
      if (i_last) begin
        result <= next;
        is_full <= 1'b1;
      end
    end
    if (rst) begin
      sum <= 32'd0;
      is_full <= 1'b0;
    end
  end
endmodule
""",
    UNIT.id: """
module int8_int32_unit(
  input [7:0] a, input [7:0] b, input [31:0] partial_sum_i, output [31:0] partial_sum_o
);
  wire signed [31:0] x = {{24{a[7]}}, a};
  wire signed [31:0] y = {{24{b[7]}}, b};
  assign partial_sum_o = partial_sum_i + x * y;
endmodule
""",
    # sums of all elements side by side, then one row of results after the other
    ARRAY.id: """
module int4_int16_2x3(
  input clk, input rst, input i_valid, output i_ready, input [7:0] i_a, input [11:0] i_b,
  input i_last, output o_valid, input o_ready, output [47:0] o_data
);
  reg [95:0] sums;
  reg [95:0] results;
  reg [1:0] rows_left;
  wire [95:0] next;
  genvar r, c;
  generate
    for (r = 0; r < 2; r = r + 1) begin : row
      for (c = 0; c < 3; c = c + 1) begin : column
        wire signed [15:0] a = {{12{i_a[4 * r + 3]}}, i_a[4 * r +: 4]};
        wire signed [15:0] b = {{12{i_b[4 * c + 3]}}, i_b[4 * c +: 4]};
        assign next[16 * (3 * r + c) +: 16] = sums[16 * (3 * r + c) +: 16] + a * b;
      end
    end
  endgenerate
  assign i_ready = !i_last | rows_left == 2'd0 | (rows_left == 2'd1 & o_ready);
  assign o_valid = rows_left != 2'd0;
  assign o_data = rows_left == 2'd2 ? results[47:0] : results[95:48];
  always @(posedge clk) begin
    if (o_valid & o_ready) rows_left <= rows_left - 2'd1;
    if (i_valid & i_ready) begin
      sums <= i_last ? 96'd0 : next;
      if (i_last) begin
        results <= next;
        rows_left <= 2'd2;
      end
    end
    if (rst) begin
      sums <= 96'd0;
      rows_left <= 2'd0;
    end
  end
endmodule
""",
}


def write_design(design: Design, folder: Path, *changes: tuple[str, str]) -> Path:
    """Write a design's Verilog with some texts changed; each must be there."""
    text = _VERILOG[design.id]
    for old, new in changes:
        assert old in text, f"{old!r} is not in the Verilog of {design.text}"
        text = text.replace(old, new)
    path = folder / f"{design.id}.v"
    path.write_text(text, encoding="utf-8")
    return path
