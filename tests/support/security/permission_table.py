"""Everything that can be tried on telecine's NATS server, and who may: written by hand, to hold the rights against."""

from telecine_contracts.permissions import AUDITOR, ERASER, OPERATOR, PROVISIONER

__all__ = ["ALL_IDENTITIES", "PUBLISHING", "SUBSCRIBING"]

GATEWAY, CREDITS, GENERATION, STORAGE = "gateway", "credits", "generation", "storage"
ALL_IDENTITIES = (GATEWAY, CREDITS, GENERATION, STORAGE, PROVISIONER, OPERATOR, ERASER, AUDITOR)
SERVICES = {GATEWAY, CREDITS, GENERATION, STORAGE}
STREAMS = ("VIDEO", "LEDGER", "ACCESS", "CHECKPOINTS", "CATALOG", "QUEUE", "TIMERS", "DEADLETTERS")
OWNERS = {
    "video.a.g.requested": GATEWAY,
    "video.a.g.cancel_requested": GATEWAY,
    "video.a.g.queued": GENERATION,
    "video.a.g.submission_started": GENERATION,
    "video.a.g.submission_deferred": GENERATION,
    "video.a.g.submitted": GENERATION,
    "video.a.g.progressed": GENERATION,
    "video.a.g.ready": GENERATION,
    "video.a.g.failed": GENERATION,
    "video.a.g.cancelled": GENERATION,
    "video.a.g.cancel_declined": GENERATION,
    "video.a.g.late_result": GENERATION,
    "video.a.g.stored": STORAGE,
    "video.a.g.storage_failed": STORAGE,
    "video.a.account.erased": ERASER,
    "ledger.a.granted": CREDITS,
    "ledger.a.debited": CREDITS,
    "ledger.a.denied": CREDITS,
    "ledger.a.settled": CREDITS,
    "ledger.a.refunded": CREDITS,
    "ledger.a.expired": CREDITS,
    "ledger.a.adjusted": CREDITS,
    "ledger.a.closed": CREDITS,
    "ledger.a.reopened": CREDITS,
    "ledger.a.limits_set": CREDITS,
    "ledger.a.skipped": CREDITS,
    "access.a.key_created": OPERATOR,
    "access.a.key_revoked": OPERATOR,
    "access.a.rate_limits_set": OPERATOR,
    "access.a.key_added": GATEWAY,
    "access.a.key_removed": GATEWAY,
    "access.a.key_used": GATEWAY,
    "checkpoints.ledger.signed": CREDITS,
    "catalog.prices.published": OPERATOR,
    "queue.m.entered": GENERATION,
    "queue.m.dispatched": GENERATION,
    "queue.m.left": GENERATION,
    "queue.m.capacity_lowered": GENERATION,
}
"""Every event, and who writes it."""
CONSUMERS = {
    "VIDEO.credits-debit": CREDITS,
    "VIDEO.credits-close": CREDITS,
    "LEDGER.credits-expiry": CREDITS,
    "TIMERS.credits-timers": CREDITS,
    "LEDGER.generation-submit": GENERATION,
    "LEDGER.generation-deny": GENERATION,
    "VIDEO.generation-cancel": GENERATION,
    "VIDEO.generation-release": GENERATION,
    "QUEUE.generation-dispatch": GENERATION,
    "TIMERS.generation-timers": GENERATION,
    "VIDEO.storage-copy": STORAGE,
    "TIMERS.storage-timers": STORAGE,
    "VIDEO.storage-erase": STORAGE,
}
"""Every durable consumer, and whose it is."""
SUBSCRIBED = {"VIDEO", "LEDGER"}
"""Streams that other teams' programs have consumers on."""
CONSUMED = {path.partition(".")[0] for path in CONSUMERS}
READERS = {
    "VIDEO": {GATEWAY, GENERATION, STORAGE, OPERATOR, ERASER, AUDITOR},
    "LEDGER": {GATEWAY, CREDITS, OPERATOR, ERASER, AUDITOR},
    "ACCESS": {GATEWAY, OPERATOR, ERASER},
    "CHECKPOINTS": {CREDITS, OPERATOR, AUDITOR},
    "CATALOG": {GATEWAY, OPERATOR, AUDITOR},
    "QUEUE": {GATEWAY, GENERATION, OPERATOR, AUDITOR},
    "TIMERS": set[str](),
    "DEADLETTERS": set[str](),
}
"""Who reads streams from end to end."""
MESSAGES = READERS | {
    "VIDEO": READERS["VIDEO"] | {CREDITS},
    "LEDGER": READERS["LEDGER"] | {GENERATION},
    "CATALOG": READERS["CATALOG"] | {PROVISIONER},
    "TIMERS": {ERASER},
    "DEADLETTERS": {OPERATOR, ERASER},
}
ERASED = {"VIDEO": {ERASER}, "TIMERS": {ERASER}, "DEADLETTERS": {OPERATOR, ERASER}}
"""Who may delete single messages."""
"""Who may ask for one message: also to handle one again that was put aside."""


