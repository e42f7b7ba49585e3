from pathlib import Path

import pytest

from fitreel.checks.files import publish


def test_a_file_is_published_completely_or_not_at_all(tmp_path: Path) -> None:
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    for folder in (ours, theirs):
        folder.mkdir()
    (ours / "picture.png").write_bytes(b"new")
    (theirs / "picture.png").symlink_to(ours / "elsewhere")
    publish(ours / "picture.png", theirs)
    assert (theirs / "picture.png").read_bytes() == b"new"
    assert not (ours / "elsewhere").exists()  # a link is replaced, not followed
    (theirs / "picture.png").unlink()
    (theirs / "picture.png").mkdir()
    with pytest.raises(IsADirectoryError):
        publish(ours / "picture.png", theirs)
    assert [path.name for path in theirs.iterdir()] == ["picture.png"]
