"""Who may import whom, and that every code folder is packaged."""

import ast
import tomllib
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("model", "hw", "sim", "synth", "reports")

#: For each folder, the modules of ours that it may import (prefixes).
MAY_IMPORT = {
    "model": ("macsmith.model",),
    # descriptors only: hardware that computed with the golden model would prove nothing
    "hw": (
        "macsmith.hw",
        "macsmith.model.block_formats",
        "macsmith.model.block_policy",
        "macsmith.model.accelerator",
        "macsmith.model.accumulators",
        "macsmith.model.config",
        "macsmith.model.design",
        "macsmith.model.formats",
        "macsmith.model.implementation",
        "macsmith.model.link",
        "macsmith.model.output_stage",
        "macsmith.model.random_source",
        "macsmith.model.rounding",
        "macsmith.model.switch",
        "macsmith.model.widths",
    ),
    "sim": ("macsmith.sim", "macsmith.hw", "macsmith.model"),
    "synth": ("macsmith.synth", "macsmith.sim", "macsmith.hw", "macsmith.model"),
    "reports": (
        "macsmith.reports",
        "macsmith.synth",
        "macsmith.sim",
        "macsmith.hw",
        "macsmith.model",
    ),
}
#: The definition leans on no compiled twin, no application and no numeric library.
MODEL_CORE = {
    "accumulators": {"formats"},
    "bounded": {"formats"},
    "block_formats": {"formats"},
    "block_policy": {"block_formats", "rounding"},
    "blocks": {"block_formats", "block_policy", "formats", "rounding"},
    "config": {
        "accumulators",
        "block_formats",
        "config_rules",
        "formats",
        "output_stage",
        "rounding",
        "widths",
    },
    "config_rules": {
        "accumulators",
        "block_formats",
        "config",
        "formats",
        "output_stage",
        "rounding",
        "widths",
    },
    "design": {"config", "design_rules", "design_text", "implementation"},
    "design_rules": {"accumulators", "config", "implementation", "switch", "widths"},
    "design_text": {
        "accumulators",
        "block_formats",
        "config",
        "formats",
        "implementation",
        "output_stage",
        "rounding",
        "tensor_cores",
    },
    "implementation": set(),
    "output_stage": {"formats", "rounding"},
    "float_format": {"format_names", "special"},
    "format_names": set(),
    "formats": {
        "digit_format",
        "float_format",
        "format_names",
        "int_format",
        "p3109_format",
        "posit_format",
        "radix4_format",
        "special",
    },
    "p3109": {"formats", "rounding"},
    "p3109_format": {"float_format"},
    "int_format": {"special"},
    "special": set(),
    "exact_terms": {"config", "formats", "rounding"},
    "aligned_sum": {"accumulators", "config", "exact_terms", "formats", "rounding"},
    "golden": {
        "accumulators",
        "aligned_sum",
        "config",
        "exact_terms",
        "formats",
        "lfsr",
        "random_source",
        "rounding",
        "widths",
    },
    "lfsr": {"random_source"},
    "random_source": set(),
    "rounding": {"formats", "ordered_rounding"},
    "ordered_rounding": {"formats"},
    "posit_format": {"special"},
    "radix4_format": {"special"},
    "digit_format": {"special"},
    "tensor_cores": {"block_formats", "formats", "rounding"},
    "switch": {"config", "widths"},
    "widths": {"accumulators", "config", "formats", "rounding"},
}


