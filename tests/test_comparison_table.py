import re
from dataclasses import replace

import pytest

from fitreel.comparison.runs import compare
from fitreel.comparison.table import comparison_table
from tests.compared import compared, hostile


def rows(text: str) -> list[list[str]]:
    """Split a table as GitHub does: at every | without a backslash before it."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


def test_each_run_has_a_row_with_differing_params_and_the_best_bold() -> None:
    run = compared()
    runs = [
        replace(run, name="slow", params={"lr": "0.1"}, metrics={"loss": 0.5, "test_r2": 0.123456}),
        replace(run, name="fast", params={"lr": "0.2"}, metrics={"loss": 0.25}),
    ]
    assert rows(comparison_table(compare(runs, "loss"))) == [
        ["run", "lr", "loss", "test_r2"],
        ["---", "---", "--:", "--:"],
        ["`slow`", "`0.1`", "0.5", "0.1235"],
        ["`fast`", "`0.2`", "**0.25**", "–"],
    ]


def test_groups_show_mean_interval_and_seeds() -> None:
    run = compared()
    runs = [
        replace(run, params={"lr": "0.1", "seed": str(seed)}, metrics={"loss": float(seed)})
        for seed in range(7)
    ]
    text = comparison_table(compare(runs[:3]))
    assert "| equal but for the seed | seeds | loss |" in text
    assert "| `3 seeds` | `3: 0, 1, 2` | 1 ± 2.484 |" in text  # 4.303 / √3
    assert "| `7 seeds` | `7: 0, 1, 2, 3 and 3 more` | 3 ±" in comparison_table(compare(runs))


def test_equal_params_are_folded() -> None:
    text = comparison_table(compare([compared(lr=0.1), compared(lr=0.2)]))
    folded = text.partition("<details><summary>16 params are equal</summary>\n\n")[2]
    assert ["`hidden`", "`20`"] in rows(folded)
    assert folded.endswith("\n\n</details>\n")


def test_the_first_of_many_params_are_shown_and_the_others_counted() -> None:
    run = compared()
    runs = [replace(run, params={f"p{n:02}": str(k) for n in range(23)}) for k in range(2)]
    text = comparison_table(compare(runs))
    assert "`p19`" in text
    assert "`p20`" not in text
    assert "\n\n3 more params differ.\n" in text


@pytest.mark.parametrize("asked", ["test_rmse", "<b>|`", ""])
def test_strange_text_stays_in_its_code_span(asked: str) -> None:
    text = comparison_table(compare(hostile(), asked))
    assert text.isprintable() or all(line.isprintable() for line in text.split("\n"))
    header, *table = rows(text.partition("\n\n")[0])
    assert len(table) == 1 + 8
    assert all(len(row) == len(header) for row in table)
    # Outside code spans nothing has a meaning in Markdown or HTML.
    outside = re.sub(r"`[^`\n]+`", "", text.partition("<details>")[0])
    assert re.fullmatch(r"[\w\s|:.±–+*'()%-]*", outside)
    assert max(map(len, text.splitlines())) < 5000


def test_values_drawn_by_a_sampler_are_rounded() -> None:
    rates = ("0.5046798646478564", "0.1", "0x5046798646478564")
    runs = [replace(compared(), params={"lr": rate}) for rate in rates]
    assert [row[1] for row in rows(comparison_table(compare(runs)))[2:]] == [
        "`0.50468`",
        "`0.1`",
        "`0x5046798646478564`",
    ]
