"""Errors beyond those of nats-py.

nats.errors.Error
├── PermissionDenied   the server does not allow this identity to do that
└── ConnectionLost     the connection was lost while a reply was awaited
"""

import re
from dataclasses import dataclass

import nats.errors
from nats.protocol.parser import AUTHORIZATION_VIOLATION

__all__ = ["ConnectionLost", "PermissionDenied", "PermissionViolation"]

_VIOLATION = re.compile(r'permissions violation for (publish|subscription) to "([^"]*)"', re.IGNORECASE)
# A reply to a request from another account goes to a subject that begins like this.
_REPLY_ACROSS_ACCOUNTS = "_r_."
_PULL_REQUEST = "$js.api.consumer.msg.next."
_VERBS = {"publish": "publish on", "subscription": "subscribe to"}


class PermissionDenied(nats.errors.Error):
    """The server does not allow this identity to publish on that subject; nothing was published."""


class ConnectionLost(nats.errors.Error):
    """The connection was lost while a reply was awaited. It may be back already."""


@dataclass(frozen=True, slots=True)
class PermissionViolation:
    """A permission that the server refused: `action` is publish, subscription or connection.

    `subject` is in lower case, because nats-py lowers the server's message; it is empty for a connection.
    """

    action: str
    subject: str

    @classmethod
    def of(cls, error: Exception) -> "PermissionViolation | None":
        """The violation that an error of the client reports, or None for any other error."""
        # The protocol has no error codes: the text is all there is.
        if isinstance(error, nats.errors.AuthorizationError) or AUTHORIZATION_VIOLATION in str(error).lower():
            return cls("connection", "")
        found = _VIOLATION.search(str(error))
        return cls(found[1].lower(), found[2].lower()) if found else None

    @property
    def loses_reply(self) -> bool:
        """Whether a reply to another account was dropped.

        When the server reloads its users, it forgets the permission to reply to requests it has already delivered.
        """
        return self.action == "publish" and self.subject.startswith(_REPLY_ACROSS_ACCOUNTS)

    @property
    def is_fatal(self) -> bool:
        """Whether a service can no longer receive its messages; retrying does not help."""
        return self.action != "publish" or self.subject.startswith(_PULL_REQUEST)

    def __str__(self) -> str:
        if self.action == "connection":
            return "the NATS server does not know this identity, or requires one"
        return f"the NATS server does not let this identity {_VERBS[self.action]} {self.subject}"
