"""Faults of the emulator's API, as a client observes them."""

from collections.abc import Callable

import httpx
import pytest
from tests.support.processes.emulator import MODEL, TASKS, EmulatorProcess, text

from telecine_emulator.api.errors import STATUS_OF_CODE, status_of

CODES = [codes[0] for codes in STATUS_OF_CODE.values()]
"""One code for each HTTP status."""


def task_count(emulator: EmulatorProcess) -> int:
    return int(emulator.listed()["total"])


@pytest.mark.parametrize("code", CODES)
def test_a_refusal_has_the_status_of_its_code(emulator: EmulatorProcess, code: str) -> None:
    emulator.fault("refuse", code, times=1)
    before = task_count(emulator)
    answer = emulator.post()
    assert (answer.status_code, answer.json()["error"]["code"]) == (status_of(code), code)
    assert task_count(emulator) == before
    assert emulator.journal()[-1]["outcome"] == f"refused:{code}"


def test_a_refusal_can_set_its_status_and_route(emulator: EmulatorProcess) -> None:
    task_id = emulator.create()
    emulator.fault("refuse", "get:503:ServerOverloaded", times=1)
    answers = [emulator.client.get(f"{TASKS}/{task_id}") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [503, 200]


def test_an_input_can_be_moderated(emulator: EmulatorProcess) -> None:
    emulator.fault("moderation_input", match="forbidden")
    refused = emulator.post(content=[{"type": "text", "text": "a forbidden kite"}])
    assert refused.json()["error"]["code"] == "InputTextSensitiveContentDetected"
    assert emulator.post().status_code == 200


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("moderation_output", None, "OutputVideoSensitiveContentDetected"),
        ("fail", None, "InternalServiceError"),
        ("fail", "OutputAudioSensitiveContentDetected", "OutputAudioSensitiveContentDetected"),
    ],
)
def test_a_task_can_fail(emulator: EmulatorProcess, name: str, value: str | None, code: str) -> None:
    emulator.fault(name, value, times=1)
    failed = emulator.finish(emulator.create())
    assert (failed["status"], failed["error"]["code"]) == ("failed", code)
    assert "content" not in failed
    assert emulator.finish(emulator.create())["status"] == "succeeded"


def test_a_task_can_expire_without_an_error(emulator: EmulatorProcess) -> None:
    emulator.fault("expire", times=1)
    expired = emulator.finish(emulator.create())
    assert (expired["status"], expired["error"]) == ("expired", None)


def test_a_task_can_hang(emulator: EmulatorProcess) -> None:
    emulator.fault("hang", times=1)
    task_id = emulator.create()
    emulator.advance(3 * 86_400)
    assert emulator.get(task_id)["status"] == "running"


def test_a_prompt_can_contain_a_fault(emulator: EmulatorProcess) -> None:
    failed = emulator.finish(emulator.create("a kite [emulator:moderation_output]"))
    assert failed["error"]["code"] == "OutputVideoSensitiveContentDetected"


@pytest.mark.parametrize("route", ["create", "get", "list"])
def test_each_route_can_be_rate_limited(emulator: EmulatorProcess, route: str) -> None:
    task_id = emulator.create()
    emulator.fault("rate_limit", f"{route}:AccountRateLimitExceeded", times=1)
    calls: dict[str, Callable[[], httpx.Response]] = {
        "create": emulator.post,
        "get": lambda: emulator.client.get(f"{TASKS}/{task_id}"),
        "list": lambda: emulator.client.get(TASKS),
    }
    statuses = {name: call().status_code for name, call in calls.items()}
    assert statuses == {name: 429 if name == route else 200 for name in calls}


def test_an_error_before_accepting_creates_no_task(emulator: EmulatorProcess) -> None:
    emulator.fault("error_before_accept", times=1)
    before = task_count(emulator)
    assert emulator.post().status_code == 500
    assert task_count(emulator) == before


def test_an_error_after_accepting_creates_a_task(emulator: EmulatorProcess) -> None:
    emulator.fault("error_after_accept", times=1)
    before = task_count(emulator)
    answer = emulator.post(seed=4711)
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "InternalServiceError")
    assert task_count(emulator) == before + 1
    assert emulator.listed()["items"][0]["seed"] == 4711


