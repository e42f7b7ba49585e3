"""The page of a sweep in a real browser, opened from disk."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from playwright.sync_api import Browser, Page, expect

from fitreel.comparison.compared import OwnRun
from fitreel.pages.sweep import chosen_trials, write_sweep
from fitreel.settings import SweepSettings, TrainingSettings, with_values
from fitreel.sweep.results import Results
from fitreel.sweep.trials import Outcome, Trial
from fitreel.training.members import End
from tests.browser import data, errorless, is_red, numbers, pixel, scrub, smallest_text, until
from tests.compared import compared
from tests.kinds import run_of

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>"
SPACE = "lr=log:0.001:1 activation=relu|tanh"
FILMED = (7, 4)  # the numbers of trials that have a film, the best first


def results(count: int) -> Results:
    """Return trials whose rates rise evenly; number 1 diverged, the last was pruned."""
    settings = SweepSettings(space=SPACE, trials=count)
    trials, outcomes = [], []
    for number in range(count):
        values = {
            "lr": 0.001 * 1000 ** (number / (count - 1)),
            "activation": ("relu", "tanh")[number % 2],
        }
        trials.append(Trial(number, with_values(TrainingSettings(epochs=60), values), 1))
        end: End = {1: "diverged", count - 1: "pruned"}.get(number, "finished")  # type: ignore[assignment]
        error = 0.06 + 0.01 * abs(number - 0.7 * count)
        metrics = {"test_rmse": error, "train_rmse": 0.9 * error, "dead_neurons": float(number)}
        if end == "diverged":
            metrics = {}
        curve = np.array([error**2], np.float32)
        outcomes.append(Outcome(number, end, 60, 1, curve, metrics, None, (0, 1)))
    return Results(settings, trials, outcomes)


@pytest.fixture(scope="module")
def films() -> list[OwnRun]:
    """Train the trials that have a film; the second is shorter."""
    long, short = compared(lr=0.2), compared(activation="tanh", epochs=31)
    return [
        replace(run, run_id=str(number)) for run, number in zip((long, short), FILMED, strict=True)
    ]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory, films: list[OwnRun]) -> Path:
    path = tmp_path_factory.mktemp("sweep") / "sweep.html"
    write_sweep(results(11), films, path, HOSTILE)
    return path


@pytest.fixture
def opened(page: Page, path: Path) -> Page:
    page.goto(path.as_uri())
    return page


def column(page: Page, name: str) -> list[str]:
    """Return the texts of a column of the table."""
    heads = page.locator("#trials thead th").all_inner_texts()
    place = [head.strip(" ▲▼") for head in heads].index(name) + 1
    return page.locator(f"#trials tbody tr > :nth-child({place})").all_inner_texts()


def sort_by(page: Page, name: str) -> None:
    page.locator("#trials thead").get_by_role("button", name=name, exact=True).click()


def test_the_table_has_every_trial_the_best_first(opened: Page) -> None:
    found = results(11)
    ranked = found.best(11)
    assert column(opened, "trial") == [str(each) for each in [*ranked, 1, 10]]
    shown = [numbers(text)[0] for text in column(opened, "test_rmse")[: len(ranked)]]
    assert shown == pytest.approx([found.score(each) for each in ranked], rel=1e-3)
    assert column(opened, "test_rmse")[-2:] == ["–", "–"]  # of a pruned one it says nothing
    assert column(opened, "end")[-2:] == ["diverged", "pruned"]
    assert [float(text) for text in column(opened, "loss")[:1]] == [
        pytest.approx(found.score(ranked[0]) ** 2, rel=1e-3)
    ]
    assert "11 trials: 9 finished, 1 diverged, 1 pruned" in opened.locator("#facts").inner_text()


def test_a_heading_sorts_and_what_is_missing_stays_last(opened: Page) -> None:
    sort_by(opened, "dead_neurons")
    assert column(opened, "dead_neurons") == [*map(str, [0, *range(2, 11)]), "–"]
    sort_by(opened, "dead_neurons")
    assert column(opened, "dead_neurons") == [*map(str, [*range(10, 1, -1), 0]), "–"]
    sort_by(opened, "activation")
    assert column(opened, "activation") == ["relu"] * 6 + ["tanh"] * 5


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("lr>0.1", {7, 8, 9, 10}),
        ("lr<=0.001", {0}),
        ("tanh lr>0.1", {7, 9}),
        ("activation=relu dead_neurons<3", {0, 2}),
        ("activation!=relu lr>=0.5", {9}),
        ("diverged", {1}),
        ("nothing like this", set()),
    ],
)
def test_a_filter_chooses_trials(opened: Page, words: str, expected: set[int]) -> None:
    opened.locator("#filter").fill(words)
    assert {int(text) for text in column(opened, "trial")} == expected
    expect(opened.locator("#table-reading")).to_have_text(f"{len(expected)} of 11 trials")
    assert opened.evaluate("[...parallel.chosen.keys()].filter((at) => parallel.chosen[at])") == (
        sorted(expected)
    )


def test_a_filter_is_typed_with_spaces(opened: Page) -> None:
    opened.locator("#filter").press_sequentially("tanh lr>0.1")
    assert {int(text) for text in column(opened, "trial")} == {7, 9}


def test_a_filter_that_cannot_be_read_says_so(opened: Page) -> None:
    opened.locator("#filter").fill("rate<1 lr>")
    expect(opened.locator("#filter-reading")).to_have_text(
        "there is no column rate; lr>: compare with what?"
    )
    assert len(column(opened, "trial")) == 11
    opened.locator("#filter").fill("__proto__=1 <b>")
    expect(opened.locator("#filter-reading")).to_contain_text("there is no column __proto__")


def brush(page: Page, axis: int, low: float, high: float) -> None:
    """Drag along an axis, from one place to another."""
    box = page.locator("#marks").bounding_box()
    assert box
    x, top, bottom = page.evaluate(
        f"[parallel.left({axis}), parallel.top({high}), parallel.top({low})]"
    )
    page.mouse.move(box["x"] + x, box["y"] + top)
    page.mouse.down()
    page.mouse.move(box["x"] + x, box["y"] + bottom, steps=4)
    page.mouse.up()


def test_ranges_on_axes_choose_the_trials_in_all_of_them(opened: Page) -> None:
    brush(opened, 0, 0.35, 0.85)  # trials 4 to 8 of 0 to 10
    assert {int(text) for text in column(opened, "trial")} == {4, 5, 6, 7, 8}
    reading = opened.locator("#lines-reading").inner_text()
    name, low, high = reading.replace(" to", "").split()
    assert name == "lr"
    assert float(low) == pytest.approx(0.001 * 1000**0.35, rel=0.05)
    assert float(high) == pytest.approx(0.001 * 1000**0.85, rel=0.05)
    brush(opened, 1, 0, 0.5)  # the first choice
    assert {int(text) for text in column(opened, "trial")} == {4, 6, 8}
    expect(opened.locator("#lines-reading")).to_contain_text("activation relu")
    box = opened.locator("#marks").bounding_box()
    assert box
    x, y = opened.evaluate("[parallel.left(0), parallel.top(0.5)]")
    opened.mouse.click(box["x"] + x, box["y"] + y)  # an axis that is pressed has no range
    assert {int(text) for text in column(opened, "trial")} == {0, 2, 4, 6, 8, 10}
    opened.get_by_role("button", name="clear all").click()
    assert len(column(opened, "trial")) == 11


def test_a_range_of_scores_has_no_trial_without_one(opened: Page) -> None:
    brush(opened, 2, 0, 1)
    assert set(column(opened, "end")) == {"finished"}


def test_pointing_at_a_line_reads_it_and_lights_its_row(opened: Page) -> None:
    box = opened.locator("#marks").bounding_box()
    assert box
    x, y = opened.evaluate(
        "[(parallel.left(0) + parallel.left(1)) / 2,"
        " (parallel.top(axes[0].places[0]) + parallel.top(axes[1].places[0])) / 2]"
    )
    opened.mouse.move(box["x"] + x, box["y"] + y)
    expect(opened.locator("#lines-reading")).to_contain_text("trial 0: lr 0.001, activation relu")
    expect(opened.locator("tr.lit td").nth(1)).to_have_text("0")


@pytest.mark.parametrize("place", [0, 1])
def test_a_trial_with_a_film_is_played(opened: Page, films: list[OwnRun], place: int) -> None:
    number, film = FILMED[place], films[place]
    opened.get_by_role("button", name=f"Play trial {number}", exact=True).click()
    expect(opened.locator("#film-title")).to_contain_text(f"trial {number}: lr")
    until(opened, "transport.place > 1")  # it plays at once
    steps = sorted({epoch for each in films for epoch in each.history.frame_epochs.tolist()})
    for epoch in (5, 55):
        scrub(opened, steps.index(epoch))
        frame = int((film.history.frame_epochs <= epoch).sum()) - 1
        shown = numbers(opened.locator("#moment").inner_text())
        at = int(film.history.frame_epochs[frame])  # the shorter film waits at its end
        assert shown == [at, pytest.approx(film.history.frame_losses[frame], abs=1e-4)]
        y = film.history.frames[frame].predict(torch.tensor([0.5])).item()
        assert is_red(pixel(opened, "fit", 0.5, y))


def test_a_trial_on_a_table_is_played(page: Page, tmp_path: Path) -> None:
    film = replace(run_of("regions"), run_id="7")
    write_sweep(results(11), [film], tmp_path / "sweep.html")
    page.goto((tmp_path / "sweep.html").as_uri())
    scrub(page, 2)
    expect(page.locator("#moment")).to_have_text(re.compile("^epoch 10 · loss "))
    assert page.evaluate("transport.last") == len(film.frame_steps) - 1


def test_a_trial_without_a_film_says_how_to_get_one(opened: Page) -> None:
    opened.get_by_role("button", name="How to film trial 8").click()
    expect(opened.locator("#film-note")).to_contain_text(
        f"fitreel run --lr {0.001 * 1000**0.8} --activation relu,"
    )
    expect(opened.locator("#film .chart")).to_be_hidden()


def test_a_hostile_name_stays_text(opened: Page, path: Path) -> None:
    expect(opened.locator("h1")).to_have_text(HOSTILE)
    assert opened.locator("img").count() == 0
    assert "<img" not in path.read_text()


def test_without_films_there_is_no_player(page: Page, tmp_path: Path) -> None:
    write_sweep(results(5), [], tmp_path / "sweep.html")
    page.goto((tmp_path / "sweep.html").as_uri())
    expect(page.locator("#film")).to_be_hidden()
    assert len(column(page, "trial")) == 5


def test_of_very_many_trials_the_best_and_some_others_are_shown(page: Page, tmp_path: Path) -> None:
    found = results(60)
    kept = chosen_trials(found, most=20)
    assert len(set(kept)) == 20
    assert set(found.best(10)) <= set(kept.tolist())
    assert sorted(kept) == kept.tolist()
    assert chosen_trials(found).tolist() == list(range(60))
    write_sweep(results(20_050), [], tmp_path / "sweep.html")
    assert (tmp_path / "sweep.html").stat().st_size < 4_000_000
    page.goto((tmp_path / "sweep.html").as_uri())
    expect(page.locator("#facts")).to_contain_text("20,000 of 20,050 trials shown")
    assert len(column(page, "trial")) == 200
    page.get_by_role("button", name="show more (19,800 are hidden)").click()
    assert len(column(page, "trial")) == 800


@pytest.fixture
def narrow(browser: Browser, path: Path) -> Iterator[Page]:
    with errorless(browser, viewport={"width": 400, "height": 800}) as page:
        page.goto(path.as_uri())
        yield page


def test_a_narrow_window_has_room_for_all_of_it(narrow: Page) -> None:
    assert narrow.evaluate("document.documentElement.scrollWidth") <= 400
    assert smallest_text(narrow) >= 12
    narrow.locator("#filter").fill("tanh")
    assert set(column(narrow, "activation")) == {"tanh"}


def test_scores_of_an_old_metric_are_shown_by_its_name(page: Page, tmp_path: Path) -> None:
    found = results(5)
    squared = replace(found, settings=replace(found.settings, metric="test_mse"))  # type: ignore[arg-type]
    write_sweep(squared, [], tmp_path / "sweep.html")
    page.goto((tmp_path / "sweep.html").as_uri())
    (best,) = squared.best(1)
    assert numbers(column(page, "test_mse")[0])[0] == pytest.approx(
        found.score(best) ** 2, rel=1e-3
    )
    assert data((tmp_path / "sweep.html").read_text())["metric"] == "test_mse"
