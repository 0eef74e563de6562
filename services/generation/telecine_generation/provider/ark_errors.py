"""What the error codes of Volcano Ark mean to us, and what the user is told."""

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase

from telecine_contracts.generation import DeferralReason, FailureCode

from .port import Deferred, Refused, SubmitOutcome

RATE_LIMITED = DeferralReason.RATE_LIMITED
INVALID_REQUEST = FailureCode.INVALID_REQUEST
MODERATION_INPUT = FailureCode.MODERATION_INPUT
MODERATION_OUTPUT = FailureCode.MODERATION_OUTPUT
CONFIGURATION = FailureCode.PROVIDER_CONFIGURATION

# The first pattern that fits decides. Source: Ark's table of error codes (document 1299023) and live answers.
MEANINGS: tuple[tuple[str, FailureCode | DeferralReason], ...] = (
    ("Output*SensitiveContentDetected*", MODERATION_OUTPUT),
    ("Output*RiskDetection*", MODERATION_OUTPUT),
    ("*SensitiveContentDetected*", MODERATION_INPUT),
    ("*RiskDetection*", MODERATION_INPUT),
    ("MissingParameter*", INVALID_REQUEST),
    ("InvalidParameter*", INVALID_REQUEST),
    ("InvalidImageURL*", INVALID_REQUEST),
    (
        "InvalidEndpoint*",
        CONFIGURATION,
    ),  # ClosedEndpoint is a 400, but which endpoint we use is not the user's choice
    ("AuthenticationError", CONFIGURATION),
    ("InvalidAccountStatus", CONFIGURATION),
    ("AccountOverdueError", CONFIGURATION),
    ("AccessDenied*", CONFIGURATION),
    ("OperationDenied*", CONFIGURATION),
    ("ModelNotOpen*", CONFIGURATION),
    ("*ModelIDAccessDisabled", CONFIGURATION),
    ("NotFound*", CONFIGURATION),
    ("SetLimitExceeded", CONFIGURATION),  # a 429: the model is paused at the limit the operator set
    ("*RateLimitExceeded", RATE_LIMITED),
    ("EndpointRPMExceeded", RATE_LIMITED),
    ("EndpointTPMExceeded", RATE_LIMITED),
    ("RequestBurstTooFast", RATE_LIMITED),
    ("ServerOverloaded", RATE_LIMITED),
    ("InflightBatchsizeExceeded", RATE_LIMITED),
    ("QuotaExceeded", RATE_LIMITED),  # unless its message says that a free trial is spent
)

STATUS_MEANINGS: dict[int, FailureCode | DeferralReason] = {
    301: CONFIGURATION,
    302: CONFIGURATION,
    307: CONFIGURATION,
    308: CONFIGURATION,
    401: CONFIGURATION,
    402: CONFIGURATION,
    403: CONFIGURATION,
    404: CONFIGURATION,
    405: CONFIGURATION,
    410: CONFIGURATION,
    429: RATE_LIMITED,
}

USER_MESSAGES: dict[FailureCode, str] = {
    INVALID_REQUEST: "The video provider did not accept this request.",
    MODERATION_INPUT: "The prompt or the image was refused by the provider's content filter.",
    MODERATION_OUTPUT: "The video was withheld by the provider's content filter.",
    CONFIGURATION: "Video generation is not available at the moment.",
    FailureCode.PROVIDER_UNAVAILABLE: "The video provider could not be reached.",
    FailureCode.PROVIDER_ERROR: "The video provider could not make this video.",
}
# Elsewhere the provider's words would tell of our account, not of the user's request.
EXPLAINED_BY_PROVIDER = frozenset({INVALID_REQUEST, MODERATION_INPUT, MODERATION_OUTPUT})

MAX_PROVIDER_TEXT = 300
_REQUEST_ID = re.compile(r"[\s,;:(\[]*\brequest[\s_-]?id\s*[:=]\s*[\w-]*[)\]]?\.?", re.IGNORECASE)
_SPENT_TRIAL = re.compile(r"free|trial|免费|试用", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ArkError:
    """The error block of an answer or of a failed task, as far as it could be read."""

    code: str | None = None
    message: str | None = None


def rejection_outcome(status: int, error: ArkError, retry_after: float | None) -> SubmitOutcome:
    """What an answer of 3xx or 4xx to a submission means: Refused or Deferred, by its code, else by its status."""
    meaning = _meaning(error) or STATUS_MEANINGS.get(status, INVALID_REQUEST)
    if isinstance(meaning, DeferralReason):
        return Deferred(meaning, error.code, retry_after)
    return Refused(meaning, error.code, user_message(meaning, error.message))


def failure_code(error_code: str | None, message: str | None) -> FailureCode:
    """Why a task that was accepted has failed."""
    meaning = _meaning(ArkError(error_code, message))
    return meaning if isinstance(meaning, FailureCode) else FailureCode.PROVIDER_ERROR


def is_configuration(status: int, error: ArkError) -> bool:
    """Whether only the operator can set this right."""
    return (_meaning(error) or STATUS_MEANINGS.get(status)) is CONFIGURATION


def user_message(code: FailureCode, provider_text: str | None) -> str:
    """A sentence for the user; the provider's own text follows where it helps to ask better."""
    sentence = USER_MESSAGES.get(code, USER_MESSAGES[FailureCode.PROVIDER_ERROR])
    text = sanitize_provider_text(provider_text) if code in EXPLAINED_BY_PROVIDER else None
    return f"{sentence} {text}" if text else sentence


def sanitize_provider_text(text: str | None) -> str | None:
    """The provider's text on one line, without the request id, at most 300 characters; None if nothing is left."""
    if text is None:
        return None
    line = " ".join("".join(c if c.isprintable() else " " for c in text[: 4 * MAX_PROVIDER_TEXT]).split())
    line = _REQUEST_ID.sub("", line).strip()
    if len(line) > MAX_PROVIDER_TEXT:
        line = line[: MAX_PROVIDER_TEXT - 1].rstrip() + "…"
    return line or None


def _meaning(error: ArkError) -> FailureCode | DeferralReason | None:
    if error.code is None:
        return None
    if error.code == "QuotaExceeded" and _SPENT_TRIAL.search(error.message or ""):
        return CONFIGURATION  # Ark gives both meanings one code: only its text tells a spent trial from a full queue
    return next((meaning for pattern, meaning in MEANINGS if fnmatchcase(error.code, pattern)), None)
