"""The comparison page in a real browser, opened from disk."""

import math
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from playwright.sync_api import Browser, Page, expect

from fitreel.comparison.compared import OwnRun
from fitreel.comparison.runs import compare
from fitreel.data.dataset import Dataset
from fitreel.data.drawing import generate
from fitreel.pages.comparison import common_epochs, write_comparison
from fitreel.settings import DataSettings, TrainingSettings
from fitreel.training.evaluation import evaluate
from fitreel.training.loop import fit
from tests.browser import data, errorless, is_red, numbers, pixel, scrub, smallest_text, until

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>"


def compared(number: int, data: DataSettings = DataSettings(), **changes: Any) -> OwnRun:
    """Train a run to compare."""
    settings = TrainingSettings(**changes)
    dataset = generate(data)
    network, history = fit(dataset, settings)
    metrics = evaluate(network.weights(), dataset, data) | {"loss": history.losses[-1].item()}
    params = {name: str(value) for name, value in (vars(data) | vars(settings)).items()}
    return OwnRun(f"{number:08x}", settings.label, params, metrics, dataset, history)


@pytest.fixture(scope="module")
def runs() -> list[OwnRun]:
    """Train three runs; the second is shorter and has fewer frames and a hostile name."""
    first, last = compared(1, lr=0.05, epochs=200), compared(3, lr=0.3, epochs=200)
    middle = compared(2, lr=0.1, epochs=90, frame_every=7)
    params = dict(middle.params) | {"__proto__": HOSTILE, "constructor": "<i>9</i>"}
    metrics = dict(middle.metrics) | {"toString": 1.0, "none": math.nan, "endless": math.inf}
    hostile = OwnRun("2", HOSTILE, params, metrics, middle.dataset, middle.history)
    return [first, hostile, last]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory, runs: list[OwnRun]) -> Path:
    path = tmp_path_factory.mktemp("comparison") / "compare.html"
    write_comparison(compare(runs), path)
    return path


@pytest.fixture
def opened(page: Page, path: Path) -> Page:
    page.goto(path.as_uri())
    return page


