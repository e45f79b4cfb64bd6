"""The language model on news text: change of negative log-likelihood per token."""

from collections.abc import Callable
from functools import cache, lru_cache

import numpy as np
from macsmith.model.accuracy import news, smollm2
from macsmith.model.accuracy.arithmetic import AnyArithmetic
from macsmith.model.accuracy.cache import Arrays, remember
from macsmith.model.accuracy.packages import (
    NEWS,
    SMOLLM2,
    DataPackage,
    file_digest,
    find_data,
    package_version,
)
from macsmith.model.accuracy.task import Sample, paired_change
from macsmith.model.accuracy.tokenizer import load_tokenizer
from tokenizers import Tokenizer

NETWORK_FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
# Predictions per article; a sample of more tokens takes more articles.
SEQUENCE_TOKENS = 512


@lru_cache(maxsize=1)
def open_smollm2() -> tuple[smollm2.GgufFile, Tokenizer]:
    """Return the language model's file and tokenizer, opened once per process (2 s)."""
    file = smollm2.GgufFile(find_data(SMOLLM2, NETWORK_FILE))
    return file, load_tokenizer(file)


@cache
def _smollm2_digest() -> str:
    return file_digest(find_data(SMOLLM2, NETWORK_FILE))


class SmolLM2Task:
    """Negative log-likelihood of news text under SmolLM2-135M."""

    name = "smollm2"
    packages: tuple[DataPackage, ...] = (SMOLLM2, NEWS)
    default_tokens = 6 * SEQUENCE_TOKENS
    default_bit_exact_tokens = SEQUENCE_TOKENS
    quantised_layers = (
        "weights and inputs of all 210 linear layers of the 30 blocks (attn_q, attn_k, attn_v, "
        "attn_output, ffn_gate, ffn_up, ffn_down); float32: embedding, norms, attention scores and "
        "sums, activation functions, output head"
    )

    def sample(self, tokens: int, seed: int) -> Sample:
        """Take the beginnings of articles, 512 predictions each (or one of fewer)."""
        if tokens < 1 or (tokens > SEQUENCE_TOKENS and tokens % SEQUENCE_TOKENS):
            raise ValueError(
                f"smollm2: tokens must be 1 to {SEQUENCE_TOKENS} or a multiple of "
                f"{SEQUENCE_TOKENS}, not {tokens}"
            )
        length = min(tokens, SEQUENCE_TOKENS)

        def select() -> Arrays:
            chosen = news.select_articles(open_smollm2()[1], tokens // length, length, seed)
            return {"tokens": chosen.tokens, "articles": np.array(chosen.articles)}

        # Opening the file takes 2 s, so what was selected is remembered too.
        network = _smollm2_digest()
        chosen = remember(
            {
                "selection": [tokens // length, length, seed],
                "network": network,
                "news": package_version(NEWS),
            },
            select,
        )
        articles = [str(name) for name in chosen["articles"]]
        digest = news.token_digest(chosen["tokens"])
        return Sample(
            content=chosen["tokens"],
            identity={"network": network, "tokens": digest, "length": length},
            provenance={
                "text": "BBC news, beginnings of " + ", ".join(articles),
                "text_digest": digest,
                "network_digest": network,
                "tokens": tokens,
                "sequences": len(articles),
                "tokens_per_sequence": length,
            },
        )

    def run(
        self, sample: Sample, arithmetic: AnyArithmetic, progress: Callable[[float], None] | None
    ) -> Arrays:
        """Return ``nll``, nats per predicted token ``[sequences, length]``."""
        network = smollm2.SmolLM2(open_smollm2()[0], arithmetic)
        with np.errstate(invalid="ignore", over="ignore"):
            return {"nll": network.negative_log_likelihood(sample.content, progress=progress)}

    def metrics(self, outcome: Arrays, reference: Arrays, exact: Arrays | None) -> dict[str, float]:
        """Return the change of nats per token with its paired standard error."""
        result = {"reference_nll_per_token": float(reference["nll"].mean())}
        if not np.isfinite(outcome["nll"]).all():
            return result
        result["nll_per_token"] = float(outcome["nll"].mean())
        change, error = paired_change((outcome["nll"] - reference["nll"]).reshape(-1))
        result["nll_change_per_token"] = change
        result["nll_change_standard_error"] = error
        if exact is not None and np.isfinite(exact["nll"]).all():
            change, error = paired_change((outcome["nll"] - exact["nll"]).reshape(-1))
            result["accumulator_nll_change_per_token"] = change
            result["accumulator_nll_change_standard_error"] = error
        return result
