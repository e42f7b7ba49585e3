"""The command line: one Typer app, its commands, and how errors look."""

import gc
import logging
import signal
import sys
import warnings
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Annotated, Never

import typer

import fitreel.journal
from fitreel.checks.text import shown
from fitreel.journal.signals import HANGUP, SIGNALS
from fitreel.training.memory import is_shortage
from pipeline.animate import animate
from pipeline.compare import compare
from pipeline.doctor import doctor
from pipeline.evaluate import evaluate
from pipeline.export import export
from pipeline.generate import generate
from pipeline.list import list_runs
from pipeline.open import open_run
from pipeline.predict import predict
from pipeline.reap import reap
from pipeline.reproduce import reproduce
from pipeline.resume import or_resume, resume
from pipeline.run import run
from pipeline.shared.arguments import explained, with_values
from pipeline.shared.options import with_options
from pipeline.shared.output import keep_outputs
from pipeline.show import show
from pipeline.sweep import sweep
from pipeline.sync import UNDELIVERED, sync
from pipeline.train import train
from pipeline.watch import watch

HAS_TIMER = hasattr(signal, "setitimer")  # Windows has none

app = typer.Typer(
    context_settings={"help_option_names": ["--help", "-h"]},
    pretty_exceptions_enable=False,
)

for command in (run, generate, train, evaluate, animate, or_resume(sweep)):
    app.command(rich_help_panel="Run")(with_options(command))
app.command("list", rich_help_panel="Afterwards")(list_runs)
app.command(rich_help_panel="Afterwards")(show)
app.command(rich_help_panel="Afterwards")(watch)
app.command("open", rich_help_panel="Afterwards")(open_run)
app.command(rich_help_panel="Afterwards")(predict)
app.command(rich_help_panel="Afterwards")(export)
app.command(rich_help_panel="Afterwards")(compare)
app.command(rich_help_panel="Afterwards")(resume)
app.command(rich_help_panel="Afterwards")(sync)
app.command(rich_help_panel="Afterwards")(reap)
app.command(rich_help_panel="Afterwards")(reproduce)
app.command(rich_help_panel="Afterwards")(doctor)


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Watch a network learn a curve, and keep every run.

    `fitreel run` does it all; its stages work one by one, too.
    """
    if version:
        print(fitreel.__version__)
    elif context.invoked_subcommand is None:
        raise typer.TyperException("no command given; see fitreel --help")
    check_directory()


def check_directory() -> None:
    """Raise FileNotFoundError if the current directory was deleted: torch would crash."""
    try:
        Path.cwd()
    except FileNotFoundError:
        name = "the current directory"
        with suppress(OSError):  # no Linux
            name = str(Path("/proc/self/cwd").readlink()).removesuffix(" (deleted)")
        raise FileNotFoundError(f"{name} was deleted; go to another directory") from None


def main() -> Never:
    """Run the command line: exit 0, or 1 if a training diverged or differs, or 2 for bad input."""
    # First: a file that is opened before could get the number of a closed output.
    keep_outputs()
    # MLflow stops its projects with SIGTERM, a terminal that is closed with SIGHUP, which nohup
    # has ignored; unwinding closes the run.
    for number in SIGNALS:
        if number != HANGUP or signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _interrupt)
    sys.unraisablehook = _interrupt_again
    # A full collection walks the million objects that torch and mlflow imported, takes 0.3 s and
    # finds nothing; all of them took a fifth of `fitreel run`.
    gc.set_threshold(500_000, 20, 100)
    # A run's name may have letters that matplotlib's font lacks: an empty box shows that.
    warnings.filterwarnings("ignore", "Glyph .* missing from font")
    try:
        # Otherwise Typer would print errors and exit by itself.
        code = app(with_values(sys.argv[1:]), standalone_mode=False)
    except typer.TyperException as error:
        _fail(explained(error), 2)
    except typer.Abort:
        sys.exit(130)
    except ArithmeticError as error:
        _fail(str(error), 1)
    except (fitreel.journal.Undelivered, fitreel.journal.Unavailable) as error:
        _fail(str(error), UNDELIVERED)  # before OSError, of which one of them is a kind
    except (ValueError, OSError, ModuleNotFoundError) as error:
        _fail(_reason(error), 2)
    except (MemoryError, RuntimeError) as error:
        if not is_shortage(error):  # a bug, which its traceback explains
            raise
        _fail(f"the memory is full: {_first_line(error)}", 2)
    else:
        sys.exit(code)
    finally:
        gc.freeze()  # nor would the one at exit


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Unwind the stack, which closes the run; a second signal is ignored."""
    # Nothing may interrupt the closing, which takes at most 5 seconds.
    for each in SIGNALS:
        signal.signal(each, signal.SIG_IGN)
    if frame and frame.f_code.co_filename == logging.__file__ and HAS_TIMER:
        # Inside logging it would leave the lock taken, or be lost.
        _interrupt_later(number)
        return
    sys.exit(128 + number)


def _interrupt_later(number: int) -> None:
    """Do the same a moment later, when the stack is another."""
    signal.signal(signal.SIGALRM, lambda _, frame: _interrupt(number, frame))
    signal.setitimer(signal.ITIMER_REAL, 0.001)


def _interrupt_again(lost: "sys.UnraisableHookArgs") -> None:
    """Repeat an interruption that came in a finalizer, where Python drops any exception."""
    code = lost.exc_value.code if isinstance(lost.exc_value, SystemExit) else None
    if HAS_TIMER and isinstance(code, int) and code > 128:
        _interrupt_later(code - 128)
    else:
        sys.__unraisablehook__(lost)


def _reason(error: Exception) -> str:
    """Return the error's text, but first that the directory was deleted, if it was."""
    try:
        check_directory()
    except FileNotFoundError as deleted:
        return str(error) if str(error) == str(deleted) else f"{deleted} ({error})"
    return str(error)


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0] or type(error).__name__


def _fail(message: str, code: int) -> Never:
    print("fitreel:", shown(" ".join(message.split()), most=500), file=sys.stderr)
    sys.exit(code)
