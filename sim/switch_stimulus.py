"""What a switchable design is fed with: the stimuli of its modes, mixed sum by sum.

Each mode's stimulus and expected results are those of its single design. Here they are laid out
as the modes have in common (`macsmith.model.switch`), with random bits where a mode looks at none,
and put in an order in which every mode follows every other.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from macsmith.model.design import Design
from macsmith.model.switch import CommonSum, SwitchWidths, switch_widths
from macsmith.sim.bench import RATES, result_rows
from macsmith.sim.bench_job import FULL_RATE, BenchJob, Bits, bit_rows
from macsmith.sim.coverage import Bin
from macsmith.sim.expected import Words, expected_results
from macsmith.sim.harness import beat_layout
from macsmith.sim.stimulus import Stimulus, make_stimulus
from macsmith.sim.tile_groups import Codes
from macsmith.sim.unit_stimulus import UnitStimulus, make_unit_stimulus, unit_expected
from numpy.typing import NDArray

__all__ = [
    "MixedStreams",
    "MixedUnits",
    "Mixture",
    "change_bins",
    "mixed_steps",
    "mixed_stream_job",
    "mixed_streams",
    "mixed_unit_job",
    "mixed_units",
    "mixed_waveforms",
    "slot_rows",
    "sum_rows",
]


@dataclass(frozen=True)
class Mixture:
    """An order of items of several modes.

    `mode` and `index`: mode of each item played, and its number among those of its mode.
    """

    mode: NDArray[np.int64]
    index: NDArray[np.int64]

    @staticmethod
    def of(counts: Sequence[int], first: int, rng: np.random.Generator) -> "Mixture":
        """A random mixture in which every mode's items stay in order, and the first items are
        `first` ones of mode 0."""
        rest = np.repeat(np.arange(len(counts)), [counts[0] - first, *counts[1:]])
        mode = np.concatenate((np.zeros(first, np.int64), rng.permutation(rest)))
        index = np.empty(len(mode), dtype=np.int64)
        for each in range(len(counts)):
            index[mode == each] = np.arange(counts[each])
        return Mixture(mode, index)

    def gather(self, parts: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
        """Items of all modes, in the order of the mixture."""
        starts = np.cumsum([0, *map(len, parts)])[:-1]
        return np.concatenate(parts)[starts[self.mode] + self.index]


@dataclass(frozen=True)
class MixedUnits:
    """Vectors of a switchable unit: those of its modes' units, and their order."""

    design: Design
    parts: tuple[UnitStimulus, ...]
    expected: tuple[Words, ...]
    mixture: Mixture


@dataclass(frozen=True)
class MixedStreams:
    """Sums of a switchable MAC: those of its modes' MACs, and their order."""

    design: Design
    parts: tuple[Stimulus, ...]
    expected: tuple[Words, ...]
    mixture: Mixture


def mixed_units(design: Design, *, seed: int = 1, quick: bool = False) -> MixedUnits:
    """Everything a switchable unit is checked with."""
    parts = tuple(make_unit_stimulus(each, seed=seed, quick=quick) for each in design.mode_designs)
    mixture = Mixture.of([part.count for part in parts], 0, np.random.default_rng(seed))
    return MixedUnits(design, parts, tuple(unit_expected(part) for part in parts), mixture)


def mixed_streams(design: Design, *, seed: int = 1, quick: bool = False) -> MixedStreams:
    """Everything a switchable MAC is checked with."""
    parts = tuple(make_stimulus(each, seed=seed, quick=quick) for each in design.mode_designs)
    # the probe, and the sum that a reset hits
    mixture = Mixture.of([len(part.order) for part in parts], 2, np.random.default_rng(seed))
    return MixedStreams(design, parts, tuple(expected_results(part) for part in parts), mixture)


def slot_rows(
    codes: Codes, bits: int, lanes: int, slot_bits: int, rng: np.random.Generator
) -> Bits:
    """Bits of an operand port, one row for each of the first axis of `codes`; random bits where
    the mode has no code."""
    count = len(codes)
    rows = bit_rows(codes, bits).reshape(count, lanes, -1)
    slots = rng.integers(0, 2, (count, lanes, slot_bits), dtype=np.uint8)
    slots[:, :, : rows.shape[2]] = rows
    return slots.reshape(count, -1)


