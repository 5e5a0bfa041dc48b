"""Aerlock: run quantum programs by id on a self-hosted runtime and stream their interim results."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aerlock.backend_info import BackendInfo
    from aerlock.codec.runtime_json import RuntimeDecoder, RuntimeEncoder
    from aerlock.credentials import Credentials
    from aerlock.exceptions import (
        AerlockError,
        BackendNotFoundError,
        ConflictError,
        InputValueError,
        NotAuthorizedError,
        QuotaExceededError,
        RuntimeInvalidStateError,
        RuntimeJobFailureError,
        RuntimeJobMaxTimeoutError,
        RuntimeJobNotFound,
        RuntimeJobTimeoutError,
        RuntimeProgramNotFound,
        ServerUnavailableError,
    )
    from aerlock.job import RuntimeJob
    from aerlock.job_status import JobStatus
    from aerlock.local_runtime import local
    from aerlock.options import RuntimeOptions
    from aerlock.parameters import ParameterNamespace
    from aerlock.resource_limits import ResourceLimits
    from aerlock.result_decoder import ResultDecoder
    from aerlock.runtime_program import RuntimeProgram
    from aerlock.service import RuntimeService

__version__ = "0.1.0"

# Loaded when they are asked for, so that a program's cell never loads grpc.
_MODULES = {
    "AerlockError": "exceptions",
    "BackendInfo": "backend_info",
    "BackendNotFoundError": "exceptions",
    "ConflictError": "exceptions",
    "Credentials": "credentials",
    "InputValueError": "exceptions",
    "JobStatus": "job_status",
    "NotAuthorizedError": "exceptions",
    "ParameterNamespace": "parameters",
    "QuotaExceededError": "exceptions",
    "ResourceLimits": "resource_limits",
    "ResultDecoder": "result_decoder",
    "RuntimeDecoder": "codec.runtime_json",
    "RuntimeEncoder": "codec.runtime_json",
    "RuntimeInvalidStateError": "exceptions",
    "RuntimeJob": "job",
    "RuntimeJobFailureError": "exceptions",
    "RuntimeJobMaxTimeoutError": "exceptions",
    "RuntimeJobNotFound": "exceptions",
    "RuntimeJobTimeoutError": "exceptions",
    "RuntimeOptions": "options",
    "RuntimeProgram": "runtime_program",
    "RuntimeProgramNotFound": "exceptions",
    "RuntimeService": "service",
    "ServerUnavailableError": "exceptions",
    "local": "local_runtime",
}

__all__ = [
    "AerlockError",
    "BackendInfo",
    "BackendNotFoundError",
    "ConflictError",
    "Credentials",
    "InputValueError",
    "JobStatus",
    "NotAuthorizedError",
    "ParameterNamespace",
    "QuotaExceededError",
    "ResourceLimits",
    "ResultDecoder",
    "RuntimeDecoder",
    "RuntimeEncoder",
    "RuntimeInvalidStateError",
    "RuntimeJob",
    "RuntimeJobFailureError",
    "RuntimeJobMaxTimeoutError",
    "RuntimeJobNotFound",
    "RuntimeJobTimeoutError",
    "RuntimeOptions",
    "RuntimeProgram",
    "RuntimeProgramNotFound",
    "RuntimeService",
    "ServerUnavailableError",
    "__version__",
    "local",
]


def __getattr__(name: str) -> object:
    if name in _MODULES:
        return getattr(import_module(f"aerlock.{_MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
