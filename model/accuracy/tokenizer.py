"""The byte-pair tokenizer of a GGUF file."""

from macsmith.model.accuracy.smollm2 import GgufFile
from tokenizers import Tokenizer
from tokenizers.decoders import ByteLevel as ByteLevelDecoder
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel, Digits, Sequence

# Kinds of byte-pair tokenizer, as GGUF files name them, that are built here.
KNOWN_PRE_TOKENIZERS = ("smollm",)


def load_tokenizer(file: GgufFile) -> Tokenizer:
    """Build the tokenizer from the vocabulary and merges in the file's metadata.

    Text is cut as GPT-2 does, but each digit stands alone (that is what ``smollm`` means); no
    token is added at either end, and control tokens written out in a text are not recognised.

    Raises
    ------
    ValueError
        If the file's tokenizer is of another kind.
    """
    model = file.metadata("tokenizer.ggml.model")
    kind = file.metadata("tokenizer.ggml.pre")
    if model != "gpt2" or kind not in KNOWN_PRE_TOKENIZERS:
        raise ValueError(
            f"{file.path.name}: tokenizer must be gpt2 / {', '.join(KNOWN_PRE_TOKENIZERS)}, "
            f"not {model} / {kind}"
        )
    vocabulary = {token: code for code, token in enumerate(file.metadata("tokenizer.ggml.tokens"))}
    merges = []
    for merge in file.metadata("tokenizer.ggml.merges"):
        left, _, right = merge.partition(" ")
        merges.append((left, right))
    tokenizer = Tokenizer(BPE(vocab=vocabulary, merges=merges))
    tokenizer.pre_tokenizer = Sequence(
        [Digits(individual_digits=True), ByteLevel(add_prefix_space=False, use_regex=True)]
    )
    tokenizer.decoder = ByteLevelDecoder()
    return tokenizer
