from pipeline.note import note

PARAMS = {"samples": "100", "noise": "0.2", "lr": "0.20", "epochs": "50", "live": "off"}


def test_a_note_tells_settings_results_and_the_way_back() -> None:
    metrics = {"loss": 0.0042, "train_mse": 0.0041, "test_mse": 0.0049, "noise_floor": 0.00333}
    text = note(PARAMS, metrics)
    assert "- Points: samples `100`, noise `0.2`\n- Training: lr `0.20`, epochs `50`" in text
    assert "Final loss 0.0042." in text
    assert "| mse | 0.0041 | 0.0049 |" in text
    assert text.endswith("**Reproduce**\n\n    fitreel run --lr 0.20 --epochs 50")


def test_a_note_tells_only_what_there_is() -> None:
    text = note({"samples": "100"}, {})
    assert "Results" not in text
    assert "Training" not in text


def test_params_are_text_that_anybody_may_have_written() -> None:
    text = note({"function": "`<b>\n# sine; rm -rf ~"}, {})
    assert "`'<b> # sine; rm -rf ~`" in text
    assert text.endswith("    fitreel run --function '`<b> # sine; rm -rf ~'")
