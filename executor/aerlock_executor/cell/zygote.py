"""The zygote: holds Qiskit and Aer imported and forks a cell for each job.

It runs nothing of Qiskit, since thread pools do not survive a fork: a sample
runs in a child that is thrown away, and only the modules that it loaded are
imported here. It has one thread, no signal handlers and one control socket,
over which come JSON objects: ``{"create": ID, "warm": BOOL, "limits": {...}}`` with the four
descriptors of the cell's pipes and those by which it enters its control groups,
and ``{"cell": ID, "signal": NUMBER}``. It answers ``{"ready": {...}}`` once, which
says what it has imported, and ``{"ended": ID, ...}`` with the records of the
status pipe for each cell.
"""

import array
import contextlib
import dataclasses
import errno
import gc
import importlib
import json
import os
import select
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from qiskit import __version__ as qiskit_version
from qiskit.qpy import QPY_VERSION
from stevedore import ExtensionManager

from aerlock.codec.versions import CODEC_VERSION
from aerlock.program.backends import BACKENDS, get_backend, list_backends
from aerlock_executor.cell import filters, linux, runner, sample
from aerlock_executor.cell.confine import confine
from aerlock_executor.cell.isolate import isolate
from aerlock_executor.cell.limits import CellLimits
from aerlock_executor.cell.processes import INPUT_FD, NO_STATUS, OUTPUT_FD, CellFds, report
from aerlock_executor.cell.tiers import Tier
from aerlock_executor.cell.zygote_options import CELL_PROTOCOL, ZygoteOptions

_MAX_MESSAGE_BYTES = 4096
_JOB_FDS = 4
_MOST_GROUPS = 8
_PLUGIN_GROUP = "qiskit.transpiler.init"


@dataclasses.dataclass
class _Cell:
    """A cell as the zygote knows it: its stub, or after the stub's death its init."""

    cell_id: int
    pid: int
    pid_fd: int
    status_fd: int
    records: dict[str, Any]


class _Zygote:
    """The control loop. In a fresh cell `serve` returns its descriptors."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._poll = select.poll()
        self._poll.register(control, select.POLLIN)
        self._cells: dict[int, _Cell] = {}  # by pid fd

    def serve(self) -> tuple[CellFds, CellLimits, bool] | None:
        """Serves until the control socket closes (None).

        In the child that is to be a cell it returns the descriptors, the limits,
        and whether the cell is to warm itself.
        """
        while True:
            for fd, _ in self._poll.poll():
                if fd in self._cells:
                    self._reap(self._cells[fd])
                    continue
                message, fds = self._receive()
                if not message:
                    return None
                request = json.loads(message)
                if "create" in request:
                    child = self._create(request["create"], fds)
                    if child:
                        return child, CellLimits(**request["limits"]), request["warm"]
                elif "signal" in request:
                    self._signal(request["cell"], request["signal"])

    def _receive(self) -> tuple[bytes, list[int]]:
        room = socket.CMSG_SPACE((_JOB_FDS + _MOST_GROUPS) * array.array("i").itemsize)
        message, ancillary, _, _ = self._control.recvmsg(_MAX_MESSAGE_BYTES, room, socket.MSG_CMSG_CLOEXEC)
        fds = array.array("i")
        for _, _, data in ancillary:
            fds.frombytes(data)
        return message, list(fds)

    def _create(self, cell_id: int, fds: list[int]) -> CellFds | None:
        """Forks; the child gets its descriptors back, and forgets the control socket."""
        try:
            with _closing(fds):
                if len(fds) < _JOB_FDS:
                    raise OSError(errno.EMFILE, "the zygote has no room for descriptors")
                status_reader, status_writer = os.pipe2(os.O_CLOEXEC)
                pid = _fork(status_reader, status_writer)
                if not pid:
                    self._control.detach()
                    self._cells.clear()
                    input_fd, output_fd, stdout_fd, stderr_fd, *groups = fds
                    fds.clear()
                    return CellFds(input_fd, output_fd, stdout_fd, stderr_fd, status_writer, tuple(groups))
        except OSError as error:  # Out of processes, descriptors or memory: the other cells live on.
            self._send(ended=cell_id, error=f"{type(error).__name__}: {error}")
            return None
        os.close(status_writer)
        self._watch(_Cell(cell_id, pid, os.pidfd_open(pid), status_reader, {}))
        return None

    def _signal(self, cell_id: int, number: int) -> None:
        """Signals the stub, a child that is not reaped yet, so its pid is no other process's."""
        for cell in self._cells.values():
            if cell.cell_id == cell_id:
                os.kill(cell.pid, number)

    def _watch(self, cell: _Cell) -> None:
        self._cells[cell.pid_fd] = cell
        self._poll.register(cell.pid_fd, select.POLLIN)

    def _reap(self, cell: _Cell) -> None:
        """Takes the end of a stub or an orphaned init; reports the cell when neither is left."""
        _, status, _ = os.wait4(cell.pid, 0)
        self._poll.unregister(cell.pid_fd)
        del self._cells[cell.pid_fd]
        os.close(cell.pid_fd)
        cell.records.update(_read_records(cell.status_fd) if cell.status_fd >= 0 else {})
        init_pid = cell.records.pop("init", None)
        if init_pid and "init_status" not in cell.records and os.WIFSIGNALED(status):
            # Someone killed the stub. Its death killed init, which is this process's child now.
            self._watch(_Cell(cell.cell_id, init_pid, os.pidfd_open(init_pid), cell.status_fd, cell.records))
            return
        os.close(cell.status_fd)
        self._send(ended=cell.cell_id, **cell.records)

    def send_ready(self) -> None:
        """Tells the supervisor that cells can be made, and with what in them."""
        backends = [dataclasses.asdict(backend) for backend in list_backends()]
        versions = {"protocol": CELL_PROTOCOL, "qiskit_version": qiskit_version, "qpy_version": QPY_VERSION}
        self._send(ready={**versions, "codec_version": CODEC_VERSION, "backends": backends})

    def _send(self, **message: object) -> None:
        self._control.send(json.dumps(message).encode())


