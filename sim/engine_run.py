"""An accelerator without its interface in simulation: packets in, results and counters out.

Both streams are always ready, or pause at random. What it takes is a second or two to build, and
100,000 cycles a second: made to measure throughput and to compare bits, where
`macsmith.sim.simulated_board` stands for a board.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from macsmith.hw.accelerator import Accelerator
from macsmith.model.accelerator import AcceleratorConfig
from macsmith.sim.simulated_top import build_simulation, top_verilog
from macsmith.sim.tools import run_tool

__all__ = ["EngineRun", "build_engine", "run_engine"]

_TOP = "macsmith_engine"
_REGISTERS = 7


@dataclass(frozen=True)
class EngineRun:
    """What one run of packets gave, once the accelerator was idle again.

    `results` are words; `status` is the register; `cycles`, `stalls` and `macs` are what the
    registers of those names counted meanwhile.
    """

    results: npt.NDArray[np.uint32]
    status: int
    cycles: int
    stalls: int
    macs: int

    def share_of_peak(self, config: AcceleratorConfig) -> float:
        """Products added per cycle, as a share of what the array can add."""
        return self.macs / (self.cycles * config.rows * config.columns * config.lanes)


def build_engine(config: AcceleratorConfig, directory: Path) -> Path:
    """Compile the simulation of an accelerator.

    Directory, program and errors are those of `macsmith.sim.simulated_top.build_simulation`.
    """
    return build_simulation(
        directory, _TOP, top_verilog(_TOP, Accelerator(config)), "engine_main.cpp"
    )


def run_engine(
    program: Path,
    runs: Sequence[npt.NDArray[np.uint32]],
    *,
    pauses: float = 0.0,
    seed: int = 1,
) -> list[EngineRun]:
    """Send runs of packets, each when the accelerator is idle again after the one before.

    Parameters
    ----------
    program
        Of `build_engine`.
    runs
        Words of packets.
    pauses
        Share of the cycles, 0 to below 1, in which a stream is not ready, for each at random.
    seed
        Of the pauses.

    Raises
    ------
    ToolError
        The accelerator did not become idle.
    ValueError
        `pauses` is not a share.
    """
    if not 0 <= pauses < 1:
        raise ValueError(f"pauses must be a share of the cycles, 0 to below 1, not {pauses}")
    with tempfile.TemporaryDirectory(prefix="macsmith-") as scratch:
        commands, results = Path(scratch) / "commands", Path(scratch) / "results"
        parts = [np.concatenate([[len(words)], words]) for words in runs]
        commands.write_bytes(np.concatenate(parts).astype("<u4").tobytes())
        run_tool(
            "the simulated accelerator",
            [str(program), str(commands), str(results), str(int(256 * pauses)), str(seed)],
            cwd=Path(scratch),
        )
        found = np.frombuffer(results.read_bytes(), dtype="<u4").astype(np.uint32)
    outcomes: list[EngineRun] = []
    before = np.zeros(3, dtype=np.int64)
    at = 0
    for _ in runs:
        count = int(found[at])
        words = found[at + 1 : at + 1 + count]
        at += 1 + count + _REGISTERS
        status, *counters = (int(word) for word in found[at - _REGISTERS : at])
        now = np.array(counters[::2], dtype=np.int64) + (np.array(counters[1::2]) << 32)
        cycles, stalls, macs = (int(number) for number in now - before)
        outcomes.append(EngineRun(words, status, cycles, stalls, macs))
        before = now
    return outcomes
