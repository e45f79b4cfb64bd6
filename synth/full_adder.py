"""Full adders: the primitive the hardware generator instantiates, and what becomes of it.

Generated Verilog holds instances of ``macsmith_full_adder (a, b, c -> sum, carry)``. A recipe
either dissolves them into gates or keeps them as cells of the library. ABC sees a kept adder as a
black box, so decisions about it are taken here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from macsmith.synth.cells import FullAdderCell

__all__ = [
    "FULL_ADDER",
    "FullAdderPlan",
    "plan_full_adders",
    "primitive_as_box",
    "primitive_as_gates",
    "techmap_chains",
    "techmap_constants",
    "techmap_onto_cell",
]

FULL_ADDER = "macsmith_full_adder"
FLIPPED = f"{FULL_ADDER}_flipped"
DISSOLVED = f"{FULL_ADDER}_gates"

_STARTS = 6
_PORT_WEIGHT = 0.9
"""Inverters at a port, in inverters between adders: a little less, ABC may share them."""
_LEAST_GAIN = 1e-9

_PORTS = "(input a, input b, input c, output sum, output carry);"
_GATES = (
    "  wire half = a ^ b;\n"
    "  assign sum = half ^ c;\n"
    "  assign carry = (a & b) | (c & half);\n"
    "endmodule\n"
)


def primitive_as_gates() -> str:
    """Verilog of the primitive for recipes that dissolve it."""
    return f"module {FULL_ADDER} {_PORTS}\n{_GATES}"


def primitive_as_box() -> str:
    """Verilog of the primitive for recipes that keep it."""
    return f"(* blackbox *)\nmodule {FULL_ADDER} {_PORTS}\nendmodule\n"


def techmap_constants() -> str:
    """Techmap rules: a full adder with a constant input goes back to gates, others stay."""
    return (
        f"module {FULL_ADDER} {_PORTS}\n"
        + "".join(f"  parameter _TECHMAP_CONSTMSK_{pin}_ = 0;\n" for pin in "abc")
        + "  wire _TECHMAP_FAIL_ = !(|{_TECHMAP_CONSTMSK_a_, _TECHMAP_CONSTMSK_b_,"
        " _TECHMAP_CONSTMSK_c_});\n" + _GATES
    )


def techmap_chains() -> str:
    """Techmap rule: an addition, subtraction or comparison becomes a chain of full adders.

    It stands for Yosys' own rule for ``$alu``, of which ``_90_`` begins the name: ``BI``
    complements ``B``, ``X`` is the sum without carries, ``CO`` the carry out of every position.
    """
    return f"""(* techmap_celltype = "$alu" *)
module _80_alu_chain (A, B, CI, BI, X, Y, CO);
  parameter A_SIGNED = 0;
  parameter B_SIGNED = 0;
  parameter A_WIDTH = 1;
  parameter B_WIDTH = 1;
  parameter Y_WIDTH = 1;
  (* force_downto *) input [A_WIDTH-1:0] A;
  (* force_downto *) input [B_WIDTH-1:0] B;
  input CI, BI;
  (* force_downto *) output [Y_WIDTH-1:0] X, Y, CO;
  (* force_downto *) wire [Y_WIDTH-1:0] long_a, long_b, second;
  wire [Y_WIDTH:0] carry;
  \\$pos #(.A_SIGNED(A_SIGNED), .A_WIDTH(A_WIDTH), .Y_WIDTH(Y_WIDTH)) widen_a (.A(A), .Y(long_a));
  \\$pos #(.A_SIGNED(B_SIGNED), .A_WIDTH(B_WIDTH), .Y_WIDTH(Y_WIDTH)) widen_b (.A(B), .Y(long_b));
  assign second = BI ? ~long_b : long_b;
  assign X = long_a ^ second;
  assign carry[0] = CI;
  assign CO = carry[Y_WIDTH:1];
  genvar k;
  generate
    for (k = 0; k < Y_WIDTH; k = k + 1) begin : position
      {FULL_ADDER} add (.a(long_a[k]), .b(second[k]), .c(carry[k]), .sum(Y[k]), .carry(carry[k+1]));
    end
  endgenerate
