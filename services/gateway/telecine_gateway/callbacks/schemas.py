"""Body of the timer that a callback fires."""

from telecine_gateway.http.schemas import ResponseBody

__all__ = ["PollHint"]


class PollHint(ResponseBody):
    """For the generation service: the provider's task that is said to have changed."""

    provider_task_id: str
