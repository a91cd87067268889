"""One line for each log record, with the request id and without secrets."""

from __future__ import annotations

import logging
import sys
from typing import Any

import structlog
from structlog.typing import EventDict, Processor

from console.secrets.redact import mask_text, mask_value


def _request_id(_logger: Any, _method: str, event: EventDict) -> EventDict:
    # Django logs an answer with an error status after the middleware is done.
    request = getattr(event.get("_record"), "request", None)
    if request_id := getattr(request, "request_id", ""):
        event["request_id"] = request_id
    return event


def _no_secrets(_logger: Any, _method: str, event: EventDict) -> EventDict:
    # The traceback is masked as finished text, by LineFormatter.
    return {
        key: value if key.startswith("_") or key == "exc_info" else mask_value(key, value)
        for key, value in event.items()
    }


class LineFormatter(structlog.stdlib.ProcessorFormatter):
    """structlog's formatter, whose finished line is masked once more."""

    def format(self, record: logging.LogRecord) -> str:
        """The finished line; tracebacks and repr() of arguments are masked too."""
        return mask_text(super().format(record))


def formatter() -> logging.Formatter:
    """Readable lines on a terminal, JSON lines everywhere else."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        _request_id,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _no_secrets,
    ]
    last: list[Processor] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta]
    if sys.stderr.isatty():
        last.append(
            structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
        )
    else:
        last += [
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ]
    return LineFormatter(foreign_pre_chain=shared, processors=last)
