"""Requests to a board and their answers, over a byte link that may lose or garble them."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from typing import Protocol

from macsmith.model.link import ANSWER, Frame, FrameDecoder, Operation, encode_frame

__all__ = [
    "Link",
    "LinkError",
    "SessionLostError",
    "Transport",
    "WrongDesignError",
    "open_port",
]


class LinkError(RuntimeError):
    """The board does not answer, or answers nonsense."""


class SessionLostError(LinkError):
    """The board was reset, or has another host: what it was doing is lost."""


class WrongDesignError(LinkError):
    """The board computes something else than what was asked for."""


class Transport(Protocol):
    """A byte link; `serial.Serial` is one."""

    def read(self, size: int = 1, /) -> bytes:
        """At most `size` bytes; fewer, perhaps none, if they do not come in time."""
        ...

    def write(self, data: bytes, /) -> int | None:
        """Send bytes."""
        ...

    def close(self) -> None:
        """Give the link back."""
        ...


class Link:
    """Requests and their answers, each carried out once however often it is sent.

    Parameters
    ----------
    transport
        The byte link; its `read` must not block for longer than some 10 ms.
    timeout_seconds
        After which a request is sent again.
    attempts
        How often it is sent in all.

    Attributes
    ----------
    retries
        Requests that were sent again.
    frames
        Frames that were sent.
    """

    def __init__(
        self, transport: Transport, *, timeout_seconds: float = 0.5, attempts: int = 20
    ) -> None:
        self._transport = transport
        self._timeout_seconds = timeout_seconds
        self._attempts = attempts
        self._decoder = FrameDecoder()
        self._session = 0
        self._sequence = 0
        self.retries = 0
        self.frames = 0

    def begin(self) -> None:
        """Begin a session: the accelerator forgets all that was before.

        Raises
        ------
        LinkError
            There is no answer.
        """
        self._session = random.choice([n for n in (1, 2, 3) if n != self._session]) | (
            random.getrandbits(14) << 2
        )
        self._sequence = random.getrandbits(8)
        self._exchange(Operation.HELLO, ())

    def request(self, operation: Operation, payload: Sequence[int] = ()) -> tuple[int, ...]:
        """The answer's payload.

        Raises
        ------
        SessionLostError
            The session is not known to the board any more.
        LinkError
            There is no answer.
        """
        self._sequence = (self._sequence + 1) & 0xFF
        return self._exchange(operation, payload)

    def close(self) -> None:
        """Close the byte link."""
        self._transport.close()

    def _exchange(self, operation: Operation, payload: Sequence[int]) -> tuple[int, ...]:
        frame = Frame(operation, self._sequence, self._session, tuple(payload))
        data = encode_frame(frame)
        for attempt in range(self._attempts):
            self.retries += attempt > 0
            self.frames += 1
            self._transport.write(data)
            deadline = time.monotonic() + self._timeout_seconds
            while time.monotonic() < deadline:
                for answer in self._decoder.feed(self._transport.read(4096)):
                    if (answer.session, answer.sequence) != (frame.session, frame.sequence):
                        continue  # late, to a request that was answered before
                    if answer.operation == operation | ANSWER:
                        return answer.payload
                    if answer.operation == Operation.REFUSED | ANSWER:
                        raise SessionLostError(
                            f"the board refused {operation.name}: it was reset or has another host"
                        )
        raise LinkError(
            f"the board gave no answer to {operation.name} in {self._attempts} attempts of "
            f"{self._timeout_seconds:g} s: is it powered, programmed, and at this port and baud "
            "rate?"
        )


def open_port(port: str, baud: int) -> Transport:
    """A serial port as a byte link.

    Raises
    ------
    LinkError
        It does not open.
    """
    import serial

    try:
        opened: Transport = serial.Serial(port, baud, timeout=0.002)
    except (OSError, ValueError) as error:
        raise LinkError(f"serial port {port} does not open: {error}") from None
    return opened
