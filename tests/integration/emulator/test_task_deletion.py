"""Deleting tasks: the effect depends on the status, as the provider documents."""

import pytest
from tests.support.processes.emulator import TASKS, EmulatorProcess


def test_deleting_a_queued_task_cancels_it(emulator: EmulatorProcess) -> None:
    task_id = emulator.create()
    answer = emulator.delete(task_id)
    assert (answer.status_code, answer.json()) == (200, {})
    cancelled = emulator.finish(task_id)
    assert (cancelled["status"], cancelled["error"]) == ("cancelled", None)


def test_deleting_a_running_task_is_a_conflict(emulator: EmulatorProcess) -> None:
    task_id = emulator.create()
    emulator.advance(11)
    answer = emulator.delete(task_id)
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "InvalidAction.RunningTaskDeletion")
    assert emulator.finish(task_id)["status"] == "succeeded"


@pytest.mark.parametrize("fault", [None, "fail", "expire"])
def test_deleting_a_finished_task_keeps_its_file(emulator: EmulatorProcess, fault: str | None) -> None:
    if fault:
        emulator.fault(fault, times=1)
    task_id = emulator.create()
    done = emulator.finish(task_id)
    assert emulator.delete(task_id).status_code == 200
    assert emulator.client.get(f"{TASKS}/{task_id}").status_code == 404
    assert emulator.listed(("filter.task_ids", task_id))["total"] == 0
    if not fault:
        assert emulator.client.get(done["content"]["video_url"]).status_code == 200


def test_a_cancelled_task_is_removed_after_a_day(emulator: EmulatorProcess) -> None:
    task_id = emulator.create()
    emulator.delete(task_id)
    assert emulator.delete(task_id).status_code == 409
    emulator.advance(86_400)
    assert emulator.client.get(f"{TASKS}/{task_id}").status_code == 404


def test_an_unknown_task_is_not_found(emulator: EmulatorProcess) -> None:
    assert emulator.delete("cgt-unknown").status_code == 404


def test_the_journal_contains_all_deletes(emulator: EmulatorProcess) -> None:
    task_id = emulator.create()
    emulator.delete(task_id)
    emulator.delete(task_id)
    entries = [(entry["task_id"], entry["outcome"]) for entry in emulator.journal("delete")[-2:]]
    assert entries == [(task_id, "deleted"), (task_id, "refused:InvalidAction.CancelledTaskDeletion")]
