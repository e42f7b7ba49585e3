"""The provenance: what a process reports about itself, and git about the code."""

import platform
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch

from fitreel import __version__
from fitreel.training import provenance
from fitreel.training.provenance import read_provenance
from tests.conftest import ROOT, git


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Create a repository with one commit of the package, whose commit the provenance reports."""
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "pipeline").mkdir()
    (tmp_path / "pipeline/train.py").touch()
    monkeypatch.setattr(provenance, "PACKAGE", tmp_path / "src/fitreel")
    git(tmp_path, "init")
    git(tmp_path, "add", "--all")
    git(tmp_path, "commit", "--message", "First")
    return tmp_path


def test_versions_threads_and_processor_are_reported() -> None:
    found = read_provenance()
    assert found["code_version"] == __version__
    assert (found["python"], found["torch"]) == (platform.python_version(), torch.__version__)
    assert found["numpy"] == np.__version__
    assert found["threads"] == str(torch.get_num_threads())
    assert found["processor"].endswith(torch.backends.cpu.get_cpu_capability())
    assert found["system"] == f"{platform.system()} {platform.machine()}"
    assert len(found["code_sha256"]) == 64
    assert read_provenance() == found


def test_the_commit_is_reported_and_that_nothing_was_changed(repository: Path) -> None:
    found = read_provenance()
    assert found["commit"] == git(repository, "rev-parse", "HEAD")
    assert found["uncommitted"] == "none"


def test_changed_code_is_reported(repository: Path) -> None:
    before = read_provenance()
    training = repository / "src/fitreel/training/loop.py"
    training.write_text("lr = 1")
    changed = read_provenance()
    assert changed["commit"] == before["commit"]
    assert changed["uncommitted"].endswith(" in src/fitreel/training/loop.py")
    assert changed["code_sha256"] != before["code_sha256"]
    git(repository, "add", "--all")
    assert read_provenance() == changed  # the same code, staged or not
    training.write_text("lr = 2")
    assert read_provenance()["uncommitted"] != changed["uncommitted"]
    git(repository, "checkout", "HEAD", "--", ".")
    assert read_provenance() == before


def test_new_deleted_and_renamed_files_are_changes(repository: Path) -> None:
    (repository / "src/fitreel/new name.py").touch()
    (repository / "pipeline/train.py").unlink()
    git(repository, "mv", "src/fitreel/pictures/film.py", "src/fitreel/pictures/movie.py")
    _, _, files = read_provenance()["uncommitted"].partition(" in ")
    assert (
        files
        == "pipeline/train.py, src/fitreel/new name.py, src/fitreel/pictures/film.py and 1 more"
    )


def test_a_conflict_is_a_change(repository: Path) -> None:
    version = repository / "src/fitreel/__init__.py"
    main = git(repository, "branch", "--show-current")
    for branch, text in (("other", "1"), (main, "2")):
        git(
            repository,
            "checkout",
            "-B",
            branch,
            git(repository, "rev-list", "--all", "--max-parents=0"),
        )
        version.write_text(text)
        git(repository, "commit", "--all", "--message", branch)
    with pytest.raises(subprocess.CalledProcessError):
        git(repository, "merge", "other")
    assert read_provenance()["uncommitted"].endswith(" in src/fitreel/__init__.py")


def test_files_other_than_code_are_not_changes(repository: Path) -> None:
    (repository / "notes.txt").touch()
    (repository / "src/fitreel/notes.txt").touch()
    (repository / "experiment.py").touch()
    assert read_provenance()["uncommitted"] == "none"


def test_a_repository_that_does_not_track_the_package_is_ignored(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = repository / "venv/site-packages/fitreel"
    shutil.copytree(repository / "src/fitreel", installed)
    monkeypatch.setattr(provenance, "PACKAGE", installed)
    assert not {"commit", "uncommitted"} & read_provenance().keys()
    (repository / ".gitignore").write_text("venv\n")
    assert "commit" not in read_provenance()


def test_environment_variables_of_git_are_ignored(
    repository: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path_factory.mktemp("other")
    git(other, "init")
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    found = read_provenance()
    monkeypatch.delenv("GIT_DIR")
    assert found["commit"] == git(repository, "rev-parse", "HEAD")


def test_nothing_in_the_repository_is_run_or_written(repository: Path) -> None:
    touched = repository / "touched"
    program = repository / "program"
    program.write_text(f"#!/bin/sh\ntouch {touched}\n")
    program.chmod(0o755)
    for name in ("core.fsmonitor", "core.pager", "diff.external"):
        git(repository, "config", name, str(program))
    for hook in ("post-index-change", "fsmonitor-watchman"):
        shutil.copy(program, repository / ".git/hooks" / hook)
    version = repository / "src/fitreel/__init__.py"
    version.write_text(version.read_text())  # otherwise git would refresh the index here
    index = (repository / ".git/index").read_bytes()
    assert read_provenance()["uncommitted"] == "none"
    assert (repository / ".git/index").read_bytes() == index
    assert not touched.exists()


def test_without_an_answer_of_git_the_commit_is_left_out(
    repository: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    (repository / ".git/config").write_text("[core")
    assert "commit" not in read_provenance()  # a repository that git refuses
    shutil.rmtree(repository / ".git")
    assert "commit" not in read_provenance()  # not a repository
    git(repository, "init")
    assert "commit" not in read_provenance()  # no commit
    bin_ = tmp_path_factory.mktemp("bin")
    monkeypatch.setenv("PATH", str(bin_))
    assert "commit" not in read_provenance()  # no git
    (bin_ / "git").write_text("#!/bin/sh\nexec /bin/sleep 60\n")
    (bin_ / "git").chmod(0o755)
    monkeypatch.setattr(provenance, "GIT_TIMEOUT", 0.1)
    assert "commit" not in read_provenance()  # a git that does not answer
    assert capfd.readouterr() == ("", "")
