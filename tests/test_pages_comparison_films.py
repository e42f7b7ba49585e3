"""The comparison page with films of any model, in a real browser, opened from disk."""

import math
import re
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect

from fitreel.comparison.compared import ComparedRun, FilmedRun
from fitreel.comparison.runs import compare
from fitreel.data.dataset import Dataset
from fitreel.pages.comparison import LEAST_LOSSES, MOST_LOSSES, drawn_losses, write_comparison
from fitreel.reel.reel import Reel
from tests.browser import data, errorless, is_red, numbers, pixel, scrub, smallest_text
from tests.compared import HOSTILE, compared
from tests.films import boosted, filmed
from tests.kinds import dataset_of, run_of

OWN, TREE = compared(name="ours"), boosted(stages=30)
FALLING = filmed(1, name="falling", steps=range(100, 141, 2))


def opened(page: Page, folder: Path, runs: list[ComparedRun], align: str = "epoch") -> Page:
    path = folder / "compare.html"
    write_comparison(compare(runs, "loss", align), path)  # type: ignore[arg-type]
    page.goto(path.as_uri())
    return page


@pytest.fixture
def mixed(page: Page, tmp_path: Path) -> Page:
    return opened(page, tmp_path, [OWN, TREE, FALLING])


def drawn(page: Page, place: int, run: ComparedRun, frame: int) -> bool:
    """Return whether the cell of a run shows the predictions of a frame."""
    shown = run.record(np.array([frame]))
    x, y = shown.probes.x, shown.in_space(0)
    # Between the steps of a tree, where its line is level.
    level = [at for at in range(4, len(x) - 4) if np.ptp(y[at - 3 : at + 4]) < 0.02][::20]
    assert level
    return all(
        is_red(pixel(page, f"cells[{place}].plot", float(x[at]), float(y[at]))) for at in level
    )


def test_all_are_at_the_same_epoch_and_wait_at_their_ends(mixed: Page) -> None:
    moments = sorted({*OWN.frame_steps.tolist(), *range(1, 31), *range(100, 141, 2)})
    assert mixed.evaluate("moments") == moments
    for moment, stage, fallen in ((10, 10, 0), (60, 30, 0), (120, 30, 10), (140, 30, 20)):
        scrub(mixed, moments.index(moment))
        expect(mixed.locator("#moment")).to_have_text(f"epoch {moment}")
        texts = mixed.locator("figure .moment").all_inner_texts()
        assert texts[0].startswith(f"epoch {min(moment, 60)} · loss ")
        assert texts[1] == f"step {stage} · loss {TREE.losses[stage - 1]:.4f}"
        assert texts[2].startswith(f"step {100 + 2 * fallen} · loss ")
        assert drawn(mixed, 1, TREE, stage - 1)
        assert drawn(mixed, 2, FALLING, fallen)


def test_a_switch_puts_them_in_step_by_share(mixed: Page) -> None:
    scrub(mixed, 0)
    mixed.locator("#align").select_option("share")
    expect(mixed.locator("#moment")).to_have_text("0 % of the training")
    assert mixed.evaluate("[moments[0], moments.at(-1)]") == [0, 1]
    half = mixed.evaluate("moments.findIndex((each) => each >= 0.5)")
    scrub(mixed, half)
    expect(mixed.locator("#moment")).to_have_text("50 % of the training")
    expect(mixed.locator("#scrub")).to_have_attribute("aria-valuetext", "50 % of the training")
    texts = mixed.locator("figure .moment").all_inner_texts()
    assert [numbers(text)[0] for text in texts] == [30, 15, 120]
    assert mixed.evaluate("losses.scales.x.max") == pytest.approx(1.02)
    mixed.locator("#scrub").press("End")
    texts = mixed.locator("figure .moment").all_inner_texts()
    assert [numbers(text)[0] for text in texts] == [60, 30, 140]