@contextlib.contextmanager
def _closing(fds: list[int]) -> Iterator[None]:
    """Closes what is in the list at the end."""
    try:
        yield
    finally:
        for fd in fds:
            os.close(fd)


def _fork(*fds: int) -> int:
    """Forks; where that is refused, closes ``fds`` first."""
    try:
        return os.fork()
    except OSError:
        for fd in fds:
            os.close(fd)
        raise


def _read_records(status_fd: int) -> dict[str, Any]:
    """What stub and init reported; later records win."""
    os.set_blocking(status_fd, False)
    records: dict[str, Any] = {}
    try:
        text = os.read(status_fd, _MAX_MESSAGE_BYTES)
    except BlockingIOError:  # Nothing was written, and init still holds the pipe.
        return records
    for line in text.splitlines():
        records.update(json.loads(line))
    return records


def _import_what_a_sample_loads() -> None:
    """Runs the sample in a child and imports here what it loaded there."""
    reader, writer = os.pipe()
    known = set(sys.modules)
    pid = os.fork()
    if not pid:
        _run_sample_and_exit(writer, known)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        names = pipe.read().split()
    _, status = os.waitpid(pid, 0)
    if status:
        raise RuntimeError(f"the sample circuit failed with wait status {status}; its output says why")
    for name in names:
        try:
            importlib.import_module(name)
        except ImportError:  # Some modules exist only as attributes of others.
            continue


def _run_sample_and_exit(writer: int, known: set[str]) -> None:
    status = 1
    try:
        sample.run_sample()
        os.write(writer, "\n".join(sorted(set(sys.modules) - known)).encode())
        status = 0
    except Exception:
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(status)


def _prepare_backends(memory_bytes: int) -> None:
    """Builds every backend's Target once for all cells; this runs no circuit and starts no thread.

    Aer is told of the limit, so that it can say that a circuit is too large.
    """
    for name in BACKENDS:
        backend = get_backend(name)
        backend.set_options(max_memory_mb=memory_bytes >> 20)
        _ = backend.target


def _check_one_thread() -> None:
    """A fork copies one thread: what others hold locked would stay so for ever."""
    threads = sum(1 for _ in Path("/proc/self/task").iterdir())
    if threads != 1:
        raise RuntimeError(f"the zygote has {threads} threads; it may have one")


def main() -> None:
    """Runs the zygote; in the program of each cell, runs the job. Does not return."""
    options = ZygoteOptions.from_json(sys.argv[1])
    linux.prctl(linux.PR_SET_CHILD_SUBREAPER, 1)
    _import_what_a_sample_loads()
    _prepare_backends(options.limits.memory_bytes)
    ExtensionManager(_PLUGIN_GROUP)  # Scans the environment's entry points, which each cell did else.
    filters.job_filter()  # Assembled once; a cell only installs it.
    gc.collect()
    gc.freeze()
    _check_one_thread()
    if options.tier is not Tier.NONE:
        linux.install_seccomp(filters.zygote_filter())
    zygote = _Zygote(socket.socket(fileno=options.control_fd))
    zygote.send_ready()
    zygote_pid = os.getpid()
    cell = zygote.serve()
    if cell is None:
        os._exit(0)
    fds, limits, warm = cell
    _enter(fds, limits, options, zygote_pid)
    runner.run(INPUT_FD, OUTPUT_FD, limits, warm)


def _enter(fds: CellFds, limits: CellLimits, options: ZygoteOptions, zygote_pid: int) -> None:
    """Turns a fresh child of the zygote into a cell of the tier; returns in the program only."""
    try:
        if options.tier is Tier.FULL:
            isolate(fds, limits, options.kept_roots, zygote_pid)
        else:
            confine(fds, limits, options.kept_roots, zygote_pid, options.tier)
    except BaseException as error:
        text = f"{type(error).__name__}: {error}"
        with contextlib.suppress(OSError):
            os.write(2, text.encode())
            report(fds.status, error=text)  # Where it is a program by now, its stderr alone is left.
        os._exit(NO_STATUS)


if __name__ == "__main__":
    main()
