"""Large values at the gateway: written in chunks, resumed, kept apart by account, bounded everywhere."""

import hashlib
import os
import queue
import random
import re
import signal
import threading
from pathlib import Path
from types import SimpleNamespace

import grpc
import psutil
import pytest

from aerlock.v1.blobs_pb2 import FindMissingBlobsRequest, ReadBlobRequest, WriteBlobRequest
from aerlock.v1.jobs_pb2 import GetJobRequest, ListJobsRequest, RunProgramRequest, WatchJobRequest
from aerlock.v1.programs_pb2 import BackendRequirements, UploadProgramRequest
from aerlock.v1.server_pb2 import GetServerInfoRequest
from aerlock.v1.values_pb2 import BlobRef, MapEntry, MapValue, Value
from aerlock_gateway.core.access import Role
from aerlock_gateway.core.sessions import digest_of
from aerlock_gateway.store import accounts as account_rows
from aerlock_gateway.store import tokens as token_rows

MIB = 1 << 20
SECONDS = 30


def ref_of(data):
    return BlobRef(sha256=hashlib.sha256(data).hexdigest(), size_bytes=len(data))


def some_bytes(size):
    return random.randbytes(size)


def requests(blob, data, offset=0, chunk=MIB):
    yield WriteBlobRequest(blob=blob, offset=offset)
    for start in range(offset, len(data), chunk):
        yield WriteBlobRequest(data=data[start : start + chunk])


class OpenStream:
    """A WriteBlob stream that sends what the test tells it to, and stays open."""

    def __init__(self, client):
        self._requests = queue.SimpleQueue()
        self._client = client
        self.call = client.blobs.WriteBlob.future(
            iter(self._requests.get, None), metadata=client.metadata, timeout=100
        )

    def send(self, **fields):
        self._requests.put(WriteBlobRequest(**fields))

    def finish(self):
        self._requests.put(None)
        return self.call.result(SECONDS).written_bytes

    def break_off(self):
        self.call.cancel()
        self._requests.put(None)


class Blobs:
    """What the tests do with blobs, over the stubs."""

    def __init__(self, client):
        self.client = client

    def write(self, data, blob=None, offset=0, **options):
        stream = requests(blob or ref_of(data), data, offset, **options)
        answer = self.client.blobs.WriteBlob(stream, metadata=self.client.metadata, timeout=100)
        return answer.written_bytes

    def missing(self, *refs):
        request = FindMissingBlobsRequest(blobs=refs)
        answer = self.client.blobs.FindMissingBlobs(request, metadata=self.client.metadata, timeout=SECONDS)
        return [(missing.blob, missing.written_bytes) for missing in answer.missing]

    def read(self, blob, offset=0):
        request = ReadBlobRequest(sha256=blob.sha256, offset=offset)
        stream = self.client.blobs.ReadBlob(request, metadata=self.client.metadata, timeout=100)
        return [response.data for response in stream]

    def wait_until_kept(self, blob, count):
        """Waits for what was sent to arrive; a stream has no answer before its end."""
        while self.missing(blob) != [(blob, count)]:
            pass


@pytest.fixture
def blobs(client):
    return Blobs(client)


def insert_mallory(database):
    """Writes a second account into the database of a gateway that does not run, and returns its token."""
    row = account_rows.AccountRow("mallory", Role.AUTHOR, False, None, None, 1)
    account_rows.insert(database, row)
    token_rows.insert(database, digest_of("aerlock_second"), "1" * 16, "mallory", "", 1, 2**62)
    return "aerlock_second"


@pytest.fixture
def accounts(make_gateway):
    """A gateway of the test's own, not started yet, with tokens of two accounts."""
    gateway = make_gateway()
    first = gateway.bootstrap()
    with gateway.database() as database:
        second = insert_mallory(database)
    return SimpleNamespace(gateway=gateway, first=first, second=second)


