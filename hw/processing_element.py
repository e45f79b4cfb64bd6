"""Processing elements of an output-stationary systolic array, and rows of them."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from macsmith.hw.block import Block, place
from macsmith.hw.core import Core
from macsmith.hw.element_row import connect_row
from macsmith.hw.latency import columns_per_element, shares_outer, step_cycles
from macsmith.hw.lfsr import RandomWords
from macsmith.hw.pipeline import delay
from macsmith.hw.switch_core import SwitchCore
from macsmith.hw.word_widths import finished_bits, moved_bits
from macsmith.model.design import Design
from macsmith.model.random_source import lfsr_of
from macsmith.model.switch import switch_widths
from macsmith.model.widths import mac_widths

__all__ = ["ProcessingElement", "Row", "Rows", "control_bits", "has_own_words", "rows_block"]


def control_bits(design: Design) -> int:
    """Width of what accompanies A along a row: ``| shift | valid | last [| chunk_end] [| random
    word] [| mode] |``, least significant first. Where the outer adder is shared, `last` is a
    chunk's."""
    has_chunk_end = mac_widths(design.mac).outer is not None and not shares_outer(design)
    mode_bits = switch_widths(design.modes).mode_bits if design.is_switchable else 0
    return 3 + has_chunk_end + mode_bits + (0 if has_own_words(design) else design.mac.random_bits)


def has_own_words(design: Design) -> bool:
    """Whether each element has a shift register of its own."""
    return design.implementation.lfsr == "each"


def seed_bits(design: Design) -> int:
    """Width of the seed of an element's shift register; 0 without one."""
    return lfsr_of(design.mac.random_bits).degree if has_own_words(design) else 0


def _seed_members(design: Design, elements: int) -> dict[str, wiring.Member]:
    return {"seeds": In(elements * seed_bits(design))} if has_own_words(design) else {}


