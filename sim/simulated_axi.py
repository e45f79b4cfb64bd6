"""An accelerator behind AXI in simulation, with masters that its streams never wait for."""

import struct
import subprocess
from collections.abc import Sequence
from pathlib import Path

from macsmith.hw.emit_accelerator import accelerator_verilog
from macsmith.model.accelerator import AcceleratorConfig
from macsmith.sim.simulated_top import build_simulation
from macsmith.sim.tools import ToolError

__all__ = ["SimulatedAxi", "build_axi"]

_REFUSED = 0xFFFFFFFF


def build_axi(config: AcceleratorConfig, directory: Path) -> Path:
    """Compile the simulation of an accelerator behind AXI.

    Directory, program and errors are those of `macsmith.sim.simulated_top.build_simulation`.
    """
    top, verilog = accelerator_verilog(config, "axi")
    return build_simulation(directory, top, verilog, "axi_main.cpp")


class SimulatedAxi:
    """A running simulation: registers over AXI4-Lite, packets and results over AXI4-Stream.

    Its clock stands still between requests. So the counters tell what the accelerator does with
    a packet stream that always has a word, and a result stream that is always ready.

    Parameters
    ----------
    program
        What `build_axi` returned.
    """

    def __init__(self, program: Path) -> None:
        self._program = program
        self._process = subprocess.Popen(
            [str(program)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def request(self, operation: int, words: Sequence[int]) -> tuple[int, ...]:
        """The answer to a request, numbered as `macsmith.model.link.Operation` is.

        Raises
        ------
        ToolError
            The simulation ended.
        ValueError
            It does not know the request, or an AXI access was answered with an error.
        """
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        try:
            stdin.write(struct.pack(f"={len(words) + 2}I", operation, len(words), *words))
            stdin.flush()
            head = stdout.read(4)
            count = struct.unpack("=I", head)[0] if len(head) == 4 else 0
            body = stdout.read(4 * count) if count != _REFUSED else b""
        except BrokenPipeError:
            head, body, count = b"", b"", 0
        if not head or (count != _REFUSED and len(body) != 4 * count):
            code = self._process.poll()
            raise ToolError("the simulation", [str(self._program)], f"it ended, code {code}")
        if count == _REFUSED:
            raise ValueError(
                f"the accelerator refused operation {operation} with {list(words[:4])}"
            )
        return struct.unpack(f"={count}I", body)

    def close(self) -> None:
        """End the simulation."""
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
