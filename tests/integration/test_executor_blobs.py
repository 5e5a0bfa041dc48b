"""Large values into an executor and out of it, as the gateway moves them."""

import hashlib
import os
import signal
from pathlib import Path

import grpc
import numpy as np
import psutil
import pytest
from google.protobuf.duration_pb2 import Duration
from integration.executor_driver import ExecutorBlobs, events_of, executor_of_its_own, reason, until

from aerlock import codec
from aerlock.codec import EncodeOptions
from aerlock.v1 import jobs_pb2
from aerlock.v1.limits_pb2 import ResourceLimits
from aerlock.v1.values_pb2 import BlobRef, MapValue, Value
from aerlock_executor.v1 import executor_pb2

MIB = 1 << 20
RETURN_ARGUMENT = "def main(backend, user_messenger, data):\n    return data\n"
RETURN_BYTES = "def main(backend, user_messenger):\n    return bytes(2_000_000)\n"


@pytest.fixture
def own_executor():
    """An executor that a test may kill; it is not started yet."""
    with executor_of_its_own() as executor:
        yield executor


@pytest.fixture
def blobs(executor):
    return ExecutorBlobs(executor.stub)


def ref_of(content):
    return BlobRef(sha256=hashlib.sha256(content).hexdigest(), size_bytes=len(content))


def map_of(blobs, **inputs):
    return codec.to_map(inputs, options=EncodeOptions(blobs=blobs))


def map_of_ref(blob):
    """Inputs whose one argument, data, is a blob."""
    entries = MapValue()
    entries.entries.add(key="data", value=Value(blob_value=blob))
    return entries


def results(events, kind="interim_result"):
    return [event for event in events if event.HasField(kind)]


def pins(executor, request):
    folder = executor.folder / "spool" / f"{request.task_id}.blobs"
    return sorted(path.name for path in folder.glob("*"))


def tasks(executor):
    return [task.task_id for task in executor.stub.ListTasks(executor_pb2.ListTasksRequest()).tasks]


def run(executor, request):
    """Runs a task and acknowledges its end."""
    events = events_of(executor.stub.StartTask(request))
    acknowledge(executor, request, events)
    return events


def acknowledge(executor, request, events):
    ack = executor_pb2.AckTaskRequest(task_id=request.task_id, offset=events[-1].offset)
    executor.stub.AckTask(ack)


def drafts(executor):
    return list((executor.folder / "blobs").glob("draft-*"))


def refused(call):
    with pytest.raises(grpc.RpcError) as error:
        call()
    return error.value.code()


def test_blob_written_is_found_and_read_from_any_offset(blobs):
    content = os.urandom(3 * MIB + 5)
    blob = ref_of(content)
    assert blobs.missing(blob) == [blob]
    blobs.write(blob, content)
    blobs.write(blob, content)
    assert blobs.missing(blob) == []
    assert blobs.missing(BlobRef(sha256=blob.sha256, size_bytes=5)) != []
    for offset in (0, 1, MIB, len(content) - 1, len(content)):
        assert blobs.read(blob.sha256, offset) == content[offset:]


def test_blob_that_is_not_what_was_announced_is_refused_and_leaves_nothing(blobs, executor):
    content = os.urandom(2 * MIB)
    blob = ref_of(content)
    for other in (content[:-1], content + b"x", content[:-1] + bytes([content[-1] ^ 1]), b""):
        assert refused(lambda other=other: blobs.write(blob, other)) == grpc.StatusCode.INVALID_ARGUMENT
    twice = [executor_pb2.WriteBlobRequest(blob=blob, data=content[:MIB])] * 2
    assert refused(lambda: executor.stub.WriteBlob(iter(twice))) == grpc.StatusCode.INVALID_ARGUMENT
    assert refused(lambda: executor.stub.WriteBlob(iter([]))) == grpc.StatusCode.INVALID_ARGUMENT
    assert blobs.missing(blob) == [blob]
    assert not drafts(executor)


def test_blob_that_the_disk_cannot_hold_is_refused(blobs):
    blob = BlobRef(sha256="a" * 64, size_bytes=1 << 60)
    assert refused(lambda: blobs.write(blob, b"x")) == grpc.StatusCode.RESOURCE_EXHAUSTED