def _common_rows(common: CommonSum, mode: int, rows: Bits) -> Bits:
    """Bits in the common layout of partial sums in a mode's own one."""
    own = common.modes[mode]
    result = np.zeros((len(rows), common.bits), dtype=np.uint8)
    if own.format is not None:
        result[:, : own.bits] = rows
        return result
    result[:, : own.integer_bits] = rows[:, : own.integer_bits]
    sign_at = own.integer_bits - 1
    result[:, own.integer_bits : common.integer_bits] = rows[:, sign_at : own.integer_bits]
    if own.flag_bits:
        flags = result[:, common.integer_bits : common.integer_bits + common.flag_bits]
        flags[:] = rows[:, own.integer_bits :]  # a single flag is spread
    return result


def sum_rows(widths: SwitchWidths, mode: int, words: Words) -> Bits:
    """Bits in the common layout of a mode's partial sums, (vectors, words)."""
    inner = widths.inner.modes[mode].bits
    outer = widths.outer.modes[mode].bits if widths.outer else 0
    rows = result_rows(words, inner + outer)
    parts = [_common_rows(widths.inner, mode, rows[:, :inner])]
    if widths.outer is not None:
        parts.append(_common_rows(widths.outer, mode, rows[:, inner:]))
    return np.concatenate(parts, axis=1)


def _mode_rows(mode: int, count: int, bits: int) -> Bits:
    return np.broadcast_to(bit_rows(np.array(mode, dtype=np.uint32), bits), (count, bits))


def _operand_rows(
    design: Design, mode: int, a: Codes, b: Codes, rng: np.random.Generator
) -> list[Bits]:
    widths, config = switch_widths(design.modes), design.modes[mode]
    implementation = design.implementation
    return [
        slot_rows(a, config.a.bits, implementation.rows * widths.lanes, widths.a_slot_bits, rng),
        slot_rows(b, config.b.bits, implementation.columns * widths.lanes, widths.b_slot_bits, rng),
    ]


def mixed_unit_job(stimulus: MixedUnits, *, seed: int = 1) -> BenchJob:
    """The job that plays a switchable unit's vectors."""
    design = stimulus.design
    widths = switch_widths(design.modes)
    rng = np.random.default_rng(seed)
    beats, expected = [], []
    for mode, part in enumerate(stimulus.parts):
        columns = _operand_rows(design, mode, part.a, part.b, rng)
        columns.append(sum_rows(widths, mode, part.partial_sums))
        if widths.outer is not None:
            columns.append(part.chunk_end.astype(np.uint8)[:, np.newaxis])
        columns.append(_mode_rows(mode, part.count, widths.mode_bits))
        beats.append(np.concatenate(columns, axis=1))
        expected.append(sum_rows(widths, mode, stimulus.expected[mode]))
    layout = beat_layout(design)
    return BenchJob(
        beats=stimulus.mixture.gather(beats),
        expected=stimulus.mixture.gather(expected),
        probe_beats=0,
        reset_beats=0,
        results_per_sum=1,
        rates=((FULL_RATE, FULL_RATE),),
        batch_beats=layout.batch_beats,
        results_per_batch=layout.results_per_batch,
    )


def mixed_stream_job(stimulus: MixedStreams, *, seed: int = 1) -> BenchJob:
    """The job that plays a switchable MAC's sums."""
    design, mixture = stimulus.design, stimulus.mixture
    widths = switch_widths(design.modes)
    rng = np.random.default_rng(seed)
    beats, expected, steps = [], [], []
    for mode, part in enumerate(stimulus.parts):
        a, b, last = part.beats()
        columns = _operand_rows(design, mode, a, b, rng)
        columns.append(_mode_rows(mode, len(last), widths.mode_bits))
        columns.append(last.astype(np.uint8)[:, np.newaxis])
        beats.append(np.concatenate(columns, axis=1))
        words = stimulus.expected[mode]
        tiles, rows, columns_of_tile, count = words.shape
        results = np.zeros((tiles * rows * columns_of_tile, widths.output_bits), dtype=np.uint8)
        own = result_rows(words.reshape(-1, count), min(64 * count, widths.output_bits))
        results[:, : own.shape[1]] = own
        expected.append(results.reshape(tiles, -1))
        steps.append(part.steps)
    # beats of a sum are neighbours; the sums of a mode stay in its order
    lengths = np.concatenate(steps)
    starts = np.cumsum(lengths) - lengths
    sums = np.cumsum([0, *map(len, steps)])[:-1][mixture.mode] + mixture.index
    played = lengths[sums]
    offsets = np.arange(int(played.sum())) - np.repeat(np.cumsum(played) - played, played)
    all_beats = np.concatenate(beats)[np.repeat(starts[sums], played) + offsets]
    layout = beat_layout(design)
    return BenchJob(
        beats=all_beats,
        # a tile gives a result of all columns for each of its rows
        expected=mixture.gather(expected).reshape(len(sums) * design.implementation.rows, -1),
        probe_beats=int(played[0]),
        reset_beats=stimulus.parts[0].reset_beats,
        results_per_sum=design.implementation.rows,
        rates=RATES,
        batch_beats=layout.batch_beats,
        results_per_batch=layout.results_per_batch,
    )