@pytest.mark.parametrize("size", [1, MIB, MIB + 1, 5 * MIB + 17])
def test_blob_that_is_written_is_found_and_read_from_any_offset(blobs, size):
    data = some_bytes(size)
    blob = ref_of(data)
    assert blobs.missing(blob) == [(blob, 0)]
    assert blobs.write(data) == size
    assert blobs.missing(blob) == []
    for offset in (0, size // 2, size):
        chunks = blobs.read(blob, offset)
        assert b"".join(chunks) == data[offset:]
        assert all(len(chunk) <= MIB for chunk in chunks)


def test_missing_blobs_come_in_the_order_of_the_request(blobs):
    known = some_bytes(100)
    blobs.write(known)
    unknown = [BlobRef(sha256=os.urandom(32).hex(), size_bytes=n) for n in range(1, 500)]
    refs = [*unknown[:250], ref_of(known), *unknown[250:]]
    assert blobs.missing(*refs) == [(ref, 0) for ref in unknown]


def test_blob_that_exists_is_answered_without_its_data(blobs):
    data = some_bytes(1000)
    blobs.write(data)
    stream = OpenStream(blobs.client)
    stream.send(blob=ref_of(data))
    assert stream.call.result(SECONDS).written_bytes == 1000
    stream.break_off()


def test_stream_that_ends_early_says_what_is_kept_and_is_taken_up_there(blobs):
    data = some_bytes(3 * MIB)
    blob = ref_of(data)
    assert blobs.write(data[:MIB], blob) == MIB
    assert blobs.missing(blob) == [(blob, MIB)]
    assert blobs.write(data, offset=MIB) == len(data)
    assert b"".join(blobs.read(blob)) == data


def test_stream_that_breaks_is_taken_up_where_it_broke(blobs):
    data = some_bytes(3 * MIB)
    blob = ref_of(data)
    stream = OpenStream(blobs.client)
    stream.send(blob=blob, data=data[: MIB // 2])
    stream.send(data=data[MIB // 2 : MIB])
    blobs.wait_until_kept(blob, MIB)
    stream.break_off()
    with pytest.raises(grpc.RpcError):
        blobs.read(blob)
    assert write_when_free(blobs, data, MIB) == len(data)
    assert b"".join(blobs.read(blob)) == data


def write_when_free(blobs, data, offset):
    """Writes the rest; the server may notice a moment later that the stream before has ended."""
    while True:
        try:
            return blobs.write(data, offset=offset)
        except grpc.RpcError as error:
            if error.code() != grpc.StatusCode.ABORTED:
                raise


def test_writing_from_0_begins_anew(blobs):
    data = some_bytes(MIB)
    blob = ref_of(data)
    blobs.write(b"something else", blob)
    assert blobs.write(data) == MIB
    assert b"".join(blobs.read(blob)) == data


def test_other_offset_than_what_is_kept_is_out_of_range(blobs, refused):
    data = some_bytes(1000)
    blobs.write(data[:500], ref_of(data))
    for offset in (499, 501, 1000, -1, 2**62):
        stream = iter([WriteBlobRequest(blob=ref_of(data), offset=offset)])
        error = refused(blobs.client.blobs.WriteBlob, stream, blobs.client.metadata)
        assert (error.code, error.reason) == (grpc.StatusCode.OUT_OF_RANGE, "BLOB_OFFSET")
    assert blobs.missing(ref_of(data)) == [(ref_of(data), 500)]


@pytest.mark.parametrize("sent", [b"x" * 1000, b"x" * 1001, b"x" * 2000])
def test_data_that_is_not_the_blob_is_refused_and_discarded(blobs, refused, sent):
    data = some_bytes(1000)
    error = refused(
        blobs.client.blobs.WriteBlob, requests(ref_of(data), sent, chunk=700), blobs.client.metadata
    )
    assert (error.code, error.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "BLOB_DIGEST_MISMATCH")
    assert "data" in error.violations
    assert blobs.missing(ref_of(data)) == [(ref_of(data), 0)]
    assert blobs.write(data) == 1000


GOOD = BlobRef(sha256="a" * 64, size_bytes=2 * MIB)


@pytest.mark.parametrize(
    ("stream", "field"),
    [
        ([], "blob"),
        ([WriteBlobRequest(data=b"x")], "blob"),
        ([WriteBlobRequest(blob=BlobRef(sha256="A" * 64, size_bytes=1))], "blob"),
        ([WriteBlobRequest(blob=BlobRef(sha256="../../../../etc/passwd", size_bytes=1))], "blob"),
        ([WriteBlobRequest(blob=BlobRef(sha256="a" * 64))], "blob"),
        ([WriteBlobRequest(blob=BlobRef(sha256="a" * 64, size_bytes=-1))], "blob"),
        ([WriteBlobRequest(blob=BlobRef(sha256="a" * 64, size_bytes=(1 << 30) + 1))], "blob.size_bytes"),
        ([WriteBlobRequest(blob=GOOD, data=bytes(MIB + 1))], "data"),
        ([WriteBlobRequest(blob=GOOD), WriteBlobRequest(data=bytes(MIB + 1))], "data"),
        ([WriteBlobRequest(blob=GOOD), WriteBlobRequest(blob=GOOD, data=b"x")], "blob"),
        ([WriteBlobRequest(blob=GOOD), WriteBlobRequest(offset=1, data=b"x")], "blob"),
    ],
)
def test_stream_that_is_not_of_its_form_is_refused(blobs, refused, stream, field):
    error = refused(blobs.client.blobs.WriteBlob, iter(stream), blobs.client.metadata)
    assert (error.code, error.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")
    assert set(error.violations) == {field}


def test_questions_that_are_not_of_their_form_are_refused(blobs, refused):
    bad = FindMissingBlobsRequest(blobs=[GOOD, BlobRef(sha256="..", size_bytes=1)])
    error = refused(blobs.client.blobs.FindMissingBlobs, bad, blobs.client.metadata)
    assert set(error.violations) == {"blobs[1]"}
    many = FindMissingBlobsRequest(blobs=[GOOD] * 1001)
    error = refused(blobs.client.blobs.FindMissingBlobs, many, blobs.client.metadata)
    assert set(error.violations) == {"blobs"}


def test_reading_beyond_the_end_is_out_of_range(blobs, refused):
    data = some_bytes(10)
    blobs.write(data)
    for offset in (-1, 11, 2**62):
        request = ReadBlobRequest(sha256=ref_of(data).sha256, offset=offset)
        error = refused(blobs.client.blobs.ReadBlob, request, blobs.client.metadata)
        assert (error.code, error.reason) == (grpc.StatusCode.OUT_OF_RANGE, "BLOB_OFFSET")


def test_digest_of_another_account_is_worth_nothing(accounts, refused):
    accounts.gateway.start()
    data = some_bytes(1000)
    with (
        accounts.gateway.client(accounts.first) as first,
        accounts.gateway.client(accounts.second) as second,
    ):
        owner, other = Blobs(first), Blobs(second)
        owner.write(data)
        assert other.missing(ref_of(data)) == [(ref_of(data), 0)]
        answers = {
            (error.code, error.message, error.reason)
            for sha256 in (ref_of(data).sha256, "a" * 64, "../../gateway.db", "", ref_of(data).sha256.upper())
            for error in [refused(second.blobs.ReadBlob, ReadBlobRequest(sha256=sha256), second.metadata)]
        }
        assert {(code, reason) for code, _, reason in answers} == {
            (grpc.StatusCode.NOT_FOUND, "BLOB_NOT_FOUND")
        }
        assert len(answers) == 1
        # All of the data must come, and be right, before it counts.
        assert other.write(data[:-1], ref_of(data)) == 999
        error = refused(second.blobs.WriteBlob, requests(ref_of(data), bytes(1000)), second.metadata)
        assert error.reason == "BLOB_DIGEST_MISMATCH"
        assert other.missing(ref_of(data)) == [(ref_of(data), 0)]
        assert other.write(data) == 1000
        assert b"".join(other.read(ref_of(data))) == data


def test_bytes_that_one_account_left_are_not_gone_on_with_by_another(accounts):
    accounts.gateway.start()
    data = some_bytes(1000)
    with (
        accounts.gateway.client(accounts.first) as first,
        accounts.gateway.client(accounts.second) as second,
    ):
        Blobs(first).write(data[:500], ref_of(data))
        assert Blobs(second).missing(ref_of(data)) == [(ref_of(data), 0)]
        assert Blobs(second).write(data[:300], ref_of(data)) == 300
        assert Blobs(first).write(data, offset=500) == 1000


def test_second_stream_of_an_account_is_busy_and_that_of_another_is_not(accounts, refused):
    accounts.gateway.start()
    data = some_bytes(1000)
    with (
        accounts.gateway.client(accounts.first) as first,
        accounts.gateway.client(accounts.second) as second,
    ):
        stream = OpenStream(first)
        stream.send(blob=ref_of(data), data=data[:600])
        Blobs(first).wait_until_kept(ref_of(data), 600)
        error = refused(first.blobs.WriteBlob, requests(ref_of(data), data), first.metadata)
        assert (error.code, error.reason) == (grpc.StatusCode.ABORTED, "BLOB_BUSY")
        assert Blobs(second).write(data) == 1000
        stream.send(data=data[600:])
        assert stream.finish() == 1000
        assert b"".join(Blobs(first).read(ref_of(data))) == data


def test_concurrent_writers_each_write_their_blob(blobs):
    contents = [some_bytes(2 * MIB + n) for n in range(8)]
    outcomes = queue.SimpleQueue()
    threads = [
        threading.Thread(target=lambda data=data: outcomes.put(blobs.write(data, chunk=200_000)))
        for data in contents
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes.get() for _ in contents) == [len(data) for data in contents]
    assert blobs.missing(*map(ref_of, contents)) == []
    assert all(b"".join(blobs.read(ref_of(data))) == data for data in contents)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_writing_goes_on_after_a_restart_in_the_middle(accounts, number):
    data = some_bytes(4 * MIB)
    blob = ref_of(data)
    accounts.gateway.start()
    with accounts.gateway.client(accounts.first) as client:
        stream = OpenStream(client)
        stream.send(blob=blob, data=data[:MIB])
        stream.send(data=data[MIB : 2 * MIB])
        Blobs(client).wait_until_kept(blob, 2 * MIB)
        accounts.gateway.stop(number)
        stream.break_off()
    accounts.gateway.start()
    with accounts.gateway.client(accounts.first) as client:
        blobs = Blobs(client)
        assert blobs.missing(blob) == [(blob, 2 * MIB)]
        assert blobs.write(data, offset=2 * MIB) == len(data)
        assert b"".join(blobs.read(blob)) == data
    accounts.gateway.stop(number)
    accounts.gateway.start()
    with accounts.gateway.client(accounts.first) as client:
        assert b"".join(Blobs(client).read(blob)) == data


@pytest.mark.parametrize(
    ("metadata", "reason"),
    [((), "TOKEN_MISSING"), ((("authorization", "Bearer wrong"),), "TOKEN_INVALID")],
)
def test_stream_without_a_valid_token_is_refused_before_anything_is_read(client, refused, metadata, reason):
    silent = queue.SimpleQueue()
    error = refused(client.blobs.WriteBlob, iter(silent.get, None), metadata)
    silent.put(None)
    assert (error.code, error.reason) == (grpc.StatusCode.UNAUTHENTICATED, reason)


def test_ninth_stream_of_an_account_is_refused(accounts, refused):
    accounts.gateway.start()
    with (
        accounts.gateway.client(accounts.first) as first,
        accounts.gateway.client(accounts.second) as second,
    ):
        streams = [OpenStream(first) for _ in range(8)]
        refs = [BlobRef(sha256=os.urandom(32).hex(), size_bytes=100) for _ in streams]
        for stream, blob in zip(streams, refs, strict=True):
            stream.send(blob=blob, data=b"x")
        for blob in refs:
            Blobs(first).wait_until_kept(blob, 1)
        error = refused(first.blobs.WriteBlob, requests(ref_of(b"x"), b"x"), first.metadata)
        assert (error.code, error.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_STREAMS")
        assert Blobs(second).write(b"y") == 1
        assert streams[0].finish() == 1
        assert Blobs(first).write(b"x") == 1
        for stream in streams:
            stream.break_off()


def test_reader_that_goes_away_makes_room_for_the_next(blobs):
    data = some_bytes(8 * MIB)
    blobs.write(data)
    for _ in range(40):
        request = ReadBlobRequest(sha256=ref_of(data).sha256)
        stream = blobs.client.blobs.ReadBlob(request, metadata=blobs.client.metadata)
        assert next(stream).data == data[:MIB]
        stream.cancel()
    assert b"".join(blobs.read(ref_of(data))) == data


def test_uploads_that_no_job_uses_are_bounded(accounts, refused):
    accounts.gateway.start("--max-upload-bytes", "1000000", "--max-blob-bytes", "900000")
    with (
        accounts.gateway.client(accounts.first) as first,
        accounts.gateway.client(accounts.second) as second,
    ):
        info = first.server.GetServerInfo(GetServerInfoRequest(), metadata=first.metadata)
        assert info.max_blob_bytes == 900_000
        blobs = Blobs(first)
        blobs.write(some_bytes(400_000))
        kept, more = some_bytes(500_000), some_bytes(600_000)
        blobs.write(kept[:300_000], ref_of(kept))
        error = refused(first.blobs.WriteBlob, requests(ref_of(more), more), first.metadata)
        assert (error.code, error.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "UPLOADS_FULL")
        assert "1,300,000 bytes, of at most 1,000,000" in error.message
        assert Blobs(second).write(more) == 600_000
        # What is kept of a blob counts once when the blob is gone on with.
        assert blobs.write(kept, offset=300_000) == 500_000
    accounts.gateway.stop()
    accounts.gateway.start("--max-upload-bytes", "1000000", "--max-blob-bytes", "900000")
    with accounts.gateway.client(accounts.first) as first:
        error = refused(first.blobs.WriteBlob, requests(ref_of(more), more), first.metadata)
        assert error.reason == "UPLOADS_FULL"


def test_full_disk_is_exhausted_and_nothing_is_half_done(accounts, refused):
    accounts.gateway.start()
    data = some_bytes(1000)
    owner = hashlib.sha256(b"admin").hexdigest()[:16]
    partial = accounts.gateway.layout.gateway_data / "blobs" / "partial" / f"{owner}-{ref_of(data).sha256}"
    partial.symlink_to("/dev/full")
    with accounts.gateway.client(accounts.first) as client:
        error = refused(client.blobs.WriteBlob, requests(ref_of(data), data), client.metadata)
        assert (error.code, error.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "DISK_FULL")
        assert Blobs(client).missing(ref_of(data)) == [(ref_of(data), 0)]
        partial.unlink()
        assert Blobs(client).write(data) == 1000


RETURN_DATA = b"def main(backend, user_messenger, data, other=None): return data"
SCHEMA = '{"required": ["data"], "properties": {"data": {"type": "string", "maxLength": 10}}}'


@pytest.fixture
def runs(accounts_of_pair, make_program):
    """A gateway with an executor, a program that returns its input, and what the tests do with them."""
    with (
        accounts_of_pair.gateway.client(accounts_of_pair.first) as first,
        accounts_of_pair.gateway.client(accounts_of_pair.second) as second,
    ):
        program = make_program(RETURN_DATA, parameters_schema=SCHEMA)
        upload = UploadProgramRequest(program=program)
        program_id = first.programs.UploadProgram(upload, metadata=first.metadata).program.program_id

        def request(**inputs):
            entries = [MapEntry(key=key, value=Value(blob_value=blob)) for key, blob in inputs.items()]
            return RunProgramRequest(
                program_id=program_id, backend_name="aer_simulator", inputs=MapValue(entries=entries)
            )

        def run(**inputs):
            return first.jobs.RunProgram(request(**inputs), metadata=first.metadata).job

        def result(job):
            stream = first.jobs.WatchJob(WatchJobRequest(job_id=job.job_id), metadata=first.metadata)
            events = [event for page in stream for event in page.events]
            (final,) = [event.final_result for event in events if event.HasField("final_result")]
            return final

        wait_for_executor(first)
        yield SimpleNamespace(first=first, second=second, request=request, run=run, result=result)


@pytest.fixture
def accounts_of_pair(pair):
    with pair.gateway.database() as database:
        second = insert_mallory(database)
    pair.executor.start("--slots", "2")
    pair.gateway.start("--max-upload-bytes", str(4 * MIB))
    return SimpleNamespace(gateway=pair.gateway, first=pair.token, second=second)


def wait_for_executor(client):
    while not client.server.GetServerInfo(GetServerInfoRequest(), metadata=client.metadata).codec_version:
        pass


def value_of(size):
    """A serialized Value of a little more than ``size`` bytes."""
    return Value(string_value=some_bytes(size // 2).hex()).SerializeToString()


def test_blobs_go_into_a_job_and_come_out_of_it(runs):
    blobs, content = Blobs(runs.first), value_of(2 * MIB)
    blobs.write(content)
    first = runs.run(data=ref_of(content))
    result = runs.result(first).blob_value
    assert result == ref_of(content)
    assert b"".join(blobs.read(result)) == content
    assert Blobs(runs.second).missing(result) == [(result, 0)]
    # Once it is a job's it counts no more as an upload, and need not be written again.
    for _ in range(2):
        more = value_of(3 * MIB)
        blobs.write(more)
        assert runs.result(runs.run(data=ref_of(content), other=ref_of(more))).blob_value == result
    request = GetJobRequest(job_id=first.job_id, include_inputs=True)
    job = runs.first.jobs.GetJob(request, metadata=runs.first.metadata).job
    assert [entry.value.blob_value for entry in job.inputs.entries] == [ref_of(content)]


def test_blob_that_the_account_has_not_written_is_refused_in_inputs(runs, refused):
    content = value_of(MIB)
    Blobs(runs.second).write(content)
    other_size = BlobRef(sha256=ref_of(content).sha256, size_bytes=len(content) - 1)
    for blob in (ref_of(content), other_size, BlobRef(sha256="a" * 64, size_bytes=1)):
        error = refused(runs.first.jobs.RunProgram, runs.request(data=blob), runs.first.metadata)
        assert (error.code, error.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "BLOB_NOT_FOUND")
        assert "WriteBlob" in error.violations["inputs.data"]
    Blobs(runs.first).write(content)
    error = refused(runs.first.jobs.RunProgram, runs.request(data=other_size), runs.first.metadata)
    assert set(error.violations) == {"inputs.data"}
    good = runs.request(data=ref_of(content), other=BlobRef(sha256="b" * 64, size_bytes=5))
    error = refused(runs.first.jobs.RunProgram, good, runs.first.metadata)
    assert set(error.violations) == {"inputs.other"}
    jobs = runs.first.jobs.ListJobs(ListJobsRequest(), metadata=runs.first.metadata).jobs
    assert list(jobs) == []
    # What was refused has used nothing up.
    assert Blobs(runs.first).missing(ref_of(content)) == []


def test_program_that_refers_to_a_blob_is_refused(client, refused, make_program):
    entry = MapEntry(key="x", value=Value(blob_value=BlobRef(sha256="a" * 64, size_bytes=1)))
    needs = BackendRequirements(other=MapValue(entries=[entry]))
    request = UploadProgramRequest(program=make_program(backend_requirements=needs))
    error = refused(client.programs.UploadProgram, request, client.metadata)
    assert set(error.violations) == {"program.backend_requirements.other"}


def test_200_mib_go_in_and_out_in_bounded_memory(accounts):
    accounts.gateway.start()
    data = some_bytes(2 * MIB) * 100
    with accounts.gateway.client(accounts.first) as client:
        blobs = Blobs(client)
        small = some_bytes(2 * MIB)
        blobs.write(small)
        blobs.read(ref_of(small))
        before = resident_bytes(accounts.gateway.process.pid)
        assert blobs.write(data) == len(data)
        digest = hashlib.sha256()
        request = ReadBlobRequest(sha256=ref_of(data).sha256)
        for response in client.blobs.ReadBlob(request, metadata=client.metadata, timeout=100):
            digest.update(response.data)
        assert digest.hexdigest() == ref_of(data).sha256
        assert most_resident_bytes(accounts.gateway.process.pid) - before < 64 * MIB


def resident_bytes(pid):
    """Returns the memory of a process now, and makes its peak begin anew."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")
    return psutil.Process(pid).memory_info().rss


def most_resident_bytes(pid):
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmHWM:\s*(\d+) kB", status)[1]) * 1024