def test_the_switch_stays_where_the_film_is(mixed: Page) -> None:
    scrub(mixed, mixed.evaluate("moments.indexOf(30)"))
    for align, text in (("share", "50 % of the training"), ("epoch", "epoch 30")):
        mixed.locator("#align").select_option(align)
        expect(mixed.locator("#moment")).to_have_text(text)
    mixed.locator("#scrub").press("End")
    for align, text in (("share", "100 % of the training"), ("epoch", "epoch 140")):
        mixed.locator("#align").select_option(align)
        expect(mixed.locator("#moment")).to_have_text(text)


def test_a_page_begins_as_it_was_asked_for(page: Page, tmp_path: Path) -> None:
    opened(page, tmp_path, [TREE, FALLING], "share")
    expect(page.locator("#align")).to_have_value("share")
    expect(page.locator("#moment")).to_have_text("100 % of the training")
    page.locator("#align").select_option("epoch")
    expect(page.locator("#moment")).to_have_text("step 140")  # films alone have no epochs
    expect(page.locator("#align option").first).to_have_text("step")


def test_each_curve_has_the_losses_of_its_own_steps(mixed: Page) -> None:
    x, ours, tree, falling = mixed.evaluate(
        "losses.data.map((values) => Array.from(values, (value) => value ?? null))"
    )
    assert x == sorted({*range(60), *range(1, 31), *range(100, 141, 2)})
    for run, values in ((OWN, ours), (TREE, tree), (FALLING, falling)):
        known = dict(zip(run.steps.tolist(), run.losses, strict=True))
        # The last loss of what falls is 0, which a logarithmic axis lacks.
        expected = [known.get(step) or None for step in x]
        assert values == [each and pytest.approx(each, rel=1e-6) for each in expected]


def test_the_curve_of_a_film_is_a_line_between_steps_of_others(mixed: Page) -> None:
    # Between stages 100 and 102 another run would have to have a loss to break the line.
    colour = mixed.evaluate("colourOf(2)")
    height = math.sqrt(FALLING.losses[3] * FALLING.losses[4])
    seen = pixel(mixed, "losses", 107, height)
    wanted = [int(colour[place : place + 2], 16) for place in (1, 3, 5)]
    assert max(abs(one - other) for one, other in zip(seen, wanted, strict=False)) < 90


def test_the_mouse_reads_films_and_networks_alike(mixed: Page) -> None:
    line = TREE.record(np.array([29]))
    at = 150
    x, y = float(line.probes.x[at]), float(line.in_space(0)[at])
    for chart, across, up in (("fits", x, y), ("losses", 20, TREE.losses[19])):
        left, top = mixed.evaluate(
            f"([x, y]) => [{chart}.valToPos(x, 'x'), {chart}.valToPos(y, 'y')]", [across, up]
        )
        mixed.locator(f"#{chart} .u-over").hover(position={"x": left, "y": top})
        text = mixed.locator(f"#{chart}-reading").inner_text()
        if chart == "fits":
            assert re.match(r"(boosted tree|ours) · x ", text)
        else:
            assert text.startswith("boosted tree · step ")
            *_, step, loss = numbers(text)
            assert step == pytest.approx(20, abs=2)
            assert loss == pytest.approx(TREE.losses[int(step) - 1], abs=1e-4)


def test_the_fits_lie_over_each_other(mixed: Page) -> None:
    assert mixed.evaluate("fits.series.slice(1).map((each) => each.show)") == [True] * 3
    shown = mixed.evaluate("fits.data.slice(1).map((values) => Array.from(values))")
    x = np.array(mixed.evaluate("Array.from(fits.data[0])"))
    for run, values in zip([OWN, TREE, FALLING], shown, strict=True):
        line = run.record(np.array([-1]))
        expected = np.interp(x, line.probes.x, line.in_space(0))
        assert np.abs(np.array(values) - expected).max() < 0.01
    mixed.locator("#legend button").nth(1).click()
    assert mixed.evaluate("fits.series[2].show") is False


