"""Meaning of Volcano Ark's error codes, and the messages for users."""

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

# The first matching pattern decides. Source: Ark's table of error codes (document 1299023) and live responses.
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
    ),  # ClosedEndpoint is a 400, but the endpoint is the operator's choice, not the user's
    ("AuthenticationError", CONFIGURATION),
    ("InvalidAccountStatus", CONFIGURATION),
    ("AccountOverdueError", CONFIGURATION),
    ("AccessDenied*", CONFIGURATION),
    ("OperationDenied*", CONFIGURATION),
    ("ModelNotOpen*", CONFIGURATION),
    ("*ModelIDAccessDisabled", CONFIGURATION),
    ("NotFound*", CONFIGURATION),
    ("SetLimitExceeded", CONFIGURATION),  # a 429: the model is paused at the operator's own limit
    ("*RateLimitExceeded", RATE_LIMITED),
    ("EndpointRPMExceeded", RATE_LIMITED),
    ("EndpointTPMExceeded", RATE_LIMITED),
    ("RequestBurstTooFast", RATE_LIMITED),
    ("ServerOverloaded", RATE_LIMITED),
    ("InflightBatchsizeExceeded", RATE_LIMITED),
    ("QuotaExceeded", RATE_LIMITED),  # unless its message says that a free trial is used up
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
# For other codes the provider's text is about the operator's account, which users must not see.
EXPLAINED_BY_PROVIDER = frozenset({INVALID_REQUEST, MODERATION_INPUT, MODERATION_OUTPUT})

MAX_PROVIDER_TEXT = 300
_REQUEST_ID = re.compile(r"[\s,;:(\[]*\brequest[\s_-]?id\s*[:=]\s*[\w-]*[)\]]?\.?", re.IGNORECASE)
_SPENT_TRIAL = re.compile(r"free|trial|免费|试用", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ArkError:
    """The error block of a response or of a failed task, as far as it could be parsed."""

    code: str | None = None
    message: str | None = None


def rejection_outcome(status: int, error: ArkError, retry_after: float | None) -> SubmitOutcome:
    """Refused or Deferred for a 3xx or 4xx response to a submission, by its code, else by its status."""
    meaning = _meaning(error) or STATUS_MEANINGS.get(status, INVALID_REQUEST)
    if isinstance(meaning, DeferralReason):
        return Deferred(meaning, error.code, retry_after)
    return Refused(meaning, error.code, user_message(meaning, error.message))


def failure_code(error_code: str | None, message: str | None) -> FailureCode:
    """The failure code of an accepted task that failed."""
    meaning = _meaning(ArkError(error_code, message))
    return meaning if isinstance(meaning, FailureCode) else FailureCode.PROVIDER_ERROR


def is_configuration(status: int, error: ArkError) -> bool:
    """Whether only the operator can fix this."""
    return (_meaning(error) or STATUS_MEANINGS.get(status)) is CONFIGURATION


def user_message(code: FailureCode, provider_text: str | None) -> str:
    """A sentence for the user, followed by the provider's text if that helps to correct the request."""
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
        return (
            CONFIGURATION  # Ark has one code for both: only its text tells a used-up trial from a full queue
        )
    return next((meaning for pattern, meaning in MEANINGS if fnmatchcase(error.code, pattern)), None)
