"""What can be set when the emulator starts."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Settings:
    """Times are in seconds of the emulator's clock; `None` for a cap means unlimited."""

    data: Path
    host: str = "127.0.0.1"
    port: int = 0
    api_keys: tuple[str, ...] = ()
    """Keys that are let in; none given: any bearer token is."""
    queue_seconds: float = 0.6
    run_seconds: float = 2.4
    concurrency: int | None = None
    queue_cap: int | None = None
    not_ready_seconds: float = 0.0
    """How long after success a result answers 400 `video_not_ready`."""
    text_commands_win: bool = False
    """Whether `--duration 4` in the prompt beats the body's field (the vendor doesn't say)."""
    faults: tuple[str, ...] = ()
    public_url: str | None = None
    """The address in result URLs; none given: the one the client used."""
    random_seed: int | None = None
    callback_timeout: float = 5.0


QUEUE_SHARE = 0.2


def split_task_seconds(total: float) -> tuple[float, float]:
    """The queued and the running part of a task that takes `total` seconds."""
    return total * QUEUE_SHARE, total * (1 - QUEUE_SHARE)
