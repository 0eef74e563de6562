"""An emulated task over HTTP from acceptance to the end of its record, on a clock that jumps."""

from collections.abc import Iterator

import httpx
import pytest
from tests.support.eventually import eventually
from tests.support.processes.emulator import MODEL, TASKS, EmulatorProcess, running_emulator, text

DAY = 86_400


@pytest.fixture(scope="module")
def emulator_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatorProcess]:
    with running_emulator(tmp_path_factory.mktemp("emulator")) as emulator:
        yield emulator


@pytest.fixture
def emulator(emulator_process: EmulatorProcess) -> Iterator[EmulatorProcess]:
    yield emulator_process
    emulator_process.clear_faults()


def test_a_task_is_queued_runs_and_succeeds(emulator: EmulatorProcess) -> None:
    task_id = emulator.create(seed=11, safety_identifier="someone")
    queued = emulator.get(task_id)
    emulator.advance(11)
    running = emulator.get(task_id)
    emulator.advance(5)
    assert emulator.get(task_id)["updated_at"] == running["updated_at"]
    emulator.advance(15)
    done = emulator.get(task_id)
    assert [task["status"] for task in (queued, running, done)] == ["queued", "running", "succeeded"]
    assert done["updated_at"] - done["created_at"] in (30, 31)
    assert (done["seed"], done["safety_identifier"], done["error"]) == (11, "someone", None)
    assert done["duration"] == 2
    assert "frames" not in done
    assert done["usage"] == {"completion_tokens": 19_845, "total_tokens": 19_845}
    assert "content" not in running


async def test_a_task_moves_in_real_time_too(emulator: EmulatorProcess) -> None:
    emulator.fault("task_seconds", 0.3, times=1)
    task_id = emulator.create()
    await eventually(lambda: emulator.get(task_id)["status"] == "succeeded")


def test_a_request_that_counts_frames_is_answered_in_frames(emulator: EmulatorProcess) -> None:
    done = emulator.finish(emulator.create(frames=29, duration=None))
    assert done["frames"] == 29
    assert "duration" not in done


def test_an_open_seed_is_echoed_as_the_one_that_was_used(emulator: EmulatorProcess) -> None:
    seeds = {emulator.get(emulator.create(seed=-1))["seed"] for _ in range(3)}
    assert len(seeds) == 3


def test_ids_tell_the_tier(emulator: EmulatorProcess) -> None:
    assert emulator.create().startswith("cgt-2")
    assert emulator.create(service_tier="flex").startswith("cgt-batch-2")


def test_the_answer_to_create_is_the_id_alone(emulator: EmulatorProcess) -> None:
    assert emulator.post().json().keys() == {"id"}
    answer = emulator.post(safety_identifier="someone").json()
    assert answer["safety_identifier"] == "someone"


def test_a_result_is_leased_for_a_day_from_success(emulator: EmulatorProcess) -> None:
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


def test_an_error_has_the_form_of_the_provider(emulator: EmulatorProcess) -> None:
    answer = emulator.post(duration=99)
    error = answer.json()["error"]
    assert error.keys() == {"code", "message", "param", "type"}
    assert (answer.status_code, error["code"], error["param"]) == (400, "InvalidParameter", "duration")
    assert error["message"].endswith(answer.headers["X-Request-Id"])


def test_one_bad_field_is_named_and_not_always_the_same(emulator: EmulatorProcess) -> None:
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
def test_bodies_that_cannot_be_are_refused(emulator: EmulatorProcess, body: object, code: str) -> None:
    assert emulator.post(body).json()["error"]["code"] == code


def test_a_body_that_is_no_json_is_refused(emulator: EmulatorProcess) -> None:
    answer = emulator.client.post(TASKS, content=b"\xff{")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "InvalidParameter")


def test_nulls_count_as_absent(emulator: EmulatorProcess) -> None:
    emulator.create(draft=None, tools=None, callback_url=None, ratio=None)


@pytest.mark.parametrize("ending", ["cancel", "stop"])
def test_there_is_no_cancel_route_so_it_asks_for_a_model(emulator: EmulatorProcess, ending: str) -> None:
    answer = emulator.client.post(f"{TASKS}/{emulator.create()}/{ending}")
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "model")


def test_an_unknown_path_is_a_404_in_the_same_form(emulator: EmulatorProcess) -> None:
    answer = emulator.client.get("/api/v3/nothing")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "NotFound.Path")


def test_the_journal_counts_every_create(emulator: EmulatorProcess) -> None:
    before = len(emulator.journal())
    task_id = emulator.create("a kite in the journal", draft=None)
    emulator.post(duration=99)
    httpx.post(f"{emulator.url}{TASKS}", json={}, trust_env=False)
    told = emulator.journal()[before:]
    assert [entry["outcome"] for entry in told] == [
        "accepted",
        "refused:InvalidParameter",
        "refused:AuthenticationError",
    ]
    assert told[0]["task_id"] == task_id
    assert "draft" not in told[0]["body"]
    assert "authorization" not in told[0]["headers"]


def test_images_inside_a_request_are_shortened_in_the_journal(emulator: EmulatorProcess) -> None:
    item = {"type": "image_url", "image_url": {"url": f"data:image/tiff;base64,{'AAAA' * 1000}"}}
    emulator.create(content=[item])
    kept = emulator.journal()[-1]["body"]["content"][0]["image_url"]["url"]
    assert len(kept) < 300


def test_a_full_queue_refuses(tmp_path_factory: pytest.TempPathFactory) -> None:
    options = ("--concurrency=1", "--queue-cap=1")
    with running_emulator(tmp_path_factory.mktemp("capped"), *options) as emulator:
        first, second = emulator.create(), emulator.create()
        refused = emulator.post()
        assert (refused.status_code, refused.json()["error"]["code"]) == (429, "QuotaExceeded")
        emulator.advance(20)
        assert [emulator.get(task)["status"] for task in (first, second)] == ["running", "queued"]
        emulator.advance(11)
        assert [emulator.get(task)["status"] for task in (first, second)] == ["succeeded", "running"]
        emulator.create()


def test_a_waiting_task_of_higher_priority_runs_first(tmp_path_factory: pytest.TempPathFactory) -> None:
    with running_emulator(tmp_path_factory.mktemp("one"), "--concurrency=1") as emulator:
        first, low, high = (emulator.create(priority=priority) for priority in (0, 1, 9))
        emulator.advance(31)
        statuses = [emulator.get(task)["status"] for task in (first, low, high)]
        assert statuses == ["succeeded", "queued", "running"]


def test_without_a_queue_the_limit_is_on_tasks_in_flight(tmp_path_factory: pytest.TempPathFactory) -> None:
    options = ("--concurrency=1", "--queue-cap=0")
    with running_emulator(tmp_path_factory.mktemp("capped"), *options) as emulator:
        emulator.create()
        refused = emulator.post()
        assert (refused.status_code, refused.json()["error"]["code"]) == (429, "InflightBatchsizeExceeded")


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
