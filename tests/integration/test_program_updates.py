"""Updating, rolling back and deleting programs; what their jobs refer to stays."""

from itertools import pairwise

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask

from aerlock.v1 import programs_pb2
from aerlock.v1.programs_pb2 import VISIBILITY_PRIVATE, VISIBILITY_PUBLIC, Program

SECOND = b"def main(backend, user_messenger, second): pass"
FULL = programs_pb2.PROGRAM_VIEW_FULL


@pytest.fixture
def uploaded(client, make_program) -> Program:
    request = programs_pb2.UploadProgramRequest(program=make_program())
    return client.programs.UploadProgram(request, metadata=client.metadata).program


@pytest.fixture
def update(client):
    def call(program_id, mask=None, from_revision=0, **fields):
        request = programs_pb2.UpdateProgramRequest(
            program=Program(program_id=program_id, **fields), from_revision=from_revision
        )
        request.update_mask.paths.extend(mask or [])
        return client.programs.UpdateProgram(request, metadata=client.metadata).program

    return call


@pytest.fixture
def get(client):
    def call(program_id, **fields):
        request = programs_pb2.GetProgramRequest(program_id=program_id, **fields)
        return client.programs.GetProgram(request, metadata=client.metadata).program

    return call


@pytest.fixture
def revisions(client):
    def call(program_id, size=0):
        found, token = [], None
        while token != "":
            request = programs_pb2.ListProgramRevisionsRequest(
                program_id=program_id, page_size=size, page_token=token or ""
            )
            page = client.programs.ListProgramRevisions(request, metadata=client.metadata)
            found += page.programs
            token = page.next_page_token
        return found

    return call


def source(text: bytes) -> programs_pb2.ProgramSource:
    return programs_pb2.ProgramSource(files={"program.py": text})


def test_update_of_data_and_metadata_makes_one_revision(uploaded, update, get):
    changed = update(uploaded.program_id, name="other", description="Changed.", source=source(SECOND))
    assert (changed.revision, changed.name, changed.description) == (2, "other", "Changed.")
    assert changed.max_execution_time == uploaded.max_execution_time
    assert changed.etag != uploaded.etag
    assert changed.content_sha256 != uploaded.content_sha256
    assert changed.create_time == uploaded.create_time
    assert get(uploaded.program_id, view=FULL).source == source(SECOND)
    first = get(uploaded.program_id, revision=1, view=FULL)
    assert (first.name, first.content_sha256) == ("sample", uploaded.content_sha256)
    assert first.source != source(SECOND)


def test_mask_decides_what_changes_and_can_clear(uploaded, update):
    update(
        uploaded.program_id, parameters_schema='{"type": "object"}', return_values_schema='{"type": "null"}'
    )
    changed = update(uploaded.program_id, ["parameters_schema"], name="ignored")
    assert (changed.name, changed.parameters_schema) == ("sample", "")
    assert changed.return_values_schema == '{"type": "null"}'


