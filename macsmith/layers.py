"""What a network's layers cost on an accelerator: cycles, utilisation, traffic, energy."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import groupby
from typing import Any

from macsmith.hw.latency import latency_cycles
from macsmith.model.accelerator import WORD_BITS, AcceleratorConfig, Packet
from macsmith.model.accuracy.layer_shapes import LayerShape, layer_shapes
from macsmith.model.accuracy.tasks import find_task
from macsmith.model.buffer_energy import WORD_BITS as MEMORY_BITS
from macsmith.model.buffer_energy import BufferTechnology
from macsmith.model.design import Design, parse_design
from macsmith.model.performance import predict
from macsmith.model.tiling import Load, Schedule, make_schedule
from macsmith.model.widths import mac_widths

__all__ = [
    "LayerRow",
    "MacEnergy",
    "Traffic",
    "layer_table",
    "network_layers",
    "table_csv",
    "total",
    "traffic",
]

_WORD_BYTES = WORD_BITS // 8


@dataclass(frozen=True)
class MacEnergy:
    """What a MAC of the array costs, each per lane.

    `pj_per_mac` with a network's operands, `pj_per_zero_mac` where A is padding, `pj_per_idle_mac`
    in a cycle without a beat, operands held and the clock running. `source` says whence.
    """

    pj_per_mac: float
    pj_per_zero_mac: float
    pj_per_idle_mac: float
    source: str


@dataclass(frozen=True)
class Traffic:
    """What moves in one product: words of packets and of results, bits written to and read from
    the banks of A and of B, bits of partial sums written to the accumulator buffers of a
    weight-stationary array and as many read from them (0 in any other), and bits of results written
    to the queue and as many read from it."""

    packet_words: int
    result_words: int
    a_written_bits: int
    a_read_bits: int
    b_written_bits: int
    b_read_bits: int
    sum_bits: int
    result_bits: int


@dataclass(frozen=True)
class LayerRow:
    """A layer, or all of them.

    `m` is the largest of its products where they differ. Cycles are those of the register
    CYCLES with streams that are always ready: ``cycles = useful_beats + padding_beats +
    fill_cycles + wait_cycles + drain_cycles``. `utilisation` is the share of what the array could
    have added in that time. `in_bytes_per_cycle` and `out_bytes_per_cycle` are what the streams
    carry on the average, at most 4; `needed_in_bytes_per_cycle` and `needed_out_bytes_per_cycle`
    what they would have to carry for the array to take a beat in every cycle. Energies are absent
    where nothing is known, and `pj_per_mac`, of all energies, where one of them is.
    """

    layer: str
    products: int
    m: int
    k: int
    n: int
    macs: int
    cycles: int
    useful_beats: float
    padding_beats: float
    fill_cycles: int
    wait_cycles: int
    drain_cycles: int
    utilisation: float
    in_bytes: int
    out_bytes: int
    in_bytes_per_cycle: float
    out_bytes_per_cycle: float
    needed_in_bytes_per_cycle: float
    needed_out_bytes_per_cycle: float
    mac_energy_uj: float | None = None
    idle_energy_uj: float | None = None
    buffer_energy_uj: float | None = None
    pj_per_mac: float | None = None


def traffic(schedule: Schedule, beats: int) -> Traffic:
    """What moves in a product that takes so many beats.

    Every beat reads an entry of A, and of B too where both pass by; B that stays is read once for
    each pass of rows of A.
    """
    config = schedule.config
    widths = mac_widths(config.design.mac)
    b_read = beats
    sum_bits = 0
    written = {Packet.LOAD_A: 0, Packet.LOAD_B: 0}
    words = {Packet.LOAD_A: config.a_entry_words, Packet.LOAD_B: config.b_entry_words}
    packet_words = 0
    for packet in schedule.packets:
        if isinstance(packet, Load):
            entries = packet.entries(config)
            written[packet.packet] += entries
            packet_words += 1 + entries * words[packet.packet]
        else:
            packet_words += 2
    if config.is_weight_stationary:
        runs = [packet for packet in schedule.packets if not isinstance(packet, Load)]
        b_read = sum(run.column_tiles * run.beats for run in runs)
        # a beat takes a row of sums through the array; chunks of a pass each are never kept
        passes = config.passes_per_chunk
        sum_bits = beats * config.columns * widths.inner.bits if passes != 1 else 0
        if widths.outer is not None and passes is not None:
            sum_bits += -(-beats // passes) * config.columns * widths.outer.bits
    rows = schedule.result_words // config.result_words
    return Traffic(
        packet_words=packet_words,
        result_words=schedule.result_words,
        a_written_bits=written[Packet.LOAD_A] * config.a_entry_bits,
        a_read_bits=beats * config.a_entry_bits,
        b_written_bits=written[Packet.LOAD_B] * config.b_entry_bits,
        b_read_bits=b_read * config.b_entry_bits,
        sum_bits=sum_bits,
        result_bits=rows * config.columns * config.output_bits,
    )


def layer_table(
    shapes: Sequence[LayerShape],
    config: AcceleratorConfig,
    *,
    mac_energy: MacEnergy | None = None,
    buffers: BufferTechnology | None = None,
    progress: Callable[[float, str], None] | None = None,
) -> list[LayerRow]:
    """A row for each layer, in the order of the shapes.

    Parameters
    ----------
    shapes
        The products; those of one layer stand together.
    config
        The accelerator.
    mac_energy
        What a MAC costs; None: no energy of the array.
    buffers
        What the banks cost; None: no energy of buffers. Banks of A and B, accumulator buffers and
        the queue of results are each taken as memories of 64 bits or less side by side.
    progress
        Called with the fraction done and the layer.
    """
    rows: list[LayerRow] = []
    for index, shape in enumerate(shapes):
        if progress is not None:
            progress(index / len(shapes), shape.layer)
        rows.append(_row(shape, config, mac_energy, buffers))
    return [total(list(same), layer) for layer, same in groupby(rows, key=lambda row: row.layer)]


def network_layers(
    task: str,
    design: Design | str,
    *,
    tokens: int | None = None,
    depth: int = 1024,
    mac_energy: MacEnergy | None = None,
    buffers: BufferTechnology | None = None,
    progress: Callable[[float, str], None] | None = None,
) -> list[LayerRow]:
    """`layer_table` of an accuracy task's network.

    Parameters
    ----------
    task, tokens
        As of `macsmith.model.accuracy.layer_shapes.layer_shapes`.
    design
        The array, or its text.
    depth
        Entries in each of the two banks of A and of B.
    mac_energy, buffers, progress
        As of `layer_table`.

    Raises
    ------
    ValueError
        Unknown task, wrong design text, or an accelerator that cannot be built.
    MissingPackageError
        A package with the network is not installed.
    """
    find_task(task)
    design = parse_design(design) if isinstance(design, str) else design
    config = AcceleratorConfig(design, depth, depth)
    shapes = layer_shapes(task, tokens)
    return layer_table(shapes, config, mac_energy=mac_energy, buffers=buffers, progress=progress)


def _row(
    shape: LayerShape,
    config: AcceleratorConfig,
    mac_energy: MacEnergy | None,
    buffers: BufferTechnology | None,
) -> LayerRow:
    """All products of one shape."""
    schedule = make_schedule(config, shape.m, shape.k, shape.n)
    found = predict(schedule, latency_cycles(config.design))
    moved = traffic(schedule, found.beats)
    products_per_beat = found.macs // found.beats
    useful_beats = found.useful_macs / products_per_beat
    count = shape.count
    row = LayerRow(
        layer=shape.layer,
        products=count,
        m=shape.m,
        k=shape.k,
        n=shape.n,
        macs=count * found.useful_macs,
        cycles=count * found.cycles,
        useful_beats=count * useful_beats,
        padding_beats=count * (found.beats - useful_beats),
        fill_cycles=count * found.fill_cycles,
        wait_cycles=count * found.wait_cycles,
        drain_cycles=count * found.drain_cycles,
        utilisation=0.0,
        in_bytes=count * moved.packet_words * _WORD_BYTES,
        out_bytes=count * moved.result_words * _WORD_BYTES,
        in_bytes_per_cycle=0.0,
        out_bytes_per_cycle=0.0,
        needed_in_bytes_per_cycle=0.0,
        needed_out_bytes_per_cycle=0.0,
    )
    if mac_energy is not None:
        padding = found.macs - found.useful_macs
        idle = (found.cycles - found.beats) * products_per_beat
        row = replace(
            row,
            mac_energy_uj=1e-6
            * count
            * (found.useful_macs * mac_energy.pj_per_mac + padding * mac_energy.pj_per_zero_mac),
            idle_energy_uj=1e-6 * count * idle * mac_energy.pj_per_idle_mac,
        )
    if buffers is not None:
        row = replace(row, buffer_energy_uj=1e-6 * count * _buffer_pj(config, moved, buffers))
    return row


def _buffer_pj(config: AcceleratorConfig, moved: Traffic, buffers: BufferTechnology) -> float:
    """Energy of all accesses of one product.

    A bank wider than the published memories is taken as several of them side by side.
    """
    sum_bits = mac_widths(config.design.mac).inner.bits  # each column has a buffer of its own
    energy_pj = 0.0
    for written, read, depth, width in (
        (moved.a_written_bits, moved.a_read_bits, config.a_depth, config.a_entry_bits),
        (moved.b_written_bits, moved.b_read_bits, config.b_depth, config.b_entry_bits),
        (moved.sum_bits, moved.sum_bits, config.a_depth, sum_bits),
        (
            moved.result_bits,
            moved.result_bits,
            config.result_depth,
            config.columns * config.output_bits,
        ),
    ):
        memory = buffers.memory_of(depth * min(width, MEMORY_BITS) / 8)
        energy_pj += written * memory.write_pj_per_bit + read * memory.read_pj_per_bit
    return energy_pj


def total(rows: Sequence[LayerRow], layer: str = "all") -> LayerRow:
    """Several rows as one: sums, and shares of the sums; K and N are 0 where they differ.

    Raises
    ------
    ValueError
        There are no rows.
    """
    if not rows:
        raise ValueError("a total must be of at least one row")
    sums: dict[str, Any] = {}
    for name in (
        "products", "macs", "cycles", "useful_beats", "padding_beats", "fill_cycles",
        "wait_cycles", "drain_cycles", "in_bytes", "out_bytes",
        "mac_energy_uj", "idle_energy_uj", "buffer_energy_uj",
    ):  # fmt: skip
        values = [getattr(row, name) for row in rows]
        sums[name] = None if None in values else sum(values)
    beats = sums["useful_beats"] + sums["padding_beats"]
    energies = [sums[name] for name in ("mac_energy_uj", "idle_energy_uj", "buffer_energy_uj")]
    return LayerRow(
        layer=layer,
        m=max(row.m for row in rows),
        k=rows[0].k if len({row.k for row in rows}) == 1 else 0,
        n=rows[0].n if len({row.n for row in rows}) == 1 else 0,
        utilisation=sums["useful_beats"] / sums["cycles"],
        in_bytes_per_cycle=sums["in_bytes"] / sums["cycles"],
        out_bytes_per_cycle=sums["out_bytes"] / sums["cycles"],
        needed_in_bytes_per_cycle=sums["in_bytes"] / beats,
        needed_out_bytes_per_cycle=sums["out_bytes"] / beats,
        pj_per_mac=None if None in energies else 1e6 * sum(energies) / sums["macs"],
        **sums,
    )


def table_csv(rows: Sequence[LayerRow]) -> str:
    """The rows as CSV, a missing figure as an empty cell."""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(asdict(rows[0])), lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow(
            {name: "" if value is None else value for name, value in asdict(row).items()}
        )
    return text.getvalue()
