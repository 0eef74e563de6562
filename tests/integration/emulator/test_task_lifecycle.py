"""A task over HTTP from acceptance to the removal of its record, on a clock that jumps."""

from pathlib import Path

import httpx
import pytest
from tests.support.eventually import eventually
from tests.support.processes.emulator import MODEL, TASKS, EmulatorProcess, running_emulator, text

DAY = 86_400


def test_a_task_is_queued_runs_and_succeeds(emulator: EmulatorProcess) -> None:
    task_id = emulator.create(seed=11, safety_identifier="user-7")
    queued = emulator.get(task_id)
    emulator.advance(11)
    running = emulator.get(task_id)
    emulator.advance(5)
    assert emulator.get(task_id)["updated_at"] == running["updated_at"]
    emulator.advance(15)
    done = emulator.get(task_id)
    assert [task["status"] for task in (queued, running, done)] == ["queued", "running", "succeeded"]
    assert done["updated_at"] - done["created_at"] in (30, 31)
    assert (done["seed"], done["safety_identifier"], done["error"]) == (11, "user-7", None)
    assert done["duration"] == 2
    assert "frames" not in done
    assert done["usage"] == {"completion_tokens": 19_845, "total_tokens": 19_845}
    assert "content" not in running


async def test_a_task_advances_in_real_time(emulator: EmulatorProcess) -> None:
    emulator.fault("task_seconds", 0.3, times=1)
    task_id = emulator.create()
    await eventually(lambda: emulator.get(task_id)["status"] == "succeeded")


def test_a_request_with_frames_has_no_duration(emulator: EmulatorProcess) -> None:
    done = emulator.finish(emulator.create(frames=29, duration=None))
    assert done["frames"] == 29
    assert "duration" not in done


def test_a_drawn_seed_is_returned(emulator: EmulatorProcess) -> None:
    seeds = {emulator.get(emulator.create(seed=-1))["seed"] for _ in range(3)}
    assert len(seeds) == 3


def test_the_id_shows_the_tier(emulator: EmulatorProcess) -> None:
    assert emulator.create().startswith("cgt-2")
    assert emulator.create(service_tier="flex").startswith("cgt-batch-2")


def test_create_returns_only_the_id(emulator: EmulatorProcess) -> None:
    assert emulator.post().json().keys() == {"id"}
    answer = emulator.post(safety_identifier="user-7").json()
    assert answer["safety_identifier"] == "user-7"


def test_a_result_url_is_valid_for_a_day(emulator: EmulatorProcess) -> None:
    task_id = emulator.create()
    emulator.advance(30)
    assert emulator.video(task_id).status_code == 200
    emulator.advance(DAY - 60)
    assert emulator.video(task_id).status_code == 200
    emulator.advance(60)
    assert emulator.get(task_id)["status"] == "succeeded"
    assert emulator.video(task_id).status_code == 403


def test_a_record_is_kept_for_seven_days(emulator: EmulatorProcess) -> None:
    task_id = emulator.create()
    emulator.advance(7 * DAY - 60)
    assert emulator.get(task_id)["status"] == "succeeded"
    emulator.advance(60)
    answer = emulator.client.get(f"{TASKS}/{task_id}")
    assert answer.status_code == 404
    assert answer.json()["error"]["code"].startswith("NotFound")


def test_a_task_that_waits_too_long_expires_without_an_error(emulator: EmulatorProcess) -> None:
    emulator.fault("task_seconds", 40_000, times=1)
    task_id = emulator.create(execution_expires_after=3600)
    emulator.advance(3600)
    expired = emulator.get(task_id)
    assert (expired["status"], expired["error"]) == ("expired", None)


def test_a_request_without_the_key_is_refused(emulator: EmulatorProcess) -> None:
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic emulator-test-key"}):
        answer = httpx.post(f"{emulator.url}{TASKS}", json={}, headers=headers, trust_env=False)
        assert answer.status_code == 401
        assert answer.json()["error"]["code"] == "AuthenticationError"