def test_star_replaces_every_field(client, uploaded, update, refused, make_program):
    request = programs_pb2.UpdateProgramRequest(
        program=Program(program_id=uploaded.program_id, name="only"), update_mask=FieldMask(paths=["*"])
    )
    error = refused(client.programs.UpdateProgram, request, client.metadata)
    assert (error.code, error.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_PROGRAM")
    assert {"program.description", "program.max_execution_time"} <= set(error.violations)
    program = make_program(name="whole", program_id=uploaded.program_id, visibility=VISIBILITY_PUBLIC)
    request.program.CopyFrom(program)
    whole = client.programs.UpdateProgram(request, metadata=client.metadata).program
    assert (whole.name, whole.visibility) == ("whole", VISIBILITY_PUBLIC)


def test_update_that_is_refused_changes_nothing(client, uploaded, refused, get):
    request = programs_pb2.UpdateProgramRequest(
        program=Program(program_id=uploaded.program_id, description="Fine.", source=source(b"def main("))
    )
    error = refused(client.programs.UpdateProgram, request, client.metadata)
    assert "program.source.files.program.py" in error.violations
    assert get(uploaded.program_id) == uploaded


@pytest.mark.parametrize("path", ["owner", "program_id", "revision", "source.files", "nonsense", ""])
def test_field_that_cannot_be_changed_is_named(client, uploaded, refused, path):
    request = programs_pb2.UpdateProgramRequest(
        program=Program(program_id=uploaded.program_id), update_mask=FieldMask(paths=["name", path])
    )
    error = refused(client.programs.UpdateProgram, request, client.metadata)
    assert (error.reason, set(error.violations)) == ("INVALID_FIELD", {"update_mask"})
    assert "parameters_schema" in error.violations["update_mask"]


def test_equal_content_makes_no_revision(uploaded, update):
    assert update(uploaded.program_id, description=uploaded.description) == uploaded
    assert update(uploaded.program_id) == uploaded
    update(uploaded.program_id, description="Changed.")
    back = update(uploaded.program_id, description=uploaded.description)
    assert (back.revision, back.content_sha256) == (3, uploaded.content_sha256)


def test_visibility_is_no_part_of_revisions(uploaded, update):
    public = update(uploaded.program_id, visibility=VISIBILITY_PUBLIC)
    assert (public.revision, public.visibility) == (1, VISIBILITY_PUBLIC)
    assert public.etag != uploaded.etag
    private = update(uploaded.program_id, ["visibility"])
    assert private.visibility == VISIBILITY_PRIVATE


def test_etag_that_is_not_current_aborts(client, uploaded, update, refused, get):
    changed = update(uploaded.program_id, etag=uploaded.etag, description="Second.")
    request = programs_pb2.UpdateProgramRequest(
        program=Program(program_id=uploaded.program_id, etag=uploaded.etag, description="Third.")
    )
    error = refused(client.programs.UpdateProgram, request, client.metadata)
    assert (error.code, error.reason) == (grpc.StatusCode.ABORTED, "ETAG_MISMATCH")
    assert get(uploaded.program_id) == changed
    # A retry of an update that was carried out is told so.
    assert update(uploaded.program_id, etag=uploaded.etag, description="Second.") == changed


def test_updates_at_the_same_time_lose_none(client, uploaded, get, revisions):
    names = [f"name {number}" for number in range(8)]
    calls = [
        client.programs.UpdateProgram.future(
            programs_pb2.UpdateProgramRequest(program=Program(program_id=uploaded.program_id, **field)),
            metadata=client.metadata,
        )
        for pair in zip(
            [{"name": name} for name in names], [{"description": name} for name in names], strict=True
        )
        for field in pair
    ]
    failed = sum(call.exception(timeout=60) is not None for call in calls)
    made = revisions(uploaded.program_id)
    assert [program.revision for program in made] == list(range(len(calls) - failed + 1, 0, -1))
    for newer, older in pairwise(made):
        # Each changed its own field over the newest content, never over an older one.
        assert (newer.name == older.name) != (newer.description == older.description)


def test_rollback_brings_an_older_revision_back_as_the_newest(uploaded, update, get, revisions):
    update(uploaded.program_id, description="Second.", source=source(SECOND), visibility=VISIBILITY_PUBLIC)
    back = update(uploaded.program_id, from_revision=1)
    assert (back.revision, back.description) == (3, uploaded.description)
    assert (back.content_sha256, back.visibility) == (uploaded.content_sha256, VISIBILITY_PUBLIC)
    mixed = update(uploaded.program_id, from_revision=2, name="mixed")
    assert (mixed.name, mixed.description) == ("mixed", "Second.")
    assert get(uploaded.program_id, view=FULL).source == source(SECOND)
    listed = revisions(uploaded.program_id, size=3)
    assert [program.revision for program in listed] == [4, 3, 2, 1]
    assert listed[-1].update_time == uploaded.create_time


@pytest.mark.parametrize(("revision", "code"), [(7, "NOT_FOUND"), (-1, "INVALID_ARGUMENT")])
def test_rollback_to_what_there_is_not_is_refused(client, uploaded, refused, revision, code):
    request = programs_pb2.UpdateProgramRequest(
        program=Program(program_id=uploaded.program_id), from_revision=revision
    )
    assert refused(client.programs.UpdateProgram, request, client.metadata).code.name == code


def test_signature_follows_the_source(client, uploaded, update, refused):
    update(uploaded.program_id, source=source(b"def main(backend, user_messenger, a): pass"))
    changed = update(uploaded.program_id, max_execution_time=Duration(seconds=5))
    assert (changed.revision, changed.max_execution_time.seconds) == (3, 5)


def test_program_that_is_deleted_is_gone_for_good(client, uploaded, refused, make_program):
    request = programs_pb2.DeleteProgramRequest(program_id=uploaded.program_id)
    client.programs.DeleteProgram(request, metadata=client.metadata)
    program = {"program_id": uploaded.program_id}
    for method, message in (
        (client.programs.DeleteProgram, request),
        (client.programs.GetProgram, programs_pb2.GetProgramRequest(**program)),
        (client.programs.GetProgram, programs_pb2.GetProgramRequest(**program, revision=1)),
        (client.programs.UpdateProgram, programs_pb2.UpdateProgramRequest(program=Program(**program))),
        (client.programs.ListProgramRevisions, programs_pb2.ListProgramRevisionsRequest(**program)),
        (client.programs.ListProgramGrants, programs_pb2.ListProgramGrantsRequest(**program)),
    ):
        error = refused(method, message, client.metadata)
        assert (error.code, error.reason) == (grpc.StatusCode.NOT_FOUND, "PROGRAM_NOT_FOUND")
    listed = client.programs.ListPrograms(
        programs_pb2.ListProgramsRequest(page_size=1000), metadata=client.metadata
    )
    assert uploaded.program_id not in [program.program_id for program in listed.programs]


def test_shipped_program_is_changed_by_nobody(client, refused, get):
    shipped = {"program_id": "hello-world"}
    for method, message in (
        (client.programs.DeleteProgram, programs_pb2.DeleteProgramRequest(**shipped)),
        (
            client.programs.UpdateProgram,
            programs_pb2.UpdateProgramRequest(program=Program(**shipped, name="mine")),
        ),
        (
            client.programs.UpdateProgram,
            programs_pb2.UpdateProgramRequest(program=Program(**shipped, visibility=VISIBILITY_PRIVATE)),
        ),
    ):
        assert refused(method, message, client.metadata).code == grpc.StatusCode.PERMISSION_DENIED
    assert get("hello-world", view=FULL).source.files["program.py"]
