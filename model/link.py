"""Frames between a host and an accelerator over a byte link that may lose and corrupt bytes.

A frame is a run of 32-bit words, little-endian, as bytes between flags ``7E``; a byte ``7E`` or
``7D`` within is sent as ``7D`` and the byte with bit 5 inverted (byte stuffing as in RFC 1662). The
words are a header, a payload and CRC-32 (that of IEEE 802.3) of both::

    | 31..24 operation | 23..16 sequence number | 15..0 session |

The host asks, the accelerator answers each request once with operation + 80 hex. A request with
the number of the one before is answered again, but not carried out again; any other number but the
next, or another session, is answered with `Operation.REFUSED`. So a request that is repeated until
it is answered is carried out once, and after a reset of the accelerator nothing is until a new
session begins. What fails its CRC is dropped without a word.

=======  =================================  ==========================================
request  payload                            answer's payload
=======  =================================  ==========================================
HELLO    none; begins the session           none; the accelerator is restarted
READ     address | count << 16              that many registers from the address on
WRITE    address, value                     none
PUSH     words of packets                   how many of them were taken
PULL     most words wanted                  results that are there, perhaps none
=======  =================================  ==========================================
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

__all__ = [
    "ANSWER",
    "CRC_RESIDUE",
    "ESCAPE",
    "ESCAPE_XOR",
    "FLAG",
    "MAX_PAYLOAD_WORDS",
    "PATIENCE_CYCLES",
    "Frame",
    "FrameDecoder",
    "Operation",
    "encode_frame",
]

FLAG = 0x7E
ESCAPE = 0x7D
ESCAPE_XOR = 0x20
#: Added to a request's operation in its answer.
ANSWER = 0x80
#: What CRC-32's register holds behind a frame and its own CRC: that no frame can change.
CRC_RESIDUE = 0xDEBB20E3
#: With header and CRC 256 words.
MAX_PAYLOAD_WORDS = 254
#: Cycles for which a PUSH waits for a packet word to be taken, and a PULL for a result.
PATIENCE_CYCLES = 2048


class Operation(IntEnum):
    """What a request asks for."""

    HELLO = 1
    READ = 2
    WRITE = 3
    PUSH = 4
    PULL = 5
    #: Only as an answer, to a request of another session or out of turn.
    REFUSED = 0x7F


@dataclass(frozen=True)
class Frame:
    """A frame without its CRC. `operation` is that of an answer where `ANSWER` is in it."""

    operation: int
    sequence: int
    session: int
    payload: tuple[int, ...] = ()

    @property
    def words(self) -> tuple[int, ...]:
        """Header and payload."""
        return (self.operation << 24 | self.sequence << 16 | self.session, *self.payload)


def encode_frame(frame: Frame) -> bytes:
    """Bytes of a frame, with its flags.

    Raises
    ------
    ValueError
        The payload is too long.
    """
    if len(frame.payload) > MAX_PAYLOAD_WORDS:
        raise ValueError(
            f"a frame must have at most {MAX_PAYLOAD_WORDS} words of payload, "
            f"not {len(frame.payload)}"
        )
    body = _to_bytes(frame.words)
    body += zlib.crc32(body).to_bytes(4, "little")
    # the escape first: the bytes that stand for flags contain it
    stuffed = body.replace(b"\x7d", b"\x7d\x5d").replace(b"\x7e", b"\x7d\x5e")
    return b"\x7e" + stuffed + b"\x7e"


def _to_bytes(words: Sequence[int]) -> bytes:
    return b"".join(word.to_bytes(4, "little") for word in words)


class FrameDecoder:
    """Bytes to frames; what is not a frame is dropped.

    Attributes
    ----------
    dropped
        Runs of bytes between flags that were no frame.
    """

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._is_bad = True  # until the first flag
        self._is_escaped = False
        self.dropped = 0

    def feed(self, data: bytes) -> list[Frame]:
        """Frames that end within `data`."""
        frames = []
        for byte in data:
            if byte == FLAG:
                frame = self._end()
                if frame is not None:
                    frames.append(frame)
            elif byte == ESCAPE:
                self._is_escaped = True
            else:
                self._bytes.append(byte ^ ESCAPE_XOR if self._is_escaped else byte)
                self._is_escaped = False
                if len(self._bytes) > 4 * (MAX_PAYLOAD_WORDS + 2):
                    self._is_bad = True
                    self._bytes.clear()
        return frames

    def _end(self) -> Frame | None:
        body, is_bad = bytes(self._bytes), self._is_bad or self._is_escaped
        self._bytes.clear()
        self._is_bad = self._is_escaped = False
        if not body:
            return None
        if is_bad or len(body) % 4 or len(body) < 8:
            self.dropped += 1
            return None
        if zlib.crc32(body[:-4]) != int.from_bytes(body[-4:], "little"):
            self.dropped += 1
            return None
        words = [int.from_bytes(body[at : at + 4], "little") for at in range(0, len(body) - 4, 4)]
        header = words[0]
        return Frame(header >> 24, header >> 16 & 0xFF, header & 0xFFFF, tuple(words[1:]))
