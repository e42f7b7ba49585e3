"""A server that is late or busy, resets connections or sends empty answers.

A proxy in front of a real server misbehaves. The time limits are shorter, in the same order.
"""

import os
import signal
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from mlflow.entities import Run as MlflowRun, ViewType
from mlflow.exceptions import MlflowException

from fitreel.data.dataset import Dataset
from fitreel.journal.records import Record
from fitreel.journal.spool import Unavailable, new_journal
from fitreel.settings import DataSettings, EvaluationSettings, TrainingSettings
from fitreel.sweep.rounds import Round
from fitreel.sweep.trials import Trial
from fitreel.tracking import Patience, Tracker, sync
from fitreel.tracking.checkup import StoreCheckup
from fitreel.tracking.delivery.delivery import Delivery
from fitreel.tracking.delivery.one_by_one import REQUESTS, OneByOne
from fitreel.tracking.names import JOURNAL_TAG
from fitreel.tracking.store.client import Client
from fitreel.tracking.store.connection import WrongAnswer
from fitreel.tracking.store.limits import request_limit
from fitreel.training.files import save_weights
from fitreel.training.network import Network
from tests import processes
from tests.conftest import free_port
from tests.faults import LIMIT, SPOOL, journals, wait_until
from tests.proxy import Proxy, Rule, busy, empty, late, lost, reset, slow
from tests.servers import Server
from tests.stored import tags_of

CREATE = ("POST", "/runs/create$")
READ = ("GET", "/runs/get[?]")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture(scope="module")
def records(dataset: Dataset) -> list[Record]:
    """Return the records of five trials, as in a journal."""
    trials = [Trial(number, TrainingSettings(epochs=20), 10) for number in range(5)]
    outcomes = Round(dataset, DataSettings(), EvaluationSettings(50), trials, prune=False).train()
    shared = {"kind": "trial", "params": {"epochs": "20"}, "tags": {}}
    return [{"name": "t", **shared, **outcome.to_record()} for outcome in outcomes]


