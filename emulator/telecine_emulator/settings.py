"""Settings of the emulator."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Settings:
    """Times are in seconds of the emulator's clock; a cap of `None` means unlimited."""

    data: Path
    host: str = "127.0.0.1"
    port: int = 0
    api_keys: tuple[str, ...] = ()
    """Accepted keys; if empty, every bearer token is accepted."""
    queue_seconds: float = 0.6
    run_seconds: float = 2.4
    concurrency: int | None = None
    queue_cap: int | None = None
    not_ready_seconds: float = 0.0
    """For how long after success a result responds with 400 `video_not_ready`."""
    text_commands_win: bool = False
    """Whether `--duration 4` in the prompt overrides the body's field (Ark's documentation does not say)."""
    faults: tuple[str, ...] = ()
    public_url: str | None = None
    """The base of result URLs; by default the address that the client used."""
    random_seed: int | None = None
    callback_timeout: float = 5.0


QUEUE_SHARE = 0.2


def split_task_seconds(total: float) -> tuple[float, float]:
    """Seconds queued and seconds running of a task that takes `total` seconds."""
    return total * QUEUE_SHARE, total * (1 - QUEUE_SHARE)