def test_losses_below_zero_and_no_numbers_are_drawn(page: Page, tmp_path: Path) -> None:
    odd = [1.0, math.nan, math.inf, -1.0, 1e300, -2.0]
    opened(page, tmp_path, [filmed(1, name="odd", steps=range(6), losses=odd), TREE])
    expect(page.locator("#log")).not_to_be_checked()
    values = page.evaluate("Array.from(losses.data[1], (value) => value ?? null)")
    assert values[0] == 1
    assert values[1] is values[2] is None
    assert values[3] == -1
    assert page.evaluate("losses.scales.y.min") < -2
    page.locator("#log").check()
    assert page.evaluate("losses.data[1][3] ?? null") is None


def test_hostile_texts_of_films_stay_text(page: Page, tmp_path: Path) -> None:
    films = [
        filmed(place, name=text, params={text: text}, metrics={text: 1.0})
        for place, text in enumerate(HOSTILE)
    ]
    opened(page, tmp_path, [OWN, *films])
    expect(page.locator("figure")).to_have_count(len(HOSTILE) + 1)
    expect(page.locator("#legend")).to_contain_text("<script>alert(1)</script>")
    assert page.locator("img").count() == 0
    assert page.locator("script").count() == 2


@pytest.mark.parametrize("kind", ["field", "regions", "agreement", "confidence"])
def test_films_of_tables_are_shown_beside_our_own(page: Page, tmp_path: Path, kind: str) -> None:
    table = dataset_of(kind)
    film = of_table(table)
    opened(page, tmp_path, [run_of(kind), film])
    scrub(page, 1)
    expect(page.locator("figure canvas")).to_have_count(2)
    expect(page.locator("#fits")).to_be_hidden()
    expect(page.locator("figure .moment").nth(1)).to_have_text("step 1 · loss 0.5000")


def of_table(table: Dataset) -> FilmedRun:
    """Film a model that predicts the same for all rows."""
    reel = Reel(table.inputs, table.y, names=table.features, classes=table.classes, every=1)
    shape = reel.shape_of_frame
    guess = 1 / shape[1] if len(shape) == 2 else table.y.float().mean().item()
    for step in range(3):
        reel.frame(step, 1 / (step + 1), lambda _: np.full(shape, guess))
    return FilmedRun("t" * 32, "guess", {}, {"loss": 0.3}, reel.dataset, reel)


def test_the_points_of_a_film_and_of_our_run_are_packed_once(tmp_path: Path) -> None:
    path = tmp_path / "compare.html"
    write_comparison(compare([OWN, TREE, FALLING], "loss"), path)
    content = data(path.read_text())
    assert len(content["datasets"]) == 1
    assert [run["dataset"] for run in content["runs"]] == [0, 0, 0]
    assert len(content["steps"]) == 3


def test_test_points_are_shown_wherever_the_points_are_the_same(page: Page, tmp_path: Path) -> None:
    film, own = of_table(dataset_of("curve")), run_of("curve")
    opened(page, tmp_path, [film, own, run_of("field")])
    assert page.evaluate("datasets.filter(Boolean).length") == 1
    assert page.evaluate("runs[0].dataset.test.x.length") == 40
    x, y = (tensor[7].item() for tensor in (own.dataset.x, own.dataset.y))
    colour = pixel(page, "fits", x, y)  # the points are below all fits
    assert colour[2] > colour[0]


def test_films_with_many_steps_have_a_limited_number_of_losses() -> None:
    long = filmed(steps=range(0, 30_000, 10))
    (kept,) = drawn_losses([long])
    assert len(kept) <= MOST_LOSSES + 2
    assert (kept[0], kept[-1]) == (0, 2999)
    many = drawn_losses([long] * 60)
    assert all(LEAST_LOSSES / 2 <= len(each) <= LEAST_LOSSES + 2 for each in many)


@pytest.mark.parametrize(("width", "scheme"), [(400, "light"), (1280, "dark")])
def test_it_is_readable_on_other_screens(
    browser: Browser, tmp_path: Path, width: int, scheme: str
) -> None:
    viewport = {"width": width, "height": 800}
    with errorless(browser, viewport=viewport, color_scheme=scheme) as page:
        opened(page, tmp_path, [OWN, TREE, FALLING], "share")
        assert page.evaluate("document.scrollingElement.scrollWidth") <= width
        assert smallest_text(page) >= 12
