"""The model of a disk: files, folders, and what a power cut leaves of them."""

import random
from collections.abc import Callable
from pathlib import Path, PurePosixPath

SECTOR = 512  # bytes that a disk writes wholly or not at all

Tree = dict[str, bytes | None]  # by path below the root: the content of a file; None for a folder
Change = tuple[int, bytes]  # bytes written at an offset; from a negative one on, a new length


class File:
    """A file: what of it is on the disk, and its changes since."""

    def __init__(self, content: bytes = b"") -> None:
        self.content = bytearray(content)
        self.synced = content
        self.changes: list[Change] = []

    def write(self, offset: int, data: bytes) -> None:
        """Write at an offset."""
        self.changes.append((offset, data))
        _change(self.content, offset, data)

    def cut(self, length: int) -> None:
        """Change its length."""
        self.changes.append((~length, b""))
        _change(self.content, ~length, b"")

    def sync(self) -> None:
        """Write it to the disk as it is now."""
        self.synced, self.changes = bytes(self.content), []


class Folder:
    """A folder: its entries on the disk, and after each change since."""

    def __init__(self) -> None:
        self.versions: list[dict[str, File | Folder]] = [{}]

    @property
    def entries(self) -> dict[str, "File | Folder"]:
        """Its entries now."""
        return self.versions[-1]

    def change(self, name: str, entry: "File | Folder | None") -> None:
        """Set an entry; None removes it."""
        others = {key: each for key, each in self.entries.items() if key != name}
        self.versions.append(others if entry is None else others | {name: entry})

    def sync(self) -> None:
        """Write its entries to the disk as they are now."""
        self.versions = self.versions[-1:]


def _change(content: bytearray, offset: int, data: bytes) -> None:
    length = ~offset if offset < 0 else offset
    content.extend(bytes(max(0, length - len(content))))
    if offset < 0:
        del content[length:]
    else:
        content[offset : offset + len(data)] = data


def disk_of(tree: Tree) -> Folder:
    """Return a disk that has a tree, all of it safe."""
    root = Folder()
    for name, content in sorted(tree.items()):
        above, entry = folder_of(root, name)
        above.change(entry, Folder() if content is None else File(content))
        above.sync()
    return root


def folder_of(root: Folder, name: str) -> tuple[Folder, str]:
    """Return the folder of a path below the root, and the name of its entry."""
    *above, entry = PurePosixPath(name).parts
    for each in above:
        found = root.entries[each]
        assert isinstance(found, Folder)
        root = found
    return root, entry


# ---- what a power cut leaves ------------------------------------------------------------------

Contents = Callable[[File], bytes]
Entries = Callable[[Folder], dict[str, File | Folder]]


def left(root: Folder, contents: Contents, entries: Entries) -> Tree:
    """Return the tree after a power cut; two functions say what is left of a file and a folder."""
    tree: Tree = {}
    waiting: list[tuple[str, File | Folder]] = list(entries(root).items())
    for path, node in waiting:
        tree[path] = contents(node) if isinstance(node, File) else None
        if isinstance(node, Folder):
            waiting += [(f"{path}/{name}", each) for name, each in entries(node).items()]
    return tree


def _changed(file: File, changes: list[Change]) -> bytes:
    content = bytearray(file.synced)
    for change in changes:
        _change(content, *change)
    return bytes(content)


def _zeroed(file: File) -> bytes:
    """Return a file that has its length, but no data where there was none on the disk."""
    content = bytearray(file.synced)
    for offset, data in file.changes:
        # What was there is old or new, never zero.
        place = max(offset, min(len(file.synced), offset + len(data)))
        change = (place, bytes(offset + len(data) - place))
        _change(content, *((offset, data) if offset < 0 else change))
    return bytes(content)


def _torn(file: File, chance: random.Random) -> bytes:
    """Return a file that has some of its changes, the last one up to a sector."""
    changes = file.changes[: chance.randint(0, len(file.changes))]
    if changes and changes[-1][0] >= 0:
        offset, data = changes.pop()
        end = chance.randrange(offset, offset + len(data) + 1) // SECTOR * SECTOR
        changes.append((offset, data[: max(0, end - offset)]))
    return _changed(file, changes)


def _some(file: File, chance: random.Random) -> bytes:
    """Return a file that has some of its changes, in any order."""
    return _changed(file, [each for each in file.changes if chance.random() < 0.5])


def _now(file: File) -> bytes:
    return bytes(file.content)


def _safe(file: File) -> bytes:
    return file.synced


def power_cuts(root: Folder, chance: random.Random) -> dict[str, Callable[[], Tree]]:
    """Return the ways in which a power cut may leave a disk: each by what it is called."""

    def mixed(file: File) -> bytes:
        ways: list[Contents] = [_now, _safe, _zeroed, lambda each: _torn(each, chance)]
        return chance.choice([*ways, lambda each: _some(each, chance)])(file)

    def some(folder: Folder) -> dict[str, File | Folder]:
        return chance.choice(folder.versions)

    return {
        "everything": lambda: left(root, _now, lambda each: each.versions[-1]),
        "what is safe": lambda: left(root, _safe, lambda each: each.versions[0]),
        "names without contents": lambda: left(root, _safe, lambda each: each.versions[-1]),
        "names with zeros": lambda: left(root, _zeroed, lambda each: each.versions[-1]),
        "names with torn contents": lambda: left(
            root, lambda each: _torn(each, chance), lambda each: each.versions[-1]
        ),
        "contents without names": lambda: left(root, _now, lambda each: each.versions[0]),
        "a mixture": lambda: left(root, mixed, some),
    }


# ---- trees in the file system -----------------------------------------------------------------


def read_tree(root: Path) -> Tree:
    """Read all below a folder."""
    return {
        path.relative_to(root).as_posix(): None if path.is_dir() else path.read_bytes()
        for path in root.rglob("*")
    }


def write_tree(root: Path, tree: Tree) -> None:
    """Write a tree into an empty folder."""
    for name, content in tree.items():
        path = root / name
        if content is None:
            path.mkdir(mode=0o700)
        else:
            path.write_bytes(content)
