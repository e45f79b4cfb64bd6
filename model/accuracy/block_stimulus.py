"""Operands of block formats for energy figures: elements with the scales of their blocks.

Scales come from the numbers themselves, by the format's own rule, so elements and scales fit
together as they do when a network runs.
"""

from dataclasses import dataclass

import numpy as np
from macsmith.model import fast
from macsmith.model.accuracy.block_arithmetic import BlockOperand, parse_block_scaling
from macsmith.model.accuracy.quantise import Codes, Scaling
from macsmith.model.accuracy.stimulus import (
    SYNTHETIC_PRODUCTS,
    Operands,
    layer_matrices,
    parse_operands,
    uniform_codes,
)
from macsmith.model.config import MacConfig
from macsmith.model.design import Design
from macsmith.model.formats import Format
from numpy.typing import NDArray

Rows = NDArray[np.int64]

__all__ = ["BlockCodes", "block_columns", "block_sums"]

UNIFORM_SCALES = (1 / 16, 16)
"""Least and largest scale of uniform operands: all of a format's would only overflow."""


@dataclass(frozen=True)
class BlockCodes:
    """Codes of one operand, blocks along the last axis.

    Attributes
    ----------
    codes
        ``[..., products]``.
    scales
        ``[..., ceil(products / block)]``; None for an operand without blocks.
    """

    codes: Codes
    scales: Codes | None

    def zeroed(self) -> "BlockCodes":
        """Zeros instead: of elements code 0, and of their scales what a block of zeros gets."""
        scales = None if self.scales is None else np.zeros_like(self.scales)
        return BlockCodes(np.zeros_like(self.codes), scales)


