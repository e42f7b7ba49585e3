"""The archive of a study: every trial once, readable with Optuna's own tools."""

import multiprocessing
import signal
import sqlite3
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.distributions import FloatDistribution
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from fitreel.sweep.archive import Archive

STORAGES = ("study.log", "sqlite:///study.db")


@pytest.fixture
def study() -> optuna.Study:
    """Return trials with every kind of setting and every outcome."""
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for number in range(12):
        trial = study.ask()
        trial.suggest_float("lr", 1e-3, 0.5, log=True)
        trial.suggest_int("hidden", 2, 64)
        trial.suggest_categorical("activation", ["relu", "tanh"])
        if number % 3 == 1:
            trial.report(0.5 / (number + 1), 62)
            study.tell(trial, state=TrialState.PRUNED)
        elif number % 3 == 2:
            study.tell(trial, state=TrialState.FAIL)
        else:
            study.tell(trial, 1 / (number + 1))
    return study


def read(storage: str, directory: Path, name: str = "mine") -> optuna.Study:
    """Load the study as Optuna's own tools do."""
    place: Any = storage.replace("sqlite:///", f"sqlite:///{directory}/")
    if ":" not in storage:
        place = JournalStorage(JournalFileBackend(str(directory / storage)))
    return optuna.load_study(study_name=name, storage=place)


def archive(storage: str, directory: Path, name: str = "mine") -> Archive:
    """Open an archive and create a study in it."""
    opened = Archive(storage, directory)
    opened.begin(name, StudyDirection.MINIMIZE)
    return opened


def contents(trials: list[FrozenTrial]) -> list[dict[str, Any]]:
    """Return the contents of a trial; JSON has microseconds and UTC, databases local time."""
    return [
        {
            "number": trial.number,
            "state": trial.state,
            "values": trial.values,
            "params": trial.params,
            "distributions": trial.distributions,
            "intermediate_values": trial.intermediate_values,
            "times": [
                moment and moment.timestamp()
                for moment in (trial.datetime_start, trial.datetime_complete)
            ],
        }
        for trial in trials
    ]


@pytest.mark.parametrize("storage", STORAGES)
def test_an_archive_has_everything_of_every_trial(
    study: optuna.Study, tmp_path: Path, storage: str
) -> None:
    kept = archive(storage, tmp_path)
    kept.extend(study.trials[:5])
    kept.extend(study.trials)
    assert contents(read(storage, tmp_path).trials) == contents(study.trials)


@pytest.mark.parametrize("storage", STORAGES)
def test_a_resumed_archive_has_nothing_twice(
    study: optuna.Study, tmp_path: Path, storage: str
) -> None:
    for count in (5, 3, 12):
        archive(storage, tmp_path).extend(study.trials[:count])
    kept = read(storage, tmp_path)
    assert [trial.params for trial in kept.trials] == [trial.params for trial in study.trials]
    assert kept.best_params == study.best_params
    # Optuna itself can continue the study.
    kept.enqueue_trial({"lr": 0.1})
    assert kept.ask().number == 12


@pytest.mark.parametrize("storage", STORAGES)
def test_the_state_of_a_sampler_is_not_stored(tmp_path: Path, storage: str) -> None:
    study = optuna.create_study(sampler=optuna.samplers.CmaEsSampler(seed=0))
    for _ in range(16):
        trial = study.ask()
        study.tell(trial, trial.suggest_float("lr", 0, 1) * trial.suggest_float("width", 0, 1))
    assert any(trial.system_attrs for trial in study.trials)
    archive(storage, tmp_path).extend(study.trials)
    assert [trial.system_attrs for trial in read(storage, tmp_path).trials] == [{}] * 16
    assert any(trial.system_attrs for trial in study.trials)  # the sampler still needs it


def write_study(directory: str, name: str) -> None:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for _ in range(40):
        study.tell(study.ask({"lr": FloatDistribution(0, 1)}), 1)
    kept = archive("study.log", Path(directory), name)
    for count in range(41):
        kept.extend(study.trials[:count])


def test_several_processes_can_write_to_one_file(tmp_path: Path) -> None:
    names = ["first", "second", "third"]
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=write_study, args=(str(tmp_path), name)) for name in names]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    for name in names:
        trials = read("study.log", tmp_path, name).trials
        assert [trial.number for trial in trials] == list(range(40))
    assert [path.name for path in tmp_path.iterdir()] == ["study.log"]  # no lock remains


