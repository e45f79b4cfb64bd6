"""The tiny library and design as files and as a technology."""

from pathlib import Path

import pytest
from macsmith.synth.cells import Technology
from macsmith.synth.liberty import read_liberty
from macsmith.synth.linear import technology_from_library
from tiny_library import MAC, TINY


@pytest.fixture(scope="session")
def liberty_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("liberty") / "tiny.lib"
    path.write_text(TINY)
    return path


@pytest.fixture(scope="session")
def tiny(liberty_file: Path) -> Technology:
    return technology_from_library(read_liberty([liberty_file]))


@pytest.fixture(scope="session")
def mac_verilog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("verilog") / "tiny_mac.v"
    path.write_text(MAC)
    return path
