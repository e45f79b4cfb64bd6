"""A netlist of FPGA cells turned back into gates, by the cells' simulation models.

The models are those that come with Yosys, but for one that it has only as a black box: the ECP5's
multiplier. With them the mapped netlist can be simulated like any other (`macsmith.sim.netlist`).
"""

import json
from pathlib import Path

from macsmith.sim.netlist_graph import Netlist, read_netlist
from macsmith.synth.fpga import FpgaResult
from macsmith.synth.yosys import run_yosys

__all__ = ["netlist_as_gates"]

_MODELS = {
    "ice40": "+/ice40/cells_sim.v",
    "ecp5": "+/ecp5/cells_sim.v",
    "xilinx7": "+/xilinx/cells_sim.v",
}


def _ports(letter: str, count: int) -> list[str]:
    return [f"{letter}{index}" for index in range(count)]


def _multiplier_model() -> str:
    """MULT18X18D without registers, as Yosys places it (Lattice TN1267: 18 x 18 bits, each operand
    signed where SIGNEDA, SIGNEDB are 1). Any other use of it fails for its missing ports."""
    a, b, p = _ports("A", 18), _ports("B", 18), _ports("P", 36)
    unused = [*_ports("C", 18), "SOURCEA", "SOURCEB"]
    words = {name: ", ".join(reversed(ports)) for name, ports in (("a", a), ("b", b), ("p", p))}
    return f"""\
module MULT18X18D(
  input {", ".join([*a, *b, *unused, "SIGNEDA", "SIGNEDB"])},
  output {", ".join(p)}
);
  wire signed [18:0] a = {{SIGNEDA & A17, {words["a"]}}};
  wire signed [18:0] b = {{SIGNEDB & B17, {words["b"]}}};
  wire signed [37:0] product = a * b;
  assign {{{words["p"]}}} = product[35:0];
endmodule
"""


def netlist_as_gates(result: FpgaResult, top: str, build_dir: Path) -> Netlist:
    """The netlist of a mapping, each cell replaced by what its simulation model does.

    Raises
    ------
    ToolError
        Yosys failed, or a cell has no model.
    """
    build_dir = Path(build_dir).resolve()
    name = f"{result.family}_gates"
    (build_dir / "multiplier_model.v").write_text(_multiplier_model(), encoding="utf-8")
    # the netlist brings its cells as black boxes, which would be taken for the models
    data = json.loads(result.netlist_path.read_text(encoding="utf-8"))
    data["modules"] = {top: data["modules"][top]}
    (build_dir / f"{name}_mapped.json").write_text(json.dumps(data), encoding="utf-8")
    commands = [
        f"read_json {name}_mapped.json",
        f"read_verilog -overwrite {_MODELS[result.family]}",
    ]
    if result.family == "ecp5":
        commands.append("read_verilog -overwrite multiplier_model.v")
    commands += [
        f"hierarchy -check -top {top}",
        "proc",
        "flatten -wb",
        "opt -full",
        "memory_map",
        "techmap",
        "opt -full",
        "simplemap",
        "opt_clean -purge",
        "delete t:$scopeinfo",
        f"write_json {name}.json",
    ]
    run_yosys(commands, build_dir, name)
    return read_netlist(build_dir / f"{name}.json", top)
