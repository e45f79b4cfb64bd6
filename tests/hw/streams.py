"""Stream designs in Amaranth's own simulator: beats in, results out, pauses on both sides."""

import random
from dataclasses import dataclass, field

import numpy as np
from amaranth.sim import Simulator
from macsmith.hw.array_block import array_block
from macsmith.hw.block import Block
from macsmith.hw.mac import Mac
from macsmith.model import golden
from macsmith.model.design import Design, parse_design
from macsmith.model.lfsr import element_words, random_words
from macsmith.model.random_source import lfsr_of
from macsmith.model.widths import mac_widths


@dataclass
class Run:
    """What came out of a run.

    `results`: o_data in order; `expected`: what they must be. `accepted_at`, `result_at`: cycles of
    the last beats' and of the first result beats' handshakes. `unstable`: o beats that changed or
    went away while they were not taken. `wrong_random`: accepted beats beside which ``o_random``
    was not their word, in designs that add a beat in the cycle that takes it.
    """

    results: list[int] = field(default_factory=list)
    expected: list[int] = field(default_factory=list)
    accepted_at: list[int] = field(default_factory=list)
    result_at: list[int] = field(default_factory=list)
    beats: int = 0
    cycles: int = 0
    unstable: int = 0
    wrong_random: int = 0


def device(design: Design) -> Block:
    """The component of a stream design."""
    return array_block(design) if design.implementation.is_array else Mac(design)


def _pack(codes: list[int], bits: int) -> int:
    return sum(code << index * bits for index, code in enumerate(codes))


def _interleaved(
    beats: list[tuple[int, int, int]], results: list[int], sums: int
) -> tuple[list[tuple[int, int, int]], list[int]]:
    """Beats of sums that are computed in rotation, and the results in the order of last beats.

    A sum is begun where the next place is free; places that stay empty get zeros.
    """
    whole: list[list[tuple[int, int, int]]] = [[]]
    for beat in beats:
        whole[-1].append(beat)
        if beat[2]:
            whole.append([])
    waiting = list(zip(whole[:-1], results, strict=True))
    places: list[tuple[list[tuple[int, int, int]], int] | None] = [None] * sums
    played: list[tuple[int, int, int]] = []
    ordered: list[int] = []
    while waiting or any(places):
        for index, place in enumerate(places):
            if place is None and waiting:
                place = waiting.pop(0)
                place = (list(place[0]), place[1])
            if place is None:
                played.append((0, 0, 0))
                continue
            played.append(place[0].pop(0))
            if not place[0]:
                ordered.append(place[1])
                place = None
            places[index] = place
    return played, ordered


def run_stream(
    text: str,
    lengths: list[int],
    *,
    pauses: bool,
    seed: int = 0,
    max_cycles: int = 5000,
    codes: tuple[int, int] | None = None,
) -> Run:
    """Play sums (tiles) of the given numbers of beats and collect all results; `codes` are all
    operands, where they are not random."""
    design = parse_design(text)
    mac, implementation = design.mac, design.implementation
    rows, columns, lanes = implementation.rows, implementation.columns, mac.lanes
    rng = random.Random(f"{text} {lengths} {seed}")
    run = Run()
    beats: list[tuple[int, int, int]] = []
    random_bits = mac.random_bits
    is_inside = implementation.lfsr != "port"
    is_each = implementation.lfsr == "each"
    lfsrs = [
        element_words(lfsr_of(random_bits), rows * columns, element)
        for element in range(rows * columns if is_each else 0)
    ]
    lfsr_words = random_words(lfsr_of(random_bits)) if random_bits else None
    random_of_beat: list[int] = []
    result_bits = mac_widths(mac).output_bits
    for length in lengths:
        a = [[rng.getrandbits(mac.a.bits) for _ in range(length * lanes)] for _ in range(rows)]
        b = [[rng.getrandbits(mac.b.bits) for _ in range(length * lanes)] for _ in range(columns)]
        if codes is not None:
            a = [[codes[0]] * len(row) for row in a]
            b = [[codes[1]] * len(column) for column in b]
        for beat in range(length):
            part = slice(beat * lanes, (beat + 1) * lanes)
            beats.append(
                (
                    _pack([code for row in a for code in row[part]], mac.a.bits),
                    _pack([code for column in b for code in column[part]], mac.b.bits),
                    int(beat == length - 1),
                )
            )
        words = None
        if lfsr_words is not None:
            drawn = [next(lfsr_words) for _ in range(length)]
            if not is_inside:
                drawn = [rng.getrandbits(random_bits) for _ in range(length)]
            random_of_beat += drawn
            words = [[drawn] * columns] * rows
            if is_each:
                own = [[next(each) for _ in range(length)] for each in lfsrs]
                words = [own[row * columns : (row + 1) * columns] for row in range(rows)]
        transposed = np.array(b).T.tolist()
        for row in golden.matmul(mac, a, transposed, words):
            run.expected.append(_pack(row, result_bits))
    if implementation.interleave > 1:
        beats, run.expected = _interleaved(beats, run.expected, implementation.interleave)
    run.beats = len(beats)
    dut = device(design)
    shows_random = is_inside and not is_each and random_bits and not implementation.stages

    async def bench(ctx: object) -> None:
        position, held, row_index = 0, None, 0
        offered = False
        for cycle in range(max_cycles):
            # an offered beat stays until it is taken
            offered = offered or (position < len(beats) and (not pauses or rng.random() < 0.7))
            ready = not pauses or rng.random() < 0.6
            ctx.set(dut.i_valid, offered)  # type: ignore[attr-defined]
            if offered:
                for port, value in zip(
                    (dut.i_a, dut.i_b, dut.i_last), beats[position], strict=True
                ):
                    ctx.set(port, value)  # type: ignore[attr-defined]
                if random_bits and not is_inside:
                    ctx.set(dut.i_random, random_of_beat[position])  # type: ignore[attr-defined]
            ctx.set(dut.o_ready, ready)  # type: ignore[attr-defined]
            valid = ctx.get(dut.o_valid)  # type: ignore[attr-defined]
            data = ctx.get(dut.o_data)  # type: ignore[attr-defined]
            if held is not None and (not valid or data != held):
                run.unstable += 1
            held = data if valid and not ready else None
            if valid and ready:
                run.results.append(data)
                if row_index == 0:
                    run.result_at.append(cycle)
                row_index = (row_index + 1) % rows
            if offered and ctx.get(dut.i_ready):  # type: ignore[attr-defined]
                if shows_random and ctx.get(dut.o_random) != random_of_beat[position]:  # type: ignore[attr-defined]
                    run.wrong_random += 1
                if beats[position][2]:
                    run.accepted_at.append(cycle)
                position += 1
                offered = False
            run.cycles = cycle + 1
            # a few cycles more: nothing may come twice
            if len(run.results) >= len(run.expected) and cycle > (run.result_at or [0])[-1] + 30:
                break
            await ctx.tick()  # type: ignore[attr-defined]

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return run
