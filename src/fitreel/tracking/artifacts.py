"""The artifacts of a run, read as copies: first their size is checked, then their digest."""

import json
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property, partial
from pathlib import Path
from urllib.parse import unquote, urlsplit

from mlflow.entities import FileInfo
from mlflow.exceptions import MlflowException

from fitreel.checks.files import check_size, sha256
from fitreel.checks.urls import masked, scrubbed
from fitreel.journal.spool import scratch
from fitreel.settings import FILMED
from fitreel.tracking.facts import Facts
from fitreel.tracking.names import DIGESTS_TAG
from fitreel.tracking.store.client import Client
from fitreel.tracking.store.connection import plain_errors
from fitreel.tracking.store.limits import request_limit, transfer
from fitreel.tracking.store.repository import Repository


class Artifacts:
    """The artifacts of one run."""

    def __init__(self, client: Client, uri: str, facts: Facts) -> None:
        self._client = client
        self._uri = uri
        self._facts = facts

    @cached_property
    def _repository(self) -> Repository:
        # Read from the repository itself: MLflow's client asks a server eight times a file,
        # because a model might be meant. Sixty runs took 81 s to read, and take 4 s.
        try:
            return self._client.repository(self._uri)
        except MlflowException as error:
            what = scrubbed(str(error.message), self._uri)
            raise ValueError(f"artifacts of run {self._facts.run_id}: {what}") from error

    @contextmanager
    def copy(self, path: str, stage: str, most: int) -> Iterator[Path]:
        """Yield a copy of an artifact of at most ``most`` bytes, which ``stage`` logs.

        Raises FileNotFoundError if the run lacks it, ValueError if it is too large.
        """
        with scratch() as directory:
            yield self._fetch(path, stage, most, directory)

    @contextmanager
    def copy_as_logged(self, path: str, stage: str, most: int) -> Iterator[Path]:
        """Yield a copy of an artifact; ValueError at the end if it is not what the run logged.

        The digest is compared last: a file that cannot be read at all has a better message.
        """
        with self.copy(path, stage, most) as copy:
            yield copy
            logged = self._digests().get(path)
            if logged and sha256(copy) != logged:
                raise ValueError(
                    f"{path} is not what run {self._facts.run_id} logged: "
                    "it was changed, or belongs to another run"
                )

    @contextmanager
    def copies(self, paths: Sequence[str], most: int, together: int) -> Iterator[list[Path]]:
        """Yield copies of files of one folder, each of at most ``most`` bytes, in the same order.

        Raises ValueError if one is too large, or all ``together`` are.
        """
        with scratch() as directory, plain_errors(self._client.tracking_uri), self._packages():
            sizes = self._listed(str(Path(paths[0]).parent))
            for path in paths:
                check_size(Path(path).name, sizes[path], most)
            check_size(f"{len(paths):,} files", sum(sizes[path] for path in paths), together)
            copies = list[Path]()
            for path in paths:
                with request_limit.allowing(transfer(sizes[path])):
                    fetch = partial(self._download, path, str(directory))
                    copies.append(Path(self._client.patiently(fetch)))
            yield copies

    def files_in(self, folder: str) -> list[str]:
        """Return the paths of the files in a folder; none if there is no such folder."""
        with plain_errors(self._client.tracking_uri), self._packages():
            return [entry.path for entry in self._entries(folder) if not entry.is_dir]

    def first_of(self, paths: Collection[str]) -> str | None:
        """Return the first of these paths that exists, or None; anybody may have logged it."""
        folders = {str(Path(path).parent) for path in paths}
        with plain_errors(self._client.tracking_uri), self._packages():
            found = {path for folder in folders for path in self._listed(folder)}
        return next((path for path in paths if path in found), None)

    def addresses(self) -> dict[str, str]:
        """Return where every file is, by path: its path on this machine, or its URI."""
        with plain_errors(self._client.tracking_uri), self._packages():
            return {path: self._address(path) for path in self._walk(".")}

    def local_file(self, path: str) -> Path | None:
        """Return where a file is on this machine; None if the artifacts are elsewhere."""
        address = Path(self._address(path))
        return address if address.is_absolute() and address.is_file() else None

    def _walk(self, folder: str) -> Iterator[str]:
        for entry in self._entries(folder):
            if entry.is_dir:
                yield from self._walk(entry.path)
            else:
                yield entry.path

    def _address(self, path: str) -> str:
        parts = urlsplit(self._uri)
        if parts.scheme in ("", "file"):
            return str(Path(unquote(parts.path), path))
        return masked(f"{self._uri.rstrip('/')}/{path}")

    def _listed(self, folder: str) -> dict[str, int]:
        """Return the sizes of the files and folders in a folder, by path."""
        return {entry.path: entry.file_size or 0 for entry in self._entries(folder)}

    def _entries(self, folder: str) -> list[FileInfo]:
        return self._client.patiently(
            lambda: self._repository.list_artifacts(None if folder == "." else folder)
        )

    def _fetch(self, path: str, stage: str, most: int, directory: Path) -> Path:
        with plain_errors(self._client.tracking_uri), self._packages():
            sizes = self._listed(str(Path(path).parent))
            if path not in sizes:
                raise FileNotFoundError(self._missing(path, stage))
            # Before it is copied: a device has no end.
            check_size(Path(path).name, sizes[path], most)
            with request_limit.allowing(transfer(sizes[path])):
                return Path(self._client.patiently(partial(self._download, path, str(directory))))

    def _missing(self, path: str, stage: str) -> str:
        run_id = self._facts.run_id
        if self._facts.is_film:
            return (
                f"run {run_id} is a film and has no {path}: its training has not ended, or was "
                "killed; fitreel sync makes the film of a killed one"
            )
        if self._facts.is_trial:
            return (
                f"run {run_id} is a trial of a sweep and has no {path}: a sweep films only the "
                f"best {FILMED} of its trials; train it alone with fitreel run"
            )
        return f"run {run_id} has no {path}; log it first: fitreel {stage} --run {run_id}"

    def _download(self, path: str, directory: str) -> str:
        return str(self._repository.download_artifacts(path, directory))

    @contextmanager
    def _packages(self) -> Iterator[None]:
        """Raise ValueError, in one line, where a store of artifacts needs a missing package."""
        try:
            yield
        except ImportError as error:
            raise ValueError(
                f"artifacts of run {self._facts.run_id} need a package: {error}"
            ) from error

    def _digests(self) -> dict[str, str]:
        """Return the SHA-256 of artifacts as they were logged, by path."""
        try:
            return dict(json.loads(self._facts.tags.get(DIGESTS_TAG, "{}")))
        except (ValueError, TypeError):
            raise ValueError(f"tag {DIGESTS_TAG} of run {self._facts.run_id} is not JSON") from None
