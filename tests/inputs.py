"""The inputs of the corpus, made from its files; tests/corpus/README.md explains how."""

import base64
import io
import json
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np


def text(described: Any) -> str:
    """Return the text that a case describes."""
    return content(described, {}).decode(errors="surrogateescape")


def content(described: Any, known: dict[str, bytes]) -> bytes:
    """Return the bytes that a case describes; it may refer to the files in ``known``."""
    if isinstance(described, str | int | float):
        return str(described).encode()
    if isinstance(described, list):
        return b"".join(content(part, known) for part in described)
    ((verb, what),) = described.items()
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
    raise ValueError(f"a case has the unknown verb {verb!r}")


def place(path: Path, described: Any, known: dict[str, bytes]) -> None:
    """Replace a file with what a case describes."""
    path.unlink(missing_ok=True)
    match described:
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
            path.write_bytes(content(described, known))


def _zip(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, whole in files.items():
            archive.writestr(zipfile.ZipInfo(name), whole, zipfile.ZIP_DEFLATED)  # without a date
    return buffer.getvalue()


def _safetensors(tensors: dict[str, list[Any]], metadata: dict[str, str]) -> bytes:
    """Return a safetensors file of tensors, each described as [dtype, shape, number].

    The safetensors library would refuse to write the invalid files that reading must refuse.
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
