"""The names of a run's tags and artifacts: tracking.names, tracking.overrides."""

import ast
from pathlib import Path

import pytest

from fitreel.settings import KINDS, FilmSettings
from fitreel.tracking import Tracker, names
from fitreel.tracking.names import override_tag, provenance_tag, seconds_tag
from fitreel.tracking.overrides import SETTINGS_OF_0_2_0, in_force
from fitreel.training.provenance import read_provenance
from tests.conftest import ROOT

FILES = [*(ROOT / "src").rglob("*.py"), *(ROOT / "pipeline").rglob("*.py")]
MODULES = {
    ".".join(path.relative_to(ROOT / "src").with_suffix("").parts).removesuffix(".__init__")
    for path in (ROOT / "src").rglob("*.py")
}
# The journal may not import the names of tags; it reads this one in journals of fitreel 0.2.0.
# And a page shows a call of the library.
ALLOWED = {("entry.py", "fitreel.diverged_epoch"), ("whatif.py", "fitreel.fit(dataset")}


def texts(path: Path) -> set[str]:
    """Return the string literals of a file, the constant parts of f-strings included."""
    nodes = ast.walk(ast.parse(path.read_text()))
    return {
        each.value
        for each in nodes
        if isinstance(each, ast.Constant) and isinstance(each.value, str)
    }


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_other_module_contains_the_name_of_a_tag(path: Path) -> None:
    if path.name == "names.py":
        return
    spelt = {text for text in texts(path) if text.startswith("fitreel.")} - MODULES
    assert not {text for text in spelt if (path.name, text) not in ALLOWED}


def test_no_two_facts_share_a_tag() -> None:
    stages = ("generate", "train", "evaluate", "animate", "sweep", "conclude", "compare")
    all_tags = [
        *(text for name, text in vars(names).items() if name.endswith("_TAG")),
        *map(seconds_tag, stages),
        *map(provenance_tag, {*read_provenance(), "commit", "uncommitted"}),
        *map(override_tag, KINDS),
    ]
    assert len(all_tags) == len(set(all_tags))
    assert not {f"fitreel.{name}" for name in SETTINGS_OF_0_2_0} & set(all_tags)


def test_a_tag_replaces_a_param() -> None:
    params = {"lr": "0.1", "epochs": "100"}
    assert in_force(params, {"fitreel.override.lr": "0.2", "mlflow.user": "me"}) == {
        "lr": "0.2",
        "epochs": "100",
    }


def test_tags_of_0_2_0_still_replace_params() -> None:
    params = {"lr": "0.1", "epochs": "100"}
    tags = {"fitreel.lr": "0.2", "fitreel.epochs": "50"}
    assert in_force(params, tags) == {"lr": "0.2", "epochs": "50"}
    # The tag of a later version is newer.
    tags["fitreel.override.lr"] = "0.3"
    assert in_force(params, tags) == {"lr": "0.3", "epochs": "50"}


@pytest.mark.parametrize("name", ["name", "kind", "trial", "torch", "parallel", "sha256"])
def test_a_setting_with_the_name_of_another_tag_is_not_read_from_it(name: str) -> None:
    assert in_force({name: "7"}, {f"fitreel.{name}": "8"}) == {name: "7"}
    assert in_force({}, {f"fitreel.{name}": "8"}) == {}
    assert in_force({name: "7"}, {f"fitreel.override.{name}": "8"}) == {name: "8"}
    assert in_force({"lr": "7"}, {"lr": "8"}) == {"lr": "7"}  # not one of our tags


def test_settings_that_equal_the_param_again_are_in_force(tracker: Tracker) -> None:
    with tracker.run() as run:
        run.log_settings(FilmSettings(fps=20))
    for fps in (10, 20):
        with tracker.run(tracker.source(run.run_id)) as again:
            again.log_settings(FilmSettings(fps=fps))
        assert tracker.source(run.run_id).all_settings()["fps"] == str(fps)
