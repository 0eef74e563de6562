"""The provider's errors: code, HTTP status and response body (source: Ark's table of error codes)."""

from dataclasses import dataclass
from typing import Any

# Grouped by status, because Ark's table lists the codes that way.
STATUS_OF_CODE = {
    400: (
        "MissingParameter",
        "InvalidParameter",
        "InvalidParameter.TaskTypeConstraint",
        "InvalidImageURL.EmptyURL",
        "InvalidImageURL.InvalidFormat",
        "InvalidEndpoint.ClosedEndpoint",
        "SensitiveContentDetected",
        "SensitiveContentDetected.SevereViolation",
        "SensitiveContentDetected.Violence",
        "InputTextSensitiveContentDetected",
        "InputTextSensitiveContentDetected.PolicyViolation",
        "InputImageSensitiveContentDetected",
        "InputImageSensitiveContentDetected.PolicyViolation",
        "InputImageSensitiveContentDetected.PrivacyInformation",
        "InputVideoSensitiveContentDetected",
        "InputVideoSensitiveContentDetected.PolicyViolation",
        "InputVideoSensitiveContentDetected.PrivacyInformation",
        "InputAudioSensitiveContentDetected",
        "InputAudioSensitiveContentDetected.PolicyViolation",
        "InputTextRiskDetection",
        "OutputVideoSensitiveContentDetected",
        "OutputVideoSensitiveContentDetected.PolicyViolation",
        "OutputAudioSensitiveContentDetected",
        "OutputAudioSensitiveContentDetected.PolicyViolation",
    ),
    401: ("AuthenticationError", "InvalidAccountStatus"),
    403: (
        "AccountOverdueError",
        "AccessDenied",
        "OperationDenied.ServiceNotOpen",
        "OperationDenied.ServiceOverdue",
        "OperationDenied.InvalidState",
        "OperationDenied.PermissionDenied",
    ),
    404: ("InvalidEndpointOrModel.NotFound", "ModelNotOpen", "InvalidEndpointOrModel.ModelIDAccessDisabled"),
    409: ("InvalidAction.RunningTaskDeletion",),
    429: (
        "EndpointRPMExceeded",
        "EndpointTPMExceeded",
        "ModelAccountRpmRateLimitExceeded",
        "ModelAccountTpmRateLimitExceeded",
        "ModelAccountIpmRateLimitExceeded",
        "APIAccountRpmRateLimitExceeded",
        "AccountRateLimitExceeded",
        "RequestBurstTooFast",
        "ServerOverloaded",
        "InflightBatchsizeExceeded",
        "QuotaExceeded",
        "SetLimitExceeded",
    ),
    500: ("InternalServiceError",),
}

TYPE_OF_STATUS = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    409: "Conflict",
    429: "TooManyRequests",
    500: "InternalServerError",
}


@dataclass(frozen=True)
class Problem:
    """One problem of a request: error code, field, and a sentence without its full stop."""

    code: str
    param: str
    message: str


class ApiError(Exception):
    """Makes the response an error body."""

    def __init__(self, code: str, message: str, *, status: int | None = None, param: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.param = param
        self.status = status or status_of(code)

    @classmethod
    def of(cls, problem: Problem) -> "ApiError":
        return cls(problem.code, problem.message, param=problem.param)


def status_of(code: str) -> int:
    """The HTTP status of a code; unlisted codes are 400, `NotFound.x` is 404."""
    listed = (status for status, codes in STATUS_OF_CODE.items() if code in codes)
    return next(listed, 404 if code.startswith("NotFound") else 400)


def error_body(error: ApiError, request_id: str) -> dict[str, Any]:
    """Ark: `{"error": {code, message, param, type}}`; the message ends with the request id."""
    return {
        "error": {
            "code": error.code,
            "message": f"{error.message}. Request id: {request_id}",
            "param": error.param,
            "type": TYPE_OF_STATUS.get(error.status, "BadRequest"),
        }
    }
