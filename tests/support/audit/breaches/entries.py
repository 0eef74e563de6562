"""Faults in one entry, and in the order and the balances of an account's entries."""

from tests.support.audit.breaches.cases import Case, Plant, price, timestamp_after
from tests.support.audit.breaches.planted_ledger import HOUR, LedgerBuilder

from telecine_auditor.breaches import BreachKind as K

__all__ = ["ENTRY_BREACHES"]


def debit_with_fields(**fields: object) -> Plant:
    """A debit that says something else in these fields; None: says nothing there."""

    def plant(ledger: LedgerBuilder) -> None:
        ledger.debited("ann", "g4", (2, 10))
        for name, value in fields.items():
            if value is None:
                del ledger.last.body[name]
            else:
                ledger.last.body[name] = value

    return plant


def debit_with_body(raw: bytes) -> Plant:
    def plant(ledger: LedgerBuilder) -> None:
        ledger.debited("ann", "g4", (2, 10))
        ledger.last.raw = raw

    return plant


def debit_with_header(old: bytes, new: bytes) -> Plant:
    """A debit with this in its header in place of that."""

    def plant(ledger: LedgerBuilder) -> None:
        ledger.debited("ann", "g4", (2, 10))
        written = ledger.last.entry(1).head
        assert old in written
        ledger.last.head = written.replace(old, new, 1)

    return plant


def debit_with_bytes_replaced(old: bytes, new: bytes) -> Plant:
    """A debit with this in its body in place of that."""

    def plant(ledger: LedgerBuilder) -> None:
        ledger.debited("ann", "g4", (2, 10))
        written = ledger.last.entry(1).body
        assert written.count(old) == 1
        ledger.last.raw = written.replace(old, new)

    return plant


def debit_with_postings(*postings: tuple[str, int, int | None]) -> Plant:
    """A debit of 10 with these postings."""

    def plant(ledger: LedgerBuilder) -> None:
        ledger.debited("ann", "g4", (2, 10))
        ledger.last.body["postings"] = [
            {"account": side, "amount": amount} | ({} if grant is None else {"grant": grant})
            for side, amount, grant in postings
        ]

    return plant


AVAILABLE, HELD = "ann:available", "ann:held"

UNREADABLE = [
    Case(K.UNREADABLE, "no JSON", debit_with_body(b'{"account":')),
    Case(K.UNREADABLE, "no UTF-8", debit_with_body(b'{"account":"\xff"}')),
    Case(K.UNREADABLE, "no object", debit_with_body(b"[1]")),
    Case(K.UNREADABLE, "nothing", debit_with_body(b"")),
    Case(K.UNREADABLE, "very deep", debit_with_body(b"[" * 100_000)),
    Case(K.UNREADABLE, "a field missing", debit_with_fields(generation=None)),
    Case(K.UNREADABLE, "true instead of a number", debit_with_fields(amount=True)),
    Case(K.UNREADABLE, "a fraction", debit_with_fields(amount=10.0)),
    Case(K.UNREADABLE, "a text for a number", debit_with_fields(amount="10")),
    Case(K.UNREADABLE, "a negative amount", debit_with_fields(amount=-10)),
    Case(K.UNREADABLE, "too much", debit_with_fields(amount=2**53)),
    Case(K.UNREADABLE, "not a number", debit_with_body(b'{"account":"ann","entry":NaN}')),
    Case(K.UNREADABLE, "entry 0", debit_with_fields(entry=0)),
    Case(K.UNREADABLE, "a time without a zone", debit_with_fields(decided_at="2026-06-01T12:00:00")),
    Case(K.UNREADABLE, "no time", debit_with_fields(decided_at="tomorrow")),
    Case(K.UNREADABLE, "a year that can't be", debit_with_fields(decided_at="9999-12-31T23:59:59Z")),
    Case(K.UNREADABLE, "no time of decision", debit_with_fields(decided_at=None)),
    Case(K.UNREADABLE, "no balances", debit_with_fields(balances={"available": 1})),
    Case(K.UNREADABLE, "postings that are none", debit_with_fields(postings=["ann:available", "ann:held"])),
    Case(K.UNREADABLE, "half a posting", debit_with_fields(postings=[{"account": AVAILABLE, "grant": 2}])),
    Case(
        K.UNREADABLE, "a posting too large", debit_with_postings((AVAILABLE, -(2**53), 2), (HELD, 2**53, 2))
    ),
    Case(K.UNREADABLE, "a grant that is no entry", debit_with_postings((AVAILABLE, -10, -2), (HELD, 10, -2))),
    Case(K.UNREADABLE, "a price without credits", debit_with_fields(price={"table": "2026-11"})),
    Case(K.UNREADABLE, "a price without a table", debit_with_fields(price=price(10) | {"table": 7})),
    Case(K.UNREADABLE, "an API key that is no text", debit_with_fields(api_key=["key_a"])),
    Case(
        K.UNREADABLE,
        "an amount twice",
        debit_with_bytes_replaced(b',"amount":10,"price"', b',"amount":99,"amount":10,"price"'),
    ),
    Case(
        K.UNREADABLE,
        "a price twice",
        debit_with_bytes_replaced(b'{"credits":10', b'{"credits":99,"credits":10'),
    ),
    Case(
        K.UNREADABLE, "a balance twice", debit_with_bytes_replaced(b'"balances":{', b'"balances":{"held":99,')
    ),
    Case(K.UNREADABLE, "no source", debit_with_header(b"ce-source", b"xx-source")),
    Case(K.UNREADABLE, "no time of writing", debit_with_header(b"ce-time", b"xx-time")),
    Case(K.UNREADABLE, "a month that is none", debit_with_header(b"ce-time: 2026-06", b"ce-time: 2026-13")),
    Case(
        K.UNREADABLE, "a day that is none", debit_with_header(b"ce-time: 2026-06-01", b"ce-time: 2026-06-31")
    ),
    Case(K.UNREADABLE, "a time of writing without a zone", debit_with_header(b"+00:00", b"")),
    Case(K.UNREADABLE, "no id", debit_with_header(b"ce-id", b"xx-id")),
    Case(K.UNREADABLE, "no type", debit_with_header(b"ce-type", b"xx-type")),
    Case(
        K.UNREADABLE,
        "two types",
        debit_with_header(b"content-type", b"CE-Type: credits.settled.v1\r\ncontent-type"),
    ),
    Case(K.UNREADABLE, "two ids", debit_with_header(b"ce-source", b"ce-id: other\r\nce-source")),
]


