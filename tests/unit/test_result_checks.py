"""What a cell says of results that are not as described: little, and never at the cost of the result."""

import asyncio
import json

import numpy as np
import pytest

from aerlock.codec import to_value
from aerlock.v1.jobs_pb2 import JobFailure, JobWarning
from aerlock.v1.values_pb2 import BlobRef, Value
from aerlock_executor.blobs import BlobStore
from aerlock_executor.cell.frames import encode_frame
from aerlock_executor.cell.result_checks import LONGEST_MESSAGE, MOST_WARNINGS, ResultChecks
from aerlock_executor.frame_reader import FrameReader
from aerlock_executor.spool import Spool
from aerlock_executor.task_blobs import TaskBlobs
from aerlock_executor.v1.cell_pb2 import CellFrame
from aerlock_executor.v1.executor_pb2 import StartTaskResponse


def checks(interim: object = "", final: object = "") -> ResultChecks:
    return ResultChecks(*(text if isinstance(text, str) else json.dumps(text) for text in (interim, final)))


def test_nothing_is_said_without_schemas_and_of_what_is_right():
    assert checks().interim_warning(to_value({"a": 1})) is None
    assert checks().final_warning(to_value(None)) is None
    right = checks({"type": "object"}, {"type": ["string", "null"]})
    assert right.interim_warning(to_value({"a": 1})) is None
    assert right.final_warning(to_value("x")) is None


def test_warning_tells_which_result_and_where():
    one = checks({"properties": {"n": {"type": "integer"}, "s": {"maxLength": 1}}})
    assert one.interim_warning(to_value({"n": 1})) is None
    warning = one.interim_warning(to_value({"n": "secret", "s": "secret"}))
    assert warning.code == "INTERIM_RESULT_MISMATCH"
    assert warning.message.startswith("Interim result 2 is not as described: at /n, ")
    assert "at /s, " in warning.message
    assert "secret" not in warning.message
    assert checks("", {"type": "string"}).final_warning(to_value(1)).code == "RETURN_VALUE_MISMATCH"


def test_warnings_end_and_say_so():
    one = checks({"type": "string", "not": {"enum": ["x" * 5000]}}, {"type": "string"})
    warnings = [one.interim_warning(to_value({"n": number})) for number in range(100)]
    said = [warning for warning in warnings if warning]
    assert len(said) == MOST_WARNINGS - 1
    assert warnings[: len(said)] == said
    assert said[-1].message.endswith(" Further interim results are not compared.")
    assert "not compared" not in said[-2].message
    assert one.final_warning(to_value(1)) is not None
    assert all(len(warning.message) <= LONGEST_MESSAGE for warning in said)


@pytest.mark.parametrize(
    "value",
    [to_value(np.zeros(20_000)), Value(blob_value=BlobRef(sha256="0" * 64, size_bytes=5))],
)
def test_what_the_view_does_not_show_is_right(value):
    described = {"properties": {"n": {"type": "array", "items": {"type": "number"}}}}
    whole = to_value({"n": 0, "m": 1})
    whole.map_value.entries[0].value.CopyFrom(value)
    assert checks(described).interim_warning(whole) is None
    described["properties"]["m"] = {"type": "string"}
    assert "/m" in checks(described).interim_warning(whole).message
    assert checks({"type": "array"}).interim_warning(value) is None


def test_large_result_is_compared_without_places():
    message = checks({"items": {"type": "integer"}}).interim_warning(to_value(["x" * 90_000])).message
    assert message == "Interim result 1 is not as described: it is too large to say where."


@pytest.mark.parametrize("schema", ["{", '{"type": "nonsense"}', "[]", '{"$ref": "file:///etc/passwd"}'])
def test_schema_that_cannot_be_applied_says_nothing(schema):
    assert checks(schema, schema).interim_warning(to_value(1)) is None
    assert checks(schema, schema).final_warning(to_value(1)) is None


def read(tmp_path, *frames: CellFrame) -> tuple[list[object], list[JobFailure]]:
    """The events and the failures that a cell's frames become."""

    async def run():
        failures = []
        spool = Spool.create(tmp_path / "task.spool")
        blobs = TaskBlobs(BlobStore(tmp_path / "blobs", tmp_path, 0), "task", ())
        reader = FrameReader(spool, blobs, 1 << 20, failures.append)
        stream = asyncio.StreamReader()
        for frame in frames:
            stream.feed_data(encode_frame(frame.SerializeToString()))
        stream.feed_eof()
        await reader.read(stream)
        page, _ = spool.read(0)
        return list(StartTaskResponse.FromString(page).events), failures

    return asyncio.run(run())


def test_supervisor_keeps_few_short_warnings_of_known_codes(tmp_path):
    forged = [
        CellFrame(warning=JobWarning(code=code, message="x" * 10_000))
        for code in ("RETURN_VALUE_MISMATCH", "SERVER_BROKEN", "") * 10
    ]
    events, failures = read(tmp_path, *forged, CellFrame(interim_result=to_value(1)))
    warnings = [event.warning for event in events if event.HasField("warning")]
    assert failures == []
    assert 0 < len(warnings) <= MOST_WARNINGS
    assert {(warning.code, len(warning.message)) for warning in warnings} == {
        ("RETURN_VALUE_MISMATCH", LONGEST_MESSAGE)
    }
    assert events[-1].HasField("interim_result")


def test_warnings_count_as_output(tmp_path):
    flood = [CellFrame(warning=JobWarning(code="?", message="x" * 60_000))] * 30
    _, (failure,) = read(tmp_path, *flood)
    assert "take more than their limit of " in failure.message
