"""The recorder: what a command does to the files below a folder, one system call after another."""

import ctypes
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.disk_model import File, Folder, folder_of
from tests.faults import wait_until

SYNCS = ("fsync", "fdatasync")
CALLS = (
    *("openat", "write", "pwrite64", "sendfile", "ftruncate", "mkdir", "rmdir"),
    *("rename", "renameat", "unlink", "unlinkat", *SYNCS),
)
LINE = re.compile(r"(?P<name>\w+)\((?P<arguments>.*)\) += (?P<result>\S+)", re.DOTALL)
ANY_PROCESS = 0x59616D61, -1  # PR_SET_PTRACER, PR_SET_PTRACER_ANY of prctl(2)


class Call(NamedTuple):
    """A system call that succeeded."""

    name: str
    arguments: list[str]
    result: str


def trace(file: str) -> None:
    """Record the calls of this process in a file."""
    ctypes.CDLL(None).prctl(*ANY_PROCESS, 0, 0, 0)
    options = ["-f", "-y", "-xx", "-s", str(1 << 24), "-e", f"trace={','.join(CALLS)}"]
    subprocess.Popen(["strace", *options, "--quiet=attach", "-o", file, "-p", str(os.getpid())])
    status = Path("/proc/self/status")
    wait_until(lambda: "TracerPid:\t0\n" not in status.read_text(), "not traced")


def wait_for_end(file: Path) -> None:
    """Wait until all is recorded of a process that has ended."""
    wait_until(lambda: file.read_bytes()[-100:].rstrip().endswith(b"+++"), "strace")


def calls(file: Path) -> Iterator[Call]:
    """Read the calls that succeeded, in their order."""
    started = dict[str, str]()
    with file.open() as lines:
        for line in lines:
            thread, _, text = line.rstrip("\n").partition(" ")
            text = text.lstrip()
            if text.endswith(" <unfinished ...>"):
                started[thread] = text.removesuffix(" <unfinished ...>")
                # What another thread writes until it returns is not synced.
                if not text.startswith(SYNCS):
                    continue
                text = started[thread] + ") = 0"
            elif text.startswith("<... "):
                _, _, rest = text.partition(" resumed>")
                text = started.pop(thread) + rest
                if text.startswith(SYNCS):
                    continue
            if (found := LINE.match(text)) and not found["result"].startswith(("-1", "?")):
                yield Call(found["name"], found["arguments"].split(", "), found["result"])


class Opened:
    """An open file or folder, and the place in it where the next write goes."""

    def __init__(self, node: File | Folder, appends: bool) -> None:
        self.node, self.appends, self.offset = node, appends, 0


class Replay:
    """What calls did to a disk, done to a model of that disk."""

    def __init__(self, place: Path, root: Folder) -> None:
        self._place, self._root = place, root
        self._open = dict[int, Opened]()

    def apply(self, call: Call) -> bool:
        """Do a call; return whether it changed something on the disk."""
        method = getattr(self, f"_{call.name}")
        return bool(method(call.result, *call.arguments))

    def _name(self, folder: str, name: str) -> str | None:
        """Return a path below the place of the disk; None if it is not below it."""
        path = os.path.normpath(Path(_path_of(folder), _text(name)))
        above = f"{self._place}/"
        return path.removeprefix(above) if path.startswith(above) else None

    def _opened(self, descriptor: str) -> Opened | None:
        path = _path_of(descriptor)
        if not f"{path}/".startswith(f"{self._place}/"):
            return None
        return self._open.get(int(descriptor.partition("<")[0]))

    def _openat(self, result: str, folder: str, name: str, flags: str, *_: str) -> bool:
        path = self._name(folder, name)
        number = int(result.partition("<")[0])
        if path is None:
            if os.path.normpath(_text(name)) == str(self._place):
                self._open[number] = Opened(self._root, False)
            return False
        above, entry = folder_of(self._root, path)
        is_new = entry not in above.entries
        if is_new:
            assert "O_CREAT" in flags
            above.change(entry, File())
        node = above.entries[entry]
        self._open[number] = Opened(node, "O_APPEND" in flags)
        if "O_TRUNC" in flags and isinstance(node, File) and node.content:
            node.cut(0)
            return True
        return is_new

    def _write(self, result: str, descriptor: str, data: str, *_: str) -> bool:
        return self._put(descriptor, _bytes(data)[: int(result)])

    def _put(self, descriptor: str, data: bytes) -> bool:
        opened = self._opened(descriptor)
        if opened is None:
            return False
        assert isinstance(opened.node, File)
        if opened.appends:
            opened.offset = len(opened.node.content)
        opened.node.write(opened.offset, data)
        opened.offset += len(data)
        return True

    def _pwrite64(self, result: str, descriptor: str, data: str, _: str, offset: str) -> bool:
        opened = self._opened(descriptor)
        if opened is None:
            return False
        assert isinstance(opened.node, File)
        opened.node.write(int(offset), _bytes(data)[: int(result)])
        return True

    def _sendfile(self, result: str, to: str, source: str, offset: str, *_: str) -> bool:
        start = int(offset.removeprefix("[").partition("]")[0])
        opened = self._opened(source)
        if opened is None:
            content = Path(_path_of(source)).read_bytes()
        else:
            assert isinstance(opened.node, File)
            content = bytes(opened.node.content)
        return self._put(to, content[start : start + int(result)])

    def _ftruncate(self, _: str, descriptor: str, length: str) -> bool:
        opened = self._opened(descriptor)
        if opened is None:
            return False
        assert isinstance(opened.node, File)
        opened.node.cut(int(length))
        return True

    def _fsync(self, _: str, descriptor: str) -> bool:
        if opened := self._opened(descriptor):
            opened.node.sync()
        return opened is not None

    _fdatasync = _fsync

    def _mkdir(self, _: str, name: str, *__: str) -> bool:
        return self._set("", name, Folder())

    def _unlink(self, _: str, name: str) -> bool:
        return self._set("", name, None)

    _rmdir = _unlink

    def _unlinkat(self, _: str, folder: str, name: str, *__: str) -> bool:
        return self._set(folder, name, None)

    def _rename(self, _: str, old: str, new: str) -> bool:
        return self._renameat("", "", old, "", new)

    def _renameat(self, _: str, folder: str, old: str, to: str, new: str) -> bool:
        path = self._name(folder, old)
        if path is None:
            return False
        above, entry = folder_of(self._root, path)
        node = above.entries[entry]
        self._set(folder, old, None)
        return self._set(to, new, node)

    def _set(self, folder: str, name: str, node: File | Folder | None) -> bool:
        path = self._name(folder, name)
        if path is None:
            return False
        above, entry = folder_of(self._root, path)
        above.change(entry, node)
        return True


def _bytes(quoted: str) -> bytes:
    return bytes.fromhex(quoted.strip('"').replace("\\x", ""))


def _text(quoted: str) -> str:
    return _bytes(quoted).decode()


def _path_of(descriptor: str) -> str:
    """Return the path of an open file: strace shows it behind the number."""
    path = descriptor.partition("<")[2].partition(">")[0]
    return _bytes(path).decode() if path.startswith("\\x") else path
