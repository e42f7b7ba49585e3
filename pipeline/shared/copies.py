"""The copies of a run's files that a command leaves in the directory of --out."""

from pathlib import Path

from fitreel.checks.files import publish
from fitreel.checks.text import shortened


class Copies:
    """The directory, None without --out, and the files that were copied into it."""

    def __init__(self) -> None:
        self.directory: Path | None = None
        self.files: list[Path] = []

    def leave_in(self, directory: Path) -> None:
        """Create the directory unless it exists; ValueError if it is a file."""
        if directory.exists() and not directory.is_dir():
            raise ValueError(f"--out must be a directory; {shortened(str(directory))} is a file")
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory.absolute()

    def add(self, folder: Path) -> None:
        """Copy the files of a folder, if there is a directory to leave them in."""
        if self.directory is None:
            return
        for file in sorted(folder.iterdir()):
            publish(file, self.directory)
            self.files.append(self.directory / file.name)
