"""An accelerator's files where the other steps leave theirs."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast, get_args

from macsmith.model.design import Design, parse_design

__all__ = ["generate_accelerator"]

#: How far a serial line's rate may be off: a receiver samples ten bits in a row.
_BAUD_TOLERANCE = 0.02


def generate_accelerator(
    design: Design | str,
    directory: Path | str | None = None,
    *,
    interface: str = "axi",
    depth: int = 512,
    clock_hz: float = 25e6,
    baud: float = 1e6,
    build_dir: Path | str = Path("build"),
) -> dict[str, Any]:
    """Write an accelerator's Verilog, register table, C header and manifest.

    Parameters
    ----------
    directory
        Where the files go, instead of ``<build_dir>/<design id>/accelerator/<interface>``.
    interface
        ``axi`` or ``uart``.
    depth
        Entries in each of the two banks of A and of B, a power of two.
    clock_hz, baud
        Of the clock and of the serial line, for ``uart``.
    build_dir
        Folder of artefacts.

    Returns
    -------
    dict
        What the manifest says, with ``directory`` and ``files`` as paths.

    Raises
    ------
    ValueError
        The design text, the interface, the depth or the baud rate is wrong, or the accelerator
        cannot be built.
    YosysError
        Yosys failed.
    OSError
        The folder cannot be written.
    """
    from macsmith.hw.emit_accelerator import Interface
    from macsmith.hw.emit_accelerator import generate_accelerator as emit

    design = parse_design(design) if isinstance(design, str) else design
    if interface not in get_args(Interface):
        raise ValueError(
            f"an accelerator's interface must be {' or '.join(get_args(Interface))}, "
            f"not {interface!r}"
        )
    divisor = cycles_per_bit(clock_hz, baud) if interface == "uart" else 4
    folder = (
        Path(directory) if directory else Path(build_dir) / design.id / "accelerator" / interface
    )
    made = emit(
        design,
        folder,
        interface=cast(Interface, interface),
        a_depth=depth,
        b_depth=depth,
        divisor=divisor,
    )
    return {
        **made.manifest,
        "directory": str(folder),
        "files": [str(path) for path in made.files],
    }


def cycles_per_bit(clock_hz: float, baud: float) -> int:
    """Clock cycles of a bit on a serial line.

    Raises
    ------
    ValueError
        The rates are not positive, or no whole number of at least 4 cycles comes within 2 % of
        the baud rate.
    """
    if not (clock_hz > 0 and baud > 0):
        raise ValueError(f"clock and baud rate must be positive, not {clock_hz:g} and {baud:g}")
    divisor = round(clock_hz / baud)
    if divisor < 4:
        raise ValueError(
            f"{baud:g} baud must be at most a quarter of the clock, {clock_hz / 4:g}: the receiver "
            "takes 4 cycles a bit"
        )
    if abs(clock_hz / divisor / baud - 1) > _BAUD_TOLERANCE:
        raise ValueError(
            f"{baud:g} baud must divide the clock of {clock_hz:g} Hz within 2 %: the nearest are "
            f"{clock_hz / divisor:g} and {clock_hz / (divisor + 1):g}"
        )
    return divisor