INBOXES = {
    **{f"_INBOX.{name}.>": name for name in ALL_IDENTITIES if name != AUDITOR},
    "_INBOX_auditor.>": AUDITOR,
}
"""Reply subjects and their owners. Only the server publishes there."""


def _publishing() -> dict[str, set[str]]:
    deeds: dict[str, set[str]] = {subject: {owner} for subject, owner in OWNERS.items()}
    deeds |= {subject: set() for subject in ("ledger.a.invented", "video.a.g.invented", "ledger.a.b.granted")}
    deeds |= {"stored.video.a.g.requested": set(), "anything": set()}
    deeds |= {inbox.replace(">", "x"): set() for inbox in INBOXES}
    for service in (CREDITS, GENERATION, STORAGE):
        deeds[f"timers.at.{service}.kind.key"] = {service}
        deeds[f"timers.due.{service}.kind.key"] = {OPERATOR}
        deeds[f"$JS.API.DIRECT.GET.TIMERS.timers.at.{service}.kind.key"] = {service}
        deeds[f"deadletters.{service}.{service}-x.VIDEO.1"] = {service, OPERATOR}
    deeds |= {"timers.at.gateway.kind.key": set(), "timers.due.generation.wake.a.g": {GATEWAY, OPERATOR}}
    deeds["deadletters.gateway.gateway-x.LEDGER.1"] = {GATEWAY, OPERATOR}
    deeds["deadletters.resolved.credits-x.VIDEO.1"] = {OPERATOR}
    for command in ("grant", "adjust", "close", "reopen", "limits"):
        deeds[f"commands.credits.{command}"] = {GATEWAY, OPERATOR}
    deeds["commands.credits.close"] = {GATEWAY, OPERATOR, ERASER}
    deeds["access.a.key_revoked"] = {OPERATOR, ERASER}
    deeds["commands.credits.skip"] = {OPERATOR}
    deeds |= {"commands.credits.invented": set(), "$JS.API.INFO": {*ALL_IDENTITIES}}
    deeds["catalog.prices.published"] = {OPERATOR, PROVISIONER}
    return deeds | _about_streams() | _about_consumers() | _about_the_server()


def _about_streams() -> dict[str, set[str]]:
    deeds: dict[str, set[str]] = {}
    for stream in STREAMS:
        api = "$JS.API.STREAM"
        deeds |= {f"{api}.{deed}.{stream}": set() for deed in ("DELETE", "PURGE", "SNAPSHOT", "RESTORE")}
        deeds |= {f"{api}.{deed}.{stream}": {PROVISIONER} for deed in ("CREATE", "UPDATE")}
        deeds[f"{api}.INFO.{stream}"] = (
            SERVICES | {ERASER} if stream in ("DEADLETTERS", "TIMERS") else READERS[stream]
        ) | {
            OPERATOR,
            PROVISIONER,
        }
        deeds[f"{api}.MSG.GET.{stream}"] = MESSAGES[stream]
        deeds[f"{api}.MSG.DELETE.{stream}"] = ERASED.get(stream, set())
        deeds[f"$JS.API.DIRECT.GET.{stream}"] = READERS[stream] | (
            {PROVISIONER} if stream == "CATALOG" else set()
        )
        deeds[f"$JS.API.DIRECT.GET.{stream}.some.subject"] = set()
        deeds[f"{api}.LEADER.STEPDOWN.{stream}"] = set()
        deeds[f"{api}.PEER.REMOVE.{stream}"] = set()
    return deeds


