"""Operand streams of many kinds for energy samples: codes, scales and port values of a design."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from macsmith.model import fast
from macsmith.model.accuracy.block_stimulus import block_sums
from macsmith.model.accuracy.quantise import Scaling, scale_matrix, target_magnitude
from macsmith.model.accuracy.stimulus import operand_stream, sum_products
from macsmith.model.design import Design
from macsmith.model.formats import Format
from macsmith.model.rounding import Overflow, Rounding
from macsmith.model.widths import mac_widths
from macsmith.sim.waveforms import port_waveforms
from numpy.typing import NDArray

__all__ = [
    "COUNT",
    "CYCLES",
    "STREAMS",
    "DrawnOperands",
    "draw_operands",
    "first_full_cycle",
    "has_stream",
]

#: Names of operand streams: of networks' layers, all codes alike, normally distributed numbers
#: whose largest are that share of the format's largest; those with so many activations 0 (of either
#: sign), with no negative activations, and with each activation held for so many steps.
STREAMS = (
    "smollm2/blk.0.attn_q",
    "smollm2/blk.14.ffn_up",
    "smollm2/blk.14.ffn_down",
    "smollm2/blk.29.attn_output",
    "g2p/dec_w_hh",
    "g2p/enc_w_ih",
    "uniform",
    "gaussian 1",
    "gaussian 0.25",
    "gaussian 0.125",
    "gaussian 0.0625",
    "zeros 0.5",
    "zeros 0.75",
    "zeros 0.9",
    "positive 1",
    "held 2",
    "held 4",
)
CYCLES, COUNT = 192, 64
_SUM = 576

Codes = NDArray[Any]


@dataclass(frozen=True)
class DrawnOperands:
    """Operands of one stream, as a design is given them.

    Attributes
    ----------
    a, b
        Codes ``[streams, rows, products]`` and ``[streams, columns, products]``.
    scales
        Of block formats: codes of the scales at each step, ``[streams, steps, n]``, those of all
        rows, then those of all columns; else None.
    sum_products
        Products after which a sum begins anew.
    """

    a: Codes
    b: Codes
    scales: Codes | None
    sum_products: int

    def waveforms(self, design: Design) -> dict[str, NDArray[np.generic]]:
        """Values of the design's ports, cycle by cycle."""
        return port_waveforms(
            design,
            self.a,
            self.b,
            sum_products=self.sum_products,
            reset_cycles=0 if design.implementation.form == "unit" else 2,
            scales=self.scales,
        )


def first_full_cycle(design: Design) -> int:
    """First cycle in which the whole design holds operands."""
    shape = design.implementation
    if shape.form == "unit":
        return 1
    return 3 + shape.stages + shape.rows + shape.columns - 2


def has_stream(design: Design, name: str) -> bool:
    """Whether a design's formats have a use for a stream.

    Networks have no unsigned operands, and the scales of blocks take the width of a distribution
    away.
    """
    mac, kind = design.mac, name.partition(" ")[0]
    if not (mac.a.is_signed and mac.b.is_signed):
        return mac.block is None and "/" not in name and kind != "positive"
    return mac.block is None or kind != "gaussian" or name == "gaussian 1"


