"""The options of one run."""

from dataclasses import dataclass
from typing import Final

from aerlock.exceptions import InputValueError

LOG_LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


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
    """Seconds; the smallest of this, the program's and the server's limit counts."""
    job_tags: list[str] | None = None
    """At most 16, of at most 64 characters each."""

    def validate(self) -> None:
        """Raises `InputValueError` for what is missing or cannot be."""
        if not self.backend_name or not isinstance(self.backend_name, str):
            raise InputValueError('"backend_name" is required field in "options".')
        if self.log_level is not None and str(self.log_level).upper() not in LOG_LEVELS:
            levels = ", ".join(LOG_LEVELS)
            raise InputValueError(
                f"{self.log_level} is not a valid log level. The valid log levels are: {levels}."
            )
        if self.max_execution_time is not None and not self.max_execution_time > 0:
            raise InputValueError('"max_execution_time" must be a number of seconds above zero.')
        if isinstance(self.job_tags, str):
            raise InputValueError('"job_tags" must be a list of strings.')
