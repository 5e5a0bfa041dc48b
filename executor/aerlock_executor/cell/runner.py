"""The program's process: warms itself, takes one job from its pipe, runs it and reports."""

import contextlib
import logging
import os
import resource
import selectors
import sys
from typing import NoReturn, TextIO

import numpy as np
from qiskit.quantum_info.operators.random import DEFAULT_RNG

from aerlock.program.backend import ProgramBackend
from aerlock.program.backends import get_backend
from aerlock.v1.jobs_pb2 import FAILURE_REASON_MEMORY_LIMIT
from aerlock_executor.cell import failures, frames, limits, program_files, signals
from aerlock_executor.cell.exhaustion import limit_behind
from aerlock_executor.cell.inputs import InputBlobs, read_inputs
from aerlock_executor.cell.limits import CellLimits
from aerlock_executor.cell.messenger import JobMessenger
from aerlock_executor.cell.rehearsal import rehearse
from aerlock_executor.cell.result_checks import ResultChecks
from aerlock_executor.v1.cell_pb2 import CellFrame, CellReady, CellStart

_VERBOSE_LIBRARIES = ("qiskit", "stevedore")
_RETURNED = 0
_RAISED = 1
_NOT_STARTED = 70  # EX_SOFTWARE


def run(input_fd: int, output_fd: int, cell_limits: CellLimits, warm: bool) -> NoReturn:
    """Runs one job, after a rehearsal where the cell has time to warm itself.

    Ends the process without atexit handlers or finalizers, which are the program's.
    """
    status = _NOT_STARTED
    try:
        _bound_pools(cell_limits)
        if warm:
            rehearse()
        _part_from_zygote()
        frames.FrameWriter(output_fd).write(CellFrame(ready=_usage()).SerializeToString())
        message = frames.read_frame(input_fd)
        if message is not None:
            start = CellStart.FromString(message)
            _apply(start, cell_limits)
            backend = _backend(start, cell_limits)
            checks = ResultChecks(start.interim_results_schema, start.return_values_schema)
            status = _run_job(start, backend, input_fd, JobMessenger(output_fd, checks))
    except KeyboardInterrupt:  # cancelled before its program was loaded
        status = _RAISED
    except BaseException:
        with contextlib.suppress(BaseException):
            sys.excepthook(*sys.exc_info())
    finally:
        os._exit(status)


def _bound_pools(cell_limits: CellLimits) -> None:
    """Has libraries that have no threads yet start no more than fit into the limit."""
    for name in ("OMP_NUM_THREADS", "RAYON_NUM_THREADS"):
        os.environ[name] = str(cell_limits.pool_threads)


def _part_from_zygote() -> None:
    """Renews what a fork shares and a job must not: random state, output streams, logging, selectors."""
    np.random.seed()
    DEFAULT_RNG.bit_generator.state = np.random.PCG64().state
    for name, fd in (("stdout", 1), ("stderr", 2)):
        stream = _open_output(fd)
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, force=True)
    # The zygote has chosen epoll, which its cells have not.
    selectors.DefaultSelector = selectors.PollSelector  # type: ignore[misc, assignment]


def _usage() -> CellReady:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return CellReady(cpu_seconds=usage.ru_utime + usage.ru_stime, peak_memory_bytes=usage.ru_maxrss * 1024)


def _apply(start: CellStart, cell_limits: CellLimits) -> None:
    """Sets what the job asks for: log level and limits."""
    _set_log_level(start.log_level or "WARNING")
    allowance = min(start.memory_bytes or cell_limits.memory_bytes, cell_limits.memory_bytes)
    limits.apply_memory(allowance)
    limits.apply_counts(start.threads or cell_limits.threads, start.open_files or cell_limits.open_files)
    if start.cpu_seconds:
        limits.apply_cpu(start.cpu_seconds)


def _backend(start: CellStart, cell_limits: CellLimits) -> ProgramBackend:
    """The job's backend, told of the limits: then Aer itself says that a circuit is too large."""
    backend = get_backend(start.backend_name)
    memory_bytes = start.memory_bytes or cell_limits.memory_bytes
    # Not by set_options, which has the backend build its Target anew.
    backend.options.update_options(
        max_memory_mb=memory_bytes >> 20, max_parallel_threads=cell_limits.pool_threads
    )
    return backend


def _set_log_level(level: str) -> None:
    """Sets the program's level; Qiskit's account of every transpiler pass comes only with DEBUG."""
    logging.getLogger().setLevel(level)
    if level != "DEBUG":
        for name in _VERBOSE_LIBRARIES:
            logging.getLogger(name).setLevel(logging.WARNING)


def _open_output(fd: int) -> TextIO:
    """A line-buffered stream; those of the zygote think that they write to a file."""
    return open(fd, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)


def _run_job(start: CellStart, backend: ProgramBackend, input_fd: int, messenger: JobMessenger) -> int:
    """Calls main and writes the last frame; returns the exit status."""
    files = dict(start.source.files)
    try:
        main = program_files.load_main(files)
        with InputBlobs(input_fd, start.blobs) as blobs:
            inputs = read_inputs(start.inputs, blobs)
        returned = main(backend, messenger, **inputs)
        signals.ignore_handled()
        messenger.finish(returned)
        status = _RETURNED
    except BaseException as error:
        signals.ignore_handled()
        limit = limit_behind(error)  # told before the reserve, which would look like room
        if limit == FAILURE_REASON_MEMORY_LIMIT:
            limits.release_reserve()
        messenger.close(CellFrame(failure=failures.describe(error, files, limit)))
        status = _RAISED
    _flush()
    return status


def _flush() -> None:
    """Sends what the program printed; it may have replaced or closed the streams."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(BaseException):
            stream.flush()
