"""Hostile programs, schemas and inputs end in bounded time and memory, and disturb nobody's stream."""

import json
import threading
import time
from contextlib import contextmanager
from itertools import pairwise

import grpc
import psutil
import pytest

from aerlock.v1 import jobs_pb2, programs_pb2
from aerlock.v1.values_pb2 import ListValue, MapEntry, MapValue, Value

MEBIBYTE = 1 << 20
GOOD = b"def main(backend, user_messenger, **kwargs): pass"
TICKING = b"""
import time

def main(backend, user_messenger):
    number = 0
    while True:
        user_messenger.publish(number)
        number += 1
        time.sleep(0.02)
"""
# Times that no machine of ours needs: what is asserted is that there is an end.
LONGEST_ANSWER = 60.0
LONGEST_GAP = 10.0

EXPLODING = {
    "$defs": {f"l{n}": {"allOf": [{"$ref": f"#/$defs/l{n + 1}"}] * 2} for n in range(30)} | {"l30": {}},
    "properties": {"n": {"$ref": "#/$defs/l0", "default": 1}},
}
SOURCES = [
    b"(" * 200_000,
    b"x = " + b"-" * 700_000 + b"1",
    b"x = [" + b"0," * 380_000 + b"]",
    b"x = " + b"f(" * 50_000,
    b"x = " + b"a." * 300_000 + b"b",
    b"x = 1" + b" + 1" * 150_000,
    b"x = " + b"9" * 700_000,
    b"if 1:\n" + b"".join(b" " * n + b"if 1:\n" for n in range(1, 1000)),
    b"# coding: utf-7\n+AAA-" + GOOD,
    "\n".join(f"ﬁ{n} = 1" for n in range(50_000)).encode(),
]
SCHEMAS = [
    json.dumps(EXPLODING),
    "[" * 60_000,
    '{"not":' * 5_000 + "{}" + "}" * 5_000,
    json.dumps({"properties": {"n": {"pattern": "(x{1,1000}){1,1000}", "default": "x"}}}),
    json.dumps({"properties": {"n": {"anyOf": [{"minimum": n} for n in range(150)], "default": -1}}}),
    json.dumps({"$ref": "#"}),
    json.dumps({"$ref": "http://127.0.0.1:1/x"}),
    json.dumps({"properties": {"n": {"enum": [[[n]] for n in range(8000)], "default": 1}}}),
    json.dumps({"$dynamicRef": "#a", "$defs": {"a": {"$dynamicAnchor": "a", "$dynamicRef": "#a"}}}),
]
# Each is accepted at upload and is costly for the inputs that come with it.
COSTLY = [
    {"items": {"anyOf": [{"minimum": n} for n in range(90)]}},
    {"uniqueItems": True},
    {"items": {"pattern": "^(a+)+$"}},
    {"contains": {"const": [1]}, "minContains": 100_000},
]


def inputs(value: Value) -> MapValue:
    return MapValue(entries=[MapEntry(key="n", value=value)])


INSTANCES = [
    inputs(Value(list_value=ListValue(values=[Value(int_value=-1 - n) for n in range(90_000)]))),
    inputs(Value(list_value=ListValue(values=[Value(string_value="a" * 1_000_000 + "!")]))),
]


class Watcher:
    """Follows a job that publishes all the time, and keeps when its events came."""

    def __init__(self, client, job_id):
        request = jobs_pb2.WatchJobRequest(job_id=job_id)
        self._stream = client.jobs.WatchJob(request, metadata=client.metadata)
        self.numbers: list[int] = []
        self.times = [time.monotonic()]
        self._thread = threading.Thread(target=self._follow)
        self._thread.start()

    def _follow(self):
        try:
            for response in self._stream:
                self.times.append(time.monotonic())
                self.numbers += [
                    event.interim_result.int_value
                    for event in response.events
                    if event.HasField("interim_result")
                ]
        except grpc.RpcError as error:
            assert error.code() == grpc.StatusCode.CANCELLED  # noqa: PT017

    def close(self):
        self._stream.cancel()
        self._thread.join()

    def longest_gap(self, since: float) -> float:
        times = [since, *(moment for moment in self.times if moment > since), time.monotonic()]
        return max(later - earlier for earlier, later in pairwise(times))


@contextmanager
def peak_memory(process: psutil.Process):
    """Measures the gateway's own memory, without its checkers, meanwhile."""
    done, peak = threading.Event(), [process.memory_info().rss]

    def measure():
        while not done.wait(0.02):
            peak.append(process.memory_info().rss)

    thread = threading.Thread(target=measure)
    thread.start()
    try:
        yield lambda: max(peak) - peak[0]
    finally:
        done.set()
        thread.join()


@pytest.fixture
def arena(pair):
    """A gateway and an executor, with a client."""
    pair.executor.start("--slots", "2")
    pair.gateway.start()
    with pair.gateway.client(pair.token) as client:
        yield pair, client


def upload(client, make_program, source=GOOD, **fields):
    request = programs_pb2.UploadProgramRequest(program=make_program(source, **fields))
    return client.programs.UploadProgram.future(request, metadata=client.metadata, timeout=LONGEST_ANSWER)


def run(client, program_id, values):
    request = jobs_pb2.RunProgramRequest(program_id=program_id, backend_name="aer_simulator", inputs=values)
    return client.jobs.RunProgram.future(request, metadata=client.metadata, timeout=LONGEST_ANSWER)


def start(client, program_id):
    """Starts a job as soon as the gateway knows of its executor."""
    deadline = time.monotonic() + LONGEST_ANSWER
    while True:
        call = run(client, program_id, MapValue())
        if call.exception() is None:
            return call.result().job.job_id
        assert call.code() == grpc.StatusCode.UNAVAILABLE
        assert time.monotonic() < deadline


def test_hostile_uploads_and_inputs_disturb_no_watcher(arena, make_program):
    pair, client = arena
    job_id = start(client, upload(client, make_program, TICKING).result().program.program_id)
    costly = [
        upload(client, make_program, parameters_schema=json.dumps({"properties": {"n": schema}})).result()
        for schema in COSTLY
    ]
    watcher = Watcher(client, job_id)
    launched = psutil.Process(pair.gateway.process.pid)
    (gateway,) = (
        process
        for process in (launched, *launched.children(recursive=True))
        if "aerlock_gateway" in process.cmdline()
    )
    begin = time.monotonic()
    with peak_memory(gateway) as growth:
        calls = [upload(client, make_program, source) for source in SOURCES]
        calls += [upload(client, make_program, parameters_schema=schema) for schema in SCHEMAS]
        calls += [run(client, one.program.program_id, values) for one in costly for values in INSTANCES]
        codes = [call.code() for call in calls]
    seen = len(watcher.numbers)
    assert watcher.longest_gap(begin) < LONGEST_GAP
    assert growth() < 300 * MEBIBYTE
    # Each ends with an answer: what can be carried out is, and the rest is the caller's to cure.
    assert set(codes) <= {grpc.StatusCode.OK, grpc.StatusCode.INVALID_ARGUMENT}
    assert codes[:3] == [grpc.StatusCode.INVALID_ARGUMENT] * 3
    assert seen > 20
    # The honest are served as before, and the watcher has lost nothing.
    assert upload(client, make_program).exception() is None
    deadline = time.monotonic() + LONGEST_ANSWER
    while len(watcher.numbers) < seen + 10:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    client.jobs.CancelJob(jobs_pb2.CancelJobRequest(job_id=job_id), metadata=client.metadata)
    watcher.close()
    assert watcher.numbers == list(range(len(watcher.numbers)))
