"""Metrics of the disk that a service writes to."""

import shutil
from pathlib import Path

from sqlalchemy.engine import make_url

from .metrics import Metrics

__all__ = ["data_folder", "register_disk_gauges"]

ROOT = Path("/")


def data_folder(database_url: str | None) -> Path:
    """The folder of the service's SQLite database, else the root, which in a container is on the host's disk."""
    url = make_url(database_url) if database_url else None
    if url is None or url.get_backend_name() != "sqlite" or not url.database:
        return ROOT
    return Path(url.database).parent


def register_disk_gauges(metrics: Metrics, folder: Path) -> None:
    """Gauges of the size and the free space of the disk that holds `folder`, in bytes."""

    async def free() -> float:
        return float(shutil.disk_usage(folder).free)

    async def size() -> float:
        return float(shutil.disk_usage(folder).total)

    metrics.observable_gauge(
        "telecine_disk_free_bytes", "Bytes that are free on the disk of this service", free
    )
    metrics.observable_gauge("telecine_disk_size_bytes", "Size of that disk, in bytes", size)
