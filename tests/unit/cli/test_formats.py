"""Values as text for a terminal: descriptions with the balance, printable texts, times."""

from datetime import datetime

from telecine_cli.output.formats import describe, format_time, printable
from telecine_contracts.credits import CreditsDebited, CreditsDenied, CreditsGranted
from telecine_contracts.examples import example


def test_entries_that_move_credits_show_the_balance() -> None:
    assert describe(example(CreditsDebited)) == "debited 50 credits, 450 available"
    assert not describe(example(CreditsDenied)).endswith("available")


def test_control_characters_of_users_are_replaced() -> None:
    granted = example(CreditsGranted).model_copy(update={"reason": "\x1b[2Jgone\r\nnew line\u202e"})
    assert "·[2Jgone··new line·" in describe(granted)


def test_other_white_space_than_spaces_is_replaced() -> None:
    assert printable("a b\tc\u00a0d\u2028e") == "a b·c·d·e"
    assert printable("Prüfung 测试 🎬") == "Prüfung 测试 🎬"


def test_times_are_utc_to_the_millisecond() -> None:
    assert format_time(datetime.fromisoformat("2026-11-23T12:00:00.0009+02:00")) == "2026-11-23T10:00:00.000Z"