def imports(path: Path) -> list[tuple[str, tuple[str, ...]]]:
    """Modules that a file imports, anywhere in it, with the names taken from each."""
    found: list[tuple[str, tuple[str, ...]]] = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [(alias.name, ()) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import"
            names = tuple(alias.name for alias in node.names)
            found.append((node.module or "", names))
    return found


def modules(module: str, names: tuple[str, ...]) -> list[str]:
    """The modules that ``from module import names`` may mean."""
    is_package = module in {"macsmith", *(f"macsmith.{folder}" for folder in FOLDERS)}
    return [f"{module}.{name}" for name in names] if is_package and names else [module]


def forbidden(path: Path, allowed: tuple[str, ...]) -> list[str]:
    bad = []
    for module, names in imports(path):
        for target in modules(module, names):
            is_ours = target == "macsmith" or target.startswith("macsmith.")
            if is_ours and not any(target == a or target.startswith(f"{a}.") for a in allowed):
                bad.append(f"{path.relative_to(ROOT)} imports {target}")
    return bad


@pytest.mark.parametrize("folder", FOLDERS)
def test_imports_point_one_way(folder: str) -> None:
    files = sorted((ROOT / folder).rglob("*.py"))
    assert len(files) >= 2
    assert [bad for file in files for bad in forbidden(file, MAY_IMPORT[folder])] == []


def test_the_test_sees_a_forbidden_import(tmp_path: Path) -> None:
    assert forbidden(ROOT / "model" / "fast.py", ("macsmith.model.formats",)) != []


def module_name(path: Path) -> str:
    """Name that a file is imported under; of ``__init__.py`` that of its package."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    parts = parts if parts[0] == "macsmith" else ("macsmith", *parts)
    return ".".join(parts).removesuffix(".__init__")


def run_time_imports(node: ast.AST, found: set[str]) -> set[str]:
    """Modules that code imports when it runs, inside functions too, but not for type checkers."""
    if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
        return found
    if isinstance(node, ast.ImportFrom):
        found |= {node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)}
    elif isinstance(node, ast.Import):
        found |= {alias.name for alias in node.names}
    for child in ast.iter_child_nodes(node):
        run_time_imports(child, found)
    return found


def circle(graph: dict[str, set[str]]) -> list[str]:
    """A circle of a graph; empty if there is none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def test_no_modules_import_each_other_in_a_circle() -> None:
    files = {
        module_name(path): path
        for folder in (*FOLDERS, "macsmith")
        for path in (ROOT / folder).rglob("*.py")
        if path.name != "__init__.py"
    }
    assert len(files) > 300
    graph = {
        name: run_time_imports(ast.parse(path.read_text(encoding="utf-8")), set()) & files.keys()
        for name, path in files.items()
    }
    assert graph["macsmith.model.golden"] >= {"macsmith.model.config", "macsmith.model.exact_terms"}
    assert circle(graph) == []
    # and it would be told
    graph["macsmith.model.special"] = {"macsmith.model.golden"}
    assert {"macsmith.model.special", "macsmith.model.golden"} <= set(circle(graph))


def test_hardware_takes_no_arithmetic_from_rounding() -> None:
    taken = {
        name
        for file in (ROOT / "hw").rglob("*.py")
        for module, names in imports(file)
        if module == "macsmith.model.rounding"
        for name in names
    }
    assert taken <= {
        "Overflow",
        "Rounding",
        "RoundingMode",
        "StochasticRounding",
        "check_overflow",
        "default_overflow",
    }
    for file in (ROOT / "hw").rglob("*.py"):  # of stochastic rounding bits and variant only
        assert ".rounds_up(" not in file.read_text(encoding="utf-8"), file


@pytest.mark.parametrize("module", MODEL_CORE)
def test_the_definition_stands_alone(module: str) -> None:
    taken = {
        target.removeprefix("macsmith.model.")
        for name, names in imports(ROOT / "model" / f"{module}.py")
        for target in modules(name, names)
        if target.startswith("macsmith")
    }
    assert taken <= MODEL_CORE[module]
    other = {name.partition(".")[0] for name, _ in imports(ROOT / "model" / f"{module}.py")}
    assert not other & {"numpy", "ctypes", "ml_dtypes", "gfloat"}


def test_nobody_imports_the_bare_folders() -> None:
    bad = [
        f"{file.relative_to(ROOT)} imports {module}"
        for folder in (*FOLDERS, "macsmith", "tests", "benchmarks")
        for file in (ROOT / folder).rglob("*.py")
        for module, _ in imports(file)
        if module.partition(".")[0] in FOLDERS
    ]
    assert bad == []


def test_every_code_folder_is_packaged() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    packaged = set(settings["tool"]["setuptools"]["packages"])
    there = {"macsmith"}
    for folder in FOLDERS:
        for path in (ROOT / folder).rglob("__init__.py"):
            there.add(".".join(("macsmith", *path.parent.relative_to(ROOT).parts)))
    for path in (ROOT / "macsmith").rglob("__init__.py"):
        there.add(".".join(path.parent.relative_to(ROOT).parts))
    assert packaged == there


def test_sources_of_the_kernels_are_packaged() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    patterns = settings["tool"]["setuptools"]["package-data"]["macsmith.model"]
    sources = {path.name for path in (ROOT / "model").iterdir() if path.suffix in (".cpp", ".hpp")}
    packaged = {path.name for pattern in patterns for path in (ROOT / "model").glob(pattern)}
    assert len(sources) == 13
    assert sources <= packaged
