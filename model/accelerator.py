"""An accelerator around an array: buffers, packets and registers, as hardware and host share them.

The accelerator reads one stream of packets and answers with one stream of results. A packet is a
header word and its payload, words of 32 bits::

    | 31..24     | 23..16 | 15..0       |
    | LOAD_A 01  | 0      | entries n   |  then n entries of A, each padded to whole words
    | LOAD_B 02  | 0      | entries n   |  then n entries of B
    | RUN    03  | flags  | beats k     |  then | 31..16 column tiles | 15..0 row tiles |

An entry is what the array takes in one beat: R rows (C columns) of `lanes` codes, row 0 and lane 0
in the lowest bits; with block formats the codes of a row are followed by the scale of their block.
Each operand has two banks. A LOAD fills the next free bank, and waits for one;
a RUN works on the oldest full banks of both and gives them free again if its flags say so. Packets
are taken in order, but a LOAD goes on while earlier RUNs work.

A RUN computes ``row tiles x column tiles`` tiles, the column tile counting faster. Tile (i, j) sums
over the k entries from ``i * k`` of A and ``j * k`` of B. Results leave row 0 first, C codes
a row, column 0 in the lowest bits, each row padded to whole words. Without the flag LAST the sum is
not finished: the next RUN goes on with it, so K may exceed a bank.

A MAC with N sums in rotation has tiles of N rows: the entries from ``(i * k + beat) * N`` of A, one
for each row, meet one entry of B.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import IntEnum, IntFlag

from macsmith.model.accumulators import ChunkedAccumulator
from macsmith.model.design import Design
from macsmith.model.widths import mac_widths

__all__ = [
    "COUNTER_BITS",
    "JOBS",
    "MAGIC",
    "REGISTERS",
    "VERSION",
    "WORD_BITS",
    "AcceleratorConfig",
    "Packet",
    "Problem",
    "Register",
    "RunFlag",
    "load_header",
    "run_words",
]

WORD_BITS = 32
#: ``MACS`` in ASCII.
MAGIC = 0x4D414353
VERSION = 1
#: Of the counters of cycles and products; they go on from 0.
COUNTER_BITS = 48
#: Jobs that wait in the queue; one more is before the array.
JOBS = 2


class Packet(IntEnum):
    """What a packet asks for: the top byte of its header."""

    LOAD_A = 1
    LOAD_B = 2
    RUN = 3


class RunFlag(IntFlag):
    """Flags of a RUN packet."""

    RELEASE_A = 1
    RELEASE_B = 2
    LAST = 4


class Problem(IntFlag):
    """Sticky bits of the register STATUS above the busy bit: packets that were dropped."""

    UNKNOWN_PACKET = 2
    BAD_LOAD = 4
    BAD_RUN = 8


@dataclass(frozen=True)
class Register:
    """A 32-bit register.

    `address` counts bytes. `access` is ``ro`` or ``wo``.
    """

    name: str
    address: int
    access: str
    meaning: str


#: The register map. Counters of 48 bits are read low word first: that holds the high word still.
REGISTERS: tuple[Register, ...] = (
    Register("MAGIC", 0x00, "ro", "0x4D414353, MACS in ASCII"),
    Register("VERSION", 0x04, "ro", "version of packets and registers"),
    Register("DESIGN_0", 0x08, "ro", "design hash, lowest word"),
    Register("DESIGN_1", 0x0C, "ro", "design hash"),
    Register("DESIGN_2", 0x10, "ro", "design hash"),
    Register("DESIGN_3", 0x14, "ro", "design hash, highest word"),
    Register("SHAPE", 0x18, "ro", "rows - 1, columns - 1, lanes - 1: 8 bits each from bit 0"),
    Register("DEPTH", 0x1C, "ro", "entries in a bank of A from bit 0, of B from bit 16"),
    Register("CONTROL", 0x20, "wo", "bit 0: restart (forget packets, banks, sums, problems)"),
    Register(
        "STATUS",
        0x24,
        "ro",
        "bit 0: busy; then packets that were dropped: bit 1 unknown, bit 2 LOAD of a wrong size "
        "or without a bank, bit 3 RUN without operands or of a wrong size",
    ),
    Register("CYCLES", 0x28, "ro", "cycles busy, low word"),
    Register("CYCLES_HIGH", 0x2C, "ro", "high word"),
    Register("STALLS", 0x30, "ro", "busy cycles in which the array took no beat, low word"),
    Register("STALLS_HIGH", 0x34, "ro", "high word"),
    Register("MACS", 0x38, "ro", "products added, those of padding too, low word"),
    Register("MACS_HIGH", 0x3C, "ro", "high word"),
)


@dataclass(frozen=True)
class AcceleratorConfig:
    """A design with its buffers.

    Parameters
    ----------
    design
        A single MAC or an array; one mode, no ``unit``.
    a_depth, b_depth
        Entries in one of the two banks of A and B; powers of two, 2 to 32,768.

    Raises
    ------
    ValueError
        A depth or the form of the design cannot be built.
    """

    design: Design
    a_depth: int = 512
    b_depth: int = 512

    def __post_init__(self) -> None:
        if self.design.implementation.interleave > self.a_depth:
            raise ValueError(
                f"a_depth must hold a beat of all {self.design.implementation.interleave} sums, "
                f"not {self.a_depth} entries"
            )
        if self.is_weight_stationary and self.b_depth < self.rows:
            raise ValueError(
                f"b_depth must hold a beat for each of the {self.rows} rows of a weight-stationary "
                f"array, not {self.b_depth}"
            )
        for name in ("a_depth", "b_depth"):
            depth = getattr(self, name)
            if not 2 <= depth <= 1 << 15 or depth & (depth - 1):
                raise ValueError(f"{name} must be a power of two, 2 to 32768 entries, not {depth}")
        if self.design.implementation.form == "unit":
            raise ValueError(
                f"{self.design.text}: an accelerator needs a clocked design: leave unit out"
            )
        if self.design.is_switchable:
            raise ValueError(
                f"{self.design.text}: an accelerator has one mode: take one of "
                + ", ".join(mode.text for mode in self.design.mode_designs)
            )
        if self.design.implementation.lfsr != "inside":
            raise ValueError(
                f"{self.design.text}: an accelerator's random words come from one shift register "
                f"in it: leave lfsr={self.design.implementation.lfsr} out"
            )

    @property
    def rows(self) -> int:
        """Rows of the array."""
        return self.design.implementation.rows

    @property
    def columns(self) -> int:
        """Columns of the array."""
        return self.design.implementation.columns

    @property
    def is_weight_stationary(self) -> bool:
        """Whether B stays in the array and sums wait in an accumulator buffer."""
        return self.design.implementation.is_weight_stationary

    @property
    def sums(self) -> int:
        """Sums that a single MAC adds to in rotation."""
        return self.design.implementation.interleave

    @property
    def tile_rows(self) -> int:
        """Rows of results that one entry of A gives (and one of B): the array's, or a MAC's sums;
        one where partial sums move."""
        return 1 if self.is_weight_stationary else self.rows * self.sums

    @property
    def passes_per_chunk(self) -> int | None:
        """Times that a chunk goes through a weight-stationary array; None without chunks."""
        accumulator = self.design.mac.accumulator
        if not isinstance(accumulator, ChunkedAccumulator):
            return None
        return accumulator.length // (self.rows * self.lanes)

    @property
    def pass_interval_cycles(self) -> int:
        """Cycles from a pass through a weight-stationary array to one that goes on with its sums:
        until they are in their buffer again."""
        return 2 if self.passes_per_chunk == 1 else self.rows + 2

    def a_tile_entries(self, beats: int) -> int:
        """Entries of A of a row tile of so many beats: one for each sum in rotation, or one for
        each pass through a weight-stationary array."""
        return -(-beats // self.rows) if self.is_weight_stationary else beats * self.sums

    @property
    def max_beats(self) -> int:
        """Longest sum of which both operands fit in a bank, in beats."""
        if self.is_weight_stationary:
            return self.b_depth
        return min(self.a_depth // self.sums, self.b_depth)

    @property
    def lanes(self) -> int:
        """Products of one beat in one processing element."""
        return self.design.mac.lanes

    @property
    def a_entry_bits(self) -> int:
        """Bits of A that one beat takes."""
        mac = self.design.mac
        return self.rows * (self.lanes * mac.a.bits + (mac.a_scale.bits if mac.a_scale else 0))

    @property
    def b_entry_bits(self) -> int:
        """Bits of B that one beat takes."""
        mac = self.design.mac
        return self.columns * (self.lanes * mac.b.bits + (mac.b_scale.bits if mac.b_scale else 0))

    @property
    def output_bits(self) -> int:
        """Bits of a result code."""
        return mac_widths(self.design.mac).output_bits

    @property
    def a_entry_words(self) -> int:
        """Words of an entry of A in a packet."""
        return -(-self.a_entry_bits // WORD_BITS)

    @property
    def b_entry_words(self) -> int:
        """Words of an entry of B in a packet."""
        return -(-self.b_entry_bits // WORD_BITS)

    @property
    def result_words(self) -> int:
        """Words of one row of results."""
        return -(-self.columns * self.output_bits // WORD_BITS)

    @property
    def result_depth(self) -> int:
        """Rows of results that are buffered: those of four tiles; of a weight-stationary array,
        which gives a row a cycle in the last pass of a sum and none in others, up to 128."""
        if self.is_weight_stationary:
            return max(4, min(self.a_depth, 128))
        return max(4, 1 << (4 * self.rows * self.sums - 1).bit_length())

    @property
    def design_hash(self) -> int:
        """128 bits that tell this accelerator from any other: of SHA-256 of design and depths."""
        text = f"{VERSION} {self.design.text} {self.a_depth} {self.b_depth}"
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "little")


def load_header(packet: Packet, entries: int) -> int:
    """Header of a LOAD packet; its entries follow."""
    return packet << 24 | entries


def run_words(beats: int, row_tiles: int, column_tiles: int, flags: RunFlag) -> tuple[int, int]:
    """The two words of a RUN packet."""
    return Packet.RUN << 24 | flags << 16 | beats, column_tiles << 16 | row_tiles
