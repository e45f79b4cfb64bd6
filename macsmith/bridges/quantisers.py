"""The price of a quantiser: binary32 numbers become codes of a format, or blocks of one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from macsmith.bridges.components import Component, feature_nm
from macsmith.hw.quantiser import format_quantiser_verilog, quantiser_verilog
from macsmith.model import fast
from macsmith.model.block_formats import BlockFormat, parse_operand
from macsmith.model.formats import FloatFormat, parse_format
from macsmith.synth.price import price
from macsmith.synth.recipes import RECIPES, Recipe

__all__ = ["price_quantiser"]

_CYCLES, _STREAMS = 40, 64


def price_quantiser(
    name: str,
    technology: str,
    *,
    build_dir: Path,
    seed: int = 0,
    recipes: Sequence[Recipe] = RECIPES,
) -> Component:
    """Price a combinational quantiser of binary32 numbers.

    Its energy is that of Gaussian numbers whose standard deviation is a quarter of the format's
    largest number; of a block format, 1.

    Parameters
    ----------
    name
        A format or block format.
    technology
        A kept standard-cell technology.
    recipes
        That are run; the figures are those of the netlist with the least area times delay.

    Raises
    ------
    ValueError
        Unknown format or technology.
    RuntimeError
        Yosys or ABC failed.
    """
    feature = feature_nm(technology)
    fmt, source = parse_operand(name), parse_format("fp32")
    assert isinstance(source, FloatFormat)
    top = f"quantise_{source.name}_to_{fmt.name}"
    if isinstance(fmt, BlockFormat):
        verilog, port = quantiser_verilog(fmt, source), "values"
        length, bits, scale = fmt.length, fmt.element.bits, f" and 1 / {fmt.length} of its scale"
    else:
        verilog, port = format_quantiser_verilog(fmt, source), "partial_sum"
        length, bits, scale = 1, fmt.bits, ""
    folder = build_dir / "quantisers" / technology / top
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{top}.v"
    path.write_text(verilog, encoding="utf-8")
    deviation = 1.0 if isinstance(fmt, BlockFormat) else float(fmt.max) / 4
    numbers = deviation * np.random.default_rng(seed).standard_normal((_CYCLES, _STREAMS, length))
    codes = fast.encode(source, numbers.astype(np.float32))
    record = price(
        path,
        top,
        technology,
        build_dir=folder / "synth",
        waveforms={port: _port_values(codes)},
        macs_per_cycle=length,
        recipes=recipes,
    )
    return Component(
        kind="quantiser",
        design=fmt.name,
        technology=technology,
        area_um2=record["area_um2"] / length,
        energy_pj=record["energy_pj_per_mac"],
        leakage_nw=record["leakage_nw"] / length,
        delay_ps=record["delay_ps"],
        latency_cycles=1,
        input_bits=(source.bits,),
        output_bits=bits,
        feature_nm=feature,
        source=f"synthesised, recipe {record['recipe']}; one number{scale}; energy: Gaussian "
        "numbers",
    )


def _port_values(codes: NDArray[np.unsignedinteger]) -> NDArray[np.unsignedinteger]:
    """Binary32 codes [cycles, streams, length] as values of a port, the first number lowest."""
    length = codes.shape[2]
    if length == 1:
        return codes[:, :, 0]
    padded = np.pad(codes, ((0, 0), (0, 0), (0, length % 2))).astype("<u4")
    words = padded.view("<u8")
    return words if words.shape[2] > 1 else words[:, :, 0]
