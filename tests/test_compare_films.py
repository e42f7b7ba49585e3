"""The command `fitreel compare` with films of any model beside our own runs, in real stores."""

import json
import re
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
import torch
from mlflow.entities import Run
from numpy.typing import NDArray

import fitreel
from fitreel.data.drawing import generate
from tests import processes
from tests.conftest import ROOT
from tests.examples import examples, run as run_example
from tests.faults import SPOOL, client, runs
from tests.films import stages_of
from tests.stored import tags_of
from tests.test_documents import assert_alike

GALLERY = "gallery"
FILES = {"compare.gif", "compare.html", "compare.md", "compare.png"}


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train the tutorial's network, a torch module and a boosted tree on the same points."""
    directory = tmp_path_factory.mktemp("work")
    own = ("--experiment", GALLERY, "--epochs", "100", "--player", "off")
    code, _, errors = processes.run("run", *own, directory=directory)
    assert code == 0, errors
    points = generate()
    film_module(directory, points.x.numpy()[:, None], points.y.numpy())
    film_tree(directory, points.x.numpy(), points.y.numpy())
    return directory


def film_module(directory: Path, x: NDArray[np.float32], y: NDArray[np.float32]) -> None:
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(1, 9), torch.nn.Tanh(), torch.nn.Linear(9, 1))
    optimizer = torch.optim.Adam(model.parameters(), 0.05)
    inputs, targets = torch.from_numpy(x), torch.from_numpy(y)
    store = f"sqlite:///{directory}/mlflow.db"
    with fitreel.film(
        x, y, experiment=GALLERY, tracking_uri=store, name="module", lr=0.05, note="<b>$x$</b>"
    ) as reel:
        for epoch in range(60):
            loss = ((model(inputs)[:, 0] - targets) ** 2).mean()
            reel.frame(epoch, loss, model, metrics={"val_loss": 2 * loss})
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()


def film_tree(
    directory: Path, x: NDArray[np.float32], y: NDArray[np.float32], name: str = "boosted"
) -> None:
    store = f"sqlite:///{directory}/mlflow.db"
    with fitreel.film(
        x, y, experiment=GALLERY, tracking_uri=store, name=name, every=1, seed=name
    ) as reel:
        for stage, loss, predict in stages_of(x[:, None], y, 20):
            reel.frame(stage, loss, predict)