def wrong_kind(ledger: LedgerBuilder) -> None:
    ledger.granted("ann", 10, kind="stolen")


def wrong_reason(ledger: LedgerBuilder) -> None:
    ledger.denied("ann", "g4", reason="no reason")


def wrong_limit(ledger: LedgerBuilder) -> None:
    limit = {"scope": "planet", "per": "day", "limit": 1, "used": 1}
    ledger.denied("ann", "g4", reason="spend_limit", limit=limit)


def no_limit(ledger: LedgerBuilder) -> None:
    ledger.denied("ann", "g4", reason="spend_limit", limit=12)


def negative_limit(ledger: LedgerBuilder) -> None:
    ledger.limited("ann", per_day=-1)


def limit_of_invalid_key(ledger: LedgerBuilder) -> None:
    ledger.limited("ann", api_key=7)


def wrong_expiry_time(ledger: LedgerBuilder) -> None:
    ledger.granted("ann", 10, expires_at=12)


UNREADABLE += [
    Case(K.UNREADABLE, "a kind of grant that is none", wrong_kind),
    Case(K.UNREADABLE, "a reason that is none", wrong_reason),
    Case(K.UNREADABLE, "a limit that is none", wrong_limit),
    Case(K.UNREADABLE, "a number for a limit", no_limit),
    Case(K.UNREADABLE, "a negative limit", negative_limit),
    Case(K.UNREADABLE, "a limit of an invalid key", limit_of_invalid_key),
    Case(K.UNREADABLE, "an expiry at no time", wrong_expiry_time),
]


def unknown_type(ledger: LedgerBuilder) -> None:
    ledger.debited("ann", "g4", (2, 10))
    ledger.last.type = "credits.stolen.v1"


def unknown_action(ledger: LedgerBuilder) -> None:
    ledger.debited("ann", "g4", (2, 10))
    ledger.last.subject, ledger.last.type = "ledger.ann.stolen", "credits.stolen.v1"


def other_type(ledger: LedgerBuilder) -> None:
    ledger.debited("ann", "g4", (2, 10))
    ledger.last.type = "credits.settled.v1"


def other_account(ledger: LedgerBuilder) -> None:
    ledger.debited("ann", "g4", (2, 10))
    ledger.last.subject = "ledger.bob.debited"


def other_stream(ledger: LedgerBuilder) -> None:
    ledger.add("ann", "reopened", None, reason="")
    ledger.numbers["ann"] -= 1
    ledger.last.subject = "video.ann.reopened"


def no_account(ledger: LedgerBuilder) -> None:
    ledger.add("no body", "closed", None, reason="")