def test_an_error_has_the_providers_form(emulator: EmulatorProcess) -> None:
    answer = emulator.post(duration=99)
    error = answer.json()["error"]
    assert error.keys() == {"code", "message", "param", "type"}
    assert (answer.status_code, error["code"], error["param"]) == (400, "InvalidParameter", "duration")
    assert error["message"].endswith(answer.headers["X-Request-Id"])


def test_one_invalid_field_is_reported_and_not_always_the_same(emulator: EmulatorProcess) -> None:
    named = {emulator.post(duration=99, resolution="8k").json()["error"]["param"] for _ in range(40)}
    assert named == {"duration", "resolution"}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "MissingParameter"),
        ({"model": MODEL}, "MissingParameter"),
        ([], "InvalidParameter"),
        ({"model": "sora-2", "content": [text("a")]}, "ModelNotOpen"),
    ],
)
def test_an_invalid_body_is_refused(emulator: EmulatorProcess, body: object, code: str) -> None:
    assert emulator.post(body).json()["error"]["code"] == code


def test_a_body_must_be_json(emulator: EmulatorProcess) -> None:
    answer = emulator.client.post(TASKS, content=b"\xff{")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "InvalidParameter")


def test_nulls_count_as_absent(emulator: EmulatorProcess) -> None:
    emulator.create(draft=None, tools=None, callback_url=None, ratio=None)


@pytest.mark.parametrize("ending", ["cancel", "stop"])
def test_a_post_below_a_task_is_a_create_request(emulator: EmulatorProcess, ending: str) -> None:
    answer = emulator.client.post(f"{TASKS}/{emulator.create()}/{ending}")
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "model")


def test_an_unknown_path_is_a_404_with_an_error_body(emulator: EmulatorProcess) -> None:
    answer = emulator.client.get("/api/v3/nothing")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "NotFound.Path")


def test_the_journal_contains_all_creates(emulator: EmulatorProcess) -> None:
    before = len(emulator.journal())
    task_id = emulator.create("a kite in the journal", draft=None)
    emulator.post(duration=99)
    httpx.post(f"{emulator.url}{TASKS}", json={}, trust_env=False)
    entries = emulator.journal()[before:]
    assert [entry["outcome"] for entry in entries] == [
        "accepted",
        "refused:InvalidParameter",
        "refused:AuthenticationError",
    ]
    assert entries[0]["task_id"] == task_id
    assert "draft" not in entries[0]["body"]
    assert "authorization" not in entries[0]["headers"]


def test_embedded_images_are_truncated_in_the_journal(emulator: EmulatorProcess) -> None:
    item = {"type": "image_url", "image_url": {"url": f"data:image/tiff;base64,{'AAAA' * 1000}"}}
    emulator.create(content=[item])
    kept = emulator.journal()[-1]["body"]["content"][0]["image_url"]["url"]
    assert len(kept) < 300


def test_a_full_queue_refuses_and_a_higher_priority_runs_first(tmp_path: Path) -> None:
    with running_emulator(tmp_path, "--concurrency=1", "--queue-cap=2") as emulator:
        tasks = [emulator.create(priority=priority) for priority in (0, 1, 9)]
        refused = emulator.post()
        assert (refused.status_code, refused.json()["error"]["code"]) == (429, "QuotaExceeded")
        emulator.advance(20)
        assert [emulator.get(task)["status"] for task in tasks] == ["running", "queued", "queued"]
        emulator.advance(11)
        assert [emulator.get(task)["status"] for task in tasks] == ["succeeded", "queued", "running"]
        emulator.create()


def test_a_final_clip_is_made_from_a_draft(emulator: EmulatorProcess) -> None:
    model = "doubao-seedance-1-5-pro-251215"
    small = {"model": model, "duration": 4}
    draft = emulator.create("a kite", **small, draft=True)
    item = {"type": "draft_task", "draft_task": {"id": draft}}
    early = emulator.post({"model": model, "content": [item]})
    assert early.status_code == 400
    assert emulator.finish(draft)["draft"] is True
    final = emulator.post({"model": model, "content": [item]})
    assert emulator.get(final.json()["id"])["draft_task_id"] == draft
