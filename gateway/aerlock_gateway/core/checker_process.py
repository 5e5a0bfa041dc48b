"""The process that touches what strangers wrote: it parses sources and applies JSON Schemas.

Started by `checker_worker.Worker` as ``python -m``; it never runs a program. Requests
and answers are JSON behind a length of four bytes. Whatever makes it slow or
large ends it, by the limits that it sets on itself: CPU time, which a machine that is
busy with others does not use up, and memory.
"""

import json
import resource
import signal
import sys
import warnings
from typing import BinaryIO

from aerlock_gateway.core.check_schema import check_inputs, check_schemas
from aerlock_gateway.core.check_source import check_sources

_MEMORY_BYTES = 1 << 30
_CPU_SECONDS = 1.0
_LENGTH_BYTES = 4


def main() -> None:
    """Answers requests until standard input closes."""
    warnings.simplefilter("ignore")
    # The signal ends the process, also where a library holds the interpreter.
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    _write(sys.stdout.buffer, {"ready": True})
    while (request := _read(sys.stdin.buffer)) is not None:
        signal.setitimer(signal.ITIMER_PROF, _CPU_SECONDS)
        answer = _answer(json.loads(request))
        signal.setitimer(signal.ITIMER_PROF, 0)
        _write(sys.stdout.buffer, answer)


def _answer(request: dict[str, object]) -> dict[str, object]:
    if request["check"] == "program":
        answer = check_sources(request["files"])  # type: ignore[arg-type]
        parameters, violations = check_schemas(request["schemas"])  # type: ignore[arg-type]
        answer["violations"] += violations
        return {**answer, "parameters": parameters}
    return check_inputs(str(request["schema"]), str(request["inputs"]))


def _read(stream: BinaryIO) -> bytes | None:
    header = stream.read(_LENGTH_BYTES)
    return stream.read(int.from_bytes(header)) if len(header) == _LENGTH_BYTES else None


def _write(stream: BinaryIO, answer: dict[str, object]) -> None:
    body = json.dumps(answer).encode()
    stream.write(len(body).to_bytes(_LENGTH_BYTES) + body)
    stream.flush()


if __name__ == "__main__":
    main()