def mixed_steps(stimulus: MixedStreams) -> NDArray[np.int64]:
    """Beats of each sum, in the order in which they are played."""
    lengths = np.concatenate([part.steps for part in stimulus.parts])
    starts = np.cumsum([0, *(len(part.steps) for part in stimulus.parts)])[:-1]
    return lengths[starts[stimulus.mixture.mode] + stimulus.mixture.index]


def change_bins(design: Design, mixture: Mixture) -> list[Bin]:
    """Bins of changes from each mode to each other one, from one item to the next."""
    before, after = mixture.mode[:-1], mixture.mode[1:]
    return [
        Bin(f"mode: from {i} to {j}", int(((before == i) & (after == j)).sum()), True)
        for i in range(len(design.modes))
        for j in range(len(design.modes))
        if i != j
    ]


def _words(rows: Bits) -> NDArray[np.uint64]:
    """Waveform of a port from its bits, (cycles, streams, bits)."""
    words = -(-rows.shape[2] // 64)
    padded = np.zeros((*rows.shape[:2], 64 * words), dtype=np.uint8)
    padded[:, :, : rows.shape[2]] = rows
    packed = np.packbits(padded, axis=2, bitorder="little")
    values = np.ascontiguousarray(packed).view("<u8").astype(np.uint64)
    return values[:, :, 0] if words == 1 else values


def _rows(wave: NDArray[np.generic]) -> Bits:
    """Bits of a port's waveform, (cycles, streams, bits), as many as its words hold."""
    wide = wave.astype(np.uint64)
    words = wide if wide.ndim == 3 else wide[:, :, np.newaxis]
    return bit_rows(words, 64).reshape(*words.shape[:2], -1)


def mixed_waveforms(
    design: Design, waveforms: Sequence[Mapping[str, NDArray[np.generic]]]
) -> dict[str, NDArray[np.generic]]:
    """Port values of a switchable design from those of its modes' single designs.

    The streams of all modes lie side by side, those of mode 0 first; each stays in its mode. All
    have as many cycles as the shortest.

    Parameters
    ----------
    waveforms
        For each mode, ``[cycles, streams]`` or ``[cycles, streams, words]`` of every input port.
    """
    widths = switch_widths(design.modes)
    is_unit = design.implementation.form == "unit"
    cycles = min(len(next(iter(waves.values()))) for waves in waveforms)
    mixed: dict[str, list[NDArray[np.generic]]] = {}
    for mode, waves in enumerate(waveforms):
        config, rate = design.modes[mode], widths.rates[mode]
        for name, full in waves.items():
            wave = full[:cycles]
            operand = name.removeprefix("i_")
            if operand in ("a", "b"):
                bits = (config.a if operand == "a" else config.b).bits
                slot = widths.a_slot_bits if operand == "a" else widths.b_slot_bits
                implementation = design.implementation
                positions = implementation.rows if operand == "a" else implementation.columns
                codes = _rows(wave)[:, :, : positions * config.lanes * bits]
                codes = codes.reshape(*codes.shape[:2], positions * widths.lanes, rate * bits)
                slots = np.zeros((*codes.shape[:3], slot), dtype=np.uint8)
                slots[..., : rate * bits] = codes
                wave = _words(slots.reshape(*codes.shape[:2], -1))
            elif name == "partial_sum_i":
                shape = wave.shape[:2]
                words = wave.astype(np.uint64).reshape(shape[0] * shape[1], -1)
                wave = _words(sum_rows(widths, mode, words).reshape(*shape, -1))
            mixed.setdefault(name, []).append(wave)
        shape = mixed["a" if is_unit else "i_a"][-1].shape[:2]
        port = "mode" if is_unit else "i_mode"
        mixed.setdefault(port, []).append(np.full(shape, mode, dtype=np.uint64))
    return {name: np.concatenate(waves, axis=1) for name, waves in mixed.items()}