@pytest.fixture
def proxy(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    """Start a proxy, with a spool and a working directory for the test."""
    import mlflow

    monkeypatch.setenv(SPOOL, str(tmp_path / "spool"))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    for name in (
        "store.limits.FIRST",
        "store.limits.CALL",
        "store.client.CREATION",
        "tracker.FIRST",
    ):
        monkeypatch.setattr(f"fitreel.tracking.{name}", 1.0)
    with Proxy(server.url) as proxy:
        yield proxy
    mlflow.set_tracking_uri(None)  # type: ignore[arg-type]


def opened(proxy: Proxy, name: str, *rules: Rule, patience: float = 30) -> Tracker:
    """Open the store, then let the proxy misbehave."""
    tracker = Tracker(proxy.url, name, patience=Patience(patience))
    request_limit.start(1.0)  # whatever time the server has needed so far
    proxy.rules.extend(rules)
    return tracker


def active(proxy: Proxy, name: str) -> list[MlflowRun]:
    """Return the runs of an experiment that are not deleted."""
    direct = Client(proxy.target)
    experiment = direct.get_experiment_by_name(name)
    assert experiment is not None
    return list(direct.search_runs([experiment.experiment_id]))


def test_an_upload_may_take_longer_than_a_call(proxy: Proxy) -> None:
    tracker = opened(proxy, "uploads", late("PUT", "/artifacts/", 1.5), patience=1)
    with tracker.run() as run, run.artifacts() as folder:
        (folder / "one.txt").write_text("one")
    assert proxy.count("PUT", "one.txt") == 1
    assert [each.path for each in Client(proxy.target).list_artifacts(run.run_id)] == ["one.txt"]


def test_a_small_call_gets_more_time_if_the_server_is_slow(proxy: Proxy) -> None:
    tracker = opened(proxy, "slow calls", slow("POST", "/runs/log-batch$", 1.5))
    with tracker.run() as run:
        run.log_metrics({"loss": 1.0})
    assert tracker.source(run.run_id).metrics == {"loss": 1.0}


@pytest.mark.parametrize(
    ("what", "rule"),
    [
        ("late", late(*CREATE, 1.5, times=1)),
        ("lost", lost(*CREATE, times=2)),
        ("empty", empty(*CREATE, times=1)),
        ("busy", busy(*CREATE, 503, times=2)),
        ("repeated", Rule(*CREATE, is_twice=True, times=1)),
    ],
)
def test_a_run_is_created_once(proxy: Proxy, what: str, rule: Rule) -> None:
    tracker = opened(proxy, f"made once, {what}", rule)
    with tracker.run() as run:
        pass
    assert rule.met
    (found,) = active(proxy, f"made once, {what}")
    assert (found.info.run_id, found.info.status) == (run.run_id, "FINISHED")
    assert not journals(Path.cwd().parent / "spool")


def test_a_second_run_that_is_created_late_is_removed(proxy: Proxy) -> None:
    tracker = opened(proxy, "made late", slow(*CREATE, 3, times=1))
    with tracker.run() as run:
        wait_until(lambda: len(active(proxy, "made late")) == 2, "no second run")
    (found,) = active(proxy, "made late")
    assert (found.info.run_id, found.info.status) == (run.run_id, "FINISHED")


def test_sync_finds_a_run_whose_creation_was_never_confirmed(proxy: Proxy) -> None:
    spool = Path.cwd().parent / "spool"
    tracker = opened(
        proxy, "orphans", lost(*CREATE), busy("POST", "/runs/search$", 503), patience=1
    )
    with pytest.raises(Unavailable, match="fitreel sync finds it"), tracker.run(plan={"a": 1}):
        pass
    (journal,) = journals(spool)
    proxy.rules.clear()
    (delivered,) = sync()
    (orphan,) = active(proxy, "orphans")
    assert tags_of(orphan)[JOURNAL_TAG] == journal.name
    assert delivered.text.endswith(f"resume it with: fitreel resume {orphan.info.run_id}")


def test_trials_are_created_once(proxy: Proxy, records: list[Record]) -> None:
    tracker = opened(proxy, "trials")
    with tracker.run() as run:
        pass
    late_one = slow(*CREATE, 4, times=1)
    proxy.rules.extend([late_one, lost(*CREATE, times=2)])
    journal = new_journal()
    for record in records:
        journal.append(**record)
    journal.append("status", status="FINISHED", time=0)
    delivery = Delivery(tracker.client.without_patience(), journal, run.run_id)
    failed = 0
    while journal.kept("delivered") is None:
        try:
            delivery.step()
        except MlflowException:
            failed += 1
    assert failed
    wait_until(lambda: len(active(proxy, "trials")) == 1 + REQUESTS + 1, "no extra trial")
    while delivery.step():
        pass
    trials = [each for each in active(proxy, "trials") if each.info.run_id != run.run_id]
    numbers = sorted(tags_of(each)["fitreel.trial"] for each in trials)
    assert numbers == [str(record["number"]) for record in records]
    assert {each.info.status for each in trials} <= {"FINISHED", "FAILED"}
    found = OneByOne(tracker.client, tracker.client.get_run(run.run_id)).find(0)
    assert found is not None
    assert found.info.lifecycle_stage == "active"
    journal.remove()


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("late", late("POST", "/experiments/create$", 1.5, times=1)),
        ("lost", lost("POST", "/experiments/create$", times=1)),
        ("empty", empty("POST", "/experiments/create$", times=1)),
    ],
)
def test_an_experiment_is_created_once(proxy: Proxy, name: str, rule: Rule) -> None:
    proxy.rules.append(rule)
    tracker = Tracker(proxy.url, name)
    assert rule.met
    with tracker.run() as run:
        pass
    assert [each.info.run_id for each in active(proxy, name)] == [run.run_id]


@pytest.mark.parametrize(
    ("count", "rule"),
    [
        (1, lost("POST", "/logged-models$", times=1)),
        (2, slow("POST", "/logged-models$", 3, times=1)),
        (2, Rule("POST", "/logged-models$", is_twice=True, times=1)),
    ],
)
def test_a_model_is_created_once(proxy: Proxy, count: int, rule: Rule) -> None:
    tracker = opened(proxy, "models", rule)
    with tracker.run() as run:
        with run.artifacts() as folder:
            save_weights(Network(TrainingSettings()).weights(), folder / "weights.safetensors")
            run.log_model(folder / "weights.safetensors")

        def models() -> list[str]:
            wanted = f"source_run_id = '{run.run_id}'"
            found = Client(proxy.target).search_logged_models([run.experiment_id], wanted)
            return [str(model.status) for model in found]

        wait_until(lambda: len(models()) == count, "no model")
    assert models() == ["READY"]


def test_the_doctor_deletes_a_run_whose_creation_was_not_confirmed(proxy: Proxy) -> None:
    checkup = StoreCheckup(proxy.url)
    assert checkup.reach().fine
    proxy.rules.append(lost(*CREATE, times=1))
    assert checkup.write().fine
    assert checkup.remove().fine
    created = [
        each
        for each in Client(proxy.target).search_runs(["0"], run_view_type=ViewType.ALL)
        if "fitreel.doctor" in tags_of(each)
    ]
    assert [each.info.lifecycle_stage for each in created] == ["deleted"]


def test_a_request_with_an_empty_answer_is_retried(proxy: Proxy) -> None:
    tracker = opened(proxy, "empty", empty(*READ, times=2))
    with tracker.run() as run, run.artifacts("data") as folder:
        (folder / "one.txt").write_text("one")
    assert proxy.rules[0].met > 2
    assert [e.path for e in Client(proxy.target).list_artifacts(run.run_id)] == ["data"]
    assert not list(Path.cwd().iterdir())


