"""What events say on a terminal: short, for people, and nothing that should not be shown."""

import pytest

from telecine_cli.output.event_summary import describe, format_size, printable
from telecine_contracts import EVENTS, Event
from telecine_contracts.access import ApiKeyCreated
from telecine_contracts.credits import CreditsGranted
from telecine_contracts.examples import EXAMPLES, example
from telecine_contracts.gateway import GenerationRequested
from telecine_contracts.generation import VideoReady
from telecine_contracts.storage import VideoStorageFailed


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.type)
def test_every_event_has_words_of_its_own(event: type[Event]) -> None:
    words = describe(example(event))
    assert words != event.type
    assert 0 < len(words) <= 150


@pytest.mark.parametrize("event", EXAMPLES, ids=lambda event: event.type)
def test_summaries_contain_no_urls_prompts_or_keys(event: Event) -> None:
    words = describe(event)
    assert "http" not in words
    match event:
        case GenerationRequested():
            assert event.parameters.prompt is None or event.parameters.prompt not in words
        case ApiKeyCreated():
            assert event.key_sha256 not in words
        case VideoReady():
            assert event.url not in words
        case VideoStorageFailed():
            assert event.stopgap_url is None or event.stopgap_url not in words


def test_control_characters_of_users_are_replaced() -> None:
    granted = example(CreditsGranted).model_copy(update={"reason": "\x1b[2Jgone\r\nnew line\u202e"})
    assert "·[2Jgone··new line·" in describe(granted)


def test_only_spaces_pass_as_spaces() -> None:
    assert printable("a b\tc\u00a0d\u2028e") == "a b·c·d·e"
    assert printable("Prüfung 测试 🎬") == "Prüfung 测试 🎬"


def test_sizes_as_people_say_them() -> None:
    assert [format_size(n) for n in (999, 81_999, 1_250_000)] == ["999 B", "82 kB", "1.2 MB"]