def _about_consumers() -> dict[str, set[str]]:
    deeds: dict[str, set[str]] = {}
    for path, owner in CONSUMERS.items():
        api = "$JS.API.CONSUMER"
        deeds[f"{api}.MSG.NEXT.{path}"] = {owner}
        deeds[f"{api}.INFO.{path}"] = {owner, OPERATOR, PROVISIONER}
        if path == "VIDEO.storage-erase":
            deeds[f"{api}.INFO.{path}"].add(ERASER)
        deeds[f"{api}.DURABLE.CREATE.{path}"] = {PROVISIONER}
        deeds[f"{api}.DELETE.{path}"] = {PROVISIONER} if path.partition(".")[0] in SUBSCRIBED else set()
        deeds |= {f"{api}.{deed}.{path}": set() for deed in ("CREATE", "RESET", "PAUSE", "UNPIN")}
        deeds[f"{api}.CREATE.{path}.some.filter"] = set()
        deeds[f"$JS.ACK.{path}.1.1.1.1795418075548763293.0"] = {owner}
    for stream in STREAMS:
        api = "$JS.API.CONSUMER"
        deeds |= {f"{api}.{deed}.{stream}": set() for deed in ("CREATE", "NAMES")}
        deeds |= {f"{api}.{deed}.{stream}.spy": set() for deed in ("CREATE", "MSG.NEXT", "PAUSE")}
        deeds[f"{api}.CREATE.{stream}.spy.video.a.g.requested"] = set()
        # Consumers of other teams' programs.
        deeds[f"{api}.LIST.{stream}"] = {OPERATOR, PROVISIONER} if stream in SUBSCRIBED else set()
        deeds[f"{api}.DELETE.{stream}.spy"] = {PROVISIONER} if stream in SUBSCRIBED else set()
        deeds[f"{api}.DURABLE.CREATE.{stream}.spy"] = {PROVISIONER} if stream in CONSUMED else set()
        deeds[f"$JS.ACK.{stream}.spy.1.1.1.1795418075548763293.0"] = set()
        deeds[f"$JS.FC.{stream}.x.y"] = set()
    return deeds


def _about_the_server() -> dict[str, set[str]]:
    return {
        "$JS.API.STREAM.NAMES": set(),
        "$JS.API.STREAM.LIST": set(),
        "$JS.API.STREAM.CREATE.MINE": set(),
        "$JS.API.META.LEADER.STEPDOWN": set(),
        "$JS.API.ACCOUNT.PURGE.TELECINE": set(),
        "$JS.hub.API.STREAM.DELETE.LEDGER": set(),  # the same question to a JetStream domain
        "$JS.API.STREAM.DELETE.*": set(),
        "$KV.a.b": set(),
        "$O.a.b": set(),
        "$SYS.REQ.SERVER.PING": set(),
        "$SYS.REQ.SERVER.PING.HEALTHZ": SERVICES,
        "$SYS.REQ.SERVER.PING.STATSZ": {CREDITS},
        "$SYS.REQ.SERVER.PING.JSZ": set(),
        "$SYS.REQ.ACCOUNT.TELECINE.CONNZ": set(),
        "$SYS.REQ.USER.INFO": set(),
        "$SYS.REQ.ACCOUNT.TELECINE.DISCONNECT": set(),
        "$SYS.REQ.CLAIMS.UPDATE": set(),
    }


PUBLISHING = _publishing()
"""Subject → who may publish there: events, timers, requests to a service, questions to JetStream."""
SUBSCRIBING: dict[str, set[str]] = {
    ">": set(),
    "*": set(),
    "video.>": set(),
    "ledger.>": set(),
    "access.>": set(),
    "checkpoints.>": set(),
    "catalog.>": set(),
    "queue.>": set(),
    "timers.>": set(),
    "deadletters.>": set(),
    "commands.>": set(),
    "commands.credits.grant": {CREDITS},
    "stored.>": set(),
    "stored.video.>": {GATEWAY, GENERATION, STORAGE, OPERATOR},
    "stored.ledger.>": {GATEWAY, CREDITS, OPERATOR},
    "stored.access.>": {GATEWAY, OPERATOR},
    "stored.checkpoints.>": {CREDITS, OPERATOR},
    "stored.catalog.>": {GATEWAY, OPERATOR},
    "stored.queue.>": {GATEWAY, GENERATION, OPERATOR},
    "_INBOX.>": set(),
    "_INBOX.*.>": set(),
    "*.*.>": set(),
    "_R_.>": set(),
    "_GR_.>": set(),
    "$JS.API.>": set(),
    "$JS.ACK.>": set(),
    "$JS.EVENT.>": set(),
    "$SYS.>": set(),
    **{inbox: {name} for inbox, name in INBOXES.items()},
}
"""Subject → who may subscribe to it."""
