"""An event is believed only where it stands on its own subject: there the server knows who may write."""

from dataclasses import replace

import pytest

from telecine_chassis.eventstore.messages import decode
from telecine_contracts import BadEnvelope, encode, registry
from telecine_contracts.catalog import EVENTS
from telecine_contracts.examples import envelope, example
from telecine_contracts.message import Event
from telecine_contracts.storage import VideoStored
from telecine_contracts.subjects import of_event
from telecine_jetstream.messages import StoredMessage


def stored(event: Event) -> StoredMessage:
    return StoredMessage(of_event(event), 1, envelope(event).to_headers(), encode(event))


@pytest.mark.parametrize("kind", EVENTS, ids=lambda kind: kind.type)
def test_an_event_on_its_own_subject_is_read(kind: type[Event]) -> None:
    event = example(kind)
    assert decode(stored(event), registry()).event == event


@pytest.mark.parametrize(
    "subject",
    [
        "video.mallory.{generation}.stored",
        "video.{account}.another.stored",
        "video.{account}.{generation}.failed",
    ],
)
def test_an_event_on_another_subject_is_refused(subject: str) -> None:
    event = example(VideoStored)
    elsewhere = replace(stored(event), subject=subject.format(**event.about))
    with pytest.raises(BadEnvelope, match="does not belong on subject"):
        decode(elsewhere, registry())


def test_an_event_whose_account_fits_no_subject_is_refused() -> None:
    event = example(VideoStored)
    with pytest.raises(BadEnvelope):
        decode(replace(stored(event), body=encode(event.model_copy(update={"account": "a.b"}))), registry())
