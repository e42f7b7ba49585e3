"""The benchmarks on own data: all sides see the same rows, and the page shows every result."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from benchmarks.own_data import loading
from benchmarks.own_data.loading import STEPS, measure, write
from benchmarks.own_data.page import PAGE, page
from benchmarks.own_data.results import (
    MEASURED,
    Loading,
    Measured,
    Result,
    load,
    save,
    save_loading,
)
from benchmarks.own_data.sides import (
    SIDES,
    SPACE,
    Outcome,
    defaults,
    linear,
    ours,
    read_split,
    their_network,
    tuned,
)
from benchmarks.own_data.tables import SPLITS, TABLES, TARGET, Table
from fitreel.settings import SweepSettings
from fitreel.training.baselines import baseline_metrics

SHIPPED = ["diabetes", "wine", "breast cancer", "digits"]  # by scikit-learn; others need a package


@pytest.mark.parametrize("name", SHIPPED)
def test_every_split_of_a_table_holds_out_a_tenth(name: str) -> None:
    table = TABLES[name]()
    splits = list(table.splits())
    assert len(splits) == SPLITS
    for (training, test), (again, _) in zip(splits, table.splits(), strict=True):
        assert training.equals(again)
        assert len(training) + len(test) == len(table.frame)
        assert not set(training.index) & set(test.index)
        assert len(test) == pytest.approx(0.1 * len(table.frame), abs=1)
        if table.has_classes:
            assert set(test[TARGET]) == set(table.frame[TARGET])
    assert not splits[0][1].equals(splits[1][1])


def small(has_classes: bool) -> Table:
    """Return a table with numbers, a category, and a target that is easy to learn."""
    generator = np.random.default_rng(0)
    x = generator.normal(size=120)
    town = generator.choice(["Ulm", "Köln", "Bonn"], 120)
    y = 3 * x + (town == "Ulm")
    target = np.where(y > 0, "high", "low") if has_classes else 1000 + y
    return Table(pd.DataFrame({"x": x, "town": town, TARGET: target}), has_classes)


@pytest.mark.parametrize("has_classes", [False, True])
def test_all_sides_learn_from_the_rows_of_a_split(has_classes: bool) -> None:
    table = small(has_classes)
    training, test = next(table.splits())
    dataset = read_split(training, test, has_classes)
    assert dataset.features == ("x", "town=Bonn", "town=Köln", "town=Ulm")
    assert dataset.test
    assert dataset.validation
    assert len(dataset) + len(dataset.validation) == len(training)
    held_out = torch.from_numpy(test["x"].to_numpy(np.float32))
    assert torch.equal(dataset.test.inputs[:, 0], held_out)
    found = baseline_metrics(dataset)
    guess = found["majority_test_log_loss" if has_classes else "mean_test_rmse"]
    for side in (ours, their_network, linear):
        outcome = side(dataset)
        assert 0 < outcome.error < 0.6 * guess
        assert outcome.seconds > 0


def test_the_tuned_side_takes_a_trial_of_the_space(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.own_data.sides.TRIALS", 3)
    dataset = read_split(*next(small(False).splits()), False)
    outcome = tuned(dataset)
    assert 0 < outcome.error < baseline_metrics(dataset)["mean_test_rmse"]
    names = {each.name for each in SweepSettings(space=SPACE).dimensions}
    assert names == {"lr", "weight_decay"}
    assert defaults().patience_epochs


def measured(**errors: float) -> Measured:
    result = Result(100, 3, 0)
    for side, error in errors.items():
        result.add(side, [Outcome(error + change, 0.5) for change in (-0.1, 0, 0.1)])
    return Measured("2026-01-01", "a machine", {"diabetes": result})


def test_the_ratio_is_to_the_better_of_their_network_and_ours_tuned(tmp_path: Path) -> None:
    found = measured(ours=3.0, theirs=4.0, linear=1.0)
    result = found.results["diabetes"]
    assert result.error("ours") == pytest.approx((3, 0.1 / 3**0.5))
    assert result.ratio == pytest.approx(0.75)
    assert "| 3 ± 0.058 | – | 4 ± 0.058 | 1 ± 0.058 | **0.75** | met | 0.5 / – / 0.5 |" in page(
        found
    )
    assert "The goal is met everywhere." in page(found)
    worse = measured(ours=3.0, tuned=2.0, theirs=4.0, linear=1.0)
    assert worse.results["diabetes"].ratio == pytest.approx(1.5)
    assert "The goal is missed on diabetes." in page(worse)
    save(worse.results, tmp_path / "measured.json")
    assert load(tmp_path / "measured.json").results == worse.results
    assert load(tmp_path / "nothing.json").results == {}


def test_the_page_is_made_of_what_was_measured() -> None:
    stored = load()
    assert set(stored.results) == set(TABLES)
    text = PAGE.read_text(encoding="utf-8")
    assert text == page(stored)
    assert all(f"\n| {name} |" in text for name in TABLES)
    assert all(set(each.errors) <= set(SIDES) for each in stored.results.values())
    assert all(
        len(errors) == SPLITS for each in stored.results.values() for errors in each.errors.values()
    )


def test_the_loading_is_kept_and_shown_without_new_results(tmp_path: Path) -> None:
    path = tmp_path / "measured.json"
    path.write_text(MEASURED.read_text(encoding="utf-8"), encoding="utf-8")
    before = load(path)
    found = Loading("ours", ".csv", 4_000_000, 1.25, 7_000_000.0)
    save_loading([found], path)
    after = load(path)
    assert (after.when, after.machine, after.results) == (
        before.when,
        before.machine,
        before.results,
    )
    assert "| csv | 4 | ours | 1.2 | 7 |" in page(after)
    save(after.results, path)
    assert load(path).loading == [found]


@pytest.mark.needs("peaks")
@pytest.mark.parametrize("suffix", STEPS)
def test_the_loading_of_a_file_is_measured(
    suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "TIMES", 1)
    small, large = write(tmp_path, 10)[suffix], write(tmp_path, 50_000)[suffix]
    found = measure("ours", STEPS[suffix]["ours"], small, large)
    assert 0 < found.seconds < 60
    assert 4 * 50_000 * 20 < found.peak < 100_000_000
    assert found.size == large.stat().st_size
