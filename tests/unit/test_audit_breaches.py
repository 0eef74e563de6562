"""A ledger with exactly one breach planted: it is found, called by its name, and nothing else is."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import pytest
from tests.support.audit_histories import audited
from tests.support.audit_planting import DAY, HOUR, Planted

from telecine_auditor.breach import Breach, BreachKind
from telecine_auditor.entry import Entry

K = BreachKind
Plant = Callable[[Planted], None]


def clean() -> Planted:
    """Two accounts: ann with a promotional grant (2) before a paid one (1), bob with one."""
    ledger = Planted()
    ledger.granted("ann", 500)
    ledger.granted("ann", 100, kind="promotional")
    ledger.granted("bob", 200, kind="plan")
    ledger.debited("ann", "g1", (2, 50))
    ledger.settled("ann", "g1", (2, 50))
    ledger.debited("ann", "g2", (2, 50), (1, 20))
    ledger.refunded("ann", "g2", (2, 50), (1, 20))
    ledger.debited("ann", "g3", (2, 40))
    ledger.debited("bob", "b1", (1, 50))
    return ledger


def continued(ledger: Planted) -> None:
    """What ran ends, and life goes on, in both accounts."""
    ledger.settled("ann", "g3", (2, 40))
    ledger.refunded("bob", "b1", (1, 50))
    ledger.debited("bob", "b2", (1, 120))
    ledger.settled("bob", "b2", (1, 120))
    ledger.denied("bob", "b3")


def audit(entries: list[Entry], finish: timedelta = HOUR) -> list[Breach]:
    """What the books say; they are closed so much later than the last entry."""
    books, found = audited(entries)
    assert books.last_at is not None
    books.finish(books.last_at + finish, hold_limit=DAY)
    return found


def price(
    credits: int, table: str = "2026-11", resolution: str = "720p", duration: int = 5
) -> dict[str, object]:
    return {"credits": credits, "table": table, "resolution": resolution, "duration": duration}


@dataclass(frozen=True)
class Case:
    """A fault, planted behind `clean`, and the breach that it is; `after`: how long after the end the books close."""

    kind: BreachKind
    name: str
    plant: Plant
    after: timedelta = HOUR
    at: int | None = None


def says(**fields: object) -> Plant:
    """A debit that says something else in these fields; None: says nothing there."""

    def plant(ledger: Planted) -> None:
        ledger.debited("ann", "g4", (2, 10))
        for name, value in fields.items():
            if value is None:
                del ledger.last.body[name]
            else:
                ledger.last.body[name] = value

    return plant


def body(raw: bytes) -> Plant:
    def plant(ledger: Planted) -> None:
        ledger.debited("ann", "g4", (2, 10))
        ledger.last.raw = raw

    return plant


def head(old: bytes, new: bytes) -> Plant:
    """A debit with this in its header in place of that."""

    def plant(ledger: Planted) -> None:
        ledger.debited("ann", "g4", (2, 10))
        written = ledger.last.entry(1).head
        assert old in written
        ledger.last.head = written.replace(old, new, 1)

    return plant


def legs(*postings: tuple[str, int, int | None]) -> Plant:
    """A debit of 10 with these postings."""

    def plant(ledger: Planted) -> None:
        ledger.debited("ann", "g4", (2, 10))
        ledger.last.body["postings"] = [
            {"account": side, "amount": amount} | ({} if grant is None else {"grant": grant})
            for side, amount, grant in postings
        ]

    return plant


AVAILABLE, HELD = "ann:available", "ann:held"

UNREADABLE = [
    Case(K.UNREADABLE, "no JSON", body(b'{"account":')),
    Case(K.UNREADABLE, "no UTF-8", body(b'{"account":"\xff"}')),
    Case(K.UNREADABLE, "no object", body(b"[1]")),
    Case(K.UNREADABLE, "nothing", body(b"")),
    Case(K.UNREADABLE, "very deep", body(b"[" * 100_000)),
    Case(K.UNREADABLE, "a field missing", says(generation=None)),
    Case(K.UNREADABLE, "true is no number", says(amount=True)),
    Case(K.UNREADABLE, "a fraction", says(amount=10.0)),
    Case(K.UNREADABLE, "a text for a number", says(amount="10")),
    Case(K.UNREADABLE, "a negative amount", says(amount=-10)),
    Case(K.UNREADABLE, "too much", says(amount=2**53)),
    Case(K.UNREADABLE, "not a number", body(b'{"account":"ann","entry":NaN}')),
    Case(K.UNREADABLE, "entry 0", says(entry=0)),
    Case(K.UNREADABLE, "a time without a zone", says(decided_at="2026-06-01T12:00:00")),
    Case(K.UNREADABLE, "no time", says(decided_at="tomorrow")),
    Case(K.UNREADABLE, "a year that can't be", says(decided_at="9999-12-31T23:59:59Z")),
    Case(K.UNREADABLE, "no time of decision", says(decided_at=None)),
    Case(K.UNREADABLE, "no balances", says(balances={"available": 1})),
    Case(K.UNREADABLE, "postings that are none", says(postings=["ann:available", "ann:held"])),
    Case(K.UNREADABLE, "half a posting", says(postings=[{"account": AVAILABLE, "grant": 2}])),
    Case(K.UNREADABLE, "a posting too large", legs((AVAILABLE, -(2**53), 2), (HELD, 2**53, 2))),
    Case(K.UNREADABLE, "a grant that is no entry", legs((AVAILABLE, -10, -2), (HELD, 10, -2))),
    Case(K.UNREADABLE, "a price without credits", says(price={"table": "2026-11"})),
    Case(K.UNREADABLE, "a price without a table", says(price=price(10) | {"table": 7})),
    Case(K.UNREADABLE, "an API key that is no text", says(api_key=["key_a"])),
    Case(K.UNREADABLE, "no id", head(b"ce-id", b"xx-id")),
    Case(K.UNREADABLE, "no type", head(b"ce-type", b"xx-type")),
    Case(K.UNREADABLE, "two types", head(b"content-type", b"CE-Type: credits.settled.v1\r\ncontent-type")),
    Case(K.UNREADABLE, "two ids", head(b"ce-source", b"ce-id: other\r\nce-source")),
]


def wrong_kind(ledger: Planted) -> None:
    ledger.granted("ann", 10, kind="stolen")


def wrong_reason(ledger: Planted) -> None:
    ledger.denied("ann", "g4", reason="no reason")


def wrong_limit(ledger: Planted) -> None:
    limit = {"scope": "planet", "per": "day", "limit": 1, "used": 1}
    ledger.denied("ann", "g4", reason="spend_limit", limit=limit)


def no_limit(ledger: Planted) -> None:
    ledger.denied("ann", "g4", reason="spend_limit", limit=12)


def negative_limit(ledger: Planted) -> None:
    ledger.limited("ann", per_day=-1)


def limit_of_nobody(ledger: Planted) -> None:
    ledger.limited("ann", api_key=7)


def wrong_expiry_time(ledger: Planted) -> None:
    ledger.granted("ann", 10, expires_at=12)


UNREADABLE += [
    Case(K.UNREADABLE, "a kind of grant that is none", wrong_kind),
    Case(K.UNREADABLE, "a reason that is none", wrong_reason),
    Case(K.UNREADABLE, "a limit that is none", wrong_limit),
    Case(K.UNREADABLE, "a number for a limit", no_limit),
    Case(K.UNREADABLE, "a negative limit", negative_limit),
    Case(K.UNREADABLE, "a limit of nobody", limit_of_nobody),
    Case(K.UNREADABLE, "an expiry at no time", wrong_expiry_time),
]


def unknown_type(ledger: Planted) -> None:
    ledger.debited("ann", "g4", (2, 10))
    ledger.last.type = "credits.stolen.v1"


def unknown_action(ledger: Planted) -> None:
    ledger.debited("ann", "g4", (2, 10))
    ledger.last.subject, ledger.last.type = "ledger.ann.stolen", "credits.stolen.v1"


def other_type(ledger: Planted) -> None:
    ledger.debited("ann", "g4", (2, 10))
    ledger.last.type = "credits.settled.v1"


def other_account(ledger: Planted) -> None:
    ledger.debited("ann", "g4", (2, 10))
    ledger.last.subject = "ledger.bob.debited"


def other_stream(ledger: Planted) -> None:
    ledger.add("ann", "reopened", None, reason="")
    ledger.numbers["ann"] -= 1
    ledger.last.subject = "video.ann.reopened"


def no_account(ledger: Planted) -> None:
    ledger.add("no body", "closed", None, reason="")


ONE_ENTRY = [
    Case(K.UNKNOWN_EVENT, "a type that nobody knows", unknown_type),
    Case(K.UNKNOWN_EVENT, "an action that nobody knows", unknown_action),
    Case(K.WRONG_SUBJECT, "a type on another's subject", other_type),
    Case(K.WRONG_SUBJECT, "another account's subject", other_account),
    Case(K.WRONG_SUBJECT, "another stream's subject", other_stream),
    Case(K.WRONG_SUBJECT, "an account that can't be", no_account),
    Case(K.WRONG_SUBJECT, "a header of another subject", head(b"ledger.ann.debited", b"ledger.bob.debited")),
    Case(K.SUM_NOT_ZERO, "credits from nowhere", legs((AVAILABLE, -10, 2), (HELD, 11, 2))),
    Case(K.SUM_NOT_ZERO, "one leg", legs((AVAILABLE, -10, 2))),
    Case(K.SUM_NOT_ZERO, "from one grant to another", legs((AVAILABLE, -10, 2), (HELD, 10, 1))),
    Case(K.WRONG_POSTINGS, "straight to spent", legs((AVAILABLE, -10, 2), ("spent", 10, 2))),
    Case(K.WRONG_POSTINGS, "to another account", legs((AVAILABLE, -10, 2), ("bob:held", 10, 2))),
    Case(K.WRONG_POSTINGS, "the wrong way", legs((AVAILABLE, 10, 2), (HELD, -10, 2))),
    Case(K.WRONG_POSTINGS, "there and back", legs((AVAILABLE, -10, 2), (AVAILABLE, 10, 2))),
    Case(K.WRONG_POSTINGS, "nothing", legs()),
    Case(K.WRONG_POSTINGS, "nothing, twice", legs((AVAILABLE, 0, 2), (HELD, 0, 2))),
]


def two_amounts(ledger: Planted) -> None:
    ledger.debited("ann", "g4", (2, 10), amount=9, price=price(9, "2025-01"))


def two_grants_granted(ledger: Planted) -> None:
    ledger.granted("bob", 10)
    for leg in ledger.last.body["postings"]:
        leg["grant"] = 1


def denial_that_moves(ledger: Planted) -> None:
    ledger.denied("bob", "b9")
    ledger.last.body["postings"] = [
        {"account": "bob:available", "amount": -1, "grant": 1},
        {"account": "bob:held", "amount": 1, "grant": 1},
    ]


def closing_that_makes_credits(ledger: Planted) -> None:
    ledger.limited("bob", per_day=500)
    ledger.last.body["postings"] = [{"account": "bob:available", "amount": 1, "grant": 1}]


def part_of_an_expiry(ledger: Planted) -> None:
    grant = ledger.granted("ann", 30, expires_at=text(ledger, HOUR))
    ledger.now += 2 * HOUR
    ledger.expired("ann", grant, 20)
    ledger.expired("ann", grant, 10)


def text(ledger: Planted, after: timedelta) -> str:
    """A time so long after now."""
    return (ledger.now + after).isoformat()


def gap(ledger: Planted) -> None:
    ledger.numbers["ann"] += 2
    ledger.debited("ann", "g4", (2, 10))


def same_number(ledger: Planted) -> None:
    ledger.numbers["ann"] -= 1
    ledger.debited("ann", "g4", (2, 10))


def same_id(ledger: Planted) -> None:
    ledger.debited("ann", "g4", (2, 10))
    ledger.last.id = ledger.lines[3].id


def copy(ledger: Planted) -> None:
    ledger.lines.append(ledger.lines[6])


def overdraft(ledger: Planted) -> None:
    ledger.debited("ann", "g4", (2, 10), (1, 501))


def negative_claim(ledger: Planted) -> None:
    ledger.debited("ann", "g4", (2, 10))
    ledger.last.body["balances"]["held"] = -1


def wrong_claim(ledger: Planted) -> None:
    ledger.debited("ann", "g4", (2, 10))
    ledger.last.body["balances"]["available"] += 1


def wrong_for_good(ledger: Planted) -> None:
    ledger.sums["ann"]["available"] += 1000
    ledger.debited("ann", "g4", (2, 10))


def more_than_there_is(ledger: Planted) -> None:
    ledger.granted("carl", 2**53 - 1)
    ledger.granted("carl", 1)


ACCOUNTS = [
    Case(K.WRONG_POSTINGS, "another amount than its own", two_amounts),
    Case(K.WRONG_POSTINGS, "a grant onto another", two_grants_granted),
    Case(K.WRONG_POSTINGS, "a denial moves credits", denial_that_moves),
    Case(K.SUM_NOT_ZERO, "limits make credits", closing_that_makes_credits),
    Case(K.WRONG_POSTINGS, "a part expires", part_of_an_expiry, at=-1),
    Case(K.ENTRY_GAP, "two entries missing", gap),
    Case(K.OUT_OF_ORDER, "a number again", same_number),
    Case(K.REPEATED_ID, "an id again", same_id),
    Case(K.REPEATED_ID, "an entry again", copy),
    Case(K.NEGATIVE_BALANCE, "more than there is", overdraft),
    Case(K.NEGATIVE_BALANCE, "a negative figure", negative_claim),
    Case(K.WRONG_BALANCE, "a figure that is off", wrong_claim),
    Case(K.WRONG_BALANCE, "figures that stay off", wrong_for_good),
    Case(K.WRONG_BALANCE, "more than numbers can hold", more_than_there_is),
]


def reference_of_grant(ledger: Planted) -> None:
    ledger.granted("ann", 10, reference="r1")


def reference_of_adjustment(ledger: Planted) -> None:
    ledger.adjusted("ann", 1, ":available", (1, 5), reference="r1")


def grant_from_nowhere(ledger: Planted) -> None:
    ledger.debited("ann", "g4", (77, 10))


def overdrawn_grant(ledger: Planted) -> None:
    ledger.debited("ann", "g4", (2, 11))


def wrong_order(ledger: Planted) -> None:
    ledger.debited("ann", "g4", (1, 10))


def later_expiry_first(ledger: Planted) -> None:
    soon = ledger.granted("ann", 10, expires_at=text(ledger, DAY))
    late = ledger.granted("ann", 10, kind="promotional", expires_at=text(ledger, 2 * DAY))
    ledger.debited("ann", "g4", (late, 10))
    assert soon < late


def too_much_of_the_second(ledger: Planted) -> None:
    ledger.debited("ann", "g4", (2, 5), (1, 5))


def paid_by_an_expired_grant(ledger: Planted) -> None:
    grant = ledger.granted("ann", 30, expires_at=text(ledger, HOUR))
    ledger.now += HOUR
    ledger.debited("ann", "g4", (grant, 30))


def nameless(ledger: Planted) -> None:
    ledger.debited("ann", "g4", (2, 10))
    for leg in ledger.last.body["postings"]:
        del leg["grant"]


def early(ledger: Planted) -> None:
    grant = ledger.granted("ann", 30, expires_at=text(ledger, DAY))
    ledger.expired("ann", grant, 30)


def never(ledger: Planted) -> None:
    ledger.expired("ann", 2, 10)


def early_after_a_refund(ledger: Planted) -> None:
    """Its own time is over, but a refund made it usable for a day."""
    grant = ledger.granted("ann", 30, expires_at=text(ledger, HOUR))
    ledger.debited("ann", "g4", (grant, 30))
    ledger.now += 2 * HOUR
    ledger.refunded("ann", "g4", (grant, 30), usable_until=text(ledger, DAY + timedelta(minutes=1)))
    ledger.expired("ann", grant, 30)


def expiry_of_more(ledger: Planted) -> None:
    grant = ledger.granted("ann", 30, expires_at=text(ledger, HOUR))
    ledger.now += HOUR
    ledger.expired("ann", grant, 31)


def expiry_of_nothing(ledger: Planted) -> None:
    ledger.expired("ann", 77, 1)


def no_expiry(ledger: Planted) -> None:
    ledger.granted("ann", 30, expires_at=text(ledger, HOUR))


GRANTS = [
    Case(K.REFERENCE_USED_TWICE, "by a grant", reference_of_grant),
    Case(K.REFERENCE_USED_TWICE, "by an adjustment", reference_of_adjustment),
    Case(K.GRANT_UNKNOWN, "takes from it", grant_from_nowhere),
    Case(K.GRANT_UNKNOWN, "it expires", expiry_of_nothing),
    Case(K.GRANT_OVERDRAWN, "takes more than it has", overdrawn_grant),
    Case(K.GRANT_OVERDRAWN, "more expires than it has", expiry_of_more),
    Case(K.GRANT_ORDER, "paid before promotional", wrong_order),
    Case(K.GRANT_ORDER, "what expires later first", later_expiry_first),
    Case(K.GRANT_ORDER, "too little of the first", too_much_of_the_second),
    Case(K.GRANT_EXPIRED, "takes from it at its last moment", paid_by_an_expired_grant),
    Case(K.GRANT_NOT_NAMED, "as if it were of old", nameless),
    Case(K.EXPIRED_EARLY, "before its time", early),
    Case(K.EXPIRED_EARLY, "never expires", never),
    Case(K.EXPIRED_EARLY, "credits came back", early_after_a_refund),
    Case(K.EXPIRY_OVERDUE, "still available", no_expiry, after=3 * HOUR),
]


def other_price(ledger: Planted) -> None:
    ledger.debited("ann", "g4", (2, 10), price=price(9, "2025-01"))


def own_price(ledger: Planted) -> None:
    ledger.debited("ann", "g4", (2, 10), (1, 39), price=price(49))


def price_of_nothing(ledger: Planted) -> None:
    ledger.debited("ann", "g4", (2, 10), price=price(10, resolution="8K"))


def debit_while_running(ledger: Planted) -> None:
    ledger.debited("ann", "g3", (2, 10))


def debit_of_the_ended(ledger: Planted) -> None:
    ledger.debited("ann", "g1", (2, 10))


def debit_of_the_denied(ledger: Planted) -> None:
    ledger.denied("bob", "b7")
    ledger.debited("bob", "b7", (1, 10))


def settled_again(ledger: Planted) -> None:
    ledger.settled("ann", "g1", (2, 50))


def refunded_again(ledger: Planted) -> None:
    ledger.refunded("ann", "g2", (2, 50), (1, 20))


def refund_of_the_settled(ledger: Planted) -> None:
    ledger.refunded("ann", "g1", (2, 50))


def settlement_of_the_refunded(ledger: Planted) -> None:
    ledger.settled("ann", "g2", (2, 50), (1, 20))


def settlement_of_nothing(ledger: Planted) -> None:
    ledger.settled("ann", "g9", (2, 10))


def refund_of_the_denied(ledger: Planted) -> None:
    ledger.denied("bob", "b7")
    ledger.refunded("bob", "b7", (1, 10))


def running(ledger: Planted) -> None:
    ledger.debited("ann", "g4", (2, 10), (1, 60))


def less_refunded(ledger: Planted) -> None:
    running(ledger)
    ledger.refunded("ann", "g4", (2, 10), (1, 50))


def more_refunded(ledger: Planted) -> None:
    running(ledger)
    ledger.refunded("ann", "g4", (2, 10), (1, 70))


def refunded_to_another_grant(ledger: Planted) -> None:
    running(ledger)
    ledger.refunded("ann", "g4", (1, 70))


def refunded_to_no_grant(ledger: Planted) -> None:
    running(ledger)
    ledger.refunded("ann", "g4", (77, 70))


def refund_that_prolongs_nothing(ledger: Planted) -> None:
    running(ledger)
    ledger.refunded("ann", "g4", (2, 10), (1, 60), usable_until=text(ledger, DAY))


def refund_that_does_not_prolong(ledger: Planted) -> None:
    grant = ledger.granted("ann", 30, expires_at=text(ledger, 20 * HOUR))
    ledger.debited("ann", "g4", (grant, 30))
    ledger.refunded("ann", "g4", (grant, 30))


def refund_that_prolongs_too_much(ledger: Planted) -> None:
    grant = ledger.granted("ann", 30, expires_at=text(ledger, 20 * HOUR))
    ledger.debited("ann", "g4", (grant, 30))
    ledger.refunded("ann", "g4", (grant, 30), usable_until=text(ledger, 2 * DAY))


def less_settled(ledger: Planted) -> None:
    running(ledger)
    ledger.settled("ann", "g4", (2, 10), (1, 50))


def settled_from_another_grant(ledger: Planted) -> None:
    running(ledger)
    ledger.settled("ann", "g4", (1, 70))


GENERATIONS = [
    Case(K.WRONG_PRICE, "another than the frozen one", other_price),
    Case(K.WRONG_PRICE, "frozen, but not by the table", own_price),
    Case(K.WRONG_PRICE, "nothing that is sold", price_of_nothing),
    Case(K.DEBITED_TWICE, "while it runs", debit_while_running),
    Case(K.DEBITED_TWICE, "after it ended", debit_of_the_ended),
    Case(K.DEBITED_TWICE, "after it was denied", debit_of_the_denied),
    Case(K.ENDED_TWICE, "settled again", settled_again),
    Case(K.ENDED_TWICE, "refunded again", refunded_again),
    Case(K.SETTLED_AND_REFUNDED, "refunded, was settled", refund_of_the_settled),
    Case(K.SETTLED_AND_REFUNDED, "settled, was refunded", settlement_of_the_refunded),
    Case(K.END_WITHOUT_DEBIT, "settled", settlement_of_nothing),
    Case(K.END_WITHOUT_DEBIT, "refunded, was denied", refund_of_the_denied),
    Case(K.WRONG_REFUND, "less", less_refunded),
    Case(K.WRONG_REFUND, "more", more_refunded),
    Case(K.WRONG_REFUND, "to another grant", refunded_to_another_grant),
    Case(K.WRONG_REFUND, "to no grant", refunded_to_no_grant),
    Case(K.WRONG_REFUND, "prolongs what never expires", refund_that_prolongs_nothing),
    Case(K.WRONG_REFUND, "does not prolong", refund_that_does_not_prolong),
    Case(K.WRONG_REFUND, "prolongs too much", refund_that_prolongs_too_much),
    Case(K.WRONG_SETTLEMENT, "less", less_settled),
    Case(K.WRONG_SETTLEMENT, "from another grant", settled_from_another_grant),
    Case(K.DEBIT_WITHOUT_END, "a day later", running, after=25 * HOUR),
]


def denied_though_it_could_pay(ledger: Planted) -> None:
    ledger.denied("bob", "b7", needed=150)


def denied_with_other_figures(ledger: Planted) -> None:
    ledger.denied("bob", "b7", available=149)


def denied_while_it_runs(ledger: Planted) -> None:
    ledger.denied("bob", "b1")


def denied_again(ledger: Planted) -> None:
    ledger.denied("bob", "b7")
    ledger.denied("bob", "b7")


def denied_as_closed(ledger: Planted) -> None:
    ledger.denied("bob", "b7", reason="account_closed", needed=50)


def denied_for_want_though_closed(ledger: Planted) -> None:
    ledger.closed("ann")
    ledger.denied("ann", "g7")


def denied_for_a_price_after_the_end(ledger: Planted) -> None:
    ledger.denied("bob", "b7", reason="generation_ended", needed=50)


def denied_by_no_limit(ledger: Planted) -> None:
    ledger.denied("bob", "b7", reason="spend_limit", needed=50)


def denied_by_a_limit_not_reached(ledger: Planted) -> None:
    ledger.limited("ann", per_day=190)
    limit = {"scope": "account", "per": "day", "limit": 190, "used": 90}
    ledger.denied("ann", "g7", reason="spend_limit", needed=100, limit=limit)


def denied_by_anothers_limit(ledger: Planted) -> None:
    ledger.limited("bob", api_key="key_a", per_generation=60)
    limit = {"scope": "account", "per": "generation", "limit": 60, "used": 0}
    ledger.denied("bob", "b7", reason="spend_limit", needed=61, limit=limit)


def denied_for_want_though_limited(ledger: Planted) -> None:
    ledger.limited("ann", per_generation=100)
    ledger.denied("ann", "g7")


def charged_while_closed(ledger: Planted) -> None:
    ledger.closed("ann")
    ledger.debited("ann", "g7", (2, 10))


def granted_while_closed(ledger: Planted) -> None:
    ledger.closed("ann")
    ledger.granted("ann", 10)


def past_the_day(ledger: Planted) -> None:
    """50 and 40 count for today, 70 were refunded."""
    ledger.limited("ann", per_day=100)
    ledger.debited("ann", "g7", (2, 10))
    ledger.debited("ann", "g8", (1, 1))


def past_the_day_of_a_key(ledger: Planted) -> None:
    ledger.limited("ann", api_key="key_a", per_day=10)
    ledger.debited("ann", "g6", (2, 8), api_key="key_b")
    ledger.debited("ann", "g7", (2, 2), (1, 7), api_key="key_a")
    ledger.debited("ann", "g8", (1, 2), api_key="key_a")


def past_the_generation(ledger: Planted) -> None:
    ledger.limited("ann", per_generation=10)
    ledger.debited("ann", "g7", (2, 10), (1, 1))


def past_it_on_a_day_that_is_over(ledger: Planted) -> None:
    """The clock of a replica is late: its debit counts for the day that has begun."""
    ledger.limited("ann", per_day=100)
    ledger.now += 11 * HOUR + timedelta(minutes=50)
    ledger.debited("ann", "g7", (2, 10), (1, 50))
    ledger.now -= timedelta(minutes=40)
    ledger.debited("ann", "g8", (1, 41))


LIMITS = [
    Case(K.WRONG_DENIAL, "it could pay", denied_though_it_could_pay),
    Case(K.WRONG_DENIAL, "other figures", denied_with_other_figures),
    Case(K.WRONG_DENIAL, "it runs", denied_while_it_runs),
    Case(K.WRONG_DENIAL, "again", denied_again),
    Case(K.WRONG_DENIAL, "not closed", denied_as_closed),
    Case(K.WRONG_DENIAL, "closed comes first", denied_for_want_though_closed),
    Case(K.WRONG_DENIAL, "an end costs nothing", denied_for_a_price_after_the_end),
    Case(K.WRONG_DENIAL, "no limit", denied_by_no_limit),
    Case(K.WRONG_DENIAL, "a limit not reached", denied_by_a_limit_not_reached),
    Case(K.WRONG_DENIAL, "another's limit", denied_by_anothers_limit),
    Case(K.WRONG_DENIAL, "a limit comes first", denied_for_want_though_limited),
    Case(K.CHARGED_WHILE_CLOSED, "a generation", charged_while_closed),
    Case(K.CHARGED_WHILE_CLOSED, "a grant", granted_while_closed),
    Case(K.LIMIT_PASSED, "of the day", past_the_day),
    Case(K.LIMIT_PASSED, "of an API key's day", past_the_day_of_a_key),
    Case(K.LIMIT_PASSED, "of a generation", past_the_generation),
    Case(K.LIMIT_PASSED, "a day does not come back", past_it_on_a_day_that_is_over),
]


def adjusts_a_debit(ledger: Planted) -> None:
    ledger.adjusted("ann", 3, "spent", (2, 5))


def adjusts_what_is_not_there(ledger: Planted) -> None:
    ledger.adjusted("ann", 99, ":available", (2, 5))


def takes_back_more_than_available(ledger: Planted) -> None:
    ledger.adjusted("ann", 2, ":available", (2, 11))


def gives_back_more_than_settled(ledger: Planted) -> None:
    ledger.adjusted("ann", 4, "spent", (2, 30))
    ledger.adjusted("ann", 4, "spent", (2, 21))


def gives_back_in_the_wrong_order(ledger: Planted) -> None:
    running(ledger)
    ledger.settled("ann", "g4", (2, 10), (1, 60))
    ledger.adjusted("ann", ledger.numbers["ann"], "spent", (2, 10))


def gives_back_to_another(ledger: Planted) -> None:
    ledger.adjusted("ann", 4, "spent", (1, 5))


def gives_back_and_prolongs(ledger: Planted) -> None:
    ledger.adjusted("ann", 4, "spent", (2, 5), usable_until=text(ledger, DAY))


def gives_back_more_than_expired(ledger: Planted) -> None:
    grant = ledger.granted("ann", 30, expires_at=text(ledger, HOUR))
    ledger.now += 2 * HOUR
    ledger.expired("ann", grant, 30)
    until = text(ledger, DAY + timedelta(minutes=1))
    ledger.adjusted("ann", ledger.numbers["ann"], "expired", (grant, 31), usable_until=until)


ADJUSTMENTS = [
    Case(K.WRONG_ADJUSTMENT, "of a debit", adjusts_a_debit),
    Case(K.WRONG_ADJUSTMENT, "of nothing", adjusts_what_is_not_there),
    Case(K.WRONG_ADJUSTMENT, "of spent credits of a grant", takes_back_more_than_available),
    Case(K.WRONG_ADJUSTMENT, "more than was settled", gives_back_more_than_settled),
    Case(K.WRONG_ADJUSTMENT, "more than expired", gives_back_more_than_expired),
    Case(K.WRONG_ADJUSTMENT, "first taken first", gives_back_in_the_wrong_order),
    Case(K.WRONG_ADJUSTMENT, "to another grant", gives_back_to_another),
    Case(K.WRONG_ADJUSTMENT, "prolongs what never expires", gives_back_and_prolongs),
]

CASES = [*UNREADABLE, *ONE_ENTRY, *ACCOUNTS, *GRANTS, *GENERATIONS, *LIMITS, *ADJUSTMENTS]


def test_a_clean_ledger_has_no_breach() -> None:
    ledger = clean()
    continued(ledger)

    assert audit(ledger.entries()) == []


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.kind.value}: {case.name}")
def test_a_planted_breach_is_named_and_nothing_else_is(case: Case) -> None:
    ledger = clean()
    case.plant(ledger)
    planted = len(ledger.lines) + (case.at or 0)
    continued(ledger)

    found = audit(ledger.entries(), case.after)

    assert [(breach.kind, breach.sequence) for breach in found] == [(case.kind, planted)]
