"""A board's clock multiplied by the PLL of its FPGA.

Limits: iCE40 sysCLOCK PLL (Lattice FPGA-TN-02052), ECP5 (FPGA-TN-02200 and the data sheet
FPGA-DS-02012): frequencies of the reference behind its divider, and of the oscillator.
"""

from dataclasses import dataclass
from typing import Any

from amaranth.hdl import ClockDomain, ClockSignal, Const, Instance, Module, Signal
from amaranth.lib import io

__all__ = ["PllSettings", "place_pll", "pll_settings"]

_TOLERANCE = 0.01
#: iCE40: upper ends of the reference's ranges in MHz, from FILTER_RANGE 1.
_FILTER_ENDS_MHZ = (17.0, 26.0, 44.0, 66.0, 101.0, 133.0)


@dataclass(frozen=True)
class PllSettings:
    """Dividers: the output is reference * `feedback` / `reference` (and / `output` on the iCE40,
    whose feedback comes from the oscillator)."""

    reference: int
    feedback: int
    output: int
    frequency: float


def pll_settings(family: str, reference_hz: float, wanted_hz: float) -> PllSettings:
    """Dividers for a frequency, to within 1 %: the nearest, of these the fewest steps.

    Raises
    ------
    ValueError
        The PLL of the family cannot give it.
    """
    found: list[tuple[float, int, PllSettings]] = []
    for reference in range(1, 17 if family == "ice40" else 129):
        phase_hz = reference_hz / reference
        if family == "ice40":
            if not 10e6 <= phase_hz <= 133e6:
                continue
            choices = [
                (feedback, 1 << shift, phase_hz * feedback, phase_hz * feedback / (1 << shift))
                for feedback in range(1, 129)
                for shift in range(1, 7)
                if 533e6 <= phase_hz * feedback <= 1066e6
            ]
        else:
            if not 3.125e6 <= phase_hz <= 400e6:
                continue
            choices = [
                (feedback, output, phase_hz * feedback * output, phase_hz * feedback)
                for feedback in range(1, 81)
                for output in range(1, 129)
                if 400e6 <= phase_hz * feedback * output <= 800e6
            ]
        for feedback, output, _, frequency in choices:
            settings = PllSettings(reference, feedback, output, frequency)
            found.append((abs(frequency / wanted_hz - 1), reference, settings))
    best = min(found, key=lambda each: each[:2], default=None)
    if best is None or best[0] > _TOLERANCE:
        near = "" if best is None else f"; the nearest is {best[2].frequency / 1e6:g} MHz"
        raise ValueError(
            f"--clock: the {family} PLL must make {wanted_hz / 1e6:g} MHz of "
            f"{reference_hz / 1e6:g} MHz, to 1 %, which it cannot{near}"
        )
    return best[2]


def place_pll(m: Module, platform: Any, family: str, settings: PllSettings) -> Signal:
    """Make the domain ``sync`` of a platform's clock; returns a signal that says it is steady."""
    m.domains.sync = ClockDomain(reset_less=True)
    clock, is_locked = Signal(name="pll_clock"), Signal(name="pll_locked")
    port = platform.request(platform.default_clk, dir="-")
    if family == "ice40":
        phase_mhz = platform.default_clk_frequency / 1e6 / settings.reference
        ranges = [1 + index for index, end in enumerate(_FILTER_ENDS_MHZ) if phase_mhz <= end]
        # the UltraPlus has its PLL at the pin that the clock comes in at
        is_pad = "UP" in platform.device
        source: dict[str, Any] = {"io_PACKAGEPIN": port.io}
        if not is_pad:
            m.submodules.clock_buffer = buffer = io.Buffer(io.Direction.Input, port)
            source = {"i_REFERENCECLK": buffer.i}
        m.submodules.pll = Instance(
            "SB_PLL40_PAD" if is_pad else "SB_PLL40_CORE",
            p_FEEDBACK_PATH="SIMPLE",
            p_DIVR=Const(settings.reference - 1, 4),
            p_DIVF=Const(settings.feedback - 1, 7),
            p_DIVQ=Const(settings.output.bit_length() - 1, 3),
            p_FILTER_RANGE=Const(ranges[0], 3),
            i_RESETB=Const(1),
            i_BYPASS=Const(0),
            o_PLLOUTGLOBAL=clock,
            o_LOCK=is_locked,
            **source,
        )
    else:
        m.submodules.clock_buffer = buffer = io.Buffer(io.Direction.Input, port)
        m.submodules.pll = Instance(
            "EHXPLLL",
            p_CLKI_DIV=settings.reference,
            p_CLKFB_DIV=settings.feedback,
            p_CLKOP_DIV=settings.output,
            p_CLKOP_ENABLE="ENABLED",
            p_CLKOP_CPHASE=settings.output // 2,
            p_FEEDBK_PATH="CLKOP",
            i_CLKI=buffer.i,
            i_CLKFB=clock,
            i_RST=Const(0),
            i_STDBY=Const(0),
            i_PHASESEL0=Const(0),
            i_PHASESEL1=Const(0),
            i_PHASEDIR=Const(0),
            i_PHASESTEP=Const(0),
            i_PHASELOADREG=Const(0),
            i_PLLWAKESYNC=Const(0),
            i_ENCLKOP=Const(0),
            o_CLKOP=clock,
            o_LOCK=is_locked,
        )
    m.d.comb += ClockSignal().eq(clock)
    platform.add_clock_constraint(clock, settings.frequency)
    return is_locked
