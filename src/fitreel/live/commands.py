"""The commands of a page: pause, resume, slower, faster, stop."""

from typing import Final

from fitreel.live.controls import Controls

PACES: Final = (0.0, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0)  # seconds from frame to frame


def obey(controls: Controls, command: str) -> None:
    """Do what a page asks for; ValueError for anything else."""
    if command == "pause":
        controls.pause()
    elif command == "resume":
        controls.resume()
    elif command == "stop":
        controls.stop()
    elif command == "slower":
        controls.pace = next((pace for pace in PACES if pace > controls.pace), controls.pace)
    elif command == "faster":
        controls.pace = max((pace for pace in PACES if pace < controls.pace), default=0.0)
    else:
        raise ValueError("there is no such command")