@pytest.mark.parametrize("cut", [1, 40, 400])
def test_a_record_that_a_full_disk_cut_off_is_written_again(
    study: optuna.Study, tmp_path: Path, cut: int
) -> None:
    path = tmp_path / "study.log"
    archive("study.log", tmp_path).extend(study.trials[:5])
    path.write_bytes(path.read_bytes()[:-cut])
    archive("study.log", tmp_path).extend(study.trials)
    assert contents(read("study.log", tmp_path).trials) == contents(study.trials)


@pytest.mark.parametrize("content", [b"{", b'{"op_code":0,"wor', b"\0" * 200])
def test_a_first_record_that_was_broken_off_is_written_again(
    study: optuna.Study, tmp_path: Path, content: bytes
) -> None:
    """By a full disk, or by a power cut, which leaves zeros."""
    (tmp_path / "study.log").write_bytes(content)
    archive("study.log", tmp_path).extend(study.trials)
    assert contents(read("study.log", tmp_path).trials) == contents(study.trials)


@pytest.mark.parametrize(
    "content",
    [
        b"SQLite format 3\0",
        b'{"rows": 3}\n{"rows',
        b"3\n4",
        b"[]\n",
        b"\xff\n",
        b"{}",
        b"\0\n",
        b'{"op_code":\n',
    ],
)
def test_a_file_that_is_not_an_archive_stays_unchanged(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "other"
    path.write_bytes(content)
    with pytest.raises(ConnectionError, match="other is not a journal of Optuna; choose another"):
        Archive("other", tmp_path)
    assert path.read_bytes() == content


def test_a_lock_that_a_dead_process_left_is_ignored_after_a_while(
    study: optuna.Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fitreel.sweep.optuna_journal.GRACE_SECONDS", 3)
    (tmp_path / "study.log.lock").touch()
    archive("study.log", tmp_path).extend(study.trials)
    assert len(read("study.log", tmp_path).trials) == 12


def test_an_interruption_is_delayed_until_a_trial_is_stored(
    study: optuna.Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise its lock would remain."""
    kept = archive("study.log", tmp_path)
    add, stored = optuna.Study.add_trial, list[int]()

    def interrupted(self: optuna.Study, trial: FrozenTrial) -> None:
        signal.raise_signal(signal.SIGINT)
        add(self, trial)
        stored.append(trial.number)

    monkeypatch.setattr(optuna.Study, "add_trial", interrupted)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in the background
    try:
        with pytest.raises(KeyboardInterrupt):
            kept.extend(study.trials)
    finally:
        signal.signal(signal.SIGINT, before)
    assert stored == [0]


@pytest.mark.parametrize(
    "url",
    [
        *("postgresql+nothing://there/db", "sqlite:////nowhere/at/all.db"),
        *("/nowhere/at/all.log", "/", "/dev/zero"),
    ],
)
def test_a_storage_that_cannot_be_opened_is_an_error(url: str, tmp_path: Path) -> None:
    with pytest.raises(ConnectionError, match=r"^the study cannot be stored: ") as raised:
        Archive(url, tmp_path)
    assert "\n" not in str(raised.value)


def test_a_database_that_was_damaged_meanwhile_is_an_error(
    study: optuna.Study, tmp_path: Path
) -> None:
    kept = archive("sqlite:///study.db", tmp_path)
    connection = sqlite3.connect(tmp_path / "study.db")
    connection.execute("DROP TABLE trial_params")
    connection.close()
    with pytest.raises(ConnectionError, match=r"cannot be stored: .*no such table"):
        kept.extend(study.trials)


def test_a_journal_that_was_damaged_meanwhile_is_an_error(
    study: optuna.Study, tmp_path: Path
) -> None:
    kept = archive("study.log", tmp_path)
    with (tmp_path / "study.log").open("a") as file:
        file.write('{"rows": 3}\n')
    with pytest.raises(ConnectionError, match=r"^the study cannot be stored: "):
        kept.extend(study.trials)


@pytest.mark.parametrize(
    ("url", "line"),
    [
        (
            "postgresql+psycopg2://me:se/cret@host/db",
            "postgresql+psycopg2://***@host/db needs its driver: pip install psycopg2-binary",
        ),
        ("postgresql://me:secret", "'postgresql://***' is not the URL of a database"),
    ],
)
def test_no_message_shows_a_password(url: str, line: str, tmp_path: Path) -> None:
    with pytest.raises(ConnectionError) as raised:
        Archive(url, tmp_path)
    assert str(raised.value) == f"the study cannot be stored: {line}; choose another --storage"
