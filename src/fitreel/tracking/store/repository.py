"""The artifacts at an address: of a run, of a model.

By run id MLflow's client asks a server eight times a file whether a model is meant: sixty runs took
81 s to read. By address it asks for the file only, and they take 4 s.
"""

import errno
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit, urlunsplit

import mlflow.artifacts
from mlflow.entities import FileInfo

from fitreel.checks.durability import sync_copies, sync_folder
from fitreel.checks.urls import masked
from fitreel.tracking.store import internals
from fitreel.tracking.store.connection import WrongAnswer
from fitreel.tracking.store.limits import largest_file, request_limit, transfer

SERVED = ("mlflow-artifacts", "http", "https")  # schemes of what a tracking server keeps
ABOVE = 5  # folders above artifacts that MLflow creates: MODEL/models/EXPERIMENT/mlruns, and theirs


class Repository(Protocol):
    """What reads the artifacts at an address."""

    def list_artifacts(self, path: str | None = None, /) -> list[FileInfo]:
        """Return what is in a folder; the paths begin at the address."""

    def download_artifacts(self, path: str, folder: str, /) -> str:
        """Copy an artifact into a folder and return its path there."""


@dataclass(frozen=True)
class PublicRepository:
    """Artifacts that are read with MLflow's public functions."""

    address: str
    tracking_uri: str

    def list_artifacts(self, path: str | None = None, /) -> list[FileInfo]:
        """Return what is in a folder; the paths begin at the address."""
        found: list[FileInfo] = mlflow.artifacts.list_artifacts(
            artifact_uri=below(self.address, path) if path else self.address,
            tracking_uri=self.tracking_uri,
        )
        if path:
            return found
        # Here MLflow's paths begin at the parent of the address.
        return [
            FileInfo(each.path.partition("/")[2], each.is_dir, each.file_size) for each in found
        ]

    def download_artifacts(self, path: str, folder: str, /) -> str:
        """Copy an artifact into a folder and return its path there."""
        address = below(self.address, path)
        return mlflow.artifacts.download_artifacts(
            artifact_uri=address, dst_path=folder, tracking_uri=self.tracking_uri
        )


def open_repository(address: str, tracking_uri: str) -> Repository:
    """Open the artifacts at an address; MlflowException if it is not valid."""
    found: Repository | None = internals.artifact_repository(address, tracking_uri)
    return found or PublicRepository(address, tracking_uri)


def upload(address: str, tracking_uri: str, path: Path, to: str | None = None) -> bool:
    """Upload a file, or the files of a folder; return whether that can be done by address."""
    repository = internals.artifact_repository(address, tracking_uri)
    if repository is None:
        return False
    log = repository.log_artifacts if path.is_dir() else repository.log_artifact
    with request_limit.allowing(transfer(largest_file(path))):
        log(str(path), to)  # type: ignore[no-untyped-call]
    if urlsplit(address).scheme in SERVED and not _has_all(repository, path, to or ""):
        raise WrongAnswer(f"{masked(address)} lacks files whose upload was confirmed")
    return True


def _has_all(repository: Repository, path: Path, to: str) -> bool:
    """Return whether the files of a path are there: a server may confirm what it never did."""
    files = [path] if path.is_file() else [each for each in path.rglob("*") if each.is_file()]
    root = path.parent if path.is_file() else path
    sizes = {(Path(to) / each.relative_to(root)).as_posix(): each.stat().st_size for each in files}
    found = {
        each.path: each.file_size
        for folder in {name.rpartition("/")[0] for name in sizes}
        for each in repository.list_artifacts(folder or None)
    }
    # Some places do not say how large their files are.
    return all(found.get(name, -1) in (size, None) for name, size in sizes.items())


def make_durable(address: str, path: Path, to: str | None = None) -> None:
    """Write to the disk what was uploaded from a path, if the artifacts are on this machine.

    MLflow copies files and leaves them in memory; with a server that is up to its machine.
    """
    place = local_path(address)
    if place is None:
        return
    target = place / (to or "")
    sync_copies(path, target if path.is_dir() else target / path.name)
    for parent in target.relative_to(place).parents:
        sync_folder(place / parent)


def make_place_durable(address: str) -> None:
    """Write the folders that lead to artifacts on this machine to the disk."""
    if place := local_path(address):
        for parent in place.parents[:ABOVE]:
            try:
                sync_folder(parent)
            except OSError as error:  # above the file system that can be written
                if error.errno != errno.EROFS:
                    raise


def delete_all(address: str, tracking_uri: str) -> bool:
    """Delete the artifacts at an address; return False if MLflow lacks the way: none is public."""
    repository = internals.artifact_repository(address, tracking_uri)
    if repository is None:
        return False
    repository.delete_artifacts()  # type: ignore[no-untyped-call]
    return True


def below(address: str, path: str) -> str:
    """Return the address of a path below another; a query stays at the end."""
    parts = urlsplit(address)
    if not parts.scheme:  # a local path, in which # and ? are letters
        return f"{address.rstrip('/')}/{path}"
    return urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/{path}"))


def local_path(address: str) -> Path | None:
    """Return the path of an address on this machine, or None for another."""
    parts = urlsplit(address)
    if parts.scheme == "file":
        return Path(unquote(parts.path))
    return None if parts.scheme else Path(address)
