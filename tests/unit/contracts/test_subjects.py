"""Every event has one subject, in its own stream, that its consumers ask for."""

import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telecine_contracts import EVENTS, subjects
from telecine_contracts.asyncapi import address
from telecine_contracts.examples import example
from telecine_contracts.streams import CONSUMERS, STREAMS, TIMERS

BY_NAME = {stream.name: stream for stream in STREAMS}


def matches(filter_: str, subject: str) -> bool:
    """NATS's own rule: `*` is one token, `>` is one or more at the end."""
    wanted, found = filter_.split("."), subject.split(".")
    if wanted[-1] == ">":
        return len(found) >= len(wanted) and matches(
            ".".join(wanted[:-1]), ".".join(found[: len(wanted) - 1])
        )
    return len(wanted) == len(found) and all(w in ("*", f) for w, f in zip(wanted, found, strict=True))


def test_every_event_belongs_to_exactly_one_stream() -> None:
    for event in EVENTS:
        subject = subjects.of_event(example(event))
        keeping = [stream.name for stream in STREAMS if any(matches(f, subject) for f in stream.subjects)]
        assert keeping == [event.stream]
        assert subjects.stream_of(subject) == event.stream


def test_a_template_is_the_subject_without_its_ids() -> None:
    for event in EVENTS:
        named = subjects.template(event)
        assert named.split(".")[0] == subjects.PREFIX[event.stream]
        assert matches(subjects.of_type(event), named)
        sample = example(event)
        names = re.findall(r"{(\w+)}", named)
        assert len(names) == len(sample.aggregate) - event.about_account
        for name, value in zip(names, sample.aggregate, strict=False):
            assert getattr(sample, name) == value


def test_a_type_is_selected_by_its_own_filter_alone() -> None:
    for event in EVENTS:
        selected = [
            other.type
            for other in EVENTS
            if matches(subjects.of_type(event), subjects.of_event(example(other)))
        ]
        assert selected == [event.type]


def test_the_published_address_is_the_subject() -> None:
    for event in EVENTS:
        known = example(event)
        assert address(event).format(**dict(known)) == subjects.of_event(known)


def test_every_filter_of_a_consumer_selects_something_of_its_stream() -> None:
    for consumer in CONSUMERS:
        if consumer.stream == TIMERS.name:
            due = subjects.timer_due(consumer.service, "poll", "a", "b")
            assert all(matches(f, due) for f in consumer.filters)
            return
        kept = [subjects.of_event(example(event)) for event in EVENTS if event.stream == consumer.stream]
        for filter_ in consumer.filters:
            assert any(matches(filter_, subject) for subject in kept), f"nothing is published on {filter_}"


def test_aggregates_select_their_own_events_only() -> None:
    video, ledger = subjects.video("acme", "g1"), subjects.ledger("acme")
    assert matches(video, "video.acme.g1.requested")
    assert not matches(video, "video.acme.g2.requested")
    assert not matches(video, "video.other.g1.requested")
    assert matches(ledger, "ledger.acme.debited")
    assert not matches(ledger, "ledger.other.debited")
    assert matches(subjects.access("acme"), "access.acme.key_created")


def test_timers_and_dead_letters_lie_in_their_streams() -> None:
    arms, fires = (
        subjects.timer_at("generation", "poll", "a", "g"),
        subjects.timer_due("generation", "poll", "a", "g"),
    )
    assert arms != fires
    assert all(any(matches(f, subject) for f in TIMERS.subjects) for subject in (arms, fires))
    letter = subjects.dead_letter("credits", "credits-debit", "VIDEO", "7")
    assert any(matches(f, letter) for f in BY_NAME["DEADLETTERS"].subjects)


def test_streams_do_not_overlap() -> None:
    prefixes = [{subject.partition(".")[0] for subject in stream.subjects} for stream in STREAMS]
    assert sum(map(len, prefixes)) == len(set().union(*prefixes))


def test_consumer_names_are_unique_and_start_with_their_service() -> None:
    assert len({consumer.name for consumer in CONSUMERS}) == len(CONSUMERS)
    assert all(consumer.name.startswith(f"{consumer.service}-") for consumer in CONSUMERS)


BAD_NAMES = ["", "*", ">", "a.b", "a b", "a\n", "\ta", "ä", "a/b", "a:b", "x" * 65, "a*", "$JS", "\x00", "é"]


@pytest.mark.parametrize("name", BAD_NAMES)
@pytest.mark.parametrize(
    "build",
    [
        subjects.token,
        subjects.ledger,
        subjects.access,
        lambda name: subjects.video("acme", name),
        lambda name: subjects.video(name, "g"),
        lambda name: subjects.timer_at("credits", "poll", name),
        lambda name: subjects.timer_due("credits", name),
        lambda name: subjects.dead_letter("credits", name),
    ],
)
def test_a_name_that_would_change_a_subject_is_refused(build: Callable[[str], str], name: str) -> None:
    with pytest.raises(subjects.BadToken):
        build(name)


def test_an_event_about_a_bad_name_has_no_subject() -> None:
    for event in EVENTS:
        for name in re.findall(r"{(\w+)}", address(event)):
            with pytest.raises(subjects.BadToken):
                subjects.of_event(example(event).model_copy(update={name: "acme.*"}))


@given(st.text())
def test_a_token_is_one_token_or_refused(name: str) -> None:
    try:
        accepted = subjects.token(name)
    except subjects.BadToken:
        return
    assert accepted == name
    assert name.isascii()
    assert not set(name) & set(" .*>\t\r\n")
    assert 1 <= len(name) <= 64


@pytest.mark.parametrize("subject", ["orders.acme.made", "", ">", "timers.due.credits.poll"])
def test_a_subject_of_no_event_stream_is_refused(subject: str) -> None:
    with pytest.raises(subjects.BadToken):
        subjects.stream_of(subject)
