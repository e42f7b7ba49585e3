import pytest

from fitreel.checks.text import check_name, check_uri, code_span, is_run_id, shown


def test_control_characters_are_escaped() -> None:
    assert shown("\x1b[2J\u202eab\n\x9b") == r"\x1b[2J\u202eab\n\x9b"
    assert shown("père ריצה 👩‍🔬 σ²") == "père ריצה 👩‍🔬 σ²"


def test_text_that_is_too_long_loses_its_middle() -> None:
    assert shown("a" * 80) == "a" * 80
    assert shown("a" * 90 + "b" * 90) == "a" * 59 + "…" + "b" * 20


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("relu20 <b>", "`relu20 <b>`"),
        ("`a``", "`'a''`"),
        ("a|b", r"`a\|b`"),
        (r"a\|b", r"`a\ \|b`"),  # two backslashes before the | would not escape it
        ("a\n\n# b\x1b", r"`a # b\x1b`"),
        ("", "` `"),
    ],
)
def test_text_cannot_leave_a_code_span(text: str, span: str) -> None:
    assert code_span(text) == span


@pytest.mark.parametrize("name", ["first", "../up", "$x$ [b]", "ריצה", "👩‍🔬", "n" * 250])
def test_names_can_be_any_visible_text(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (" ", "it is empty"),
        ("n" * 251, "it has 251 characters; at most 250 are allowed"),
        ("a\tb", r"its character 2 is '\\t'"),
        ("\u200f", r"its character 1 is '\\u200f'"),
    ],
)
def test_an_invisible_name_is_an_error(name: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_name(name)


@pytest.mark.parametrize("text", ["", "..", "a/b", "a%2Fb", "-a", "ａ", "a" * 257, "a\n"])
def test_no_run_can_have_such_an_id(text: str) -> None:
    assert is_run_id("0123456789abcdef0123456789abcdef")
    assert not is_run_id(text)


def test_a_store_needs_a_host_or_a_file() -> None:
    for uri in ("http://127.0.0.1:5000/x", "sqlite:///mlflow.db", "databricks", "postgresql://h/d"):
        assert check_uri(uri) == uri
    with pytest.raises(ValueError, match="names no host"):
        check_uri("http://:5000")
    with pytest.raises(ValueError, match="names no file; its runs would be lost"):
        check_uri("sqlite://")
