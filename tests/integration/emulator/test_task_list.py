"""The list: order, pages, filters, and omitted tasks."""

from collections.abc import Iterator
from typing import Any

import pytest
from tests.support.processes.emulator import MODEL, TASKS, EmulatorProcess, running_emulator

OTHER_MODEL = "doubao-seedance-1-0-pro-fast-251015"


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatorProcess]:
    with running_emulator(tmp_path_factory.mktemp("emulator")) as emulator:
        yield emulator


@pytest.fixture(scope="module")
def five_tasks(emulator: EmulatorProcess) -> list[str]:
    """Tasks in order of acceptance; the first has succeeded, the fourth is of another model, the last flex."""
    first = emulator.create()
    emulator.advance(30)
    others = [emulator.create(), emulator.create(), emulator.create(model=OTHER_MODEL)]
    return [first, *others, emulator.create(service_tier="flex")]


def ids(page: dict[str, Any]) -> list[str]:
    return [item["id"] for item in page["items"]]


def test_the_list_is_newest_first_without_flex_tasks(
    emulator: EmulatorProcess, five_tasks: list[str]
) -> None:
    page = emulator.listed()
    assert (page["total"], ids(page)) == (4, five_tasks[3::-1])


def test_a_filter_lists_flex_tasks(emulator: EmulatorProcess, five_tasks: list[str]) -> None:
    assert ids(emulator.listed(("filter.service_tier", "flex"))) == [five_tasks[4]]
    assert ids(emulator.listed(("filter.task_ids", five_tasks[4]))) == []


def test_pages_are_disjoint(emulator: EmulatorProcess, five_tasks: list[str]) -> None:
    pages = [emulator.listed(("page_num", number), ("page_size", 3)) for number in (1, 2, 3)]
    assert [ids(page) for page in pages] == [five_tasks[3:0:-1], five_tasks[:1], []]
    assert [page["total"] for page in pages] == [4, 4, 4]


def test_a_filter_accepts_several_ids(emulator: EmulatorProcess, five_tasks: list[str]) -> None:
    query = [("filter.task_ids", task_id) for task_id in (five_tasks[0], five_tasks[2], "cgt-unknown")]
    assert ids(emulator.listed(*query)) == [five_tasks[2], five_tasks[0]]


def test_filters_can_be_combined(emulator: EmulatorProcess, five_tasks: list[str]) -> None:
    assert ids(emulator.listed(("filter.status", "succeeded"))) == [five_tasks[0]]
    assert ids(emulator.listed(("filter.model", OTHER_MODEL))) == [five_tasks[3]]
    both = (("filter.model", MODEL), ("filter.status", "queued"))
    assert ids(emulator.listed(*both)) == five_tasks[2:0:-1]


def test_an_invalid_request_is_refused_and_not_stored(
    emulator: EmulatorProcess, five_tasks: list[str]
) -> None:
    before = len(emulator.journal())
    deep = b'{"model": ' + b"[" * 50_000 + b"]" * 50_000 + b"}"
    for content in (deep, b'{"model": "\\ud800", "content": []}', b'{"model": 1e999}', b"\xff"):
        assert emulator.client.post(TASKS, content=content).status_code == 400
    assert emulator.client.get(TASKS, params={"page_num": "9" * 5000}).status_code == 400
    assert [entry["body"] for entry in emulator.journal()[before:]] == [None] * 4


def test_an_item_equals_the_response_of_get(emulator: EmulatorProcess, five_tasks: list[str]) -> None:
    assert emulator.listed(("filter.task_ids", five_tasks[0]))["items"] == [emulator.get(five_tasks[0])]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("page_num", "0"),
        ("page_size", "501"),
        ("page_size", "many"),
        ("filter.status", "paused"),
        ("filter.service_tier", "fast"),
    ],
)
def test_an_invalid_query_is_refused_with_its_parameter(
    emulator: EmulatorProcess, name: str, value: str
) -> None:
    answer = emulator.client.get(TASKS, params={name: value})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, name)