def test_an_empty_answer_is_an_error(proxy: Proxy) -> None:
    tracker = opened(proxy, "believed", patience=0)
    with tracker.run() as run:
        run.log_metrics({"loss": 1.0})
    source = tracker.source(run.run_id)
    brief = tracker.client.without_patience()
    for rule, ask in [
        (READ, lambda: brief.get_run(run.run_id)),
        (("GET", "/experiments/get[?]"), lambda: brief.get_experiment(run.experiment_id)),
        (("GET", "/experiments/get-by-name"), lambda: brief.get_experiment_by_name("believed")),
        (("GET", "/metrics/get-history"), source.losses),
        (("POST", "/experiments/create"), lambda: brief.create_experiment("never")),
        (CREATE, lambda: brief.create_run(run.experiment_id)),
        (("POST", "/logged-models"), lambda: brief.create_logged_model(run.experiment_id)),
    ]:
        proxy.rules[:] = [empty(*rule)]
        with pytest.raises(WrongAnswer):
            ask()


@pytest.mark.parametrize("variable", ["MLFLOW_EXPERIMENT_NAME", "MLFLOW_EXPERIMENT_ID"])
def test_a_run_never_goes_to_the_default_experiment_after_an_empty_answer(
    proxy: Proxy, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = Tracker(proxy.url, "named").experiment_id or ""
    monkeypatch.setenv(variable, named if variable.endswith("ID") else "named")
    tracker = Tracker(proxy.url)
    proxy.rules.append(empty("GET", "/experiments/get", times=1))
    assert tracker.default_experiment_id() == named
    assert proxy.rules[0].met == 2


@pytest.mark.parametrize(
    "rule",
    [
        busy("", "", 429, times=2),
        busy("", "", 503, times=2),
        reset("", "", times=2),
        slow("", "", 1.5),
    ],
)
def test_requests_to_a_busy_server_are_retried_before_a_run_starts(
    proxy: Proxy, rule: Rule
) -> None:
    reported = list[str]()
    proxy.rules.append(rule)
    tracker = Tracker(proxy.url, "busy", patience=Patience(report=reported.append))
    with tracker.run():
        pass
    assert len(reported) == 1
    assert f"{proxy.url}" in reported[0]
    assert reported[0].endswith("trying for 180 s")


@pytest.mark.parametrize("answer", [partial(busy, status=503), empty])
def test_the_files_of_a_run_are_listed_again_if_the_server_is_busy_or_says_nothing(
    proxy: Proxy, answer: Callable[..., Rule]
) -> None:
    reported = list[str]()
    tracker = Tracker(proxy.url, "busy", patience=Patience(report=reported.append))
    with tracker.run() as run:
        pass
    source = tracker.source(run.run_id)
    rule = answer("GET", "/artifacts", times=2)
    proxy.rules.append(rule)
    assert not source.has_dataset
    assert rule.met == 3
    assert len(reported) == 1


def test_a_command_gives_up_on_a_busy_server_with_exit_code_75(proxy: Proxy) -> None:
    where = {SPOOL: str(Path.cwd().parent / "spool"), "MLFLOW_TRACKING_URI": proxy.url}
    command = ("generate", "--patience", "1")
    run = partial(
        processes.run, *command, directory=Path.cwd(), output_to=Path.cwd().parent, **where
    )
    proxy.rules.append(busy("", "", 503))
    code, output, errors = run()
    assert (code, output, errors.count("\n")) == (75, "", 2), errors
    proxy.rules[:] = [empty(*READ)]
    code, output, errors = run("--run", "0" * 32)
    assert (code, output, errors.count("\n")) == (75, "", 2), errors
    assert not list(Path.cwd().iterdir())
    assert not journals(Path.cwd().parent / "spool")
    code, output, errors = run(MLFLOW_TRACKING_URI=f"http://127.0.0.1:{free_port()}")
    assert (code, output, errors.count("\n")) == (2, "", 1), errors


@pytest.mark.parametrize("rule", [slow(*CREATE, 300), late("PUT", "weights", 300)])
def test_an_interrupted_command_does_not_wait_for_a_silent_server(proxy: Proxy, rule: Rule) -> None:
    """Interrupt it while the run is created and while files of trials are uploaded."""
    proxy.rules.append(rule)
    above = Path.cwd().parent
    where = {SPOOL: str(above / "spool"), "MLFLOW_TRACKING_URI": proxy.url}
    command = ("sweep", "--trials", "4", "--epochs", "20")
    process = processes.start(*command, directory=Path.cwd(), output_to=above, **where)
    wait_until(lambda: rule.met > 0, "no request")
    os.kill(process.pid or 0, signal.SIGINT)
    process.join(LIMIT)
    assert process.exitcode == 130, (above / "err").read_text()
    assert len(journals(above / "spool")) == 1