endmodule
"""


def techmap_onto_cell(adder: FullAdderCell) -> str:
    """Techmap rules from the three kinds a plan makes onto a library cell and inverters.

    A cell whose outputs are both inverted can be used in two ways, because sum and carry are
    self-dual (complemented inputs complement them): direct, complements coming out, or flipped,
    complements going in and the true values coming out.
    """
    text = f"module {DISSOLVED} {_PORTS}\n{_GATES}"
    for name, flipped in ((FULL_ADDER, False), (FLIPPED, True)):
        inputs = "".join(
            f", .{pin}({'~' if flipped else ''}{wire})"
            for pin, wire in zip(adder.inputs, "abc", strict=True)
        )
        outputs = [
            ("sum", adder.sum_pin, adder.sum_inverted != flipped),
            ("carry", adder.carry_pin, adder.carry_inverted != flipped),
        ]
        text += (
            f"module {name} {_PORTS}\n"
            "  wire raw_sum, raw_carry;\n"
            f"  {adder.cell.name} _TECHMAP_REPLACE_ (.{adder.sum_pin}(raw_sum), "
            f".{adder.carry_pin}(raw_carry){inputs});\n"
            + "".join(
                f"  assign {wire} = {'~' if inverted else ''}raw_{wire};\n"
                for wire, _, inverted in outputs
            )
            + "endmodule\n"
        )
    return text


@dataclass(frozen=True)
class FullAdderPlan:
    """Names of the adders to flip and to dissolve; all others are used direct."""

    total: int
    flipped: tuple[str, ...]
    dissolved: tuple[str, ...]

    def commands(self, module: str) -> list[str]:
        """Yosys commands that retype the adders of the module of that name."""
        return [
            f"chtype -set {kind} {module}/c:{name}"
            for kind, names in ((FLIPPED, self.flipped), (DISSOLVED, self.dissolved))
            for name in names
        ]


def plan_full_adders(
    module: Mapping[str, Any], adder: FullAdderCell, logic_bias: float = 0.0
) -> FullAdderPlan:
    """Decide for every full adder of a flat module (Yosys JSON) what becomes of it.

    An adder with a constant input, two equal inputs or an unused output is dissolved. Of the
    rest, for a cell with inverted outputs, those are flipped for which fewer inverters are needed:
    a wire from one adder to another costs nothing exactly if the two differ, a port costs
    nothing as input of a direct or output of a flipped adder. The count is minimised by single
    moves from several starts.

    Parameters
    ----------
    logic_bias
        What flipping saves, in inverters, for each input driven by a gate. Gates take an inverter
        in more or less cheaply and which way is cheaper hangs on all of the logic: try both signs.
    """
    cells = {n: c for n, c in module["cells"].items() if c["type"] == FULL_ADDER}
    readers = _reader_counts(module)
    dissolved = [name for name, cell in cells.items() if _is_degenerate(cell, readers)]
    kept = {name: cell for name, cell in cells.items() if name not in set(dissolved)}
    if not (adder.sum_inverted and adder.carry_inverted):
        return FullAdderPlan(len(cells), (), tuple(dissolved))
    neighbours = _neighbours(kept)
    preference = _preferences(module, kept, logic_bias)
    best: tuple[float, dict[str, bool]] = (float("inf"), {})
    random = Random(1)
    for start in range(_STARTS):
        names = sorted(kept, key=lambda name: -abs(preference[name]))
        if start:
            random.shuffle(names)
        side = _two_coloured(names, neighbours, preference)
        cost = sum(
            sum(side[other] == side[name] for other in neighbours[name]) / 2
            - (preference[name] if side[name] else 0.0)
            for name in names
        )
        if cost < best[0]:
            best = cost, side
    flipped = [name for name in kept if best[1][name]]
    return FullAdderPlan(len(cells), tuple(flipped), tuple(dissolved))


def _reader_counts(module: Mapping[str, Any]) -> dict[Any, int]:
    """How often each bit is read by a cell or leaves by a port."""
    counts: dict[Any, int] = {}
    for cell in module["cells"].values():
        directions = cell.get("port_directions", {})
        for pin, bits in cell["connections"].items():
            if directions.get(pin) == "output":
                continue
            for bit in bits:
                counts[bit] = counts.get(bit, 0) + 1
    for port in module["ports"].values():
        if port["direction"] == "output":
            for bit in port["bits"]:
                counts[bit] = counts.get(bit, 0) + 1
    return counts


def _is_degenerate(cell: Mapping[str, Any], readers: Mapping[Any, int]) -> bool:
    connections = cell["connections"]
    inputs = [bit for pin in "abc" for bit in connections.get(pin, ["x"])]
    outputs = [bit for pin in ("sum", "carry") for bit in connections.get(pin, [])]
    if any(isinstance(bit, str) for bit in inputs) or len(set(inputs)) < len(inputs):
        return True
    return len(outputs) < 2 or any(readers.get(bit, 0) == 0 for bit in outputs)


def _neighbours(cells: Mapping[str, Any]) -> dict[str, list[str]]:
    """Adders wired to each adder, one entry per wire between them, in both directions."""
    source_of: dict[Any, str] = {}
    for name, cell in cells.items():
        for pin in ("sum", "carry"):
            for bit in cell["connections"][pin]:
                source_of[bit] = name
    neighbours: dict[str, list[str]] = {name: [] for name in cells}
    for name, cell in cells.items():
        for pin in "abc":
            for bit in cell["connections"][pin]:
                source = source_of.get(bit)
                if source is not None and source != name:
                    neighbours[name].append(source)
                    neighbours[source].append(name)
    return neighbours


def _preferences(
    module: Mapping[str, Any], kept: Mapping[str, Any], logic_bias: float
) -> dict[str, float]:
    """What flipping each adder saves at ports and gates, in inverters."""
    inside = {bit for cell in kept.values() for pin in ("sum", "carry") for bit in _bits(cell, pin)}
    ports: dict[str, set[Any]] = {"input": set(), "output": set()}
    for port in module["ports"].values():
        ports.setdefault(port["direction"], set()).update(port["bits"])
    preference: dict[str, float] = {}
    for name, cell in kept.items():
        sources = [bit for pin in "abc" for bit in _bits(cell, pin) if bit not in inside]
        from_ports = sum(bit in ports["input"] for bit in sources)
        outputs = [bit for pin in ("sum", "carry") for bit in _bits(cell, pin)]
        to_ports = sum(bit in ports["output"] for bit in outputs)
        preference[name] = (
            _PORT_WEIGHT * (to_ports - from_ports) + (len(sources) - from_ports) * logic_bias
        )
    return preference


def _bits(cell: Mapping[str, Any], pin: str) -> list[Any]:
    bits: list[Any] = cell["connections"][pin]
    return bits


def _two_coloured(
    names: Sequence[str], neighbours: Mapping[str, list[str]], preference: Mapping[str, float]
) -> dict[str, bool]:
    """Which adders to flip: breadth first from the first names, then single moves that save."""
    side: dict[str, bool] = {}
    for start in names:
        queue = [] if start in side else [start]
        side.setdefault(start, preference[start] > 0)
        for name in queue:
            for other in neighbours[name]:
                if other not in side:
                    side[other] = not side[name]
                    queue.append(other)
    improved = True
    while improved:
        improved = False
        for name in names:
            equal = sum(1 if side[other] == side[name] else -1 for other in neighbours[name])
            gain = equal + (-preference[name] if side[name] else preference[name])
            if gain > _LEAST_GAIN:
                side[name] = not side[name]
                improved = True
    return side
