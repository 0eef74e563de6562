"""Structured logs: one JSON object per line, or text on a terminal. They hold ids, never prompts, keys or bodies."""

import logging
import sys
from collections.abc import Callable, MutableMapping
from typing import Any, Literal

import structlog

from .log_output import LogOutput

__all__ = ["configure"]


def configure(
    service: str,
    *,
    level: str = "info",
    form: Literal["auto", "json", "text"] = "auto",
    lost: Callable[[], object] = lambda: None,
) -> None:
    """Send every log line of this process, libraries' warnings included, to standard error.

    `auto`: text on a terminal, JSON elsewhere. Logging never raises: `lost` is called for each line that could not be
    written.
    """
    output: Any = LogOutput(sys.stderr.fileno() if sys.stderr is not None else None, lost)
    terminal = output.isatty()
    as_text = form == "text" or (form == "auto" and terminal)
    shared: list[structlog.typing.Processor] = [
        _named(service),
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    # The default formatter prints local variables with a traceback, prompts and keys among them.
    console = structlog.dev.ConsoleRenderer(
        colors=terminal, exception_formatter=structlog.dev.plain_traceback
    )
    last: structlog.typing.Processor = console if as_text else structlog.processors.JSONRenderer()
    threshold = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[*shared, last],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.WriteLoggerFactory(file=output),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(output)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, last],
            foreign_pre_chain=shared,
        )
    )
    logging.captureWarnings(True)
    logging.basicConfig(handlers=[handler], level=max(threshold, logging.WARNING), force=True)


def _named(service: str) -> structlog.typing.Processor:
    def name(logger: Any, method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        line.setdefault("service", service)
        return line

    return name
