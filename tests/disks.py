"""Disks whose power can be cut: file systems in images, mounted by loop devices."""

import fcntl
import os
import random
import struct
import subprocess
import time
from contextlib import suppress
from pathlib import Path

KINDS = ("ext4", "xfs")
SIZE = 320 << 20  # bytes; XFS needs 300 MB, of which the image takes 65
SHUT_DOWN = 0x8004587D  # FS_IOC_SHUTDOWN of Linux, for ext4 and XFS
WITHOUT_LOG = 2  # neither files nor the log of the file system are written
HABITS = ("nothing", "names", "some", "all")  # what is written back before the power is cut
PATIENCE = 10.0  # seconds until no dying process uses the disk


class Disk:
    """A file system in an image file, with the place where it is mounted."""

    def __init__(self, kind: str, image: Path, place: Path) -> None:
        self.place = place
        self._kind = kind
        self._image = image
        self._is_mounted = False  # a file system that was shut down is not known as a mount

    def format(self) -> None:
        """Mount it, empty."""
        self.unmount()
        with self._image.open("wb") as file:
            file.truncate(SIZE)
        force = {"ext4": "-F", "xfs": "-f"}[self._kind]
        _call(f"mkfs.{self._kind}", "-q", force, str(self._image))
        self.mount()

    def mount(self) -> None:
        """Mount it; the file system repairs itself from its log."""
        # The kernel frees the loop device when it is unmounted.
        _call("mount", "-t", self._kind, "-o", "loop", str(self._image), str(self.place))
        self._is_mounted = True

    def unmount(self) -> None:
        """Unmount it, if it is mounted."""
        end = time.monotonic() + PATIENCE
        while self._is_mounted:
            lazily = ["--lazy"] if time.monotonic() > end else []
            done = subprocess.run(
                ["umount", *lazily, str(self.place)], capture_output=True, check=False
            )
            self._is_mounted = done.returncode != 0
            assert not lazily, f"{self.place} is still in use: {done.stderr.decode()}"

    def cut(self) -> None:
        """Cut its power: from now on nothing is written, and what was not, is lost."""
        place = os.open(self.place, os.O_RDONLY)
        try:
            fcntl.ioctl(place, SHUT_DOWN, struct.pack("I", WITHOUT_LOG))
        finally:
            os.close(place)

    def write_back(self, habit: str, chance: random.Random) -> None:
        """Write some of what is in memory, as a system does now and then."""
        if habit == "names":  # of all files, with the log; the content of this one only
            with (self.place / "other").open("w") as file:
                file.write(str(chance.random()))
                file.flush()
                os.fsync(file.fileno())
        elif habit == "some":
            with suppress(OSError, IndexError):  # removed in between, or none there yet
                files = sorted(path for path in self.place.rglob("*") if path.is_file())
                chosen = os.open(chance.choice(files), os.O_RDONLY)
                os.fsync(chosen)
                os.close(chosen)
        elif habit == "all":
            _call("sync", "--file-system", str(self.place))


def _call(*command: str) -> None:
    subprocess.run(command, capture_output=True, check=True)
