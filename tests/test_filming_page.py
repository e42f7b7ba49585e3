"""The page of filming: its examples are typed in order, and give what it shows."""

import re
from pathlib import Path
from typing import Any

import pytest

from docs import walk
from tests.conftest import ROOT
from tests.examples import examples, run, words
from tests.faults import SPOOL, client, runs
from tests.test_documents import assert_alike

PAGE = (ROOT / "docs/filming.md").read_text(encoding="utf-8")


def test_the_examples_give_what_the_page_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(SPOOL, str(tmp_path / "spool"))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    names: dict[str, Any] = {"__name__": "__main__"}
    for example in examples(PAGE):
        shown = run(example.typed, names)
        assert words(shown) == words(example.shown), f"docs/filming.md:{example.line}\n{shown}"
    store = client(tmp_path)
    (found,) = runs(store)
    assert found.data.params == {"lr": "0.02"}
    film = store.download_artifacts(found.info.run_id, "rst.gif")
    assert_alike(Path(film), walk.ROOT / "docs/images/filming.gif")
    assert {path.name for path in tmp_path.glob("line.*")} == {"line.gif", "line.html"}
    table = PAGE[PAGE.index("| in the run |") :].partition("\n\n")[0]
    files = [name for name in re.findall(r"^\| `([^`]+)`", table, re.MULTILINE) if "." in name]
    assert len(files) == 5
    for file in files:
        assert store.download_artifacts(found.info.run_id, file)
