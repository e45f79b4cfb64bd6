"""A network on a board: what ``macsmith board ... --task`` does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from macsmith.model.design import Design

__all__ = ["INTERFACES", "task_on_port", "task_simulated"]

INTERFACES = ("axi", "uart")


def task_simulated(
    design: Design,
    task: str,
    *,
    samples: int | None,
    interface: str,
    depth: int,
    seed: int,
    build_dir: Path,
) -> dict[str, Any]:
    """A network on a simulated accelerator; see `macsmith.network_on_board.run_network`.

    Parameters
    ----------
    interface
        ``axi``: packets and results go straight into the accelerator's streams, a word a cycle.
        ``uart``: over the simulated board's serial line, 40 cycles and more a byte.

    Raises
    ------
    ValueError
        As `run_network`; an unknown interface.
    ToolError, MissingToolError, YosysError
        A tool failed or is missing.
    """
    from macsmith.axi_link import AxiLink
    from macsmith.board import SIMULATION_TIMEOUT_SECONDS, simulated
    from macsmith.console import tell
    from macsmith.host import Accelerator
    from macsmith.model.accelerator import AcceleratorConfig
    from macsmith.network_on_board import check_network
    from macsmith.sim.simulated_axi import SimulatedAxi, build_axi

    if interface not in INTERFACES:
        raise ValueError(f"the interface must be {' or '.join(INTERFACES)}, not {interface!r}")
    check_network(design, task)
    folder = build_dir / design.id / "board"
    if interface == "uart":
        with simulated(design, depth, folder, tell) as board:
            accelerator = Accelerator.connect(
                board.port, design, timeout_seconds=SIMULATION_TIMEOUT_SECONDS
            )
            return _run(accelerator, task, samples, seed) | {"interface": interface}
    folder = folder.with_name("board_axi")
    tell(f"building the simulated accelerator of {design.text} in {folder}")
    program = build_axi(AcceleratorConfig(design, depth, depth), folder)
    accelerator = Accelerator.connect(AxiLink(SimulatedAxi(program)), design)
    return _run(accelerator, task, samples, seed) | {"interface": interface}


def task_on_port(
    design: Design, task: str, *, port: str, baud: int, samples: int | None, seed: int
) -> dict[str, Any]:
    """A network on a board at a serial port.

    Raises
    ------
    ValueError
        As `run_network`.
    LinkError
        The port does not open, nobody answers there, or the board has another design.
    """
    from macsmith.host import Accelerator
    from macsmith.network_on_board import check_network

    check_network(design, task)
    accelerator = Accelerator.connect(port, design, baud=baud)
    return _run(accelerator, task, samples, seed) | {"interface": "uart"}


def _run(accelerator: Any, task: str, samples: int | None, seed: int) -> dict[str, Any]:
    from macsmith.network_on_board import run_network
    from macsmith.reports.progress import progress_line

    with accelerator, progress_line(task) as progress:
        return run_network(accelerator, task, samples=samples, seed=seed, progress=progress)
