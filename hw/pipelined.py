"""A combinational block with registers: where they are best, not where somebody put them."""

import json
import tempfile
from pathlib import Path
from typing import Any, TypeVar, cast

from amaranth.hdl import Module, Signal, Value
from amaranth.lib.wiring import In
from macsmith.hw.balance import balance
from macsmith.hw.block import Block, Emission, place
from macsmith.hw.cell_graph import CellGraph
from macsmith.hw.pipeline import delay
from macsmith.hw.stage_registers import insert_registers
from macsmith.hw.yosys import json_to_rtlil, rtlil_to_json

__all__ = ["Pipelined", "pipelined", "place_enabled"]


class Pipelined(Block):
    """A combinational block whose outputs come some cycles after its inputs.

    In Amaranth's simulator the inputs pass as many registers as there are cycles. When modules are
    emitted the registers are inside, between stages of about equal delay
    (`macsmith.hw.balance`): the same function with the same latency.

    Parameters
    ----------
    block
        Combinational.
    cycles
        At least 1.
    late_inputs
        Members that come after the other inputs.
    late_cycles
        How many cycles after them; None: `cycles`, so that they meet them in the last stage.

    Members
    -------
    enable : In(1)
        The registers hold while it is 0.
    ... :
        Those of `block`.
    """

    enable: Signal

    def __init__(
        self,
        block: Block,
        cycles: int,
        late_inputs: tuple[str, ...] = (),
        late_cycles: int | None = None,
    ) -> None:
        if cycles < 1:
            raise ValueError(
                f"{block.module_name}: must be pipelined by 1 cycle or more, not {cycles}"
            )
        if block.is_clocked:
            raise ValueError(f"{block.module_name}: must be combinational to be pipelined")
        self.block, self.cycles, self.late_inputs = block, cycles, late_inputs
        self.late_cycles = cycles if late_cycles is None else late_cycles
        if not 0 <= self.late_cycles <= cycles:
            raise ValueError(
                f"{block.module_name}: late inputs must come 0 to {cycles} cycles late, not "
                f"{late_cycles}"
            )
        super().__init__(
            block.module_name, {"enable": In(1), **block.signature.members}, is_clocked=True
        )
        # a block is told from another by its own arguments
        self.key = (Pipelined, block.key, cycles, late_inputs, self.late_cycles)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        place(m, platform, "block", self.block)
        for name, member in self.block.signature.members.items():
            outer, inner = getattr(self, name), getattr(self.block, name)
            if member.flow is not In:
                m.d.comb += outer.eq(inner)
            else:
                cycles = self.cycles - (self.late_cycles if name in self.late_inputs else 0)
                m.d.comb += inner.eq(delay(m, name, outer, cycles, self.enable))
        return m

    def emit(self, name: str, emission: Emission) -> str:
        """RTLIL with the registers inside."""
        # Amaranth warns of a component that is never elaborated
        self._MustUse__used = True
        inner = Emission(emission.prefix)
        rtlil = inner.emit_top(self.block, name)
        with tempfile.TemporaryDirectory(prefix="macsmith-") as scratch:
            modules = json.loads(rtlil_to_json(rtlil, Path(scratch)))["modules"]
        graph = CellGraph(modules, name)
        stages = balance(graph, self.cycles, self.late_inputs, self.late_cycles)
        names = {stages.instance_class[0]: name}
        for instance, number in zip(graph.instances, stages.instance_class, strict=True):
            if number not in names:
                names[number] = emission.reserve(instance.module)
        design = insert_registers(graph, stages, names)
        with tempfile.TemporaryDirectory(prefix="macsmith-") as scratch:
            return json_to_rtlil(json.dumps(design), Path(scratch))


_B = TypeVar("_B", bound=Block)


def pipelined(
    block: _B, cycles: int, late_inputs: tuple[str, ...] = (), late_cycles: int | None = None
) -> _B:
    """The block itself for 0 cycles, else a `Pipelined` one, which has its members too."""
    return cast(_B, Pipelined(block, cycles, late_inputs, late_cycles)) if cycles else block


def place_enabled(m: Module, platform: Any, name: str, block: Block, enable: Value) -> None:
    """Place a block that may be pipelined, with its `enable` if it has one."""
    place(m, platform, name, block)
    if block.is_clocked:
        m.d.comb += getattr(block, "enable").eq(enable)  # noqa: B009 - not known to be there
