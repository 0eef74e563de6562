"""Event summaries on a terminal: the description, the balance, and nothing that moves the cursor."""

from telecine_cli.output.event_summary import describe, printable
from telecine_contracts.credits import CreditsDebited, CreditsDenied, CreditsGranted
from telecine_contracts.examples import example


def test_entries_that_move_credits_show_the_balance() -> None:
    assert describe(example(CreditsDebited)) == "debited 50 credits, 450 available"
    assert not describe(example(CreditsDenied)).endswith("available")


def test_control_characters_of_users_are_replaced() -> None:
    granted = example(CreditsGranted).model_copy(update={"reason": "\x1b[2Jgone\r\nnew line\u202e"})
    assert "·[2Jgone··new line·" in describe(granted)


def test_only_spaces_pass_as_spaces() -> None:
    assert printable("a b\tc\u00a0d\u2028e") == "a b·c·d·e"
    assert printable("Prüfung 测试 🎬") == "Prüfung 测试 🎬"