class ProcessingElement(Block):
    """A MAC that passes its operands on and keeps its result until it is fetched; or the MACs of
    two columns, which have A in common (`macsmith.hw.latency.columns_per_element`).

    Parameters
    ----------
    design
        What is computed, and in how many stages.

    Members
    -------
    enable : In(1)
        Nothing moves while it is 0.
    a_i, a_o : In, Out(lanes * config.a.bits)
        Passed to the right, one cycle later; with block formats the scale above it.
    b_i, b_o : In, Out(columns * lanes * config.b.bits)
        Passed down, one cycle later; the same.
    control_i, control_o : In, Out(control_bits(design))
        Accompanies A. `shift`: the result register takes over `result_i`.
    seeds : In(seed_bits(design))
        Only with ``lfsr=each``: constant, of the shift register here.
    result_i, result_o : In, Out(columns * finished_bits(design))
        Partial sums moving down. The register is loaded with this element's own when it is
        finished, and shifts when it is told.
    """

    enable: Signal
    a_i: Signal
    a_o: Signal
    b_i: Signal
    b_o: Signal
    control_i: Signal
    control_o: Signal
    result_i: Signal
    result_o: Signal
    seeds: Signal

    def __init__(self, design: Design) -> None:
        self.design = design
        a_bits, b_bits = moved_bits(design)
        columns = columns_per_element(design)
        bits = columns * finished_bits(design)
        super().__init__(
            "processing_element",
            {
                "enable": In(1),
                "a_i": In(a_bits),
                "a_o": Out(a_bits),
                "b_i": In(columns * b_bits),
                "b_o": Out(columns * b_bits),
                "control_i": In(control_bits(design)),
                "control_o": Out(control_bits(design)),
                "result_i": In(bits),
                "result_o": Out(bits),
                **_seed_members(design, 1),
            },
            is_clocked=True,
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        switches = self.design.is_switchable
        core = SwitchCore(self.design) if switches else Core(self.design)
        place(m, platform, "core", core)
        finished: Value = core.finished
        if isinstance(core, SwitchCore):
            finished = Cat(core.finished, core.finished_mode)
        a = Signal.like(self.a_i, name="a", reset_less=True)
        b = Signal.like(self.b_i, name="b", reset_less=True)
        control = Signal.like(self.control_i, name="control")
        result = Signal.like(self.result_i, name="result", reset_less=True)
        shift = control[0]
        with m.If(self.enable):
            m.d.sync += [a.eq(self.a_i), b.eq(self.b_i), control.eq(self.control_i)]
        # a fresh result goes before one passing by: by then that one has been passed on
        with m.If(self.enable & (core.is_finished | shift)):
            m.d.sync += result.eq(Mux(core.is_finished, finished, self.result_i))
        m.d.comb += [
            core.enable.eq(self.enable),
            core.a.eq(a[: len(core.a)]),
            core.b.eq(b[: len(core.b)]),
            core.valid.eq(control[1]),
            core.last.eq(control[2]),
            self.a_o.eq(a),
            self.b_o.eq(b),
            self.control_o.eq(control),
            self.result_o.eq(result),
        ]
        if isinstance(core, Core):
            for name, word in (("a", a), ("b", b)):
                if f"{name}_scale" in core.signature.members:
                    scale = getattr(core, f"{name}_scale")
                    m.d.comb += scale.eq(word[-len(scale) :])
        if "chunk_end" in core.signature.members:
            m.d.comb += core.chunk_end.eq(control[3])
        if isinstance(core, SwitchCore):
            m.d.comb += core.mode.eq(control[-len(core.mode) :])
            return m
        random_bits = self.design.mac.random_bits
        if has_own_words(self.design):
            source = RandomWords(lfsr_of(random_bits), has_seed_port=True)
            place(m, platform, "random_words", source)
            m.d.comb += [
                source.seed.eq(self.seeds),
                source.advance.eq(core.steps),
                core.random.eq(source.word),
            ]
        elif random_bits:
            m.d.comb += core.random.eq(
                delay(m, "random", control[-random_bits:], step_cycles(self.design), self.enable)
            )
        return m


class Row(Block):
    """A row of processing elements, A moving from column 0 to the right.

    Parameters
    ----------
    design
        What is computed, in how many stages and columns.

    Members
    -------
    enable : In(1)
        Nothing moves while it is 0.
    a : In(lanes * config.a.bits)
    control : In(control_bits(design))
    b_i, b_o : In, Out(columns * lanes * config.b.bits)
        Column 0 in the lowest bits.
    result_i, result_o : In, Out(columns * finished_bits(design))
        The same.
    seeds : In(elements * seed_bits(design))
        Only with ``lfsr=each``: constant; the same.
    """

    enable: Signal
    a: Signal
    control: Signal
    b_i: Signal
    b_o: Signal
    result_i: Signal
    result_o: Signal
    seeds: Signal

    def __init__(self, design: Design) -> None:
        self.design = design
        columns = design.implementation.columns
        a_bits, b_bits = moved_bits(design)
        self.elements = columns // columns_per_element(design)
        b_bits *= columns
        result_bits = columns * finished_bits(design)
        super().__init__(
            "row",
            {
                "enable": In(1),
                "a": In(a_bits),
                "control": In(control_bits(design)),
                "b_i": In(b_bits),
                "b_o": Out(b_bits),
                "result_i": In(result_bits),
                "result_o": Out(result_bits),
                **_seed_members(design, self.elements),
            },
            is_clocked=True,
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        elements = [ProcessingElement(self.design) for _ in range(self.elements)]
        connect_row(m, platform, self, elements, ("b", "result"))
        if has_own_words(self.design):
            for column, element in enumerate(elements):
                m.d.comb += element.seeds.eq(self.seeds.word_select(column, seed_bits(self.design)))
        return m


class Rows(Block):
    """Several rows, B and results moving down through them.

    Two halves, each emitted once and made of halves again: the text, and the time to make it,
    grow with the logarithm of the rows.

    Parameters
    ----------
    design
        What is computed, in how many stages and columns.
    rows
        How many rows, at least 2.

    Members
    -------
    enable : In(1)
        Nothing moves while it is 0.
    a : In(rows * lanes * config.a.bits)
        The upper row, where B enters, in the lowest bits.
    control : In(rows * control_bits(design))
        The same.
    b_i, b_o, result_i, result_o
        As of `Row`.
    seeds : In(rows * elements * seed_bits(design))
        Only with ``lfsr=each``: constant, the upper row's in the lowest bits.
    """

    enable: Signal
    a: Signal
    control: Signal
    b_i: Signal
    b_o: Signal
    result_i: Signal
    result_o: Signal
    seeds: Signal

    def __init__(self, design: Design, rows: int) -> None:
        self.design, self.rows = design, rows
        columns = design.implementation.columns
        a_bits, b_bits = moved_bits(design)
        b_bits *= columns
        result_bits = columns * finished_bits(design)
        super().__init__(
            f"rows_{rows}",
            {
                "enable": In(1),
                "a": In(rows * a_bits),
                "control": In(rows * control_bits(design)),
                "b_i": In(b_bits),
                "b_o": Out(b_bits),
                "result_i": In(result_bits),
                "result_o": Out(result_bits),
                **_seed_members(design, rows * columns),
            },
            is_clocked=True,
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        above = self.rows // 2
        upper = rows_block(self.design, above)
        lower = rows_block(self.design, self.rows - above)
        place(m, platform, "upper", upper)
        place(m, platform, "lower", lower)
        m.d.comb += [
            upper.enable.eq(self.enable),
            lower.enable.eq(self.enable),
            Cat(upper.a, lower.a).eq(self.a),
            Cat(upper.control, lower.control).eq(self.control),
            upper.b_i.eq(self.b_i),
            lower.b_i.eq(upper.b_o),
            self.b_o.eq(lower.b_o),
            upper.result_i.eq(self.result_i),
            lower.result_i.eq(upper.result_o),
            self.result_o.eq(lower.result_o),
        ]
        if has_own_words(self.design):
            m.d.comb += Cat(upper.seeds, lower.seeds).eq(self.seeds)
        return m


def rows_block(design: Design, rows: int) -> Row | Rows:
    """A block of so many rows."""
    return Row(design) if rows == 1 else Rows(design, rows)
