"""The inputs of the corpus, made from what its files say; tests/corpus/README.md explains it."""

import base64
import io
import json
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np


def text(said: Any) -> str:
    """Give the text that a case says."""
    return content(said, {}).decode(errors="surrogateescape")


def content(said: Any, known: dict[str, bytes]) -> bytes:
    """Give the bytes that a case says; ``known`` are the files that it may begin with."""
    if isinstance(said, str | int | float):
        return str(said).encode()
    if isinstance(said, list):
        return b"".join(content(part, known) for part in said)
    ((verb, what),) = said.items()
    match verb:
        case "base64":
            return base64.b64decode(what)
        case "bytes":
            return bytes.fromhex(what)
        case "repeat":
            return content(what[0], known) * int(what[1])
        case "file":
            return known[str(what)]
        case "cut":
            return content(what[0], known)[: what[1]]
        case "replace":
            whole, old, new = (content(part, known) for part in what)
            assert old in whole
            return whole.replace(old, new)
        case "header":
            return _with_length(content(what, known))
        case "zip":
            return _zip({name: content(part, known) for name, part in what.items()})
        case "safetensors":
            return _safetensors(what["tensors"], what.get("metadata", {"activation": "relu"}))
    raise ValueError(f"a case says {verb!r}, which nobody knows")


def place(path: Path, said: Any, known: dict[str, bytes]) -> None:
    """Put what a case says in the place of a file."""
    path.unlink(missing_ok=True)
    match said:
        case "missing":
            pass
        case "directory":
            path.mkdir()
        case "fifo":
            os.mkfifo(path)
        case {"link": target}:
            path.symlink_to(target)
        case {"sparse": [size, *begin]}:
            path.write_bytes(content(begin, known))
            os.truncate(path, size)
        case _:
            path.write_bytes(content(said, known))


def _zip(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, whole in files.items():
            archive.writestr(zipfile.ZipInfo(name), whole, zipfile.ZIP_DEFLATED)  # of no date
    return buffer.getvalue()


def _safetensors(tensors: dict[str, list[Any]], metadata: dict[str, str]) -> bytes:
    """Write tensors, each said as [dtype, shape, number]; the format is a header and the numbers.

    The format's own library would refuse to write what it must refuse to read.
    """
    kinds = {"F64": "f8", "F32": "f4", "F16": "f2", "I64": "i8", "I32": "i4", "BOOL": "?"}
    header: dict[str, Any] = {"__metadata__": metadata}
    numbers = b""
    for name, (kind, shape, number) in tensors.items():
        filled = np.full(shape, number, kinds[kind]).tobytes()
        ends = [len(numbers), len(numbers) + len(filled)]
        header[name] = {"dtype": kind, "shape": shape, "data_offsets": ends}
        numbers += filled
    written = json.dumps(header).encode()
    return _with_length(written) + numbers


def _with_length(header: bytes) -> bytes:
    return len(header).to_bytes(8, "little") + header