def block_sums(
    operands: str | Operands,
    design: Design,
    sums: int,
    products: int,
    seed: int = 0,
    *,
    scaling: str = Scaling.ROW.value,
) -> tuple[BlockCodes, BlockCodes]:
    """Operands of whole sums of a design of block formats, as one MAC takes them.

    Every sum is an output of the layer, or its first products where `products` are fewer; which
    outputs is drawn with `seed`, as `macsmith.model.accuracy.stimulus.operand_stream` does.

    Parameters
    ----------
    operands
        See `parse_operands`. Uniform ones have all finite elements equally often, and all scales
        in `UNIFORM_SCALES`.
    design
        Its operands count, at least one of which is a block format.
    products
        Of each sum. Beyond the layer's inputs come zeros, which fill up a block.
    scaling
        Rule for the scales of blocks; see `parse_block_scaling`.

    Returns
    -------
    a, b
        Activations ``[sums, products]`` and weights, with ``[sums, ceil(products / block)]``
        scales.

    Raises
    ------
    ValueError
        Unknown source, layer or scaling, or elements that the networks have no use for.
    MissingPackageError
        A package with the task's data is not installed.
    """
    chosen = parse_operands(operands)
    config, random = design.mac, np.random.Generator(np.random.PCG64(seed))
    if chosen.source == "uniform":
        shape = (sums, products)
        a, b = (_uniform(config, side, shape, random) for side in range(2))
        return a, b
    rows = max(2, -(-sums * products // SYNTHETIC_PRODUCTS))
    a, b = _quantised(chosen, config, scaling, rows, random)
    a_rows, b_rows = (random.integers(len(side.codes), size=sums) for side in (a, b))
    first = _blocks(config, products)
    return _part(a, a_rows, products, first), _part(b, b_rows, products, first)


def block_columns(
    operands: str | Operands,
    design: Design,
    streams: int,
    steps: int,
    rows: int,
    seed: int = 0,
    *,
    scaling: str = Scaling.ROW.value,
) -> tuple[BlockCodes, BlockCodes]:
    """Operands of columns of a weight-stationary array, one column for each stream.

    As `macsmith.model.accuracy.stimulus.weight_stationary_stream`; a column begins with a block.

    Parameters
    ----------
    rows
        Of the array; times the lanes a multiple of the block.

    Returns
    -------
    a
        ``[streams, steps, rows * lanes]``: each step another token.
    b
        ``[streams, rows * lanes]``, held over all steps.

    Raises
    ------
    ValueError, MissingPackageError
        As `block_sums`; or the layer has fewer inputs than a column, or a column ends in a block.
    """
    chosen = parse_operands(operands)
    config, random = design.mac, np.random.Generator(np.random.PCG64(seed))
    length, block = rows * config.lanes, config.block
    assert block is not None
    if length % block:
        raise ValueError(
            f"{design.text}: a column must be a multiple of the block of {block} products, not "
            f"{rows} rows of {config.lanes}"
        )
    if chosen.source == "uniform":
        return (
            _uniform(config, 0, (streams, steps, length), random),
            _uniform(config, 1, (streams, length), random),
        )
    a, b = _quantised(chosen, config, scaling, max(streams, steps), random)
    inputs = a.codes.shape[1]
    if length > inputs:
        raise ValueError(
            f"{chosen.text}: has {inputs} inputs in whole blocks; must be at least the {length} of "
            f"a column of {rows} rows"
        )
    tokens = (random.integers(len(a.codes), size=(streams, 1)) + np.arange(steps)) % len(a.codes)
    place = random.integers(inputs // length, size=streams)
    outputs = random.integers(len(b.codes), size=streams)

    def column(codes: Codes, of: Rows, width: int) -> Codes:
        places = place[:, np.newaxis] * width + np.arange(width)
        if of.ndim == 2:
            places = places[:, np.newaxis, :]
        chosen: Codes = codes[of[..., np.newaxis], places]
        return chosen

    a_part, b_part = (
        BlockCodes(
            column(side.codes, of, length),
            None if side.scales is None else column(side.scales, of, length // block),
        )
        for side, of in ((a, tokens), (b, outputs))
    )
    return a_part, b_part


def _blocks(config: MacConfig, products: int) -> int:
    assert config.block is not None
    return -(-products // config.block)


def _quantised(
    operands: Operands, config: MacConfig, scaling: str, rows: int, random: np.random.Generator
) -> tuple[BlockCodes, BlockCodes]:
    """All activations and weights of a layer, filled up with zeros to whole blocks."""
    rule = parse_block_scaling(config, scaling)
    matrices = layer_matrices(operands, rows, random)
    sides = []
    for name, matrix in zip(config.operand_names, matrices, strict=True):
        blocks = BlockOperand(name, rule).quantise(matrix)
        length = _blocks(config, matrix.shape[1]) * (config.block or 1)
        codes = np.pad(blocks.codes, ((0, 0), (0, length - matrix.shape[1])))
        sides.append(BlockCodes(codes, blocks.scales))
    return sides[0], sides[1]


def _part(side: BlockCodes, rows: Rows, products: int, blocks: int) -> BlockCodes:
    """The first products of some rows."""
    scales = None if side.scales is None else side.scales[rows, :blocks]
    return BlockCodes(side.codes[rows, :products], scales)


def _uniform(
    config: MacConfig, side: int, shape: tuple[int, ...], random: np.random.Generator
) -> BlockCodes:
    element = (config.a, config.b)[side]
    scale = (config.a_scale, config.b_scale)[side]
    codes = uniform_codes(element, shape, random)
    if scale is None:
        return BlockCodes(codes, None)
    chosen = random.choice(_middle_scales(scale), size=(*shape[:-1], _blocks(config, shape[-1])))
    return BlockCodes(codes, chosen)


def _middle_scales(fmt: Format) -> Codes:
    """Codes of the scales in `UNIFORM_SCALES`."""
    values = fast.decode(fmt, np.arange(1 << fmt.bits)).astype(np.float64)
    low, high = UNIFORM_SCALES
    return np.flatnonzero((values >= low) & (values <= high)).astype(np.uint32)
