"""Frames, schedules and packets, without a board."""

import random
import zlib

import numpy as np
import pytest
from macsmith.hw.emit_accelerator import generate_accelerator, register_table
from macsmith.hw.frame import crc_step
from macsmith.model.accelerator import REGISTERS, AcceleratorConfig, RunFlag
from macsmith.model.design import parse_design
from macsmith.model.link import CRC_RESIDUE, MAX_PAYLOAD_WORDS, Frame, FrameDecoder, encode_frame
from macsmith.model.schedule import Load, Run, make_schedule, packet_words, results_of_words
from macsmith.sim.faulty_link import FaultyLink

from macsmith.host import Accelerator, Link, LinkError


def config(design: str = "int8:int24:2x3", depth: int = 16) -> AcceleratorConfig:
    return AcceleratorConfig(parse_design(design), depth, depth)


def test_frames_survive_any_bytes() -> None:
    rng = random.Random(1)
    decoder = FrameDecoder()
    for length in [0, 1, 2, 7, 100, MAX_PAYLOAD_WORDS]:
        # bytes 7D and 7E among them, which must be stuffed
        payload = tuple(rng.choice([rng.getrandbits(32), 0x7E7D7E7D]) for _ in range(length))
        frame = Frame(4, rng.getrandbits(8), rng.getrandbits(16), payload)
        data = encode_frame(frame)
        assert data.count(0x7E) == 2
        at = rng.randrange(len(data))
        assert decoder.feed(data[:at]) + decoder.feed(data[at:]) == [frame]
    assert decoder.dropped == 0


def test_too_long_a_frame_is_refused() -> None:
    with pytest.raises(ValueError, match="at most 254 words of payload, not 255"):
        encode_frame(Frame(4, 0, 1, (0,) * 255))


