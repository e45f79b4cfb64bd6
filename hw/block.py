"""Blocks: components that are emitted once, however often they are placed.

Amaranth writes one module for each *instance*. `place` therefore puts a `Block` into its parent as
an ordinary submodule in Amaranth's simulator, but while an `Emission` is under way as an instance
of a module that is written once for all blocks made with the same arguments.
"""

from collections.abc import Hashable
from typing import Any, Self

from amaranth.back import rtlil  # type: ignore[attr-defined]
from amaranth.hdl import (
    ClockSignal,
    Instance,
    Module,
    ResetInserter,
    ResetSignal,
    Signal,
    Value,
)
from amaranth.lib import wiring
from amaranth.lib.wiring import In

__all__ = ["FULL_ADDER_MODULE", "Block", "Emission", "full_adder", "place"]

#: The one primitive of emitted Verilog; synthesis decides whether it becomes a full-adder cell.
FULL_ADDER_MODULE = "macsmith_full_adder"


class Block(wiring.Component):  # type: ignore[type-arg]
    """A component that is emitted once for all its instances.

    Parameters
    ----------
    module_name
        Verilog identifier. Where two blocks of one name are not built alike, the second gets a
        number behind it.
    members
        The signature.
    is_clocked
        Whether there are registers in it or in what it places.
    """

    module_name: str
    is_clocked: bool
    #: Class and arguments: blocks with equal keys are built alike.
    key: Hashable

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        block = super().__new__(cls, *args, **kwargs)
        block.key = (cls, args, tuple(sorted(kwargs.items())))
        return block

    def __init__(
        self, module_name: str, members: dict[str, wiring.Member], *, is_clocked: bool = False
    ) -> None:
        super().__init__(members)
        self.module_name = module_name
        self.is_clocked = is_clocked

    def elaborate(self, platform: Any) -> Module:
        """Logic of the block."""
        raise NotImplementedError

    def emit(self, name: str, emission: "Emission") -> str:
        """RTLIL of the block as module `name`; the modules it places go to `emission`."""
        return str(rtlil.convert(self, name=name, platform=emission, emit_src=False))


class Emission:
    """The modules of one design, each elaborated once; passed to blocks as their platform.

    Parameters
    ----------
    prefix
        Goes before every module name but the top's, so that two designs can live in one project.

    Attributes
    ----------
    modules
        RTLIL text by module name, in the order of first use.
    """

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.modules: dict[str, str] = {}
        self._names: dict[Hashable, str] = {}

    def emit_top(self, block: Block, name: str | None = None) -> str:
        """Elaborate the top block and all it places; returns the RTLIL of all modules.

        The top module is named as the prefix unless `name` is given.
        """
        top = block.emit(name or self.prefix, self)
        return "\n".join([*self.modules.values(), top])

    def reserve(self, base: str) -> str:
        """A module name that is not taken: `base`, with a number behind it if need be."""
        name, alike = base, 1
        while name in self.modules:
            alike += 1
            name = f"{base}_{alike}"
        self.modules[name] = ""  # keeps the place: parents before their parts
        return name

    def instance(self, label: str, block: Block, reset: Value | None = None) -> Instance:
        """An instance of `block`, whose module is elaborated unless it was before.

        The block's own members become the wires at the instance, named after `label`. `reset`
        resets it beside the reset of all.
        """
        name = self._names.get(block.key)
        if name is None:
            name = self.reserve(f"{self.prefix}_{block.module_name}")
            self._names[block.key] = name
            self.modules[name] = block.emit(name, self)
        # Amaranth warns of a component that is never elaborated; this one was, as its double
        block._MustUse__used = True  # type: ignore[attr-defined]
        ports: dict[str, Any] = {}
        for path, member, value in block.signature.flatten(block):
            direction = "i" if member.flow is In else "o"
            port = "__".join(map(str, path))
            ports[f"{direction}_{port}"] = value
            if isinstance(value, Signal):
                value.name = f"{label}_{port}"
        if block.is_clocked:
            ports["i_clk"] = ClockSignal()
            ports["i_rst"] = ResetSignal() if reset is None else ResetSignal() | reset
        return Instance(name, **ports)


def place(m: Module, platform: Any, name: str, block: Block, *, reset: Value | None = None) -> None:
    """Put `block` into `m` under the instance name `name`; its ports are the block's members.

    When modules are emitted, the block's own members serve as the wires of the instance. `reset`,
    where given, resets the block beside the reset of all.
    """
    part: Any = block
    if isinstance(platform, Emission):
        part = platform.instance(name, block, reset)
    elif reset is not None:
        part = ResetInserter(reset)(block)
    m.submodules[name] = part


def full_adder(
    m: Module, platform: Any, name: str, a: Value, b: Value, c: Value
) -> tuple[Value, Value]:
    """Sum and carry of three bits, as an instance of `FULL_ADDER_MODULE` when emitted."""
    total = Signal(name=f"{name}_sum")
    carry = Signal(name=f"{name}_carry")
    if isinstance(platform, Emission):
        m.submodules[name] = Instance(
            FULL_ADDER_MODULE, i_a=a, i_b=b, i_c=c, o_sum=total, o_carry=carry
        )
    else:
        m.d.comb += [total.eq(a ^ b ^ c), carry.eq((a & b) | (c & (a ^ b)))]
    return total, carry
