"""The inputs of the corpus, made from its files; tests/corpus/README.md explains how."""

import base64
import gzip
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
        case "lines":
            begin, line, count = what
            return f"{begin}{''.join(line.format(number) for number in range(count))}".encode()
        case "declared":
            return _declared(what["rows"], what["bytes"])
        case "gzip":
            return gzip.compress(content(what, known), mtime=0)
        case "encoded":
            return text(what[0]).encode(what[1])
        case "parquet":
            return _parquet(what)
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


def _parquet(columns: dict[str, Any]) -> bytes:
    """Return a Parquet file of columns; or of pairs, which may have equal names."""
    import pyarrow
    from pyarrow import parquet

    pairs = columns.items() if isinstance(columns, dict) else columns
    cells = [pyarrow.array(each) for _, each in pairs]
    buffer = io.BytesIO()
    parquet.write_table(pyarrow.table(cells, names=[name for name, _ in pairs]), buffer)
    return buffer.getvalue()


def _declared(rows: int, size: int) -> bytes:
    """Return a Parquet file of 50 rows whose footer declares other numbers of rows and bytes.

    pyarrow would write the true ones: the footer is changed where it has them, as the variable
    length integers of Thrift.
    """
    import pyarrow
    from pyarrow import parquet

    buffer = io.BytesIO()
    table = pyarrow.table({"a": np.arange(50.0), "y": np.arange(50.0) / 3})
    parquet.write_table(table, buffer, compression="none", use_dictionary=False)
    whole = buffer.getvalue()
    length = int.from_bytes(whole[-8:-4], "little")
    footer = whole[-8 - length : -8]
    true = parquet.ParquetFile(buffer).metadata.row_group(0).total_byte_size
    assert footer.count(b"\x16" + _varint(50)) >= 2  # of the file, of the group, of its columns
    footer = footer.replace(b"\x16" + _varint(50), b"\x16" + _varint(rows))
    assert b"\x16" + _varint(true) in footer
    footer = footer.replace(b"\x16" + _varint(true), b"\x16" + _varint(size))
    return whole[: -8 - length] + footer + len(footer).to_bytes(4, "little") + b"PAR1"


def _varint(number: int) -> bytes:
    """Return an integer as Thrift's compact protocol writes it: zigzag, seven bits a byte."""
    number, found = 2 * number, []
    while number >= 128:
        found.append(number % 128 + 128)
        number //= 128
    return bytes([*found, number])


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
