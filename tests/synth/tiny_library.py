"""A tiny cell library and a tiny design, so small that every figure can be checked by hand."""

SLEWS = (0.01, 0.02, 0.04, 0.08)  # ns
LOADS = (0.001, 0.002, 0.004, 0.008)  # pF


def table(name: str, base: float, per_slew: float, per_pf: float) -> str:
    """A 4 x 4 table that is exactly a plane, in ns."""
    rows = ", ".join(
        '"' + ", ".join(f"{base + per_slew * s + per_pf * c:.9g}" for c in LOADS) + '"'
        for s in SLEWS
    )
    return f"{name} (grid) {{ values ({rows}); }}"


def arc(pin: str, sense: str, base: float, kind: str = "combinational") -> str:
    """A timing group: delay ``base + 0.5 slew + 10 load``, slew ``0.01 + 0.1 slew + 20 load``."""
    return f"""timing () {{
        related_pin : "{pin}"; timing_sense : {sense}; timing_type : {kind};
        {table("cell_rise", base, 0.5, 10.0)}
        {table("cell_fall", base / 2, 0.5, 10.0)}
        {table("rise_transition", 0.01, 0.1, 20.0)}
        {table("fall_transition", 0.01, 0.1, 20.0)} }}"""


def power(energy_pj: float, related: str = "", when: str = "", rise: float | None = None) -> str:
    """An internal_power group with the same energy everywhere, but for `rise` if given."""
    head = f'related_pin : "{related}";' if related else ""
    head += f' when : "{when}";' if when else ""
    rising = energy_pj if rise is None else rise
    return f"""internal_power () {{ {head}
        rise_power (scalar) {{ values ("{rising}"); }}
        fall_power (scalar) {{ values ("{energy_pj}"); }} }}"""


def gate(name: str, area: float, inputs: str, function: str, sense: str, base: float) -> str:
    """A one-output gate; each input loads 0.001 pF."""
    pins = "".join(f"pin ({pin}) {{ direction : input; capacitance : 0.001; }}\n" for pin in inputs)
    arcs = "".join(arc(pin, sense, base) + power(0.003, pin) for pin in inputs)
    return f"""cell ({name}) {{ area : {area}; cell_leakage_power : 2.0;
    {pins} pin (Y) {{ direction : output; function : "{function}"; max_capacitance : 0.064;
    {arcs} }} }}
"""


HEAD = f"""/* a library of a few cells */
library (tiny) {{
  delay_model : table_lookup;
  time_unit : "1ns"; voltage_unit : "1V"; current_unit : "1mA";
  leakage_power_unit : "1uW"; capacitive_load_unit (1, pf);
  nom_voltage : 2.0; nom_temperature : 25;
  slew_lower_threshold_pct_rise : 10; slew_upper_threshold_pct_rise : 90;
  lu_table_template (grid) {{
    variable_1 : input_net_transition; variable_2 : total_output_net_capacitance;
    index_1 ("{", ".join(map(str, SLEWS))}"); index_2 ("{", ".join(map(str, LOADS))}");
  }}
"""

FLIP_FLOP = f"""cell (DFF) {{ area : 8.0;
    leakage_power () {{ value : 1.0; when : "D"; }}
    leakage_power () {{ value : 3.0; when : "!D"; }}
    ff (IQ, IQN) {{ clocked_on : "CK"; next_state : "D"; }}
    pin (CK) {{ direction : input; clock : true; capacitance : 0.002;
      {power(0.010, when="D*Q")} {power(0.010, when="!D*!Q")}
      {power(0.014, when="D*!Q", rise=0.0)} {power(0.014, when="!D*Q", rise=0.0)} }}
    pin (D) {{ direction : input; capacitance : 0.001;
      timing () {{ related_pin : "CK"; timing_type : setup_rising;
        rise_constraint (scalar) {{ values ("0.020"); }}
        fall_constraint (scalar) {{ values ("0.030"); }} }}
      timing () {{ related_pin : "CK"; timing_type : hold_rising;
        rise_constraint (scalar) {{ values ("0.005"); }}
        fall_constraint (scalar) {{ values ("-0.002"); }} }} }}
    pin (Q) {{ direction : output; function : "IQ"; max_capacitance : 0.064;
      {arc("CK", "non_unate", 0.1, "rising_edge")} {power(0.050, "CK")} }} }}
"""

ADDER = f"""cell (FA) {{ area : 5.0; cell_leakage_power : 4.0;
    pin (A) {{ direction : input; capacitance : 0.001; }}
    pin (B) {{ direction : input; capacitance : 0.001; }}
    pin (C) {{ direction : input; capacitance : 0.001; }}
    pin (CON) {{ direction : output; function : "!((A*B)+(C*(A+B)))"; max_capacitance : 0.064;
      {"".join(arc(pin, "negative_unate", 0.02) for pin in "ABC")} {power(0.004, "A")} }}
    pin (SN) {{ direction : output; function : "!(A^B^C)"; max_capacitance : 0.064;
      {"".join(arc(pin, "non_unate", 0.03) for pin in "ABC")} {power(0.004, "A")} }} }}
"""

TINY = (
    HEAD
    + gate("INV", 1.0, "A", "!A", "negative_unate", 0.01)
    + gate("BUF", 1.5, "A", "A", "positive_unate", 0.02)
    + gate("BUF2", 2.0, "A", "A", "positive_unate", 0.02)
    + gate("NAND2", 2.0, "AB", "!(A*B)", "negative_unate", 0.02)
    + gate("NOR2", 2.0, "AB", "!(A+B)", "negative_unate", 0.02)
    + gate("XOR2", 4.0, "AB", "A^B", "non_unate", 0.04)
    + FLIP_FLOP
    + ADDER
    + "}\n"
)

MAC = """module macsmith_full_adder (input a, input b, input c, output sum, output carry);
  assign sum = a ^ b ^ c;
  assign carry = (a & b) | (a & c) | (b & c);
endmodule
// Three 4-bit numbers a, b and the state are added; one row of carry-save adders, then a '+'.
module tiny_mac (input clk, input rst, input [3:0] a, input [3:0] b, output reg [7:0] total);
  wire [7:0] s, c;
  assign c[0] = 1'b0;
  genvar k;
  generate
    for (k = 0; k < 7; k = k + 1) begin : row
      macsmith_full_adder add (.a(k < 4 ? a[k % 4] : 1'b0), .b(k < 4 ? b[k % 4] : 1'b0),
                               .c(total[k]), .sum(s[k]), .carry(c[k + 1]));
    end
  endgenerate
  assign s[7] = total[7];
  always @(posedge clk) total <= rst ? 8'd0 : s + c;
endmodule
"""
