"""Linear layers on operands in block formats: with exact sums, or bit for bit as a design has them.

A block format brings its own scales, so rows and tensors need none. An operand without blocks
beside one with them is scaled by row, as everywhere else.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np
from macsmith.model import fast, fast_blocks
from macsmith.model.accuracy.arithmetic import Float32Array, Work
from macsmith.model.accuracy.quantise import (
    Codes,
    Scaling,
    encode_values,
    scale_matrix,
    target_magnitude,
)
from macsmith.model.accuracy.quantised import decode_results, readable
from macsmith.model.block_formats import BlockFormat, parse_operand
from macsmith.model.blocks import BlockPolicy, ScaleRule, resolve_rule
from macsmith.model.config import MacConfig
from macsmith.model.formats import Format
from macsmith.model.widths import mac_widths
from numpy.typing import NDArray

__all__ = [
    "BitExactBlockArithmetic",
    "BlockArithmetic",
    "BlockMatrix",
    "BlockOperand",
    "parse_block_scaling",
]


def parse_block_scaling(config: MacConfig, name: str) -> ScaleRule:
    """The rule for the scales of blocks: ``row``, the default of all tasks, is the format's own.

    Raises
    ------
    ValueError
        There is none of that name; the message lists them.
    """
    operands = [parse_operand(operand) for operand in config.operand_names]
    block = next(each for each in operands if isinstance(each, BlockFormat))
    if name == Scaling.ROW.value:
        return resolve_rule(block, BlockPolicy())
    rules = {rule.value: rule for rule in ScaleRule}
    if name not in rules:
        raise ValueError(
            f"scaling of block formats must be one of {', '.join(rules)}, or row for the format's "
            f"own, not {name!r}"
        )
    return rules[name]


@dataclass(frozen=True)
class BlockMatrix:
    """Rows of an operand: codes, scales of its blocks (None without), and factors of whole rows."""

    codes: Codes
    scales: Codes | None
    factors: Float32Array
    values: Float32Array


class BlockOperand:
    """How one of the two operands is quantised, whether it has blocks or not.

    Parameters
    ----------
    name
        Of a block format or any other.
    rule
        For the scales of blocks.
    """

    def __init__(self, name: str, rule: ScaleRule) -> None:
        fmt = parse_operand(name)
        self.block = fmt if isinstance(fmt, BlockFormat) else None
        self.element: Format = fmt.element if isinstance(fmt, BlockFormat) else fmt
        self.target = target_magnitude(self.element)
        self.policy = BlockPolicy(rule)

    def quantise(self, matrix: Float32Array) -> BlockMatrix:
        """Codes of a matrix ``[rows, K]`` and the values they stand for, but for the factors."""
        if self.block is None:
            scaled = scale_matrix(matrix, self.target, Scaling.ROW)
            codes = encode_values(self.element, scaled.values)
            values = fast.decode(self.element, codes).astype(np.float32)
            return BlockMatrix(codes, None, scaled.scales, values)
        blocks = fast_blocks.quantise(self.block, matrix, self.policy)
        factor = np.full((1, 1), float(blocks.tensor), dtype=np.float32)
        own = fast_blocks.Quantised(blocks.codes, blocks.scales, Fraction(1))
        values = fast_blocks.dequantise(self.block, own).astype(np.float32)
        return BlockMatrix(blocks.codes, blocks.scales, factor, values)


class BlockArithmetic:
    """Operands quantised in blocks, products summed as if without rounding.

    The sum is float32 BLAS on the quantised values, as in
    `macsmith.model.accuracy.quantised.ExactArithmetic`.

    Parameters
    ----------
    config
        Its A are activations, its B weights; the accumulator does not matter.
    rule
        For the scales of both.
    """

    def __init__(self, config: MacConfig, rule: ScaleRule) -> None:
        self.config = config
        a, b = config.operand_names
        self._a, self._b = BlockOperand(a, rule), BlockOperand(b, rule)
        self.work = Work()

    def prepare_weight(self, name: str, weight: Float32Array) -> BlockMatrix:
        """Quantise weights."""
        self.work.layers.add(name)
        return self._b.quantise(weight)

    def prepare_input(self, activations: Float32Array) -> BlockMatrix:
        """Quantise activations."""
        return self._a.quantise(activations)

    def product(self, prepared_input: BlockMatrix, prepared_weight: BlockMatrix) -> Float32Array:
        """Return the product of the quantised values, times what scales rows and tensors."""
        a, b = prepared_input, prepared_weight
        self.work.macs += a.codes.shape[0] * b.codes.size
        with np.errstate(invalid="ignore", over="ignore"):
            result = self._sums(a, b)
            result *= a.factors
            result *= b.factors.T
        self.work.non_finite_outputs += int(result.size - np.count_nonzero(np.isfinite(result)))
        return result

    def _sums(self, a: BlockMatrix, b: BlockMatrix) -> Float32Array:
        return a.values @ b.values.T


class BitExactBlockArithmetic(BlockArithmetic):
    """Operands quantised in blocks, and every sum computed bit for bit as the design has it.

    Sums that exceed a short accumulator overflow as they do in the hardware: scales of blocks are
    those of the format, and nothing is moved down for the accumulator's sake.

    Parameters
    ----------
    config, rule
        As of `BlockArithmetic`.
    matmul
        Computes result codes from codes ``[M, K]`` and ``[K, N]`` and, where an operand has
        blocks, `a_scales` ``[M, blocks]`` and `b_scales` ``[blocks, N]``; by default the compiled
        golden model.
    """

    def __init__(
        self, config: MacConfig, rule: ScaleRule, *, matmul: Callable[..., Codes] | None = None
    ) -> None:
        super().__init__(readable(config), rule)
        self._matmul = matmul or partial(fast.matmul, self.config)
        self.largest_headroom_binades = 0
        self.largest_passes = 1
        self._error, self._products = 0.0, 0

    @property
    def relative_rms_error(self) -> float:
        """Error of the sums against exact sums of the same operands, as of
        `macsmith.model.accuracy.quantised.BitExactArithmetic`."""
        return math.sqrt(self._error / self._products) if self._products else 0.0

    def _sums(self, a: BlockMatrix, b: BlockMatrix) -> Float32Array:
        config = self.config
        assert config.block is not None
        length = a.codes.shape[1]
        padding = -length % config.lanes
        a_codes = np.pad(a.codes, ((0, 0), (0, padding)))
        b_codes = np.pad(b.codes, ((0, 0), (0, padding))).T
        limit = (mac_widths(config).max_terms or length + padding) // config.block * config.block
        terms = max(limit, config.block)
        total = np.zeros((len(a.codes), len(b.codes)))
        for first in range(0, length + padding, terms):
            part = slice(first, first + terms)
            blocks = slice(first // config.block, (first + terms) // config.block)
            codes = self._matmul(
                a_codes[:, part],
                b_codes[part],
                a_scales=None if a.scales is None else a.scales[:, blocks],
                b_scales=None if b.scales is None else b.scales[:, blocks].T,
            )
            total += decode_results(config, codes)
        self.largest_passes = max(self.largest_passes, -(-(length + padding) // terms))
        self._compare(total, (a.values @ b.values.T).astype(np.float64))
        return total.astype(np.float32)

    def _compare(self, sums: NDArray[np.float64], exact: NDArray[Any]) -> None:
        good = np.isfinite(sums) & np.isfinite(exact)
        reference = np.where(good, exact, 0.0).reshape(-1)
        error = np.where(good, sums, 0.0).reshape(-1) - reference
        if size := float(reference @ reference):
            self._error += float(error @ error) / size
            self._products += 1
