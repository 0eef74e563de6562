"""What an auditor's identity on the NATS server needs: to ask, and to hear the answers. Nothing else."""

__all__ = ["AUDITOR_PUBLISH", "AUDITOR_SUBSCRIBE", "INBOX_PREFIX"]

INBOX_PREFIX = "_INBOX_auditor"
"""Where answers come to: a prefix of its own, so that nobody else's answers can be listened to."""

AUDITOR_PUBLISH = tuple(
    question.format(stream)
    for stream in ("LEDGER", "VIDEO", "CHECKPOINTS")
    for question in (
        "$JS.API.STREAM.INFO.{}",
        "$JS.API.DIRECT.GET.{}",
        "$JS.API.STREAM.MSG.GET.{}",
    )
)
"""Subjects to allow for publishing, which to JetStream is asking.

STREAM.INFO says how far a stream goes. DIRECT.GET hands out stored messages, many for one question (ADR-31), and needs
no consumer, hence no right to make one. STREAM.MSG.GET asks the stream's leader for one message: a replica that answers
DIRECT.GET may lag behind it. None of them changes anything. Who may not see VIDEO leaves its three out.
"""

AUDITOR_SUBSCRIBE = (f"{INBOX_PREFIX}.>",)
"""Subjects to allow for subscribing."""
