"""The options of one run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from aerlock._times import to_duration
from aerlock.exceptions import InputValueError
from aerlock.resource_limits import LIMIT_NAMES, ResourceLimits

LOG_LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
OPTION_CURES: Final = {
    "timeout": "that is max_execution_time.",
    **dict.fromkeys(LIMIT_NAMES, "it belongs into limits."),
}
"""What to do with keys that people look for among the options."""


@dataclass
class RuntimeOptions:
    """Where and how a program runs."""

    backend_name: str = ""
    """Required; one of ``RuntimeService.backends()``."""
    image: str | None = None
    """The environment to run in; None is the server's own."""
    log_level: str | None = None
    """Level of the program's root logger; None is WARNING."""
    max_execution_time: float | None = None
    """Seconds, at most 365 days; the smallest of this, the program's and the server's limit counts."""
    job_tags: Sequence[str] | None = None
    """At most 16, of 1 to 64 characters each, and no control characters."""
    limits: ResourceLimits | Mapping[str, Any] | None = None
    """What this job may use, where that is less than its program and the server allow."""

    def validate(self) -> None:
        """Raises `InputValueError` for what is missing or cannot be."""
        if not self.backend_name or not isinstance(self.backend_name, str):
            raise InputValueError(
                '"backend_name" is required field in "options": give the name of one of service.backends(),'
                f" not {self.backend_name!r}."
            )
        if self.image is not None and not isinstance(self.image, str):
            raise InputValueError(f'"image" must be a string or None, not {self.image!r}.')
        if self.log_level is not None and str(self.log_level).upper() not in LOG_LEVELS:
            levels = ", ".join(LOG_LEVELS)
            raise InputValueError(
                f"{self.log_level} is not a valid log level. The valid log levels are: {levels}."
            )
        if self.max_execution_time is not None:
            to_duration(self.max_execution_time, "max_execution_time")
        ResourceLimits.of(self.limits).to_message()
        if not _is_list_of_strings(self.job_tags):
            raise InputValueError(f'"job_tags" must be a list of strings, not {self.job_tags!r}.')


def _is_list_of_strings(tags: object) -> bool:
    return tags is None or (isinstance(tags, list | tuple) and all(isinstance(tag, str) for tag in tags))