@pytest.mark.parametrize("sha256", ["", "a" * 64, "../../" + "a" * 58, "..", "A" * 64])
def test_blob_that_is_not_there_cannot_be_read(blobs, sha256):
    assert refused(lambda: blobs.read(sha256)) == grpc.StatusCode.NOT_FOUND


@pytest.mark.parametrize("offset", [-1, 6])
def test_offset_beyond_a_blob_is_refused(blobs, offset):
    blobs.write(ref_of(b"hello"), b"hello")
    assert refused(lambda: blobs.read(ref_of(b"hello").sha256, offset)) == grpc.StatusCode.OUT_OF_RANGE


@pytest.mark.parametrize("blob", [BlobRef(sha256="x", size_bytes=1), BlobRef(sha256="a" * 64)])
def test_malformed_reference_is_refused(blobs, blob):
    assert refused(lambda: blobs.missing(blob)) == grpc.StatusCode.INVALID_ARGUMENT
    assert refused(lambda: blobs.write(blob, b"x")) == grpc.StatusCode.INVALID_ARGUMENT


def test_task_whose_input_is_missing_is_not_started_and_pins_nothing(blobs, executor):
    array = np.arange(MIB)
    there = blobs.put([codec.to_value(b"x" * 100).SerializeToString()])
    inputs = map_of_ref(there)
    inputs.entries.add(key="more", value=Value(blob_value=ref_of(array.tobytes())))
    request = executor.request(RETURN_ARGUMENT, inputs=inputs)
    code = refused(lambda: events_of(executor.stub.StartTask(request)))
    assert code == grpc.StatusCode.FAILED_PRECONDITION
    assert request.task_id not in tasks(executor)
    assert not list((executor.folder / "spool").glob(f"{request.task_id}*"))


def test_array_of_200_mb_goes_in_and_out_in_bounded_memory_and_leaks_no_descriptor(own_executor):
    own_executor.start(warm_cells=0)
    blobs = ExecutorBlobs(own_executor.stub)
    array = np.arange(25_000_000, dtype=np.int64)
    supervisor = psutil.Process(own_executor.process.pid)
    run(own_executor, own_executor.request(RETURN_BYTES))
    descriptors, before = supervisor.num_fds(), supervisor.memory_info().rss
    Path(f"/proc/{supervisor.pid}/clear_refs").write_text("5")  # the peak starts anew

    source = """
def main(backend, user_messenger, data):
    data += 1
    user_messenger.publish({"sum": int(data.sum()), "data": data})
    return data
"""
    events = run(own_executor, own_executor.request(source, inputs=map_of(blobs, data=array)))
    assert events[-1].ended.state == jobs_pb2.JOB_STATE_COMPLETED, events[-1]
    (interim,), (final,) = results(events), results(events, "final_result")
    (blob,) = interim.blobs
    assert list(final.blobs) == [blob]
    # It is sent once, though it is published and returned.
    assert 200_000_000 < events[-1].ended.usage.output_bytes < 201_000_000
    assert codec.from_value(interim.interim_result, blobs)["sum"] == int(array.sum()) + len(array)
    np.testing.assert_array_equal(codec.from_value(final.final_result, blobs), array + 1)
    peak = peak_memory(supervisor.pid)
    assert peak - before < 64 * MIB, f"grew from {before:,} to {peak:,} bytes"
    assert supervisor.num_fds() <= descriptors


def peak_memory(pid):
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


def test_inputs_with_several_blobs_arrive_in_their_places(blobs, executor):
    arrays = [np.full(200_000, number) for number in range(4)]
    inputs = map_of(blobs, first=arrays[2], small="small", rest=[arrays[0], {"again": arrays[2]}, arrays[3]])
    source = """
def main(backend, user_messenger, first, small, rest):
    rest[1]["again"][0] = 99
    return [int(first[0]), small, int(rest[0][0]), int(rest[1]["again"][1]), int(rest[2][0])]
"""
    events = executor.run(source, inputs=inputs)
    assert codec.from_value(results(events, "final_result")[0].final_result) == [2, "small", 0, 2, 3]


