"""Linear layers on quantised operands: with exact sums, or bit for bit as a design has them."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from macsmith.model import fast, golden
from macsmith.model.accumulators import AlignedAccumulator, ChunkedAccumulator, FloatAccumulator
from macsmith.model.accuracy.arithmetic import Float32Array, Work
from macsmith.model.accuracy.quantise import (
    Codes,
    ScaledMatrix,
    Scaling,
    encode_values,
    round_matrix,
    scale_matrix,
    target_magnitude,
)
from macsmith.model.config import MacConfig
from macsmith.model.formats import FloatFormat, Format, parse_format
from macsmith.model.widths import mac_widths
from numpy.typing import NDArray


class ExactArithmetic:
    """Operands quantised, products summed as if without rounding.

    The sum is float32 BLAS on the quantised values: products of operands with up to 12 significand
    bits are exact in it, and its rounding (about 1e-6 of the sum of magnitudes) is far below
    anything these networks notice.

    Parameters
    ----------
    a, b
        Formats of activations and of weights.
    scaling
        Rule for the scales of both.
    """

    def __init__(self, a: Format, b: Format, scaling: Scaling) -> None:
        self.a, self.b, self.scaling = a, b, scaling
        self._target_a, self._target_b = target_magnitude(a), target_magnitude(b)
        self.work = Work()

    def prepare_weight(self, name: str, weight: Float32Array) -> ScaledMatrix:
        """Scale and round weights."""
        self.work.layers.add(name)
        return round_matrix(self.b, scale_matrix(weight, self._target_b, self.scaling))

    def prepare_input(self, activations: Float32Array) -> ScaledMatrix:
        """Scale and round activations."""
        return round_matrix(self.a, scale_matrix(activations, self._target_a, self.scaling))

    def product(self, prepared_input: ScaledMatrix, prepared_weight: ScaledMatrix) -> Float32Array:
        """Return the product of the rounded values, times both scales."""
        self.work.macs += prepared_input.values.shape[0] * prepared_weight.values.size
        with np.errstate(invalid="ignore", over="ignore"):
            result = prepared_input.values @ prepared_weight.values.T
            result *= prepared_input.scales
            result *= prepared_weight.scales.T
        self.work.non_finite_outputs += int(result.size - np.count_nonzero(np.isfinite(result)))
        return result


@dataclass
class BitExactWeight:
    """Scaled weights of a layer and their codes, by the binades they were moved down."""

    layer: str
    scaled: ScaledMatrix
    largest_norm: float
    codes: dict[int, Codes] = field(default_factory=dict)


@dataclass(frozen=True)
class BitExactInput:
    """Scaled activations, and a bound of their effect on a sum."""

    scaled: ScaledMatrix
    largest_norm: float


class BitExactArithmetic:
    """Operands quantised, and every sum computed bit for bit as the design computes it.

    A float accumulator or output format that is too short for the largest sums (E5M2 products in
    1-6-9, anything in FP16) would overflow. Whoever uses such hardware scales operands down
    first, and so does this class: no partial sum can exceed ``norm(a) * norm(b)`` (Cauchy and
    Schwarz), so the operands of a product are moved down together by the least power of two that
    keeps twice this bound in range, half of it on each side. Fixed-point accumulators are left
    alone: they are wide enough by construction, or wrap and clip as the design says.

    A sum longer than the design was built for is computed in several passes, whose results are
    added in float64; one that does not fill all lanes is padded with zeros.

    Parameters
    ----------
    config
        What the design computes; its A are activations, its B weights.
    scaling
        Rule for the scales of both.
    matmul
        Computes result codes ``[M, N]`` from codes ``[M, K]`` and ``[K, N]`` of the configuration
        `readable` gives; by default the compiled golden model.
    """

    def __init__(
        self,
        config: MacConfig,
        scaling: Scaling,
        *,
        matmul: Callable[[Codes, Codes], Codes] | None = None,
    ) -> None:
        self.config, self.scaling = readable(config), scaling
        self._matmul = matmul or self._golden_matmul
        self._target_a = target_magnitude(config.a)
        self._target_b = target_magnitude(config.b)
        self._limit = largest_sum(config)
        self.work = Work()
        self.largest_headroom_binades = 0
        self.largest_passes = 1
        self._error, self._products = 0.0, 0

    def prepare_weight(self, name: str, weight: Float32Array) -> BitExactWeight:
        """Scale weights; they are encoded when the headroom of a product is known."""
        self.work.layers.add(name)
        scaled = scale_matrix(weight, self._target_b, self.scaling)
        return BitExactWeight(name, scaled, _largest_row_norm(scaled.values))

    def prepare_input(self, activations: Float32Array) -> BitExactInput:
        """Scale activations; they are encoded when the headroom of a product is known."""
        scaled = scale_matrix(activations, self._target_a, self.scaling)
        return BitExactInput(scaled, _largest_row_norm(scaled.values))

    def product(
        self, prepared_input: BitExactInput, prepared_weight: BitExactWeight
    ) -> Float32Array:
        """Return the decoded results of the design, times both scales."""
        headroom = self._headroom(prepared_input.largest_norm * prepared_weight.largest_norm)
        down_a, down_b = (headroom + 1) // 2, headroom // 2
        a_codes = _encode(self.config.a, prepared_input.scaled.values, down_a)
        if down_b not in prepared_weight.codes:
            codes = _encode(self.config.b, prepared_weight.scaled.values, down_b)
            prepared_weight.codes[down_b] = np.ascontiguousarray(codes.T)
        b_codes = prepared_weight.codes[down_b]
        self.work.macs += a_codes.shape[0] * b_codes.size
        sums = self._sum(a_codes, b_codes)
        self._compare(a_codes, b_codes, sums)
        self.work.non_finite_outputs += int(sums.size - np.count_nonzero(np.isfinite(sums)))
        # The same operations in the same order as with exact sums: equal sums give equal results.
        with np.errstate(invalid="ignore", over="ignore"):
            result = (sums * 2.0**headroom).astype(np.float32)
            result *= prepared_input.scaled.scales
            result *= prepared_weight.scaled.scales.T
        return result

    @property
    def relative_rms_error(self) -> float:
        """Error of the sums against exact sums of the same operands, over all products so far.

        The root of the mean over products of (squared error / squared exact sum). NaN and infinite
        sums are left out; `work` counts them.
        """
        return math.sqrt(self._error / self._products) if self._products else 0.0

    def _compare(self, a_codes: Codes, b_codes: Codes, sums: NDArray[np.float64]) -> None:
        a = fast.decode(self.config.a, a_codes).astype(np.float32)
        b = fast.decode(self.config.b, b_codes).astype(np.float32)
        with np.errstate(invalid="ignore", over="ignore"):
            exact = (a @ b).astype(np.float64)
        good = np.isfinite(sums) & np.isfinite(exact)
        exact = np.where(good, exact, 0.0).reshape(-1)
        error = np.where(good, sums, 0.0).reshape(-1) - exact
        if size := float(exact @ exact):
            self._error += float(error @ error) / size
            self._products += 1

    def _headroom(self, bound: float) -> int:
        # Twice the bound: rounding may have lifted operands, and lifts partial sums.
        if self._limit is None or 2 * bound <= self._limit:
            return 0
        headroom = math.ceil(math.log2(2 * bound / self._limit))
        self.largest_headroom_binades = max(self.largest_headroom_binades, headroom)
        return headroom

    def _golden_matmul(self, a_codes: Codes, b_codes: Codes) -> Codes:
        return fast.matmul(self.config, a_codes, b_codes)

    def _sum(self, a_codes: Codes, b_codes: Codes) -> NDArray[np.float64]:
        lanes = self.config.lanes
        length = a_codes.shape[1]
        if padding := -length % lanes:
            if golden.product(self.config, 0, 0).value != 0:
                raise ValueError(
                    f"{self.config.a.name}x{self.config.b.name}: a product has no zero to fill "
                    f"{lanes} lanes with, which {length} products do not: choose other lanes"
                )
            # Code 0 is zero in every format but binary, which needs another factor that is.
            a_codes = np.pad(a_codes, ((0, 0), (0, padding)))
            b_codes = np.pad(b_codes, ((0, padding), (0, 0)))
            length += padding
        limit = mac_widths(self.config).max_terms or length
        terms = limit // lanes * lanes
        passes = -(-length // terms)
        self.largest_passes = max(self.largest_passes, passes)
        total = np.zeros((a_codes.shape[0], b_codes.shape[1]))
        for start in range(0, length, terms):
            part = slice(start, start + terms)
            codes = self._matmul(a_codes[:, part], b_codes[part])
            total += decode_results(self.config, codes)
        return total


def largest_sum(config: MacConfig) -> float | None:
    """Return the largest magnitude that every float on the way to a result holds; None without one.

    Rounded products, inner and outer accumulator, and the result's format count.
    """
    accumulator = config.accumulator
    parts = (
        (accumulator.inner, accumulator.outer)
        if isinstance(accumulator, ChunkedAccumulator)
        else (accumulator,)
    )
    formats: list[Format | None] = [
        part.format for part in parts if isinstance(part, FloatAccumulator | AlignedAccumulator)
    ]
    formats += [config.product, config.output_format]
    limits = [float(fmt.max) for fmt in formats if isinstance(fmt, FloatFormat)]
    return min(limits, default=None)


def readable(config: MacConfig) -> MacConfig:
    """Return the configuration, with results in float32 where raw ones do not fit an integer.

    Raw partial sums of more than 63 bits, or with flags for infinity and NaN, are rounded once to
    float32, as a host would read them.
    """
    last = mac_widths(config).last
    if config.output_format is not None or (last.integer_bits <= 63 and not last.flag_bits):
        return config
    return config.model_copy(update={"output": parse_format("fp32")})


def decode_results(config: MacConfig, codes: Codes) -> NDArray[np.float64]:
    """Return the values of result codes: of the output format, or raw fixed-point partial sums.

    Raw ones must have no flags and at most 63 bits (`readable` sees to it).
    """
    if config.output_format is not None:
        return fast.decode(config.output_format, codes)
    widths = mac_widths(config).last
    bits = widths.integer_bits
    integers = codes.astype(np.int64)
    integers = (integers ^ (1 << (bits - 1))) - (1 << (bits - 1))
    return integers.astype(np.float64) * 2.0**widths.lsb_exponent


def _encode(fmt: Format, values: Float32Array, binades_down: int) -> Codes:
    scaled = np.ldexp(values, -binades_down) if binades_down else values
    return encode_values(fmt, scaled)


def _largest_row_norm(values: Float32Array) -> float:
    finite = np.where(np.isfinite(values), values, 0)
    squares = np.einsum("ij,ij->i", finite, finite, dtype=np.float64)
    return float(np.sqrt(squares.max(initial=0.0)))
