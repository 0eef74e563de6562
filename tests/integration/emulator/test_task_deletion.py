"""Deleting at the emulator: the provider's table of states."""

from collections.abc import Iterator

import pytest
from tests.support.processes.emulator import TASKS, EmulatorProcess, running_emulator


@pytest.fixture(scope="module")
def emulator_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatorProcess]:
    with running_emulator(tmp_path_factory.mktemp("emulator")) as emulator:
        yield emulator


@pytest.fixture
def emulator(emulator_process: EmulatorProcess) -> Iterator[EmulatorProcess]:
    yield emulator_process
    emulator_process.clear_faults()


def test_a_queued_task_becomes_cancelled_for_good(emulator: EmulatorProcess) -> None:
    task_id = emulator.create()
    answer = emulator.delete(task_id)
    assert (answer.status_code, answer.json()) == (200, {})
    cancelled = emulator.finish(task_id)
    assert (cancelled["status"], cancelled["error"]) == ("cancelled", None)


def test_a_running_task_is_a_conflict_and_goes_on(emulator: EmulatorProcess) -> None:
    task_id = emulator.create()
    emulator.advance(11)
    answer = emulator.delete(task_id)
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "InvalidAction.RunningTaskDeletion")
    assert emulator.finish(task_id)["status"] == "succeeded"


@pytest.mark.parametrize("fault", [None, "fail", "expire"])
def test_an_ended_task_is_removed_but_not_its_file(emulator: EmulatorProcess, fault: str | None) -> None:
    if fault:
        emulator.fault(fault, times=1)
    task_id = emulator.create()
    done = emulator.finish(task_id)
    assert emulator.delete(task_id).status_code == 200
    assert emulator.client.get(f"{TASKS}/{task_id}").status_code == 404
    assert emulator.listed(("filter.task_ids", task_id))["total"] == 0
    if not fault:
        assert emulator.client.get(done["content"]["video_url"]).status_code == 200


def test_a_cancelled_task_goes_by_itself_after_a_day(emulator: EmulatorProcess) -> None:
    task_id = emulator.create()
    emulator.delete(task_id)
    assert emulator.delete(task_id).status_code == 409
    emulator.advance(86_400)
    assert emulator.client.get(f"{TASKS}/{task_id}").status_code == 404


def test_an_unknown_task_is_not_found(emulator: EmulatorProcess) -> None:
    assert emulator.delete("cgt-unknown").status_code == 404


def test_the_journal_has_every_delete(emulator: EmulatorProcess) -> None:
    task_id = emulator.create()
    emulator.delete(task_id)
    emulator.delete(task_id)
    told = [(entry["task_id"], entry["outcome"]) for entry in emulator.journal("delete")[-2:]]
    assert told == [(task_id, "deleted"), (task_id, "refused:InvalidAction.CancelledTaskDeletion")]
