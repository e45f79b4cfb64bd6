"""What is handed to the cocotb bench, and what it hands back: one file each way.

The bench runs in the Python inside the simulation; it imports this module and NumPy, nothing else
of the project, so that it starts quickly.
"""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "FULL_RATE",
    "MAX_MISMATCHES",
    "BenchJob",
    "BenchOutcome",
    "batch_length",
    "bit_rows",
    "rows_to_ints",
]

Bits = NDArray[np.uint8]

#: Rate of a stream without pauses; rates are in 256ths.
FULL_RATE = 256

#: A failing check shows this many results.
MAX_MISMATCHES = 16


def batch_length(beats: int, most: int, rates: int) -> int:
    """Beats of a batch, at most `most`: few are split, so that each of `rates` has its turn."""
    return min(most, max(-(-beats // rates), 1))


@dataclass(frozen=True)
class BenchJob:
    """Beats to play and results to expect.

    Parameters
    ----------
    beats
        (beats, beat bits) of 0 and 1, column 0 the least significant bit.
    expected
        (results, result bits), likewise.
    probe_beats
        The first beats of `beats`, which end exactly one sum: played alone into the idle design
        to measure its latency. 0: none.
    reset_beats
        Beats (rows of `beats`, from the start) that are played and then forgotten by a reset
        before the check begins. 0: none.
    results_per_sum
        Result beats of each sum.
    rates
        (valid_rate, ready_rate) of the batches, used in turn; FULL_RATE is without pauses.
    """

    beats: Bits
    expected: Bits
    probe_beats: int
    reset_beats: int
    results_per_sum: int
    rates: tuple[tuple[int, int], ...]
    batch_beats: int
    results_per_batch: int

    def write(self, path: Path) -> None:
        """Write the job to an .npz file."""
        np.savez(
            path,
            beats=np.packbits(self.beats, axis=1),
            expected=np.packbits(self.expected, axis=1),
            rates=np.array(self.rates, dtype=np.int64),
            numbers=np.array(
                [
                    self.beats.shape[1],
                    self.expected.shape[1],
                    self.probe_beats,
                    self.reset_beats,
                    self.results_per_sum,
                    self.batch_beats,
                    self.results_per_batch,
                ],
                dtype=np.int64,
            ),
        )

    @classmethod
    def read(cls, path: Path) -> "BenchJob":
        """The job that `write` wrote."""
        with np.load(path) as data:
            numbers = [int(number) for number in data["numbers"]]
            return cls(
                beats=np.unpackbits(data["beats"], axis=1, count=numbers[0]),
                expected=np.unpackbits(data["expected"], axis=1, count=numbers[1]),
                probe_beats=numbers[2],
                reset_beats=numbers[3],
                results_per_sum=numbers[4],
                batch_beats=numbers[5],
                results_per_batch=numbers[6],
                rates=tuple((int(valid), int(ready)) for valid, ready in data["rates"]),
            )


@dataclass
class BenchOutcome:
    """What the bench saw.

    Parameters
    ----------
    results
        Result beats compared.
    mismatches
        ``(index of the result beat, its bits in hex)``, the first few.
    mismatch_count
        All of them.
    counters
        Totals of `macsmith.sim.harness.COUNTERS`.
    latency_cycles
        Of the probe sum; None if there was no probe.
    full_rate_stall_cycles
        Input stalls while both streams ran without pauses.
    full_rate_beats
        Beats accepted in those batches.
    results_after_reset
        Result beats that came after a reset that should have forgotten them.
    problem
        What kept the bench from finishing, in one line; empty if nothing.
    """

    results: int = 0
    mismatches: list[tuple[int, str]] = field(default_factory=list)
    mismatch_count: int = 0
    counters: dict[str, int] = field(default_factory=dict)
    latency_cycles: int | None = None
    full_rate_stall_cycles: int = 0
    full_rate_beats: int = 0
    results_after_reset: int = 0
    problem: str = ""

    def write(self, path: Path) -> None:
        """Write the outcome as JSON."""
        path.write_text(json.dumps(asdict(self)), encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> "BenchOutcome":
        """The outcome that `write` wrote."""
        data = json.loads(path.read_text(encoding="utf-8"))
        data["mismatches"] = [(int(index), str(text)) for index, text in data["mismatches"]]
        return cls(**data)


def bit_rows(values: NDArray[np.unsignedinteger] | NDArray[np.object_], bits: int) -> Bits:
    """Bits of integers, least significant first: shape ``values.shape + (bits,)``."""
    if values.dtype == object:
        width = -(-bits // 8)
        packed = b"".join(int(value).to_bytes(width, "little") for value in values.reshape(-1))
        rows = np.frombuffer(packed, dtype=np.uint8).reshape(-1, width)
        return np.unpackbits(rows, axis=1, bitorder="little", count=bits).reshape(
            *values.shape, bits
        )
    shifts = np.arange(bits, dtype=np.uint64)
    shifted = values.astype(np.uint64)[..., np.newaxis] >> shifts
    return (shifted & np.uint64(1)).astype(np.uint8)


def rows_to_ints(rows: Bits) -> list[int]:
    """Integers of bit rows, the inverse of `bit_rows` for a matrix."""
    packed = np.packbits(rows, axis=1, bitorder="little")
    return [int.from_bytes(row.tobytes(), "little") for row in packed]