def test_blobs_of_a_task_are_pinned_until_its_end_is_acknowledged(blobs, executor):
    array = np.arange(MIB)
    source = """
import numpy as np

def main(backend, user_messenger, data):
    user_messenger.publish(np.ones(300_000))
    return data + 1
"""
    request = executor.request(source, inputs=map_of(blobs, data=array))
    events = events_of(executor.stub.StartTask(request))
    referred = [blob.sha256 for event in events for blob in event.blobs]
    inputs = [blob.sha256 for blob in codec.bounds.check_map(request.inputs, 100)]
    assert len(referred) == 2
    assert pins(executor, request) == sorted(referred + inputs)
    acknowledge(executor, request, events)
    assert not list((executor.folder / "spool").glob(f"{request.task_id}*"))


def test_result_is_there_after_the_executor_was_killed_and_started_again(own_executor):
    own_executor.start()
    request = own_executor.request(RETURN_BYTES)
    before = events_of(own_executor.stub.StartTask(request))
    own_executor.stop(signal.SIGKILL)
    own_executor.start()
    attach = executor_pb2.AttachTaskRequest(task_id=request.task_id)
    after = events_of(own_executor.stub.AttachTask(attach))
    assert after == before
    (final,) = results(after, "final_result")
    assert codec.from_value(final.final_result, ExecutorBlobs(own_executor.stub)) == bytes(2_000_000)


def test_leftovers_of_a_crash_are_removed_at_the_start(own_executor):
    """Killed while a blob is written by a program, and another by the gateway."""
    own_executor.start()
    source = """
import time

def main(backend, user_messenger, data):
    user_messenger._pipe._send([bytes(2_000_000)], size=3_000_000)
    user_messenger._pipe._send([bytes(2_000_000)], size=3_000_000)
    print("sent", flush=True)
    time.sleep(600)
"""
    inputs = map_of(ExecutorBlobs(own_executor.stub), data=bytes(2_000_000))
    request = own_executor.request(source, inputs=inputs)
    until(own_executor.stub.StartTask(request), "log_output")
    assert drafts(own_executor)
    own_executor.stop(signal.SIGKILL)
    spool = own_executor.folder / "spool" / f"{request.task_id}.spool"
    assert pins(own_executor, request)
    spool.unlink()
    own_executor.start()
    assert not drafts(own_executor)
    assert not pins(own_executor, request)


def test_same_value_published_again_is_not_sent_again(blobs, executor):
    source = """
def main(backend, user_messenger):
    for number in range(5):
        user_messenger.publish([number, bytes(2_000_000)])
    return bytes(2_000_000)
"""
    events = executor.run(source)
    assert events[-1].ended.state == jobs_pb2.JOB_STATE_COMPLETED
    digests = {event.blobs[0].sha256 for event in events if event.blobs}
    assert len(digests) == 1
    assert events[-1].ended.usage.output_bytes < 2_100_000


def test_large_final_result_published_and_returned_counts_once_and_another_is_refused(blobs, executor):
    source = """
def main(backend, user_messenger):
    user_messenger.publish(bytes(2_000_000), final=True)
    return {}
"""
    same = executor.run(source.format("bytes(2_000_000)"))
    assert same[-1].ended.state == jobs_pb2.JOB_STATE_COMPLETED
    other = executor.run(source.format("bytes(2_000_001)"))
    assert reason(other) == "INVALID_RESULT"
    assert "two different final results" in other[-1].ended.failure.message


def test_blob_that_no_result_refers_to_is_not_pinned_at_the_end(blobs, executor):
    source = """
def main(backend, user_messenger):
    user_messenger._pipe.put([codec.to_value("large").SerializeToString()])
    return "small"
"""
    request = executor.request("from aerlock import codec\n" + source)
    events = events_of(executor.stub.StartTask(request))
    assert events[-1].ended.state == jobs_pb2.JOB_STATE_COMPLETED, events[-1]
    assert pins(executor, request) == []
    acknowledge(executor, request, events)


