"""The download of a table: from a path, standard input, or any address that MLflow fetches."""

import re
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import unquote, urlsplit, urlunsplit
from urllib.request import Request, urlopen

import mlflow
from mlflow.exceptions import MlflowException

from fitreel.checks.text import shown
from fitreel.checks.urls import masked, scrubbed
from fitreel.data.table.fetching import copy_limited, local_file
from fitreel.data.table.limits import check_bytes
from fitreel.tracking.store.limits import RATE, request_limit, transfer
from fitreel.tracking.store.repository import open_repository

SILENCE = 10.0  # seconds after which a server is taken for dead
PATIENCE = 30.0  # seconds that any file may take, besides the time that its bytes take at RATE


def fetch(address: str, folder: Path) -> Path:
    """Return the file at an address: a path as it is, or a copy below a folder.

    The address may be - for standard input, or begin with http, s3, runs and whatever MLflow reads.
    Raises ValueError or OSError, in one line without secrets, if it is wrong, if the file is too
    large or not a table, or if the answer takes too long.
    """
    return local_file(address, folder, _download)


def _download(address: str, folder: Path) -> Path:
    seen = shown(masked(address))
    try:
        if urlsplit(address).scheme.lower() in ("http", "https"):
            return _by_http(address, folder)
        return _by_mlflow(address, folder)
    except TimeoutError:
        raise ValueError(f"{seen} does not answer within {SILENCE:.0f} s") from None
    except HTTPError as error:
        raise ValueError(f"{seen} answers {error.code} {shown(str(error.reason))}") from None
    except ImportError as error:
        raise ValueError(f"{seen} needs a package: {error}") from None
    except (MlflowException, OSError, HTTPException) as error:
        line = scrubbed(str(error), address).partition("\n")[0]
        raise ValueError(f"{seen} cannot be read: {shown(line, 200)}") from None


def _by_http(address: str, folder: Path) -> Path:
    # MLflow's own reader of HTTP expects a server of MLflow.
    target = folder / _name(address)
    request = Request(address, headers={"User-Agent": "fitreel"})  # noqa: S310
    with urlopen(request, timeout=SILENCE) as answer:  # noqa: S310 http and https alone get here
        check_bytes(target.name, int(answer.headers.get("Content-Length") or 0))
        copy_limited(answer, target, _check_pace)
    return target


def _check_pace(count: int, seconds: float) -> None:
    if seconds > PATIENCE + count / RATE:
        raise OSError(f"only {count:,} bytes came in {seconds:.0f} s")


def _by_mlflow(address: str, folder: Path) -> Path:
    parts = urlsplit(address)
    above, _, name = parts.path.rstrip("/").rpartition("/")
    parent = urlunsplit(parts._replace(path=above))
    repository = open_repository(parent, mlflow.get_tracking_uri())
    sizes = {
        Path(each.path).name: each.file_size or 0
        for each in repository.list_artifacts()
        if not each.is_dir
    }
    if unquote(name) not in sizes:
        raise OSError("there is no such file")
    size = sizes[unquote(name)]
    check_bytes(shown(name), size)  # before it is copied
    with request_limit.allowing(transfer(size)):
        return Path(repository.download_artifacts(unquote(name), str(folder)))


def _name(address: str) -> str:
    """Return a name for the copy: the last part of the address, if it is harmless."""
    name = unquote(urlsplit(address).path.rpartition("/")[2])
    return name if re.fullmatch(r"\w[\w.-]{0,99}", name, re.ASCII) else "download"