def draw_operands(design: Design, name: str, seed: int = 0) -> DrawnOperands | None:
    """Operands of a stream by its name; None where a design `has_stream` not."""
    if not has_stream(design, name):
        return None
    mac, shape = design.mac, design.implementation
    most = mac_widths(mac).max_terms or _SUM
    whole = -(-CYCLES * mac.lanes // _SUM) * _SUM
    length = min(_SUM, most) // mac.lanes * mac.lanes
    if mac.block is not None:
        return _blocks(design, name, whole, length, seed)
    elements = max(shape.rows, shape.columns)
    a, b = _codes(design, name, whole, COUNT * elements, seed)
    a = a.reshape(COUNT, elements, whole)[:, : shape.rows]
    b = b.reshape(COUNT, elements, whole)[:, : shape.columns]
    return DrawnOperands(a, b, None, length)


def _codes(design: Design, name: str, products: int, count: int, seed: int) -> tuple[Codes, Codes]:
    """Codes ``[count, products]`` of a stream."""
    rng = np.random.Generator(np.random.PCG64(seed))
    kind, _, number = name.partition(" ")
    shape = (count, products)
    if kind == "gaussian":
        return _gaussian(design, rng, shape, float(number), 0.0)
    if kind == "zeros":
        return _gaussian(design, rng, shape, 1.0, float(number))
    if kind == "positive":
        return _gaussian(design, rng, shape, float(number), 0.0, is_positive=True)
    if kind == "held":
        a, b = _gaussian(design, rng, shape, 1.0, 0.0)
        return a[:, _held(design, products, int(number))], b
    a, b = operand_stream(name, design, count * products, seed)
    return a.reshape(shape), b.reshape(shape)


def _held(design: Design, products: int, times: int) -> NDArray[np.intp]:
    """Places from which activations come that each stay for so many steps."""
    lanes = design.mac.lanes
    places = np.arange(products)
    return places // (lanes * times) * lanes * times + places % lanes


def _gaussian(
    design: Design,
    rng: np.random.Generator,
    shape: tuple[int, ...],
    share: float,
    zeros: float,
    is_positive: bool = False,
) -> tuple[Codes, Codes]:
    """Codes of normally distributed numbers in rows of `_SUM` that share a scale; an unsigned
    format takes their magnitudes."""
    codes = []
    for side, fmt in enumerate((design.mac.a, design.mac.b)):
        values = rng.standard_normal((int(np.prod(shape)) // _SUM, _SUM), dtype=np.float32)
        largest = target_magnitude(fmt) if fmt.is_signed else float(fmt.max)
        values = scale_matrix(values, largest * share, Scaling.ROW).values
        if zeros and side == 0:
            values = values * (rng.random(values.shape) >= zeros)
        if is_positive and side == 0:
            values = np.maximum(values, 0)
        codes.append(_encoded(fmt, values).reshape(shape))
    return codes[0], codes[1]


def _encoded(fmt: Format, values: NDArray[Any]) -> Codes:
    numbers = values.astype(np.float32)
    if not fmt.is_signed:
        numbers = np.abs(numbers)
    return fast.encode(fmt, numbers, Rounding.NEAREST_EVEN, Overflow.SATURATE)


def _blocks(design: Design, name: str, whole: int, length: int, seed: int) -> DrawnOperands:
    mac, shape = design.mac, design.implementation
    rng = np.random.Generator(np.random.PCG64(seed))
    kind, _, number = name.partition(" ")
    is_drawn = kind in ("gaussian", "zeros", "positive", "held")
    block = mac.block or 1
    source = "gaussian" if is_drawn else name
    length = min(length, sum_products(source))
    length = max(length // block, 1) * block
    sums = -(-whole // length)
    elements = max(shape.rows, shape.columns)
    a, b = block_sums(source, design, COUNT * elements * sums, length, seed)
    steps = sums * length // mac.lanes
    at = np.arange(length // mac.lanes) * mac.lanes // block
    scales = [
        side.scales[:, at].reshape(COUNT, elements, steps)[:, :count].swapaxes(1, 2)
        for side, count in ((a, shape.rows), (b, shape.columns))
        if side.scales is not None
    ]
    a_codes = a.codes.reshape(COUNT, elements, -1)[:, : shape.rows]
    b_codes = b.codes.reshape(COUNT, elements, -1)[:, : shape.columns]
    if kind == "positive":
        negative = np.signbit(fast.decode(mac.a, a_codes))
        a_codes = np.where(negative, 0, a_codes).astype(a_codes.dtype)
    if kind == "zeros":
        a_codes = a_codes * (rng.random(a_codes.shape) >= float(number)).astype(a_codes.dtype)
    if kind == "held":
        a_codes = a_codes[..., _held(design, sums * length, int(number))]
    return DrawnOperands(a_codes, b_codes, np.concatenate(scales, axis=-1), length)
