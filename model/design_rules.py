"""Which computations go with which ways to build them; what does not is refused in one line."""

from __future__ import annotations

from collections.abc import Sequence

from macsmith.model.accumulators import ChunkedAccumulator, format_accumulator
from macsmith.model.config import MacConfig
from macsmith.model.implementation import Implementation
from macsmith.model.switch import check_modes
from macsmith.model.widths import mac_widths

__all__ = ["check_design"]

Modes = Sequence[MacConfig]


def check_design(modes: Modes, implementation: Implementation) -> None:
    """ValueError unless the modes, one where nothing is switched, can be built in this way."""
    mac, is_switchable = modes[0], len(modes) > 1
    if is_switchable:
        _check_switchable(modes, implementation)
    elif implementation.share != "auto":
        raise ValueError("share is for designs of several modes, such as e4m3+e5m2:exact")
    if implementation.feed == "broadcast" and (
        is_switchable or mac.random_bits or implementation.outer == "shared"
    ):
        raise ValueError(
            "feed=broadcast is for arrays of one mode, without stochastic rounding and with "
            "outer adders in the elements (outer=own): leave it out"
        )
    if implementation.interleave > 1:
        _check_interleave(modes, implementation)
    if implementation.is_weight_stationary:
        _check_weight_stationary(modes, implementation)
    if implementation.outer == "shared":
        _check_shared_outer(modes, implementation)
    if implementation.loop == "carrysave":
        _check_carry_save(modes, implementation)
    if implementation.accumulate not in ("auto", "whole"):
        _check_accumulate(modes, implementation)
    if mac.block is not None:
        _check_blocks(implementation)
    if mac_widths(mac).last.posit is not None and implementation.dsp == "on":
        raise ValueError("dsp=on: a posit accumulator has no form with DSP blocks: leave it out")
    _check_random(mac, implementation)


def _check_switchable(modes: Modes, implementation: Implementation) -> None:
    check_modes(modes)
    if modes[0].requantise is not None:
        raise ValueError("modes cannot be switched with an output stage (requant) yet")
    if modes[0].stochastic is not None:
        raise ValueError("modes cannot be switched with stochastic rounding yet")
    if implementation.is_array and implementation.dsp == "on":
        raise ValueError(
            "dsp=on: an array of several modes has no form with DSP blocks: leave it out"
        )
    if any(mac_widths(mode).last.posit is not None for mode in modes):
        raise ValueError("modes cannot be switched with a posit accumulator yet")
    if any(mode.block is not None for mode in modes):
        raise ValueError("block formats cannot be switched at run time: state one mode")


def _check_random(mac: MacConfig, implementation: Implementation) -> None:
    if implementation.lfsr == "port" and not mac.random_bits:
        raise ValueError("lfsr=port needs stochastic rounding (srN): nothing else is random")
    if implementation.lfsr == "each" and not (mac.random_bits and implementation.is_array):
        raise ValueError(
            "lfsr=each gives each element of an array its own random words: it must be an "
            "array (RxC) with stochastic rounding (srN); leave it out"
        )
    if implementation.lfsr == "port" and implementation.form == "unit":
        raise ValueError("a unit always has its random word at a port: leave lfsr=port out")


def _check_interleave(modes: Modes, implementation: Implementation) -> None:
    what = f"interleave{implementation.interleave}"
    if len(modes) > 1 or modes[0].random_bits:
        raise ValueError(
            f"{what}: sums are interleaved neither in several modes nor with stochastic "
            "rounding: leave it out"
        )
    if implementation.loop == "carrysave":
        raise ValueError(f"{what} or loop=carrysave make a short loop, not both: leave one out")


def _check_weight_stationary(modes: Modes, implementation: Implementation) -> None:
    what = f"a weight-stationary array (ws) of {implementation.rows} rows"
    if len(modes) > 1 or modes[0].random_bits or modes[0].block is not None:
        raise ValueError(
            f"{what} has neither several modes, stochastic rounding nor block formats: leave ws out"
        )
    accumulator = modes[0].accumulator
    if isinstance(accumulator, ChunkedAccumulator):
        products = implementation.rows * modes[0].lanes
        if accumulator.length % products:
            raise ValueError(
                f"{what} adds {products} products on the way through a column: a chunk must be "
                f"a multiple of them, not {accumulator.length}"
            )


def _check_blocks(implementation: Implementation) -> None:
    if implementation.outer == "shared" or implementation.feed == "broadcast":
        raise ValueError(
            "an array of block formats hands its operands on, and has an outer adder in each "
            "element: leave outer=shared and feed=broadcast out"
        )
    if (
        implementation.loop == "carrysave"
        or implementation.fpga != "none"
        or implementation.interleave > 1
        or implementation.accumulate not in ("auto", "whole")
    ):
        raise ValueError(
            "block formats take neither loop=carrysave, accumulate=, fpga= nor interleaveN: "
            "leave it out"
        )


def _check_carry_save(modes: Modes, implementation: Implementation) -> None:
    widths = mac_widths(modes[0]).inner
    if widths.code_format is not None or widths.clips:
        raise ValueError(
            "loop=carrysave keeps a fixed-point sum as two numbers: the inner accumulator must "
            f"be exact or intN and not clip, not {format_accumulator(modes[0].accumulator)}; "
            "take loop=apart"
        )
    if implementation.form == "unit" or len(modes) > 1 or implementation.fpga != "none":
        raise ValueError(
            "loop=carrysave is for a MAC or an array with one mode and of standard cells, not "
            "for a unit, modes or fpga=; take loop=merged"
        )


def _check_accumulate(modes: Modes, implementation: Implementation) -> None:
    widths = mac_widths(modes[0]).inner
    asked = f"accumulate={implementation.accumulate}"
    if widths.code_format is not None or widths.clips:
        raise ValueError(
            f"{asked} keeps a fixed-point sum in parts: the inner accumulator must be exact or "
            f"intN and not clip, not {format_accumulator(modes[0].accumulator)}; leave it out"
        )
    if implementation.form == "unit" or len(modes) > 1 or implementation.fpga != "none":
        raise ValueError(
            f"{asked} is for a MAC or an array with one mode and of standard cells, not for a "
            "unit, modes or fpga=; leave it out"
        )
    if implementation.interleave > 1:
        raise ValueError(f"{asked} is for one sum at a time: leave interleave out")
    if implementation.loop == "carrysave":
        raise ValueError(
            f"{asked} and loop=carrysave are two ways to keep a sum in parts: leave one out"
        )


def _check_shared_outer(modes: Modes, implementation: Implementation) -> None:
    if len(modes) > 1:
        raise ValueError("outer=shared: modes are not switched in a shared adder; leave it out")
    accumulator, rows = modes[0].accumulator, implementation.rows
    if not isinstance(accumulator, ChunkedAccumulator):
        raise ValueError(
            "outer=shared shares the adder of chunks: the accumulator must be chunked, such "
            f"as e6m9/64, not {format_accumulator(accumulator)}"
        )
    if rows < 2:
        raise ValueError(
            "outer=shared serves the rows of an array: it must have 2 rows or more, not "
            f"{rows}; leave it out"
        )
    beats = accumulator.length // modes[0].lanes
    if beats < rows:
        raise ValueError(
            f"outer=shared adds one row's chunk per cycle: a chunk must have at least as many "
            f"beats as the array has rows, {rows}, not {beats}; take outer=own, longer chunks "
            "or fewer rows"
        )
