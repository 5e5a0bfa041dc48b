"""The process that touches what strangers wrote: it parses sources and applies JSON Schemas.

Started by `checker.Checker` as ``python -m``; it never runs a program. Requests
and answers are JSON behind a length of four bytes. Whatever makes it slow or
large ends it: its starter kills it, and the limits it sets on itself do.
"""

import json
import resource
import sys
import warnings
from typing import BinaryIO

from aerlock_gateway.core.check_schema import check_inputs, check_schemas
from aerlock_gateway.core.check_source import check_sources

_MEMORY_BYTES = 1 << 30
_CPU_SECONDS = 3
_LENGTH_BYTES = 4


def main() -> None:
    """Answers requests until standard input closes."""
    warnings.simplefilter("ignore")
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    _write(sys.stdout.buffer, {"ready": True})
    while (request := _read(sys.stdin.buffer)) is not None:
        _limit_cpu()
        _write(sys.stdout.buffer, _answer(request))


def _answer(request: dict[str, object]) -> dict[str, object]:
    if request["check"] == "program":
        answer = check_sources(request["files"])  # type: ignore[arg-type]
        parameters, violations = check_schemas(request["schemas"])  # type: ignore[arg-type]
        answer["violations"] += violations
        return {**answer, "parameters": parameters}
    return check_inputs(str(request["schema"]), str(request["inputs"]))


def _limit_cpu() -> None:
    """Bounds the CPU time of one request, for the case that the starter is gone."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    used = int(usage.ru_utime + usage.ru_stime)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (used + _CPU_SECONDS, hard))


def _read(stream: BinaryIO) -> dict[str, object] | None:
    header = stream.read(_LENGTH_BYTES)
    if len(header) < _LENGTH_BYTES:
        return None
    request: dict[str, object] = json.loads(stream.read(int.from_bytes(header)))
    return request


def _write(stream: BinaryIO, answer: dict[str, object]) -> None:
    body = json.dumps(answer).encode()
    stream.write(len(body).to_bytes(_LENGTH_BYTES) + body)
    stream.flush()


if __name__ == "__main__":
    main()
