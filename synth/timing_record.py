"""Static timing of a mapped design as a JSON-ready record."""

import math
from dataclasses import asdict
from typing import Any

from macsmith.synth.cells import Technology
from macsmith.synth.synthesize import MappedDesign
from macsmith.synth.timing import analyse_hold

__all__ = ["seven_digits", "timing_record"]


def timing_record(
    design: MappedDesign, technology: Technology, period_ps: float | None
) -> dict[str, Any]:
    """Figures of static timing of a mapped design, flat but for two.

    Parameters
    ----------
    period_ps
        Clock period for ``slack_ps``; None: there is none.

    Returns
    -------
    dict
        ``arrival_ps`` is by output port, of its latest bit; ``worst_path`` lists the steps, each a
        dict with the fields of `PathStep`. What a design has not (a setup time, a frequency) is
        missing.
    """
    timing = design.timing
    hold = analyse_hold(design.netlist(), technology) if timing.is_registered else None
    figures = {
        "setup_ps": timing.setup_ps if timing.is_registered else None,
        "clock_to_output_ps": timing.clock_to_output_ps,
        "fmax_mhz": timing.fmax_mhz,
        "hold_slack_ps": hold.slack_ps if hold else None,
        "clock_ps": period_ps,
        "slack_ps": None if period_ps is None else timing.slack_ps(period_ps),
    }
    record: dict[str, Any] = {k: seven_digits(v) for k, v in figures.items() if v is not None}
    record["endpoint"] = timing.endpoint
    record["arrival_ps"] = {
        port: seven_digits(max(bits, default=0.0)) for port, bits in timing.arrivals_ps.items()
    }
    record["worst_path"] = [
        {k: seven_digits(v) if isinstance(v, float) else v for k, v in asdict(step).items()}
        for step in timing.path
    ]
    return record


def seven_digits(value: float) -> float:
    """Seven significant digits: enough for any comparison, the same on every machine."""
    if not math.isfinite(value):
        raise ValueError(f"figure {value} must be finite")
    return float(f"{value:.7g}")