def test_no_damaged_frame_is_taken() -> None:
    """Every single-bit error, and thousands of other kinds of damage."""
    frame = Frame(4, 7, 9, (0x7E7D0000, 12345))
    data = encode_frame(frame)
    for index in range(8 * len(data)):
        flipped = bytearray(data)
        flipped[index // 8] ^= 1 << index % 8
        for taken in FrameDecoder().feed(b"\x7e" + bytes(flipped) + b"\x7e"):
            assert taken == frame  # only where a flag was hit that others stand beside
    taken_frames: list[bytes] = []
    link = FaultyLink(lambda size: b"", taken_frames.append, lambda: None, rate=1.0, seed=2)
    for _ in range(5000):
        link.write(data)
    decoder = FrameDecoder()
    for sent in taken_frames:
        for taken in decoder.feed(sent + b"\x7e"):
            assert taken == frame
    assert decoder.dropped > 3000
    assert min(count for fault, count in link.counts.items() if fault != "reset") > 500


def test_hardware_crc_is_the_same() -> None:
    """One step of the hardware's CRC on constants, against zlib."""
    from amaranth.hdl import Const, Module, Signal
    from amaranth.sim import Simulator

    register, byte, after = Signal(32), Signal(8), Signal(32)
    m = Module()
    m.d.comb += after.eq(crc_step(register, byte))
    data = bytes(random.Random(3).randbytes(40))
    found: list[int] = []

    async def bench(ctx: object) -> None:
        state = 0xFFFFFFFF
        for each in data + zlib.crc32(data).to_bytes(4, "little"):
            ctx.set(register, state)  # type: ignore[attr-defined]
            ctx.set(byte, each)  # type: ignore[attr-defined]
            state = ctx.get(after)  # type: ignore[attr-defined]
            found.append(state)

    simulator = Simulator(m)
    simulator.add_testbench(bench)
    simulator.run()
    assert Const(CRC_RESIDUE, 32).value == found[-1]
    assert found[len(data) - 1] ^ 0xFFFFFFFF == zlib.crc32(data)


class Silence:
    """A link without a board."""

    def read(self, size: int = 1, /) -> bytes:
        return b""

    def write(self, data: bytes, /) -> int:
        return len(data)

    def close(self) -> None:
        self.is_closed = True


def test_no_answer_is_one_clear_line() -> None:
    silence = Silence()
    with pytest.raises(LinkError, match=r"no answer to HELLO in 20 attempts of 0\.001 s: is it"):
        Accelerator.connect(silence, "e4m3:exact", timeout_seconds=0.001)
    assert silence.is_closed


def test_a_port_that_is_not_there() -> None:
    with pytest.raises(LinkError, match="serial port /dev/no-such-port does not open"):
        Accelerator.connect("/dev/no-such-port", "e4m3:exact")


@pytest.mark.parametrize(
    ("shape", "depth"),
    [((1, 1, 1), 16), ((5, 7, 4), 16), ((40, 3, 50), 16), ((9, 16, 2), 16), ((3, 100, 7), 16)],
)
def test_a_schedule_covers_every_tile_once(shape: tuple[int, int, int], depth: int) -> None:
    """Played by the rules of the packets, it gives the product; no bank is overrun or missed."""
    made = config(depth=depth)
    m, k, n = shape
    schedule = make_schedule(made, m, k, n)
    rng = np.random.default_rng(0)
    a = rng.integers(0, 256, (m, k), dtype=np.uint8)
    b = rng.integers(0, 256, (k, n), dtype=np.uint8)
    words = packet_words(schedule, a, b)
    banks: dict[str, list[list[list[int]]]] = {"a": [], "b": []}
    sums: np.ndarray[tuple[int, ...], np.dtype[np.int64]] | None = None
    results: list[int] = []
    at = 0
    for packet in schedule.packets:
        header = int(words[at])
        at += 1
        if isinstance(packet, Load):
            name = "a" if header >> 24 == 1 else "b"
            size = made.rows if name == "a" else made.columns
            count = header & 0xFFFF
            assert 0 < count <= depth
            entries = []
            for word in words[at : at + count]:
                octets = [int(word) >> 8 * index & 0xFF for index in range(size)]
                entries.append([octet - 256 * (octet > 127) for octet in octets])
            at += count
            banks[name].append(entries)
            assert len(banks[name]) <= 2
            continue
        assert isinstance(packet, Run)
        tiles = int(words[at])
        at += 1
        beats, flags = header & 0xFFFF, RunFlag(header >> 16 & 7)
        for row in range(tiles & 0xFFFF):
            for column in range(tiles >> 16):
                if sums is None:
                    sums = np.zeros((made.rows, made.columns), dtype=np.int64)
                for beat in range(beats):
                    sums += np.outer(
                        banks["a"][0][row * beats + beat], banks["b"][0][column * beats + beat]
                    )
                if RunFlag.LAST in flags:
                    for line in sums:
                        value = sum((int(x) & 0xFFFFFF) << 24 * c for c, x in enumerate(line))
                        results += [value >> 32 * w & 0xFFFFFFFF for w in range(made.result_words)]
                    sums = None
        for name, flag in (("a", RunFlag.RELEASE_A), ("b", RunFlag.RELEASE_B)):
            if flag in flags:
                banks[name].pop(0)
    assert at == len(words)
    assert banks == {"a": [], "b": []}
    codes = results_of_words(schedule, np.array(results, dtype=np.uint32))
    wanted = a.astype(np.int8).astype(np.int64) @ b.astype(np.int8).astype(np.int64)
    assert (codes == (wanted & 0xFFFFFF).astype(np.uint64)).all()


def test_bad_operands_are_one_clear_line() -> None:
    schedule = make_schedule(config(), 2, 3, 2)
    good = np.zeros((2, 3), dtype=np.uint8)
    with pytest.raises(TypeError, match="a must be unsigned codes of int8, not float64"):
        packet_words(schedule, good.astype(float), good.T)
    with pytest.raises(ValueError, match=r"a and b must be 2 x 3 and 3 x 2 codes, not"):
        packet_words(schedule, good, good)
    with pytest.raises(ValueError, match="b: 0x100 is no code of int8"):
        packet_words(schedule, good, np.full((3, 2), 256, dtype=np.uint16))
    with pytest.raises(ValueError, match="M must be at least 1, not 0"):
        make_schedule(config(), 0, 1, 1)


@pytest.mark.parametrize(
    ("design", "depth", "message"),
    [
        ("e4m3:exact:unit", 16, "an accelerator needs a clocked design: leave unit out"),
        ("e4m3+e5m2:exact", 16, "an accelerator has one mode: take one of e4m3:exact, e5m2:exact"),
        ("e4m3:e6m9:sr4:lfsr=port", 16, "leave lfsr=port out"),
        ("e4m3:exact", 12, "a_depth must be a power of two, 2 to 32768 entries, not 12"),
    ],
)
def test_what_cannot_be_built_is_refused(design: str, depth: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        config(design, depth)


def test_files_of_an_accelerator(tmp_path: object) -> None:
    """Registers are the same in table, header and manifest; the text is the same each time."""
    design = parse_design("e4m3:exact:2x2")
    made = generate_accelerator(design, f"{tmp_path}/one", a_depth=16, b_depth=16)
    again = generate_accelerator(design, f"{tmp_path}/two", a_depth=16, b_depth=16)
    header = made.header.read_text(encoding="utf-8")
    for register in REGISTERS:
        assert f"#define MACSMITH_{register.name} {register.address:#04x}u" in header
        assert f"| `{register.address:#04x}` | `{register.name}` |" in register_table()
    assert made.verilog.read_text(encoding="utf-8") == again.verilog.read_text(encoding="utf-8")
    assert made.manifest == again.manifest


def test_another_depth_is_another_accelerator() -> None:
    assert config(depth=16).design_hash != config(depth=32).design_hash
    assert Link(Silence()).retries == 0
