"""The rules of the project: which module may import which, and duplicated facts agree."""

import ast
import importlib
import importlib.metadata
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from fitreel.settings import GROUPS, ComparisonSettings, Settings, TableSettings, TrainingSettings
from pipeline.animate import animate
from pipeline.evaluate import evaluate
from pipeline.generate import generate
from pipeline.run import run
from pipeline.sweep import sweep
from pipeline.train import train
from tests.conftest import ROOT


def groups(command: Callable[..., None]) -> list[type[Settings]]:
    hints = get_type_hints(command, include_extras=True).values()
    return [kind for kind in hints if kind in GROUPS]


STAGES = {each.__name__: groups(each) for each in (generate, train, evaluate, animate)}
SWEEP = {"sweep": groups(sweep)}
AFTERWARDS: dict[str, list[type[Settings]]] = {"compare": [ComparisonSettings]}
ENTRY_POINTS = {"main": groups(run)} | STAGES | SWEEP | AFTERWARDS
LIBRARY = sorted((ROOT / "src/fitreel").rglob("*.py"))
PACKAGES = sorted(path.parent for path in (ROOT / "src").rglob("__init__.pyi"))
PIPELINE = sorted((ROOT / "pipeline").rglob("*.py"))


def defining_modules(package: Path) -> dict[str, str]:
    """Return, for each public name of a package, the module that defines it."""
    found, stub = {}, package / "__init__.pyi"
    base = ".".join(package.relative_to(ROOT / "src").parts)
    for node in ast.walk(ast.parse(stub.read_text() if stub.exists() else "")):
        if isinstance(node, ast.ImportFrom):
            found.update({alias.name: f"{base}.{node.module}" for alias in node.names})
    return found


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_public_name_is_that_of_a_module(package: Path) -> None:
    """Once the module is imported, the package would have it in place of what has its name."""
    modules = {path.stem for path in package.iterdir() if path.suffix == ".py" or path.is_dir()}
    assert not modules & defining_modules(package).keys()