def test_the_example_of_the_page_works_as_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(SPOOL, str(tmp_path / "spool"))
    page = (ROOT / "docs/comparing.md").read_text(encoding="utf-8")
    (example,) = examples(page)
    run_example(example.typed, {"__name__": "__main__"})
    (block,) = re.findall(r"^```bash\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    for command in block.splitlines():
        words = command.removeprefix("fitreel ").split()
        code, _, errors = processes.run(*words, directory=tmp_path, **{SPOOL: str(tmp_path / "s")})
        assert code == 0, errors
    assert_alike(tmp_path / "models/compare.gif", ROOT / "docs/images/compare-models.gif")


def compare(directory: Path, to: Path, *arguments: str) -> tuple[int, str, str]:
    where = {SPOOL: str(to / "spool")}
    return processes.run("compare", *arguments, directory=directory, output_to=to, **where)


def compared(directory: Path, to: Path, *arguments: str) -> tuple[Run, str]:
    """Run `fitreel compare` successfully; return the run of the comparison and the messages."""
    code, output, errors = compare(directory, to, *arguments)
    assert code == 0, errors
    return client(directory).get_run(output.strip()), errors


def ids(directory: Path) -> dict[str, str]:
    """Return the ids of the runs by name, our own as "own"."""
    found = {run.info.run_name: run for run in runs(client(directory))}
    return {
        "own" if "hidden" in run.data.params else name: run.info.run_id
        for name, run in found.items()
        if tags_of(run).get("fitreel.kind") != "comparison"
    }


def members(comparison: Run) -> list[str]:
    return list(json.loads(tags_of(comparison)["fitreel.compared_runs"]))


def test_films_are_compared_beside_our_own_network(directory: Path, tmp_path: Path) -> None:
    known = ids(directory)
    run, errors = compared(directory, tmp_path, *known.values(), "--out", str(tmp_path))
    assert set(members(run)) == set(known.values())
    assert run.data.params == {"metric": "loss"}  # all have it; films have no test rows
    assert "left out" not in errors
    assert {path.name for path in tmp_path.iterdir()} >= FILES
    table = (tmp_path / "compare.md").read_text()
    header, _, *rows = table.splitlines()[:5]
    assert " lr |" in header
    assert "hidden" not in header  # films lack it, and all our own have the same
    assert [row.count("**") for row in rows].count(2) == 1  # the best by loss is marked
    assert all("<b>$x$</b>" not in row.replace("`<b>$x$</b>`", "") for row in rows)
    # By epoch: 100 epochs and the last, of which every fifth has a frame, the stages in between.
    assert len(iio.imread(tmp_path / "compare.gif")) == len({*range(0, 101, 5), *range(1, 21), 59})


def test_a_search_by_loss_finds_both(directory: Path, tmp_path: Path) -> None:
    run, errors = compared(directory, tmp_path, "--experiment", GALLERY, "--metric", "loss")
    losses = {each: client(directory).get_run(each).data.metrics["loss"] for each in members(run)}
    assert list(losses.values()) == sorted(losses.values())
    assert set(losses) == set(ids(directory).values())
    assert "left out" not in errors


def test_a_search_by_another_metric_says_that_films_lack_it(
    directory: Path, tmp_path: Path
) -> None:
    code, output, errors = compare(directory, tmp_path, "--experiment", GALLERY)
    assert (code, output) == (2, "")
    assert "only one of the runs whose test_rmse is a finite number can be used" in errors
    assert "left out: 2 of the runs: films of any model without test_rmse" in errors
    assert "--metric loss compares all" in errors
    code, _, errors = compare(
        directory, tmp_path, "--experiment", GALLERY, "--metric", "val_loss", "--best", "2"
    )
    assert code == 2
    assert "left out: 1 of the runs: the film of any model without val_loss" in errors


def test_films_alone_are_ranked_by_loss(directory: Path, tmp_path: Path) -> None:
    words = "params.seed != 'none' OR"  # MLflow's filters have no OR: its message is shown
    code, _, errors = compare(directory, tmp_path, "--experiment", GALLERY, "--filter", words)
    assert (code, errors.count("\n")) == (2, 1)
    assert "the filter does not work" in errors
    films = "tags.`fitreel.kind` = 'film'"
    run, errors = compared(directory, tmp_path, "--experiment", GALLERY, "--filter", films)
    assert run.data.params["metric"] == "loss"
    known = ids(directory)
    assert set(members(run)) == {known["module"], known["boosted"]}


def test_by_share_all_films_end_together(directory: Path, tmp_path: Path) -> None:
    known = ids(directory)
    named = (known["own"], known["boosted"])
    run, _ = compared(directory, tmp_path, *named, "--align", "share", "--out", str(tmp_path))
    assert run.data.params == {"metric": "loss", "align": "share"}
    page = (tmp_path / "compare.html").read_text()
    assert '"align":"share"' in page
    film = iio.imread(tmp_path / "compare.gif")[..., :3]
    # Frame by frame both move, up to the end: by epoch the tree would stand still after stage 20.
    half = film.shape[2] // 2
    late = [
        number
        for number in range(len(film) * 3 // 4, len(film))
        if (film[number][:, half:] != film[number - 1][:, half:]).any()
    ]
    assert late


def test_the_same_points_are_recognised(directory: Path, tmp_path: Path) -> None:
    run, _ = compared(directory, tmp_path, *ids(directory).values(), "--out", str(tmp_path))
    page = (tmp_path / "compare.html").read_text()
    datasets = re.search(r'"datasets":\[(.*?)\],"runs"', page)
    assert datasets
    assert datasets[1].count('"x_range"') == 1
    assert run.info.status == "FINISHED"
