"""A byte link that loses, damages and repeats bytes: for checks of what runs over it."""

import random
from collections.abc import Callable

from macsmith.model.link import FLAG

__all__ = ["FAULTS", "FaultyLink"]

#: What can happen to a frame.
FAULTS = ("flip", "drop", "repeat", "truncate", "insert", "reset")


class FaultyLink:
    """Passes frames on, some of them damaged, in both directions.

    Parameters
    ----------
    read, write, close
        The link underneath.
    rate
        Share of the frames that something happens to.
    seed
        Of what happens.
    reset
        Resets the board; without, that fault is left out.

    Attributes
    ----------
    counts
        How often each fault of `FAULTS` was made.
    """

    def __init__(
        self,
        read: Callable[[int], bytes],
        write: Callable[[bytes], object],
        close: Callable[[], None],
        *,
        rate: float,
        seed: int,
        reset: Callable[[], None] | None = None,
    ) -> None:
        self._read, self._write, self._close = read, write, close
        self._rate = rate
        self._random = random.Random(seed)
        self._reset = reset
        self._faults = [fault for fault in FAULTS if fault != "reset" or reset is not None]
        self._damage_next = False
        self.counts = dict.fromkeys(FAULTS, 0)

    def write(self, data: bytes) -> int:
        """Send one frame, perhaps damaged."""
        if self._random.random() < self._rate:
            fault = self._random.choice(self._faults)
            self.counts[fault] += 1
            if fault == "reset":
                assert self._reset is not None
                half = self._random.randrange(len(data))
                self._write(data[:half])
                self._reset()
                data = data[half:]
            else:
                data = self._damaged(data, fault)
        self._write(data)
        return len(data)

    def read(self, size: int = 1) -> bytes:
        """What came from the board, perhaps damaged."""
        data = self._read(size)
        if data and self._random.random() < self._rate * min(1, data.count(FLAG)):
            fault = self._random.choice([each for each in self._faults if each != "reset"])
            self.counts[fault] += 1
            data = self._damaged(data, fault)
        return data

    def close(self) -> None:
        """Close the link underneath."""
        self._close()

    def _damaged(self, data: bytes, fault: str) -> bytes:
        at = self._random.randrange(len(data))
        run = self._random.randint(1, 8)
        if fault == "flip":
            return data[:at] + bytes([data[at] ^ 1 << self._random.randrange(8)]) + data[at + 1 :]
        if fault == "drop":
            return data[:at] + data[at + run :]
        if fault == "repeat":
            return data[: at + run] + data[at:]
        if fault == "truncate":
            return data[:at]
        return data[:at] + self._random.randbytes(run) + data[at:]
