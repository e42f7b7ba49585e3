import re

import pytest

from pipeline.note import note

RUN = "0123456789abcdef0123456789abcdef"
PARAMS = {"samples": "100", "noise": "0.2", "lr": "0.20", "epochs": "50", "live": "off"}


def test_a_note_tells_results_the_way_back_and_settings() -> None:
    metrics = {"loss": 0.00421, "train_mse": 0.0041, "test_mse": 0.0049, "noise_floor": 1 / 300}
    text = note(RUN, PARAMS, metrics, {}).replace("&emsp;", " ")
    assert text.startswith("Final loss **0.00421**\n\n| |train |test |\n")
    assert "|mse |0.0041 |0.0049 |\n|least possible mse | |0.003333 |\n" in text
    assert "    fitreel run --lr 0.20 --epochs 50\n" in text
    assert "    mlflow run . -P lr=0.20 -P epochs=50\n" in text
    assert text.endswith("- Points: samples `100`, noise `0.2`\n- Training: lr `0.20`, epochs `50`")


def test_a_note_tells_only_what_there_is() -> None:
    text = note(RUN, {"samples": "100"}, {}, {})
    assert text.startswith("**Reproduce**")
    assert "Training" not in text


def test_params_are_text_that_anybody_may_have_written() -> None:
    text = note(RUN, {"function": "`<b>\n# sine; rm -rf ~"}, {}, {})
    assert "`'<b> # sine; rm -rf ~`" in text
    assert "    fitreel run --function '`<b> # sine; rm -rf ~'\n" in text


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        ({}, ["rst.gif", "rst.png"]),
        ({"fitreel.format": "mp4"}, ["rst.png"]),  # which is no picture
    ],
)
def test_a_note_shows_the_pictures_that_there_are(
    changes: dict[str, str], shown: list[str]
) -> None:
    tags = {"fitreel.animate_seconds": "0.4", "fitreel.evaluate_seconds": "0.3"} | changes
    text = note(RUN, {"format": "gif"}, {"loss": 0.1}, tags)
    address = f"get-artifact?path={{}}&run_uuid={RUN}"
    assert re.findall(r"!\[(.*?)\]\((.*?)\)", text) == [
        (file, address.format(file)) for file in shown
    ]
    assert "![" not in note(RUN, {"format": "gif"}, {"loss": 0.1}, {})
