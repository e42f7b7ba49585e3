"""The drawing of the architecture matches the code."""

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from docs import architecture


def test_the_page_shows_the_code_as_it_is() -> None:
    """Run `python docs/architecture.py` if this fails."""
    assert architecture.DRAWING.read_text(encoding="utf-8") == architecture.drawing()
    page = architecture.PAGE.read_text(encoding="utf-8")
    assert architecture.page(page) == page
    assert page.splitlines()[2].startswith("![")
    assert "(images/architecture.svg)" in page


def test_every_package_and_every_direct_arrow_is_drawn() -> None:
    drawing = ElementTree.fromstring(architecture.drawing())
    space = "{http://www.w3.org/2000/svg}"
    names = {text.text for text in drawing.iter(f"{space}text")}
    assert {f"{name.replace('.', '/')}/" for name in architecture.packages()} <= names
    below = architecture.direct(architecture.arrows())
    paths = [path for path in drawing.iter(f"{space}path") if path.get("marker-end")]
    assert len(paths) == sum(map(len, below.values()))


def test_arrows_lead_down() -> None:
    below = {"a": frozenset("bc"), "b": frozenset("c"), "c": frozenset[str]()}
    assert architecture.layers(below) == [["a"], ["b"], ["c"]]
    assert architecture.direct(below) == {"a": {"b"}, "b": {"c"}, "c": set()}
    with pytest.raises(ValueError, match="packages import each other: a, b"):
        architecture.layers({"a": frozenset("b"), "b": frozenset("a")})


def test_imports_for_type_checking_are_not_drawn(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text(
        "import json\n"
        "from typing import TYPE_CHECKING\n"
        "from fitreel.data import Dataset\n"
        "if TYPE_CHECKING:\n    from fitreel.tracking import Run\n"
        "def work():\n    from fitreel.sweep.study import Study\n"
    )
    found = set(architecture.imports(module))
    assert {"fitreel.data.Dataset", "fitreel.sweep.study.Study"} <= found
    assert "fitreel.tracking.Run" not in found


def test_every_module_is_listed_with_its_first_line() -> None:
    listing = architecture.listing()
    for path in architecture.packages().values():
        for module in architecture.modules(path):
            assert f"    {module.relative_to(path).as_posix()} " in listing
            assert architecture.title(module).endswith((".", ":")), f"{module} has no docstring"