def test_the_response_to_an_accepted_task_can_be_dropped(emulator: EmulatorProcess) -> None:
    emulator.fault("drop_after_accept", times=1)
    before = task_count(emulator)
    with pytest.raises(httpx.RemoteProtocolError):
        emulator.post()
    assert task_count(emulator) == before + 1
    assert emulator.journal()[-1]["outcome"] == "accepted:drop_after_accept"


def test_a_response_can_be_slower_than_the_clients_timeout(emulator: EmulatorProcess) -> None:
    emulator.fault("slow_accept", 30, times=1)
    before = task_count(emulator)
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(
            f"{emulator.url}{TASKS}",
            json={"model": MODEL, "content": [text("a kite")], "resolution": "480p", "duration": 2},
            headers=emulator.client.headers,
            timeout=0.3,
            trust_env=False,
        )
    assert task_count(emulator) == before + 1


@pytest.mark.parametrize(("value", "kind"), [("html", "text/html"), ("json", "application/json")])
def test_a_response_can_be_unreadable(emulator: EmulatorProcess, value: str, kind: str) -> None:
    task_id = emulator.create()
    for route in ("create", "get", "list"):
        emulator.fault("garbage_body", f"{route}:{value}", times=1)
    urls = (f"{TASKS}/{task_id}", TASKS)
    for answer in (emulator.post(), *(emulator.client.get(url) for url in urls)):
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith(kind)
        with pytest.raises(ValueError):
            answer.json()


def test_a_response_can_have_wrong_types(emulator: EmulatorProcess) -> None:
    task_id = emulator.create()
    emulator.fault("garbage_body", "get:types", times=1)
    assert emulator.get(task_id)["status"] == ["running"]


def test_a_status_can_be_unknown(emulator: EmulatorProcess) -> None:
    task_id = emulator.create()
    emulator.fault("unknown_status", "paused", times=2)
    listed = emulator.listed(("filter.task_ids", task_id))["items"][0]
    statuses = [listed["status"], *(emulator.get(task_id)["status"] for _ in range(2))]
    assert statuses == ["paused", "paused", "queued"]


def test_the_list_can_lag(emulator: EmulatorProcess) -> None:
    emulator.fault("list_lag", 5, times=1)
    task_id = emulator.create()
    query = ("filter.task_ids", task_id)
    assert emulator.listed(query)["total"] == 0
    assert emulator.get(task_id)["status"] == "queued"
    emulator.advance(5)
    assert emulator.listed(query)["total"] == 1


def test_faults_can_be_listed_and_cleared(emulator: EmulatorProcess) -> None:
    emulator.fault("hang", times=2, match="kite")
    emulator.create("a kite")
    (fault,) = emulator.client.get("/admin/faults").json()["faults"]
    assert (fault["name"], fault["times"], fault["match"]) == ("hang", 1, "kite")
    emulator.clear_faults()
    assert emulator.client.get("/admin/faults").json() == {"faults": []}


@pytest.mark.parametrize(
    "body",
    [{}, {"name": "nonsense"}, {"name": "hang", "times": 0}, {"name": "hang", "match": 7}, [], None],
)
def test_an_invalid_fault_is_refused(emulator: EmulatorProcess, body: object) -> None:
    assert emulator.client.post("/admin/faults", json=body).status_code == 400


@pytest.mark.parametrize("seconds", [-1, "ten", None, True])
def test_the_clock_refuses_an_invalid_advance(emulator: EmulatorProcess, seconds: object) -> None:
    answer = emulator.client.post("/admin/clock", json={"advance_seconds": seconds})
    assert answer.status_code == 400


def test_an_empty_list_can_be_null(emulator: EmulatorProcess) -> None:
    emulator.fault("null_items", times=1)
    nothing = {"filter.task_ids": "cgt-unknown"}
    answers = [emulator.client.get(TASKS, params=nothing).json() for _ in range(2)]
    assert answers == [{"total": 0, "items": None}, {"total": 0, "items": []}]


def test_a_record_can_lack_its_times(emulator: EmulatorProcess) -> None:
    plain = emulator.finish(emulator.create())
    emulator.fault("timeless", times=1)
    faulty = emulator.client.get(f"{TASKS}/{plain['id']}").json()
    assert "updated_at" not in faulty
    assert "X-Tos-Date" not in faulty["content"]["video_url"]
    assert emulator.client.get(faulty["content"]["video_url"]).status_code == 200
    emulator.fault("timeless", "milliseconds", times=1)
    assert emulator.client.get(f"{TASKS}/{plain['id']}").json()["updated_at"] // 1000 == plain["updated_at"]
