"""Which process writes a run, and whether it is still alive."""

import hmac
import math
import os
import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import psutil

from fitreel.tracking.names import (
    HEARTBEAT_TAG,
    HOST_TAG,
    INSTALLATION_TAG,
    JOURNAL_TAG,
    MACHINE_TAG,
    PROCESS_TAG,
)

BEAT = 30  # seconds between two heartbeats
MISSED = 5  # heartbeats in a row: more than a delay can explain
TICKS = "ticks after boot"
APPLICATION = b"fitreel: the installation on which a run was made"  # part of a hash: keep


def process_tags() -> dict[str, str]:
    """Return tags that name this process, so that others can find out whether it is alive.

    One of them says when it was alive: now, in seconds since 1970.
    """
    tags = {
        HOST_TAG: socket.gethostname(),
        MACHINE_TAG: machine(),
        PROCESS_TAG: f"{os.getpid()} started {started(os.getpid())}",
        HEARTBEAT_TAG: f"{time.time():.0f}",
    }
    if known := installation():
        tags[INSTALLATION_TAG] = known
    return tags


def owner_tags(journal: str) -> dict[str, str]:
    """Return the tags of a run that this process writes, from a journal of this name."""
    return process_tags() | {JOURNAL_TAG: journal}


def machine() -> str:
    """Return what makes a process id and its start time unique.

    That is the boot of a machine, the container on it, and the clock of that container.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        container = Path("/proc/self/ns/pid").stat().st_ino  # process ids count within it
    except OSError:  # no Linux
        return f"{socket.gethostname()} {psutil.boot_time():.0f}"
    with suppress(OSError):  # before Linux 5.6
        return f"{boot} {container} {Path('/proc/self/ns/time').stat().st_ino}"
    return f"{boot} {container}"


def installation() -> str | None:
    """Return an id of the installed system that survives a restart; None if there is no such id.

    systemd's id of the machine must stay secret: this is a hash with that id as its key.
    """
    for path in (Path("/etc/machine-id"), Path("/var/lib/dbus/machine-id")):
        with suppress(OSError, ValueError):  # most containers lack it, or have an empty one
            if secret := bytes.fromhex(path.read_text(encoding="ascii").strip()):
                return hmac.digest(secret, APPLICATION, "sha256").hex()[:32]
    return None


def started(pid: int) -> str:
    """Return when a process started, by a clock that is never set where the system has one.

    Raises ProcessLookupError if it is dead, PermissionError if it cannot be seen.
    """
    if not Path("/proc/self/stat").exists():
        return _started_by_the_wall_clock(pid)
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        os.kill(pid, 0)  # raises if it is dead; a hidden process may be alive
        raise PermissionError(f"process {pid} cannot be seen") from None
    state, *fields = text.rpartition(")")[2].split()  # its name, before that, may be anything
    if state in "ZX":
        raise ProcessLookupError(f"process {pid} has ended")
    # Field 22 of proc(5), starttime: the first two and the state are cut off.
    return f"{fields[18]} {TICKS}"


def _started_by_the_wall_clock(pid: int) -> str:
    """Return when a process started by the wall clock, which moves when that is set."""
    try:
        found = psutil.Process(pid)
        if found.status() != psutil.STATUS_ZOMBIE:
            return f"{found.create_time():.2f}"
    except psutil.AccessDenied:
        raise PermissionError(f"process {pid} cannot be seen") from None
    except psutil.NoSuchProcess:
        pass
    raise ProcessLookupError(f"process {pid} has ended")


def is_alive(tags: Mapping[str, str]) -> bool | None:
    """Return whether the process of these tags is alive; None if that cannot be known here."""
    its, mine = tags.get(MACHINE_TAG, "").split(), machine().split()
    if its[:2] != mine[:2]:  # boot and container; the clock is compared below
        return False if _is_of_an_earlier_boot(tags) else None
    pid, _, then = tags.get(PROCESS_TAG, "").partition(" started ")
    try:
        now = started(int(pid)) if int(pid) > 0 else ""
    except ProcessLookupError:
        return False
    except (PermissionError, ValueError, OverflowError):
        return None
    if now == then:
        return True
    # Another process has the number by now, if both start times are from the same clock.
    return False if its == mine and now.endswith(TICKS) and then.endswith(TICKS) else None


def _is_of_an_earlier_boot(tags: Mapping[str, str]) -> bool:
    """Return whether this machine was restarted since, which no process survives.

    Copies of one image may share installation and name. But a living process on another copy
    sends heartbeats: it was not silent since before this machine started.
    """
    same = tags.get(HOST_TAG) == socket.gethostname() and installation() is not None
    if not same or tags.get(INSTALLATION_TAG) != installation():
        return False
    if tags.get(MACHINE_TAG, "").split()[:1] == machine().split()[:1]:
        return False  # another container
    if not hasattr(time, "CLOCK_BOOTTIME"):
        return False  # only Linux says how long ago it was started, suspended time included
    # Since this boot, suspended time included, as wall clocks count it.
    return silence(tags) > max(time.clock_gettime(time.CLOCK_BOOTTIME), MISSED * BEAT)


def ahead(tags: Mapping[str, str]) -> float:
    """Return how many seconds the last heartbeat is ahead of this machine's clock, at least 0."""
    return max(0.0, -_since(tags))


def silence(tags: Mapping[str, str]) -> float:
    """Return the seconds since the last heartbeat, 0 if a clock is wrong, infinity without one."""
    return max(0.0, _since(tags))


def _since(tags: Mapping[str, str]) -> float:
    with suppress(KeyError, ValueError):
        beat = float(tags[HEARTBEAT_TAG])
        if math.isfinite(beat):
            return time.time() - beat
    return math.inf