def test_all_runs_are_at_the_same_epoch(opened: Page, runs: list[OwnRun]) -> None:
    steps = sorted({epoch for run in runs for epoch in run.history.frame_epochs.tolist()})
    x = torch.tensor([-0.8, 0.1, 0.7])
    for step in (0, 9, len(steps) // 2, len(steps) - 1):
        scrub(opened, step)
        assert numbers(opened.locator("#moment").inner_text()) == [steps[step]]
        for place, run in enumerate(runs):
            # Each run shows its last frame up to that epoch; the short one stays at its end.
            frame = int((run.history.frame_epochs <= steps[step]).sum()) - 1
            epoch = int(run.history.frame_epochs[frame])
            shown = numbers(opened.locator("figure .moment").nth(place).inner_text())
            assert shown == [epoch, pytest.approx(run.history.curve[epoch], abs=1e-4)]
            for left, y in zip(x.tolist(), run.history.frames[frame].predict(x), strict=True):
                assert is_red(pixel(opened, f"cells[{place}].plot", left, y.item()))


def test_hostile_names_params_and_metrics_stay_text(opened: Page) -> None:
    # A caption has what differs; the name is below it.
    caption = re.compile(r"^lr 0\.1, epochs 90, __proto__ </script>.*, constructor <i>9</i>$")
    expect(opened.locator("#legend button").nth(1)).to_have_text(caption)
    expect(opened.locator("figcaption").nth(1)).to_have_text(caption)
    expect(opened.locator("figure > .soft").nth(2)).to_have_text(HOSTILE)
    expect(opened.locator("#results tbody tr").nth(1)).to_contain_text(HOSTILE)
    expect(opened.locator("#results tbody tr").nth(1)).to_contain_text("<i>9</i>")
    expect(opened.locator("#results tbody tr").nth(0)).not_to_contain_text("native code")
    assert opened.locator("img, i:not(.swatch)").count() == 0
    assert opened.locator("script").count() == 2


def column(page: Page, name: str) -> list[str]:
    names = page.locator("#results thead th").all_inner_texts()
    (place,) = [place for place, each in enumerate(names) if each.strip(" ▲▼") == name]
    return page.locator(f"#results tbody tr > :nth-child({place + 1})").all_inner_texts()


def test_the_table_sorts_by_number_and_by_text(opened: Page, runs: list[OwnRun]) -> None:
    expected = sorted(run.metrics["test_rmse"] for run in runs)
    heading = opened.locator("#results thead").get_by_role("button", name="test_rmse", exact=True)
    for order in ("ascending", "descending"):
        heading.click()
        expect(opened.locator(f"[aria-sort={order}]")).to_have_count(1)
        shown = [numbers(text)[0] for text in column(opened, "test_rmse")]
        assert shown == pytest.approx(expected, rel=1e-3)
        expected.reverse()
    opened.locator("#results thead").get_by_role("button", name="toString").click()
    assert [text.strip("★ ") for text in column(opened, "toString")] == ["1", "", ""]
    opened.locator("#results thead").get_by_role("button", name="run", exact=True).click()
    assert column(opened, "run") == sorted(column(opened, "run"))


def test_differing_params_come_first_and_equal_ones_are_folded(opened: Page) -> None:
    heads = opened.locator("#results thead th").all_inner_texts()
    assert heads[1:4] == ["lr", "epochs", "frame_every"]
    assert heads.index("test_rmse") > heads.index("frame_every")
    assert "hidden" not in heads
    folded = opened.locator("#equal td").first
    expect(folded).to_be_hidden()
    opened.locator("#equal summary").click()
    expect(folded).to_be_visible()
    expect(opened.locator("#equal tr", has_text="hidden")).to_contain_text("20")


def test_the_best_is_marked(opened: Page, runs: list[OwnRun]) -> None:
    best = min(runs, key=lambda run: run.metrics["test_rmse"])
    marked = [text for text in column(opened, "test_rmse") if "★" in text]
    assert [numbers(text)[0] for text in marked] == [
        pytest.approx(best.metrics["test_rmse"], rel=1e-3)
    ]


def test_the_legend_switches_runs_on_and_off(opened: Page) -> None:
    chip = opened.locator("#legend button").first
    chip.click()
    expect(chip).to_have_attribute("aria-pressed", "false")
    assert opened.evaluate("[losses.series[1].show, fits.series[1].show]") == [False, False]
    expect(opened.locator("figure").first).to_be_hidden()
    expect(opened.locator("#runs-reading")).to_have_text("2 of 3 shown")
    opened.get_by_role("button", name="all", exact=True).click()
    assert opened.evaluate("[losses.series[1].show, fits.series[1].show]") == [True, True]
    expect(opened.locator("figure").first).to_be_visible()


def test_the_mouse_reads_the_nearest_fit_and_loss(opened: Page, runs: list[OwnRun]) -> None:
    frame = runs[0].history.frames[len(runs[0].history.frame_epochs) - 1]
    for chart, x, y in (
        ("fits", 0.9, frame.predict(torch.tensor([0.9])).item()),
        ("losses", 150, runs[0].history.losses[150]),
    ):
        left, top = opened.evaluate(
            f"([x, y]) => [{chart}.valToPos(x, 'x'), {chart}.valToPos(y, 'y')]", [x, y]
        )
        opened.locator(f"#{chart} .u-over").hover(position={"x": left, "y": top})
        text = opened.locator(f"#{chart}-reading").inner_text()
        assert text.startswith("lr 0.05, epochs 200 · ")
        *_, told_x, told_y = numbers(text)
        if chart == "fits":
            y = frame.predict(torch.tensor([told_x])).item()
            assert told_y == pytest.approx(y, abs=1e-4)
        else:
            assert told_x == pytest.approx(150, abs=2)
            assert told_y == pytest.approx(runs[0].history.losses[int(told_x)], abs=1e-4)


@pytest.fixture(scope="module")
def seeds(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[OwnRun]]:
    runs = [compared(seed, seed=seed, epochs=150) for seed in range(3)]
    path = tmp_path_factory.mktemp("seeds") / "compare.html"
    write_comparison(compare([*runs, compared(9, lr=0.2, epochs=150)]), path)
    return path, runs


def test_runs_that_differ_in_seed_are_one_curve_with_a_band(
    page: Page, seeds: tuple[Path, list[OwnRun]]
) -> None:
    path, runs = seeds
    page.goto(path.as_uri())
    assert page.evaluate("losses.series.length") == 1 + 1 + 3  # x, the other run, the band
    mean = np.mean([run.history.losses for run in runs], axis=0)
    assert page.evaluate("losses.data[4]") == pytest.approx(mean, rel=1e-6)
    row = page.locator("#groups tbody tr")
    cells = row.locator("td").all_inner_texts()
    assert cells[0] == "3"
    values = [run.metrics["test_rmse"] for run in runs]
    # Student's t with 2 degrees of freedom
    half_width = 4.302653 * np.std(values, ddof=1) / math.sqrt(3)
    assert numbers(cells[1]) == pytest.approx([np.mean(values), half_width], rel=0.05)
    page.locator("#means").uncheck()
    assert page.evaluate("losses.series.length") == 1 + 4


def test_each_cell_shows_its_own_points(page: Page, tmp_path: Path) -> None:
    runs = [compared(1, epochs=30), compared(2, DataSettings(function="sine"), epochs=30)]
    write_comparison(compare(runs), tmp_path / "compare.html")
    page.goto((tmp_path / "compare.html").as_uri())
    blue = page.evaluate("colours.points")
    assert blue == "#3b6ea5"
    for place, run in enumerate(runs):
        seen = [
            pixel(page, f"cells[{place}].plot", x.item(), y.item())
            for x, y in zip(run.dataset.x[::9], run.dataset.y[::9], strict=True)
        ]
        assert sum(colour[2] > colour[0] for colour in seen) >= 8


@pytest.mark.parametrize(("width", "scheme"), [(400, "light"), (1280, "dark")])
def test_it_is_readable_on_other_screens(
    browser: Browser, path: Path, width: int, scheme: Any
) -> None:
    viewport = {"width": width, "height": 800}
    with errorless(browser, viewport=viewport, color_scheme=scheme) as page:
        page.goto(path.as_uri())
        assert page.evaluate("document.scrollingElement.scrollWidth") <= width
        assert smallest_text(page) >= 12


def test_a_page_of_sixty_runs_has_a_few_megabytes(
    page: Page, tmp_path: Path, dataset: Dataset
) -> None:
    one = compared(0)
    runs = [
        OwnRun(f"{n:032x}", f"run {n}", {"lr": str(n)}, one.metrics, dataset, one.history)
        for n in range(60)
    ]
    path = tmp_path / "compare.html"
    write_comparison(compare(runs), path)
    assert path.stat().st_size < 8_000_000
    page.goto(path.as_uri())
    expect(page.locator("figure")).to_have_count(60)
    scrub(page, 100)
    assert (
        page.locator("figure .moment").all_inner_texts()
        == [f"epoch 500 · loss {one.history.losses[500]:.4f}"] * 60
    )


def test_the_page_has_only_numbers_that_json_allows(path: Path) -> None:
    hostile = data(path.read_text())["runs"][1]
    assert hostile["metrics"]["none"] == "nan"
    assert hostile["metrics"]["endless"] == "inf"


def test_losses_are_compared_at_common_epochs() -> None:
    assert common_epochs([np.ones(3), np.ones(5)]).tolist() == [0, 1, 2, 3, 4]
    long = np.ones(1_000_000)
    long[123_456] = 9.0
    kept = common_epochs([long, np.ones(777)])
    assert {0, 776, 123_456, 999_999} <= set(kept.tolist())
    assert len(kept) <= 1600


def test_a_diverged_run_does_not_flatten_the_others(page: Page, tmp_path: Path) -> None:
    wild = compared(1, epochs=30)
    losses = np.geomspace(0.5, 1e36, 30)
    history = replace(wild.history, losses=losses)
    metrics = {"test_rmse": math.inf}
    params = {"lr": "5", "noise": "none"}
    diverged = OwnRun("w", "wild", params, metrics, wild.dataset, history)
    write_comparison(compare([diverged, compared(2, epochs=30)]), tmp_path / "compare.html")
    page.goto((tmp_path / "compare.html").as_uri())
    high = page.evaluate("losses.scales.y.max")
    assert 1 < high < 200
    floor = page.evaluate("data.noise_floor")  # of the only run with a value
    assert floor == pytest.approx(0.2**2 / 12)


def test_infinite_metrics_are_shown_without_an_interval(page: Page, tmp_path: Path) -> None:
    runs = [compared(seed, seed=seed, epochs=20) for seed in range(2)]
    for run, value in zip(runs, (1e200, 1.797e308), strict=True):
        run.metrics["grad_norm"] = value  # type: ignore[index]
    write_comparison(compare(runs), tmp_path / "compare.html")
    page.goto((tmp_path / "compare.html").as_uri())
    expect(page.locator("#results")).to_contain_text("1e+200")
    expect(page.locator("#groups")).not_to_contain_text("grad_norm")
    expect(page.locator("#groups")).to_contain_text("test_rmse")


def test_runs_of_one_epoch_are_drawn_as_points(page: Page, tmp_path: Path) -> None:
    runs = [compared(n, lr=0.1 * n, epochs=1) for n in (1, 2)]
    write_comparison(compare(runs), tmp_path / "compare.html")
    page.goto((tmp_path / "compare.html").as_uri())
    assert page.evaluate("losses.series.slice(1).map((each) => each.points.show())") == [True, True]


def test_films_of_many_lengths_have_a_limited_number_of_steps(page: Page, tmp_path: Path) -> None:
    runs = [compared(n, epochs=300 + n, frame_every=n + 1, lr=0.05) for n in (0, 1, 2)]
    write_comparison(compare(runs), tmp_path / "compare.html")
    page.goto((tmp_path / "compare.html").as_uri())
    steps = page.evaluate("moments")
    assert len(steps) == min(400, len({e for r in runs for e in r.history.frame_epochs.tolist()}))
    assert (steps[0], steps[-1]) == (0, max(int(r.history.frame_epochs[-1]) for r in runs))


def test_the_arrows_move_the_film_after_a_switch_was_clicked(opened: Page) -> None:
    scrub(opened, 0)
    opened.locator("#log").click()
    opened.keyboard.press("ArrowRight")
    assert opened.evaluate("transport.place") == 1


CLICKED = [
    *("#log", "#none", "#legend button >> nth=1", "#scrub", "#losses .u-over", "figure >> nth=0"),
    *("#results tbody tr >> nth=1", "#results thead button >> nth=0", "#equal summary"),
]


@pytest.mark.parametrize("clicked", CLICKED)
def test_keys_do_the_same_after_any_click(opened: Page, clicked: str) -> None:
    opened.locator(clicked).click()
    state = "[byId('log').checked, runs.map((run) => run.isShown), byId('equal').open]"
    before = opened.evaluate(state)
    opened.keyboard.press("Home")
    opened.keyboard.press("ArrowRight")
    opened.keyboard.press("ArrowRight")
    opened.keyboard.press("ArrowLeft")
    assert opened.evaluate("transport.place") == 1
    opened.keyboard.press("Space")
    until(opened, "transport.place > 2")
    assert opened.evaluate(state) == before


def test_a_wide_table_that_has_the_focus_is_scrolled_by_the_keyboard(
    browser: Browser, path: Path
) -> None:
    with errorless(browser, viewport={"width": 400, "height": 800}) as page:
        page.goto(path.as_uri())
        page.keyboard.press("Tab")
        page.locator("#table .scroll").first.focus()
        last = page.evaluate("transport.place")
        page.keyboard.press("ArrowRight")
        until(page, "document.querySelector('#table .scroll').scrollLeft > 0")
        assert page.evaluate("transport.place") == last


def test_a_run_under_the_mouse_is_highlighted_everywhere(opened: Page) -> None:
    opened.locator("figure").nth(2).hover()
    expect(opened.locator("#legend button").nth(2)).to_have_class("lit")
    strokes = opened.evaluate("[1, 2, 3].map((at) => losses.series[at].stroke())")
    assert [len(stroke) for stroke in strokes] == [9, 9, 7]  # the others are translucent
    opened.mouse.move(5, 5)
    expect(opened.locator(".lit")).to_have_count(0)


@pytest.fixture(autouse=True)
def nothing_is_fetched(page: Page) -> Iterator[None]:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    yield
    assert all(url.startswith("file:") and url.endswith("/compare.html") for url in asked)