def test_reference_to_the_result_of_another_task_is_refused(blobs, executor):
    request = executor.request(RETURN_BYTES)
    (final,) = results(events_of(executor.stub.StartTask(request)), "final_result")
    (blob,) = final.blobs
    source = f"""
import os, struct, time
from aerlock.v1.values_pb2 import BlobRef, Value
from aerlock_executor.v1.cell_pb2 import CellFrame

def main(backend, user_messenger):
    blob = BlobRef(sha256="{blob.sha256}", size_bytes={blob.size_bytes})
    payload = CellFrame(interim_result=Value(blob_value=blob)).SerializeToString()
    os.write(4, struct.pack("<I", len(payload)) + payload)
    time.sleep(600)
"""
    events = executor.run(source)
    assert reason(events) == "INVALID_RESULT"
    assert not results(events)


def test_results_in_blobs_count_against_the_limit(blobs, executor):
    limits = executor_pb2.TaskLimits(resources=ResourceLimits(result_bytes=4 * MIB))
    source = "def main(backend, user_messenger):\n    user_messenger.publish(bytes(20_000_000))\n"
    events = executor.run(source, limits=limits)
    assert reason(events) == "OUTPUT_LIMIT"
    assert not drafts(executor)


@pytest.mark.parametrize(
    "content", [b"\xff" * 2_000_000, bytes.fromhex("3a03") + b"abc" + bytes(3), b"\x08\x00" * 10]
)
def test_input_that_is_no_value_fails_the_job_with_a_sentence(blobs, executor, content):
    blob = ref_of(content)
    blobs.write(blob, content)
    events = executor.run(RETURN_ARGUMENT, inputs=map_of_ref(blob))
    assert reason(events) == "INVALID_INPUT"
    failure = events[-1].ended.failure
    assert failure.message.startswith("The inputs cannot be read: ")
    assert failure.traceback == ""


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import time; time.sleep(600)", "TIME_LIMIT"),
        ("import os, time; os.close(3); time.sleep(600)", "TIME_LIMIT"),
        ("import os; os._exit(3)", "NO_RESULT"),
        ("import os; os.abort()", "CRASHED"),
        ("x = 1", "PROGRAM_ERROR"),
    ],
)
def test_program_that_never_reads_its_inputs_ends_as_any_other(blobs, executor, source, expected):
    inputs = map_of(blobs, data=bytes(50_000_000))
    limits = executor_pb2.TaskLimits(wall_time=Duration(seconds=2))
    events = executor.run(source, inputs=inputs, limits=limits)
    assert reason(events) == expected
    assert executor.run(RETURN_BYTES)[-1].ended.state == jobs_pb2.JOB_STATE_COMPLETED
    threads = [thread.id for thread in psutil.Process(executor.process.pid).threads()]
    assert not [number for number in threads if thread_name(executor, number).startswith("cell-input")]


def thread_name(executor, number):
    return Path(f"/proc/{executor.process.pid}/task/{number}/comm").read_text()


def test_task_cancelled_while_its_inputs_are_sent_ends(blobs, executor):
    source = "import time\nprint('here', flush=True)\ntime.sleep(600)\n"
    request = executor.request(source, inputs=map_of(blobs, data=bytes(50_000_000)))
    stream = executor.stub.StartTask(request)
    until(stream, "log_output")
    executor.stub.CancelTask(executor_pb2.CancelTaskRequest(task_id=request.task_id))
    assert events_of(stream)[-1].ended.state == jobs_pb2.JOB_STATE_CANCELLED


def test_input_larger_than_the_cells_memory_is_a_memory_limit(blobs, executor):
    limits = executor_pb2.TaskLimits(resources=ResourceLimits(memory_bytes=64 * MIB))
    events = executor.run(RETURN_ARGUMENT, inputs=map_of(blobs, data=bytes(200_000_000)), limits=limits)
    assert reason(events) == "MEMORY_LIMIT"


def test_executor_tells_the_version_of_the_codec_in_its_cells(blobs, executor):
    info = executor.stub.GetExecutorInfo(executor_pb2.GetExecutorInfoRequest())
    assert info.codec_version == codec.versions.CODEC_VERSION
