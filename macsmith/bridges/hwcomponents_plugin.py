"""Components as a plug-in package of hwcomponents, and as architectures of AccelForge.

The package is found by hwcomponents when it is installed, since its name begins with
``hwcomponents_``; it holds its own table and needs no macsmith. Names of fields and methods, and
the units m^2, J, W and s, are those of hwcomponents 1.0.114 and AccelForge 1.0.467.
"""

from __future__ import annotations

import importlib.metadata
import json
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from macsmith.bridges.components import Component

__all__ = ["PACKAGE", "write_hwcomponents"]

PACKAGE = "hwcomponents_macsmith"

_CLASSES = {
    "mac": "MacsmithMac",
    "multiplier": "MacsmithMultiplier",
    "accumulator": "MacsmithAccumulator",
    "quantiser": "MacsmithQuantiser",
}


def _pyproject() -> str:
    return (
        '[build-system]\nrequires = ["setuptools>=77"]\nbuild-backend = "setuptools.build_meta"\n\n'
        f'[project]\nname = "{PACKAGE.replace("_", "-")}"\n'
        f'version = "{importlib.metadata.version("macsmith")}"\n'
        'description = "Multiply-accumulate units in small number formats, priced by macsmith"\n'
        'requires-python = ">=3.12"\ndependencies = ["hwcomponents>=1.0.114"]\n\n'
        f'[tool.setuptools]\npackages = ["{PACKAGE}"]\n\n'
        f'[tool.setuptools.package-data]\n"{PACKAGE}" = ["components.json"]\n'
    )


def _node(component: Component) -> str:
    """A compute node of an AccelForge architecture."""
    return (
        f"# {component.source}\n"
        "!Compute\n"
        "name: MAC\n"
        f"component_class: {_CLASSES[component.kind]}\n"
        "extra_attributes_for_component_model:\n"
        f'  design: "{component.design}"\n'
        f"  technology: {component.technology}\n"
        "actions:\n"
        "- {name: compute}\n"
    )


def write_hwcomponents(components: Sequence[Component], folder: Path) -> list[Path]:
    """Write the package, ready for ``pip install``, and a compute node for each MAC.

    Returns
    -------
    list of Path
        ``pyproject.toml``, the files of ``hwcomponents_macsmith/``, and
        ``accelforge/<name>.yaml``, which `accelforge.arch.Compute.from_yaml` reads.
    """
    package = folder / PACKAGE
    nodes = folder / "accelforge"
    for place in (package, nodes):
        place.mkdir(parents=True, exist_ok=True)
    texts = {folder / "pyproject.toml": _pyproject()}
    source = resources.files("macsmith.bridges") / "plugin"
    # under names of its own here, where it is data and no package
    for name, own_name in (("__init__.py", "package.py"), ("models.py", "models.py")):
        texts[package / name] = (source / own_name).read_text(encoding="utf-8")
    table = [component.to_dict() for component in components]
    texts[package / "components.json"] = json.dumps(table, indent=1, ensure_ascii=False) + "\n"
    for component in components:
        if component.kind == "mac":
            texts[nodes / f"{component.name}.yaml"] = _node(component)
    for path, text in texts.items():
        path.write_text(text, encoding="utf-8")
    return list(texts)
