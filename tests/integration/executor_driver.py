"""An executor as a process, dialled as the gateway dials it."""

import hashlib
import io
import os
import signal
import subprocess
import sys
import tempfile
import uuid
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import grpc

from aerlock.blob_directory import CHUNK_BYTES
from aerlock.cgroup_hierarchies import DELEGATED, own_hierarchies
from aerlock.cli.unprivileged import EXECUTOR_GID, EXECUTOR_UID, command_as
from aerlock.v1 import jobs_pb2
from aerlock.v1.values_pb2 import BlobRef
from aerlock_executor.v1 import executor_pb2, executor_pb2_grpc


class Executor:
    """One executor on one folder, that can be killed and started again."""

    def __init__(self, folder, command):
        self.folder = folder
        self._command = command
        self.process = None

    def start(self, prefix=(), **settings):
        environment = {
            **os.environ,
            **{f"AERLOCK_EXECUTOR_{name.upper()}": str(v) for name, v in settings.items()},
        }
        arguments = ("-m", "aerlock_executor", "serve", "--data-dir", str(self.folder))
        arguments += ("--socket", str(self.folder / "executor.sock"))
        command = self._command(*arguments, writable=(self.folder,))
        self.process = subprocess.Popen([*prefix, *command], stdout=subprocess.PIPE, env=environment)
        assert self.process.stdout.readline() == b"ready\n"
        self.channel = grpc.insecure_channel(f"unix:{self.folder}/executor.sock")
        self.stub = executor_pb2_grpc.ExecutorServiceStub(self.channel)

    def stop(self, number=signal.SIGTERM):
        if self.process:
            self.channel.close()
            self.process.send_signal(number)
            with self.process:
                self.process.wait(timeout=30)
            self.process = None

    def request(self, source, **fields):
        request = executor_pb2.StartTaskRequest(
            task_id=uuid.uuid4().hex, backend_name="aer_simulator", **fields
        )
        request.source.files["program.py"] = source.encode()
        return request

    def run(self, source, **fields):
        return events_of(self.stub.StartTask(self.request(source, **fields)))


def delegable() -> frozenset[str]:
    """The controllers that cells get here for sure: those of version 1, where they are ours as root."""
    hierarchies = own_hierarchies() if os.geteuid() == 0 else ()
    usable = (one for one in hierarchies if one.version == 1 and os.access(one.group, os.W_OK))
    return frozenset().union(*(one.controllers for one in usable))


def groups_of_cells(executor_pid: int) -> list[Path]:
    return [
        path for one in own_hierarchies() for path in (one.group / DELEGATED).glob(f"cell-{executor_pid}-*")
    ]


@contextmanager
def executor_of_its_own(own_cgroup=True):
    """An executor in a folder of its own, not started yet and killed at the end."""
    with tempfile.TemporaryDirectory(prefix="aerlock-") as name:
        if os.geteuid() == 0:
            os.chown(name, EXECUTOR_UID, EXECUTOR_GID)
        executor = Executor(Path(name), partial(_unprivileged, own_cgroup))
        try:
            yield executor
        finally:
            executor.stop(signal.SIGKILL)


def _unprivileged(own_cgroup, *arguments, writable=()):
    return command_as(EXECUTOR_UID, [sys.executable, *arguments], writable, own_cgroup=own_cgroup)


def events_of(responses):
    return [event for response in responses for event in response.events]


def until(stream, kind, count=1):
    """The events up to the ``count``-th of a kind."""
    events = []
    for response in stream:
        events.extend(response.events)
        if sum(event.HasField(kind) for event in events) >= count:
            return events
    raise AssertionError(f"the stream ended: {events}")


def reason(events):
    return jobs_pb2.FailureReason.Name(events[-1].ended.failure.reason).removeprefix("FAILURE_REASON_")


class ExecutorBlobs:
    """The blobs of an executor, to encode to and to decode from."""

    def __init__(self, stub):
        self._stub = stub

    def put(self, parts):
        content = b"".join(parts)
        blob = BlobRef(sha256=hashlib.sha256(content).hexdigest(), size_bytes=len(content))
        self.write(blob, content)
        return blob

    def write(self, blob, content):
        requests = [executor_pb2.WriteBlobRequest(blob=blob)]
        for start in range(0, len(content), CHUNK_BYTES):
            requests.append(executor_pb2.WriteBlobRequest(data=content[start : start + CHUNK_BYTES]))
        self._stub.WriteBlob(iter(requests))

    def read(self, sha256, offset=0):
        request = executor_pb2.ReadBlobRequest(sha256=sha256, offset=offset)
        return b"".join(response.data for response in self._stub.ReadBlob(request))

    def missing(self, *blobs):
        return list(self._stub.FindMissingBlobs(executor_pb2.FindMissingBlobsRequest(blobs=blobs)).missing)

    @contextmanager
    def open(self, blob):
        yield io.BytesIO(self.read(blob.sha256))
