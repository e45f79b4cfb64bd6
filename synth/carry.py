"""Prefix adders whose carry cells are kept.

ABC turns the prefix network of an adder back into something like a ripple: on ASAP7 a 48-bit
addition takes 880 ps whatever network it is given. Kept as black boxes while ABC works, one box for
``g | p & c`` and one for ``p & q`` per node, the network stays as it is.
"""

from itertools import permutations
from typing import Literal, get_args

from macsmith.synth.cells import Cell, Technology

__all__ = [
    "LEAST_KEPT_WIDTH",
    "PREFIXES",
    "Prefix",
    "carry_boxes",
    "techmap_boxes",
    "techmap_constant_boxes",
    "techmap_prefix",
]

Prefix = Literal["brent-kung", "han-carlson", "kogge-stone", "sklansky"]

PREFIXES: tuple[Prefix, ...] = get_args(Prefix)

LEAST_KEPT_WIDTH = 16
"""Narrower networks are left to ABC, which does them at least as well."""

_CARRY = "macsmith_carry"
_BOTH = "macsmith_both"
_CARRY_PORTS = "(input g, input p, input c, output o);"
_BOTH_PORTS = "(input p, input q, output o);"
_CARRY_GATES = "  assign o = g | (p & c);\nendmodule\n"
_BOTH_GATES = "  assign o = p & q;\nendmodule\n"

# For each network, which lower position the group of position k takes in at a step, -1 for none.
# Positions are numbered from 0 and steps from 1; LEVELS is the logarithm of the width.
_PARTNERS = {
    "sklansky": "(k >> (step - 1)) % 2 == 1 ? ((k >> (step - 1)) << (step - 1)) - 1 : -1",
    "kogge-stone": "k >= 2**(step - 1) ? k - 2**(step - 1) : -1",
    # odd positions as Kogge-Stone does, even ones at last from their neighbour
    "han-carlson": "step == LEVELS + 1 ? (k % 2 == 0 ? k - 1 : -1)"
    " : k % 2 == 1 && k >= 2**(step - 1) ? k - 2**(step - 1) : -1",
    # up the tree, then down again; SPAN is what a position spans at the step
    "brent-kung": "step <= LEVELS ? ((k + 1) % 2**step == 0 ? k - 2**(step - 1) : -1)"
    " : k >= 2 * SPAN && (k + 1) % (2 * SPAN) == SPAN ? k - SPAN : -1",
}
_STEPS = {
    "sklansky": "LEVELS",
    "kogge-stone": "LEVELS",
    "han-carlson": "LEVELS + 1",
    "brent-kung": "2 * LEVELS - 1",
}


def techmap_prefix(prefix: Prefix) -> str:
    """Techmap rule: the carries of an addition of `LEAST_KEPT_WIDTH` bits or more as boxes."""
    return f"""(* techmap_celltype = "$lcu" *)
module _80_lcu_boxes (P, G, CI, CO);
  parameter WIDTH = 2;
  (* force_downto *) input [WIDTH-1:0] P, G;
  input CI;
  (* force_downto *) output [WIDTH-1:0] CO;
  wire _TECHMAP_FAIL_ = WIDTH < {LEAST_KEPT_WIDTH};
  localparam LEVELS = $clog2(WIDTH);
  localparam STEPS = {_STEPS[prefix]};
  // row by row, the network's input first
  wire [(STEPS+1)*WIDTH-1:0] g, p;
  genvar step, k;
  generate
    for (k = 0; k < WIDTH; k = k + 1) begin : input_bit
      if (k == 0) {_CARRY} with_carry_in (.g(G[0]), .p(P[0]), .c(CI), .o(g[0]));
      else assign g[k] = G[k];
      assign p[k] = P[k];
    end
    for (step = 1; step <= STEPS; step = step + 1) begin : row
      localparam integer BELOW = (step - 1) * WIDTH;
      localparam integer SPAN = 2**(2 * LEVELS - step - 1);
      for (k = 0; k < WIDTH; k = k + 1) begin : position
        localparam integer PARTNER = {_PARTNERS[prefix]};
        if (PARTNER >= 0) begin : node
          {_CARRY} carry (.g(g[BELOW + k]), .p(p[BELOW + k]), .c(g[BELOW + PARTNER]),
                          .o(g[BELOW + WIDTH + k]));
          {_BOTH} both (.p(p[BELOW + k]), .q(p[BELOW + PARTNER]), .o(p[BELOW + WIDTH + k]));
        end else begin : wire_through
          assign g[BELOW + WIDTH + k] = g[BELOW + k];
          assign p[BELOW + WIDTH + k] = p[BELOW + k];
        end
      end
    end
  endgenerate
  assign CO = g[STEPS*WIDTH +: WIDTH];
endmodule
"""


def carry_boxes() -> str:
    """Verilog of the boxes, to be read before the rules are applied."""
    return (
        f"(* blackbox *)\nmodule {_CARRY} {_CARRY_PORTS}\nendmodule\n"
        f"(* blackbox *)\nmodule {_BOTH} {_BOTH_PORTS}\nendmodule\n"
    )


def techmap_constant_boxes() -> str:
    """Techmap rules: a box with a constant input goes back to gates, others stay."""
    text = ""
    for name, ports, gates, pins in (
        (_CARRY, _CARRY_PORTS, _CARRY_GATES, "gpc"),
        (_BOTH, _BOTH_PORTS, _BOTH_GATES, "pq"),
    ):
        text += f"module {name} {ports}\n"
        text += "".join(f"  parameter _TECHMAP_CONSTMSK_{pin}_ = 0;\n" for pin in pins)
        masks = ", ".join(f"_TECHMAP_CONSTMSK_{pin}_" for pin in pins)
        text += f"  wire _TECHMAP_FAIL_ = !(|{{{masks}}});\n{gates}"
    return text


def techmap_boxes(technology: Technology) -> str:
    """Techmap rules from the boxes onto the smallest cells of these functions, or gates."""
    text = ""
    for name, ports, gates, pins, table in (
        (_CARRY, _CARRY_PORTS, _CARRY_GATES, "gpc", 0b11101010),
        (_BOTH, _BOTH_PORTS, _BOTH_GATES, "pq", 0b1000),
    ):
        found = _smallest(technology, len(pins), table)
        text += f"module {name} {ports}\n"
        if found is None:
            text += gates
            continue
        cell, order = found
        (output,) = cell.outputs
        inputs = "".join(f".{pin}({wire}), " for pin, wire in zip(order, pins, strict=True))
        text += f"  {cell.name} _TECHMAP_REPLACE_ ({inputs}.{output}(o));\nendmodule\n"
    return text


def _smallest(
    technology: Technology, inputs: int, table: int
) -> tuple[Cell, tuple[str, ...]] | None:
    """The smallest cell of a truth table over its inputs in some order, and the order."""
    best: tuple[Cell, tuple[str, ...]] | None = None
    for cell in technology.cells.values():
        if len(cell.inputs) != inputs or len(cell.outputs) != 1 or cell.flip_flop is not None:
            continue
        (output,) = cell.outputs.values()
        for order in permutations(cell.inputs):
            if output.function.truth_table(order) == table:
                if best is None or (cell.area_um2, cell.name) < (best[0].area_um2, best[0].name):
                    best = (cell, order)
                break
    return best
