"""A board in simulation: the whole top under Verilator, its serial line at a pseudo-terminal."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

from macsmith.hw.accelerator_uart import AcceleratorUart
from macsmith.model.accelerator import AcceleratorConfig
from macsmith.sim.simulated_top import build_simulation, top_verilog
from macsmith.sim.tools import ToolError

__all__ = ["SimulatedBoard", "build_board", "simulate_board"]

#: Clock cycles of a bit on the simulated line: as few as the receiver takes.
CYCLES_PER_BIT = 4
_TOP = "macsmith_board"


def build_board(config: AcceleratorConfig, directory: Path) -> Path:
    """Compile the simulation of an accelerator behind its serial line.

    Directory, program and errors are those of `macsmith.sim.simulated_top.build_simulation`.
    """
    verilog = top_verilog(_TOP, AcceleratorUart(config, CYCLES_PER_BIT))
    return build_simulation(directory, _TOP, verilog, "board_main.cpp")


class SimulatedBoard:
    """A running simulation.

    Attributes
    ----------
    port
        Path of the pseudo-terminal, to be opened like a serial port.
    """

    def __init__(self, program: Path) -> None:
        self._process = subprocess.Popen(
            [str(program), str(CYCLES_PER_BIT)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        self.port = self._process.stdout.readline().strip()
        if not self.port:
            assert self._process.stderr is not None
            raise ToolError("the simulated board", [str(program)], self._process.stderr.read())

    def reset(self) -> None:
        """Reset the board, whatever it is doing."""
        os.kill(self._process.pid, signal.SIGUSR1)

    @property
    def is_running(self) -> bool:
        """Whether the simulation still runs."""
        return self._process.poll() is None

    def close(self) -> None:
        """End the simulation."""
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            if stream is not None:
                stream.close()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


@contextlib.contextmanager
def simulate_board(config: AcceleratorConfig, directory: Path) -> Iterator[SimulatedBoard]:
    """Build and run a simulated board; ends it on the way out.

    Raises
    ------
    ToolError, MissingToolError, YosysError
        As `build_board`.
    """
    board = SimulatedBoard(build_board(config, directory))
    try:
        yield board
    finally:
        board.close()