ONE_ENTRY = [
    Case(K.UNKNOWN_EVENT, "an unknown type", unknown_type),
    Case(K.UNKNOWN_EVENT, "an unknown action", unknown_action),
    Case(K.WRONG_SUBJECT, "a type on another's subject", other_type),
    Case(K.WRONG_SUBJECT, "another account's subject", other_account),
    Case(K.WRONG_SUBJECT, "another stream's subject", other_stream),
    Case(K.WRONG_SUBJECT, "an account that can't be", no_account),
    Case(
        K.WRONG_SUBJECT,
        "a header of another subject",
        debit_with_header(b"ledger.ann.debited", b"ledger.bob.debited"),
    ),
    Case(K.FOREIGN_SOURCE, "another service", debit_with_header(b"telecine/credits", b"telecine/gateway")),
    Case(K.SUM_NOT_ZERO, "credits from nowhere", debit_with_postings((AVAILABLE, -10, 2), (HELD, 11, 2))),
    Case(K.SUM_NOT_ZERO, "one leg", debit_with_postings((AVAILABLE, -10, 2))),
    Case(
        K.SUM_NOT_ZERO, "from one grant to another", debit_with_postings((AVAILABLE, -10, 2), (HELD, 10, 1))
    ),
    Case(K.WRONG_POSTINGS, "straight to spent", debit_with_postings((AVAILABLE, -10, 2), ("spent", 10, 2))),
    Case(
        K.WRONG_POSTINGS, "to another account", debit_with_postings((AVAILABLE, -10, 2), ("bob:held", 10, 2))
    ),
    Case(K.WRONG_POSTINGS, "the wrong way", debit_with_postings((AVAILABLE, 10, 2), (HELD, -10, 2))),
    Case(K.WRONG_POSTINGS, "there and back", debit_with_postings((AVAILABLE, -10, 2), (AVAILABLE, 10, 2))),
    Case(K.WRONG_POSTINGS, "nothing", debit_with_postings()),
    Case(K.WRONG_POSTINGS, "nothing, twice", debit_with_postings((AVAILABLE, 0, 2), (HELD, 0, 2))),
]


def two_amounts(ledger: LedgerBuilder) -> None:
    ledger.debited("ann", "g4", (2, 10), amount=9, price=price(9, "2025-01"))


def two_grants_granted(ledger: LedgerBuilder) -> None:
    ledger.granted("bob", 10)
    for leg in ledger.last.body["postings"]:
        leg["grant"] = 1


def denial_that_moves(ledger: LedgerBuilder) -> None:
    ledger.denied("bob", "b9")
    ledger.last.body["postings"] = [
        {"account": "bob:available", "amount": -1, "grant": 1},
        {"account": "bob:held", "amount": 1, "grant": 1},
    ]


def closing_that_makes_credits(ledger: LedgerBuilder) -> None:
    ledger.limited("bob", per_day=500)
    ledger.last.body["postings"] = [{"account": "bob:available", "amount": 1, "grant": 1}]


def part_of_an_expiry(ledger: LedgerBuilder) -> None:
    grant = ledger.granted("ann", 30, expires_at=timestamp_after(ledger, HOUR))
    ledger.now += 2 * HOUR
    ledger.expired("ann", grant, 20)
    ledger.expired("ann", grant, 10)


def gap(ledger: LedgerBuilder) -> None:
    ledger.numbers["ann"] += 2
    ledger.debited("ann", "g4", (2, 10))


def same_number(ledger: LedgerBuilder) -> None:
    ledger.numbers["ann"] -= 1
    ledger.debited("ann", "g4", (2, 10))


def same_id(ledger: LedgerBuilder) -> None:
    ledger.debited("ann", "g4", (2, 10))
    ledger.last.id = ledger.lines[3].id


def same_id_percent_encoded(ledger: LedgerBuilder) -> None:
    """Percent-encoded, as header values may be."""
    ledger.debited("ann", "g4", (2, 10))
    known = ledger.lines[3].id
    ledger.last.id = f"%{ord(known[0]):02x}{known[1:]}"


def copy(ledger: LedgerBuilder) -> None:
    ledger.lines.append(ledger.lines[6])


def overdraft(ledger: LedgerBuilder) -> None:
    ledger.debited("ann", "g4", (2, 10), (1, 501))


def negative_claim(ledger: LedgerBuilder) -> None:
    ledger.debited("ann", "g4", (2, 10))
    ledger.last.body["balances"]["held"] = -1


def wrong_claim(ledger: LedgerBuilder) -> None:
    ledger.debited("ann", "g4", (2, 10))
    ledger.last.body["balances"]["available"] += 1


def permanently_wrong_balance(ledger: LedgerBuilder) -> None:
    ledger.sums["ann"]["available"] += 1000
    ledger.debited("ann", "g4", (2, 10))


def balance_above_maximum(ledger: LedgerBuilder) -> None:
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
    Case(K.REPEATED_ID, "an id again, encoded", same_id_percent_encoded),
    Case(K.REPEATED_ID, "an entry again", copy),
    Case(K.NEGATIVE_BALANCE, "more than there is", overdraft),
    Case(K.NEGATIVE_BALANCE, "a negative figure", negative_claim),
    Case(K.WRONG_BALANCE, "a figure that is off", wrong_claim),
    Case(K.WRONG_BALANCE, "figures that stay off", permanently_wrong_balance),
    Case(K.WRONG_BALANCE, "more than numbers can hold", balance_above_maximum),
]

ENTRY_BREACHES = (*UNREADABLE, *ONE_ENTRY, *ACCOUNTS)
