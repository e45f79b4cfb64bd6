"""The figures of docs/accuracy.md, on the samples they were measured on."""

import pytest
from macsmith.model.accuracy.tasks import evaluate
from macsmith.model.design import parse_design

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("g2p_data", "smollm2_file")]


@pytest.mark.parametrize(
    ("text", "scaling", "change", "standard_error"),
    [
        ("e4m3:exact", "row", 0.028, 0.005),
        ("int8:exact", "row", 0.035, 0.005),
        ("int8:exact", "tensor", 0.957, 0.030),
        ("e2m1:exact", "row", 3.470, 0.056),
    ],
)
def test_exact_sums(text: str, scaling: str, change: float, standard_error: float) -> None:
    metrics = evaluate("smollm2", parse_design(text), scaling=scaling).metrics
    assert metrics["reference_nll_per_token"] == pytest.approx(3.0590, abs=1e-4)
    # Rounding errors of another BLAS grow until they are new noise of the same size.
    assert metrics["nll_change_per_token"] == pytest.approx(change, abs=4 * standard_error)
    assert metrics["nll_change_standard_error"] == pytest.approx(standard_error, rel=0.3)


def test_accumulators_are_ordered() -> None:
    texts = ("e4m3:exact", "e4m3:e6m9/64", "e4m3:e6m5/64", "e4m3:e6m5", "e4m3:e6m9:rtz")
    results = {
        text: evaluate("smollm2", parse_design(text), accumulation="bit-exact", tokens=256).metrics
        for text in texts
    }
    errors = [results[text]["accumulator_relative_rms_error"] for text in texts]
    assert errors == sorted(errors)
    change = {text: results[text]["nll_change_per_token"] for text in texts}
    assert abs(change["e4m3:exact"]) < 0.1
    assert abs(change["e4m3:e6m9/64"]) < 0.1
    assert change["e4m3:e6m5"] > change["e4m3:e6m5/64"] + 0.1
    assert change["e4m3:e6m9:rtz"] > 1


def test_letters_to_phonemes() -> None:
    figures = {
        name: evaluate("g2p", parse_design(f"{name}:exact")).metrics["word_error_percent"]
        for name in ("e4m3", "int8", "e2m1", "int4")
    }
    expected = {"e4m3": 33.05, "int8": 33.5, "e2m1": 39.25, "int4": 39.65}
    assert figures == pytest.approx(expected, abs=1.0)
