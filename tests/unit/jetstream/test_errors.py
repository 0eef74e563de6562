"""Permission violations are recognised by the server's text, in any case."""

import nats.errors
import pytest

from telecine_jetstream.errors import PermissionViolation


@pytest.mark.parametrize(
    ("error", "violation"),
    [
        (
            nats.errors.Error('nats: permissions violation for publish to "ledger.ann.granted"'),
            PermissionViolation("publish", "ledger.ann.granted"),
        ),
        (
            nats.errors.Error('Permissions Violation for Subscription to "VIDEO.>"'),
            PermissionViolation("subscription", "video.>"),
        ),
        (nats.errors.Error("nats: 'Authorization Violation'"), PermissionViolation("connection", "")),
        (nats.errors.AuthorizationError(), PermissionViolation("connection", "")),
        (nats.errors.TimeoutError(), None),
    ],
)
def test_violation_of_an_error(error: Exception, violation: PermissionViolation | None) -> None:
    assert PermissionViolation.of(error) == violation


@pytest.mark.parametrize(
    ("violation", "fatal"),
    [
        (PermissionViolation("connection", ""), True),
        (PermissionViolation("subscription", "_inbox.credits.>"), True),
        (PermissionViolation("publish", "$js.api.consumer.msg.next.ledger.credits-debit"), True),
        (PermissionViolation("publish", "ledger.ann.granted"), False),
    ],
)
def test_a_service_that_can_not_receive_has_a_fatal_violation(
    violation: PermissionViolation, fatal: bool
) -> None:
    assert violation.is_fatal is fatal
