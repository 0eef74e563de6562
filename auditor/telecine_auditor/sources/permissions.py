"""What an auditor's identity on the NATS server needs: to ask, and to hear the answers. Nothing else."""

from telecine_contracts.permissions import AUDITOR, rights

__all__ = ["AUDITOR_PUBLISH", "AUDITOR_SUBSCRIBE", "INBOX_PREFIX"]

_RIGHTS = rights(AUDITOR)

AUDITOR_PUBLISH = _RIGHTS.publish
"""Subjects to allow for publishing, which to JetStream is asking; three for each of LEDGER, VIDEO and CHECKPOINTS.

STREAM.INFO says how far a stream goes. DIRECT.GET hands out stored messages, many for one question (ADR-31), and needs
no consumer, hence no right to make one. STREAM.MSG.GET asks the stream's leader for one message: a replica that answers
DIRECT.GET may lag behind it. None of them changes anything. Who may not see VIDEO leaves its three out.
"""

AUDITOR_SUBSCRIBE = _RIGHTS.subscribe
"""Subjects to allow for subscribing: where the answers come to."""

INBOX_PREFIX = _RIGHTS.inbox
"""A prefix of its own, so that nobody else's answers can be listened to."""