def imports(path: Path) -> Iterator[str]:
    """Yield the modules that a file imports, not those for type checking only."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            module = node.module or ""
            where = defining_modules(ROOT / "src" / module.replace(".", "/"))
            yield from {where.get(alias.name, module) for alias in node.names}


def top_levels(path: Path) -> set[str]:
    return {name.partition(".")[0] for name in imports(path)}


@pytest.mark.parametrize("path", LIBRARY, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_library_does_not_import_the_pipeline_and_mlflow_only_in_tracking(path: Path) -> None:
    forbidden = {"typer", "pipeline"}
    if "tracking" not in path.parts:
        forbidden.add("mlflow")
    if "live" not in path.parts:
        forbidden.add("rich")  # it draws on the terminal
    assert not top_levels(path) & forbidden


@pytest.mark.parametrize("path", PIPELINE, ids=lambda path: path.name)
def test_the_pipeline_has_no_mathematics_and_no_mlflow(path: Path) -> None:
    assert not top_levels(path) & {"mlflow", "torch", "numpy", "matplotlib", "imageio"}


# ---- names of other packages ------------------------------------------------------------------

# At most one module may use the private names of a package; it checks that they exist.
PRIVATE = {"mlflow": "tracking/store/internals.py", "ray": "sweep/cluster.py"}
WATCHED = {*PRIVATE, "optuna", "ray", "torch", "PIL", "matplotlib", "sqlalchemy", "imageio"}
# Modules that MLflow documents, and modules with constants and types of their results.
PUBLIC_MLFLOW = {
    "mlflow",
    "mlflow.artifacts",
    "mlflow.data",
    "mlflow.data.dataset_source",
    "mlflow.entities",
    "mlflow.environment_variables",
    "mlflow.exceptions",
    "mlflow.models",
    "mlflow.pyfunc",
    "mlflow.store.entities.paged_list",
    "mlflow.tracking",
    "mlflow.types",
    "mlflow.types.schema",
    "mlflow.utils.mlflow_tags",
}
NAMEDTUPLE = {"_replace", "_asdict", "_fields", "_make"}  # public despite the underscore


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.endswith("__")


def own_names(tree: ast.AST) -> set[str]:
    """Return the names that a file defines."""
    found = set[str]()
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            found.add(node.name)
        elif isinstance(node, (ast.Name, ast.Attribute)) and isinstance(node.ctx, ast.Store):
            found.add(node.id if isinstance(node, ast.Name) else node.attr)
    return found


OWN = set().union(*(own_names(ast.parse(path.read_text())) for path in LIBRARY + PIPELINE))


def imported(tree: ast.AST) -> dict[str, str]:
    """Return where each imported name comes from, as in {"nn": "torch.nn"}."""
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                first = alias.name.partition(".")[0]
                found[alias.asname or first] = alias.name if alias.asname else first
                found[f"import {alias.name}"] = alias.name
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                found[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    return found


def chain(node: ast.expr) -> list[str]:
    """Return the names of an attribute: ["x", "y"] of x.y, with "" for anything but a name."""
    if isinstance(node, ast.Attribute):
        return [*chain(node.value), node.attr]
    return [node.id] if isinstance(node, ast.Name) else [""]


def foreign_private_names(text: str) -> set[str]:
    """Return the private and undocumented names of other packages that a file uses."""
    tree = ast.parse(text)
    origins = imported(tree)
    found = set[str]()
    for full in origins.values():
        package, *names = full.split(".")
        if package in WATCHED and any(map(is_private, names)):
            found.add(full)
        if package == "mlflow" and not {full, full.rpartition(".")[0]} & PUBLIC_MLFLOW:
            found.add(full)
        if full.startswith("unittest.mock"):
            found.add(full)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            first, *names = chain(node)
            full = ".".join([origins.get(first, first), *names])
            is_watched = full.partition(".")[0] in WATCHED and any(map(is_private, names))
            # The package of an object is unknown: its private names must be our own.
            if is_watched or (is_private(node.attr) and node.attr not in OWN | NAMEDTUPLE):
                found.add(full)
    return found


def test_private_names_of_other_packages_are_found() -> None:
    """Find them in lines of older versions of fitreel."""
    for line in [
        "from mlflow.tracking.fluent import _get_experiment_id",
        "from mlflow.utils import name_utils; name_utils._GENERATOR_NOUNS",
        "from mlflow.store.tracking.dbmodels import models",
        "from mlflow.store.db.utils import create_sqlalchemy_engine",
        "import mlflow.store.tracking.sqlalchemy_store",
        "entry._to_mlflow_entity()",
        "f(x)[0]._experiment_id_of",
        "from unittest.mock import patch",
        "import unittest.mock",
        "from unittest import mock",
        "import torch; torch._C._jit_set_profiling_mode(False)",
        "from torch import optim; optim._functional.sgd",
        "import torch.nn._reduction",
        "from PIL.GifImagePlugin import _normalize_palette",
        "from optuna.storages._rdb import models",
    ]:
        assert foreign_private_names(line), line
    for line in [
        "from mlflow.entities import Run; Run('x').info.run_id",
        "from mlflow import pyfunc; pyfunc.add_to_model",
        "import torch.nn.functional as F; F.relu",
        "self._run_id",
        "class A:\n    def __init__(self): self.__dict__",
        "(1, 2)._replace(x=3)",
    ]:
        assert not foreign_private_names(line), line


@pytest.mark.parametrize("path", LIBRARY + PIPELINE, ids=lambda path: str(path.relative_to(ROOT)))
def test_private_names_of_another_package_are_in_one_module(path: Path) -> None:
    defining_modules = {
        f"{package}.": ROOT / "src/fitreel" / home for package, home in PRIVATE.items()
    }
    found = foreign_private_names(path.read_text())
    own = tuple(start for start, home in defining_modules.items() if home == path)
    assert not {name for name in found if not name.startswith(own)}


def test_only_the_live_window_imports_pyplot() -> None:
    users = [path.name for path in LIBRARY if "matplotlib.pyplot" in imports(path)]
    assert users == ["window.py"]


def test_imports_go_one_way() -> None:
    names = {
        ".".join(path.relative_to(ROOT / "src").with_suffix("").parts): set(imports(path))
        for path in LIBRARY
        if path.name != "__init__.py"
    }
    below = {name: found & names.keys() for name, found in names.items()}
    while ready := [name for name, needed in below.items() if not needed & below.keys()]:
        for name in ready:
            del below[name]
    assert not below, "these import each other"


def test_help_loads_nothing_heavy() -> None:
    code = "import sys, pipeline.app; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    assert not {"torch", "mlflow", "matplotlib", "numpy", "imageio", "PIL"} & set(loaded)


def test_the_package_offers_its_public_names() -> None:
    import fitreel

    names = [name for name in dir(fitreel) if not name.startswith("_")]
    assert len(names) <= 24
    assert names == sorted(fitreel.__all__)
    everything: dict[str, Any] = {}
    exec("from fitreel import *", everything)
    assert set(names) <= everything.keys()
    with pytest.raises(AttributeError, match="No fitreel attribute undo"):
        fitreel.undo  # type: ignore[attr-defined]  # noqa: B018


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.name)
def test_a_package_offers_what_its_stub_names(package: Path) -> None:
    name = ".".join(package.relative_to(ROOT / "src").parts)
    module = importlib.import_module(name)
    assert set(defining_modules(package)) == set(module.__all__)
    for each, home in defining_modules(package).items():
        assert getattr(module, each) is getattr(importlib.import_module(home), each)


def test_every_group_of_settings_is_registered() -> None:
    for path in (ROOT / "src/fitreel/settings").glob("*.py"):
        importlib.import_module(f"fitreel.settings.{path.stem}")
    assert set(Settings.__subclasses__()) == set(GROUPS)


@pytest.fixture(scope="module")
def project() -> Any:
    return yaml.safe_load((ROOT / "MLproject").read_text())


def test_the_project_has_an_entry_point_per_stage_and_one_to_compare(project: Any) -> None:
    assert project["conda_env"] == "conda.yaml"
    assert project["entry_points"].keys() == ENTRY_POINTS.keys()


@pytest.mark.parametrize("name", ENTRY_POINTS)
def test_parameters_of_the_project_are_the_settings(project: Any, name: str) -> None:
    entry = project["entry_points"][name]
    expected = {}
    # MLflow hands on empty defaults as two quotes: those of a table pass through undeclared.
    declared = [group for group in ENTRY_POINTS[name] if group is not TableSettings]
    for group in declared:
        hints = get_type_hints(group)
        for each in fields(group):  # type: ignore[arg-type]
            is_text = get_origin(hints[each.name]) or hints[each.name] is str
            kind = "string" if is_text else hints[each.name].__name__
            expected[each.name] = {"type": kind, "default": each.default}
    assert entry["parameters"] == expected
    # MLflow logs a default as YAML reads it, which must be the text that fitreel logs.
    texts = [str(parameter["default"]) for parameter in entry["parameters"].values()]
    assert texts == [str(parameter["default"]) for parameter in expected.values()]
    command = " ".join(entry["command"].split())
    options = " ".join(f"--{key.replace('_', '-')} {{{key}}}" for key in expected)
    stage = "run" if name == "main" else name
    if not {TableSettings, TrainingSettings}.isdisjoint(ENTRY_POINTS[name]):
        stage += " --project"
    assert command == f"python -m pipeline {stage} {options}"


@pytest.mark.parametrize("name", ["run", *STAGES, *SWEEP, *AFTERWARDS])
def test_every_setting_is_an_option_explained_in_help(name: str, fitreel: Any) -> None:
    page = " ".join(re.sub(r"[│╭╮╰╯─]", " ", fitreel(name, "--help").stdout).split())
    for group in ENTRY_POINTS["main" if name == "run" else name]:
        for each in fields(group):  # type: ignore[arg-type]
            assert f"--{each.name.replace('_', '-')} " in page
            assert f"[default: {each.default}]" in page or each.default == ""
            assert each.metadata["help"].split(".")[0].split(",")[0] in page
    for option in ("--run", "--experiment", "--name", "--tracking-uri", "--patience"):
        assert option in page
    if name in AFTERWARDS:
        for option in ("--runs", "--filter", "--out"):
            assert f"{option} " in page


def test_the_stages_page_names_every_option() -> None:
    page = (ROOT / "docs/stages.md").read_text()
    for group in GROUPS:  # all are dataclasses
        hints = get_type_hints(group)
        for each in fields(group):  # type: ignore[arg-type]
            assert f"| `{each.name}` | {each.default} |" in page
            for choice in get_args(hints[each.name]):
                assert choice in page


def pins(lines: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in lines:
        if text := line.partition("#")[0].strip():
            name, version = text.split("==")
            found[canonicalize_name(name)] = version
    return found


@pytest.fixture(scope="module")
def constraints() -> dict[str, str]:
    return pins((ROOT / "constraints.txt").read_text().splitlines())


@pytest.fixture(scope="module")
def environment() -> Any:
    return yaml.safe_load((ROOT / "conda.yaml").read_text())["dependencies"]


def needed(requirements: list[str]) -> set[str]:
    """Return all packages that these requirements need, directly or indirectly."""
    todo, found = [Requirement(text) for text in requirements], set[str]()
    while todo:
        requirement = todo.pop()
        name = canonicalize_name(requirement.name)
        extras = [{"extra": extra} for extra in requirement.extras] or [{"extra": ""}]
        if name in found and not requirement.extras:
            continue
        if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
            continue
        found.add(name)
        for text in importlib.metadata.requires(name) or []:
            inner = Requirement(text)
            if not inner.marker or any(inner.marker.evaluate(extra) for extra in extras):
                inner.marker = None
                todo.append(inner)
    return found


def test_the_environment_of_mlflow_pins_what_make_and_ci_install(
    constraints: dict[str, str], environment: Any
) -> None:
    python, pip, packages = environment
    assert re.fullmatch(r"python=3\.11\.\d+", python)
    assert pip == f"pip={constraints['pip']}"
    assert list(packages) == ["pip"]
    pinned = pins(packages["pip"])
    assert pinned.items() <= constraints.items()
    assert "fitreel" not in pinned
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    sweep = project["optional-dependencies"]["sweep"]
    assert pinned.keys() == needed([*project["dependencies"], *sweep])
    assert pinned["torch"] == "2.13.0"


def test_pins_are_within_the_ranges(constraints: dict[str, str]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    extras = project["project"]["optional-dependencies"].values()
    for text in [*project["project"]["dependencies"], *(one for extra in extras for one in extra)]:
        requirement = Requirement(text)
        pinned = constraints[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(pinned), text
    for text in project["dependency-groups"]["dev"]:
        assert canonicalize_name(Requirement(text).name) in constraints


def test_the_lowest_tested_versions_are_the_lowest_allowed_ones(
    constraints: dict[str, str],
) -> None:
    lowest = pins((ROOT / "constraints-lowest.txt").read_text().splitlines())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    for text in [*project["dependencies"], *extras["sweep"], *extras["postgresql"]]:
        requirement = Requirement(text)
        pinned = Version(lowest.pop(canonicalize_name(requirement.name)))
        if requirement.name == "torch":
            assert pinned == Version(constraints["torch"])
        else:
            (bound,) = [each for each in requirement.specifier if each.operator == ">="]
            assert pinned == Version(bound.version), text
    assert lowest["pytest"] == constraints["pytest"]


def test_the_installed_versions_are_the_pinned_ones(constraints: dict[str, str]) -> None:
    for name, version in constraints.items():
        assert importlib.metadata.version(name).partition("+")[0] == version, name


def test_the_changelog_has_this_version() -> None:
    from fitreel import __version__

    assert f"## [{__version__}]" in (ROOT / "CHANGELOG.md").read_text()


def test_the_readme_shows_the_library_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    readme = (ROOT / "README.md").read_text()
    (example,) = re.findall(r"```python\n(from fitreel.*?)```", readme, re.DOTALL)
    assert len([line for line in example.splitlines() if line]) == 5
    exec(example, {})
    assert (tmp_path / "rst.gif").read_bytes().startswith(b"GIF89a")
