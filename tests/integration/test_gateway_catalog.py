"""Uploading, finding and listing programs; refusing what is wrong with them."""

import json

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration

from aerlock.v1 import backends_pb2, jobs_pb2, programs_pb2
from aerlock.v1.values_pb2 import MapEntry, MapValue, Value

ALL_FIELDS = {
    "program.name",
    "program.description",
    "program.max_execution_time",
    "program.source.files",
    "program.parameters_schema",
}


@pytest.fixture
def upload(client):
    def call(program, **fields):
        request = programs_pb2.UploadProgramRequest(program=program, **fields)
        return client.programs.UploadProgram(request, metadata=client.metadata).program

    return call


def get(client, program_id, **fields):
    request = programs_pb2.GetProgramRequest(program_id=program_id, **fields)
    return client.programs.GetProgram(request, metadata=client.metadata).program


def test_upload_returns_every_field_as_it_was_sent(client, upload, make_program):
    schema = json.dumps(
        {
            "type": "object",
            "properties": {
                "shots": {"type": ["integer", "null"], "description": "How many.", "default": 100},
                "circuit": {},
            },
            "required": ["circuit"],
        },
        indent=3,
    )
    program = make_program(
        name="My Program_1",
        visibility=programs_pb2.VISIBILITY_PUBLIC,
        backend_requirements=programs_pb2.BackendRequirements(min_num_qubits=3),
        parameters_schema=schema,
        return_values_schema='{"type": "string"}',
    )
    uploaded = upload(program)
    assert uploaded.program_id.startswith("my-program-1-")
    assert len(uploaded.program_id) == len("my-program-1-") + 10
    assert (uploaded.revision, uploaded.owner) == (1, "admin")
    assert uploaded.parameters_schema == schema
    shots, circuit = uploaded.parameters
    assert (shots.types, shots.default_value.int_value, shots.required) == (["integer", "null"], 100, False)
    assert circuit.required
    assert not uploaded.HasField("source")
    full = get(client, uploaded.program_id, view=programs_pb2.PROGRAM_VIEW_FULL)
    assert full.source == program.source
    full.ClearField("source")
    assert full == uploaded


def test_upload_names_everything_that_is_wrong_at_once(client, refused):
    request = programs_pb2.UploadProgramRequest(program=programs_pb2.Program(parameters_schema="[]"))
    error = refused(client.programs.UploadProgram, request, client.metadata)
    assert (error.code, error.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_PROGRAM")
    assert set(error.violations) == ALL_FIELDS
    listed = client.programs.ListPrograms(programs_pb2.ListProgramsRequest(), metadata=client.metadata)
    assert "" not in [program.name for program in listed.programs]


@pytest.mark.parametrize(
    ("source", "word"),
    [
        (b"def main(backend, user_messenger", "line 1"),
        (b"async def main(backend, user_messenger): pass", "async"),
        (b"main = print", "no function main"),
        (b"", "no function main"),
        (b"class main: pass", "no function main"),
        (b"if True:\n    def main(backend, user_messenger): pass", "no function main"),
        (b"def main(backend): pass", "two positional"),
        (b"def main(backend, *, user_messenger): pass", "two positional"),
        (b"def main(a, b, c, /): pass", "positional-only"),
        (b"def main(a, b):\n    await a", "line 2"),
        (b"\xff\xfe", "UTF-8"),
        (b"x = 1\0", "null bytes"),
        (b"(" * 5000, "parenthes"),
        (b"x = " + b"-" * 200_000 + b"1\ndef main(a, b): pass", ""),
    ],
)
def test_source_without_usable_main_is_refused(client, refused, make_program, source, word):
    request = programs_pb2.UploadProgramRequest(program=make_program(source))
    error = refused(client.programs.UploadProgram, request, client.metadata)
    assert error.reason == "INVALID_PROGRAM"
    assert word in error.message
    assert any(field.startswith("program") for field in error.violations)


@pytest.mark.parametrize(
    ("schema", "word"),
    [
        ("{", "not JSON"),
        ("[" * 100_000, "KiB"),
        ("[" * 60_000, "nested"),
        (json.dumps({"enum": ["x" * 70_000]}), "64 KiB"),
        (json.dumps({"anyOf": [{"minimum": n} for n in range(300)]}), "subschemas"),
        ('{"$ref": "http://127.0.0.1:1/schema"}', "references within"),
        ('{"$ref": "file:///etc/passwd"}', "references within"),
        ('{"pattern": "(?=lookahead)"}', ""),
        ('{"type": "nonsense"}', "not a valid"),
        ('{"type": "array"}', "object"),
        ('{"$schema": "http://example.org/x"}', ""),
        ('{"properties": {"n": {"type": "integer", "default": "x"}}}', "default at /n"),
    ],
)
def test_unusable_schema_is_refused(client, refused, make_program, schema, word):
    request = programs_pb2.UploadProgramRequest(program=make_program(parameters_schema=schema))
    error = refused(client.programs.UploadProgram, request, client.metadata)
    assert error.reason == "INVALID_PROGRAM"
    assert word in error.violations["program.parameters_schema"]


def test_schema_that_explodes_is_refused_and_others_are_served_meanwhile(client, make_program):
    # Each level refers twice to the next: small text, exponential work.
    levels = {f"l{n}": {"allOf": [{"$ref": f"#/$defs/l{n + 1}"}] * 2} for n in range(30)}
    schema = {"$defs": {**levels, "l30": {"type": "integer"}}, "properties": {"n": {"$ref": "#/$defs/l0"}}}
    schema["properties"]["n"]["default"] = 1
    request = programs_pb2.UploadProgramRequest(program=make_program(parameters_schema=json.dumps(schema)))
    explosion = client.programs.UploadProgram.future(request, metadata=client.metadata)
    # The check holds its process until it is stopped; a watcher and a caller get their answers before that.
    stream = client.jobs.WatchJobs(jobs_pb2.WatchJobsRequest(after_cursor=-1), metadata=client.metadata)
    next(stream)
    get(client, "hello-world")
    assert not explosion.done()
    stream.cancel()
    error = explosion.exception(timeout=60)
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert "too much time or memory" in error.details()
    # The checker is back for the next.
    request = programs_pb2.UploadProgramRequest(program=make_program(parameters_schema='{"type": "object"}'))
    client.programs.UploadProgram(request, metadata=client.metadata)


def listed_ids(client):
    request = programs_pb2.ListProgramsRequest(page_size=1000)
    return [p.program_id for p in client.programs.ListPrograms(request, metadata=client.metadata).programs]


@pytest.mark.parametrize(
    "default",
    ['{"default": ' + "[" * depth + "1" + "]" * depth + "}" for depth in (39, 42, 50, 60)]
    + [
        '{"default": ' + '{"a":' * 40 + "1" + "}" * 40 + "}",
        json.dumps({"default": [1] * 20_000}),
        json.dumps({"default": "\ud800"}),
        json.dumps({"description": "\ud800"}),
    ],
)
def test_default_that_no_value_can_hold_is_refused_and_nothing_is_stored(
    client, refused, make_program, default
):
    before = listed_ids(client)
    program = make_program(
        parameters_schema=f'{{"properties": {{"n": {default}}}}}', visibility=programs_pb2.VISIBILITY_PUBLIC
    )
    request = programs_pb2.UploadProgramRequest(program=program)
    error = refused(client.programs.UploadProgram, request, client.metadata)
    assert (error.code, error.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_PROGRAM")
    assert set(error.violations) == {"program.parameters_schema"}
    assert listed_ids(client) == before


@pytest.mark.parametrize("depth", [35, 38])
def test_default_as_deep_as_values_may_be_is_listed(client, upload, make_program, depth):
    schema = '{"properties": {"n": {"default": ' + "[" * depth + "1" + "]" * depth + "}}}"
    uploaded = upload(make_program(parameters_schema=schema))
    assert uploaded.parameters[0].HasField("default_value")
    assert uploaded.program_id in listed_ids(client)


@pytest.mark.parametrize(
    "limit",
    [
        Duration(seconds=-1, nanos=999_999_999),
        Duration(seconds=2**62),
        Duration(seconds=365 * 86_400, nanos=1),
        Duration(seconds=1, nanos=2_000_000_000),
        Duration(seconds=1, nanos=-1),
    ],
)
def test_time_limit_out_of_bounds_is_refused(client, refused, make_program, limit):
    request = programs_pb2.UploadProgramRequest(program=make_program(max_execution_time=limit))
    error = refused(client.programs.UploadProgram, request, client.metadata)
    assert set(error.violations) == {"program.max_execution_time"}


def test_longest_and_shortest_time_limit_are_kept(upload, make_program):
    for limit in (Duration(nanos=1), Duration(seconds=365 * 86_400)):
        assert upload(make_program(max_execution_time=limit)).max_execution_time == limit


def with_helper(make_program, name, text=b"x = 1"):
    files = {"program.py": b"def main(backend, user_messenger): pass", name: text}
    return programs_pb2.UploadProgramRequest(program=make_program(files=files))


@pytest.mark.parametrize(
    "name",
    [
        *("../x.py", "/x.py", "a//x.py", "a/../x.py", "a/b.c/x.py", "a/" * 9 + "x.py", "a\\x.py", "x.py/"),
        *("x", "x.pyc", "x\0.py", "x\n.py", "é.py", "", "x-y.py", "x" * 101 + ".py", "__init__.py"),
    ],
)
def test_path_that_is_no_module_is_refused(client, refused, make_program, name):
    error = refused(client.programs.UploadProgram, with_helper(make_program, name), client.metadata)
    assert "is not a path of a module" in error.violations["program.source.files"]


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        (["models/ising.py"], "add models/__init__.py"),
        (["models/__init__.py", "models/deep/x.py"], "add models/deep/__init__.py"),
        (["program/__init__.py"], "modules of the same name"),
        (["models/__init__.py", "models.py"], "modules of the same name"),
        (["random.py"], "call random something else"),
        (["qiskit/__init__.py"], "call qiskit something else"),
    ],
)
def test_module_that_could_not_be_imported_is_refused(client, refused, make_program, files, sentence):
    source = {"program.py": b"def main(backend, user_messenger): pass", **dict.fromkeys(files, b"")}
    request = programs_pb2.UploadProgramRequest(program=make_program(files=source))
    error = refused(client.programs.UploadProgram, request, client.metadata)
    assert sentence in error.violations["program.source.files"]


def test_packages_are_kept(client, upload, make_program):
    paths = ["models/__init__.py", "models/ising.py", "models/deep/__init__.py", "helpers.py"]
    files = {"program.py": b"def main(backend, user_messenger): pass", **dict.fromkeys(paths, b"x = 1")}
    uploaded = upload(make_program(files=files))
    assert get(client, uploaded.program_id, view=programs_pb2.PROGRAM_VIEW_FULL).source.files == files


def test_helper_that_does_not_parse_is_refused_with_file_and_line(client, refused, make_program):
    request = with_helper(make_program, "helper.py", b"x = 1\ny = = 2\n")
    error = refused(client.programs.UploadProgram, request, client.metadata)
    assert error.violations == {"program.source.files.helper.py": "line 2: invalid syntax"}


def test_upload_with_the_same_request_id_happens_once(client, upload, refused, make_program):
    first = upload(make_program(), request_id="once")
    assert upload(make_program(), request_id="once") == first
    assert upload(make_program(), request_id="twice") != first
    request = programs_pb2.UploadProgramRequest(program=make_program(name="other"), request_id="once")
    error = refused(client.programs.UploadProgram, request, client.metadata)
    assert (error.reason, set(error.violations)) == ("REQUEST_ID_REUSED", {"request_id"})


def test_unknown_program_and_revision_are_not_found(client, refused):
    for fields in ({"program_id": "nothing"}, {"program_id": "hello-world", "revision": 7}):
        request = programs_pb2.GetProgramRequest(**fields)
        error = refused(client.programs.GetProgram, request, client.metadata)
        assert (error.code, error.reason) == (grpc.StatusCode.NOT_FOUND, "PROGRAM_NOT_FOUND")


def test_programs_are_listed_page_by_page_without_gap(client, upload, make_program):
    for _ in range(5):
        upload(make_program(name="paged"))
    everything = client.programs.ListPrograms(
        programs_pb2.ListProgramsRequest(page_size=1000), metadata=client.metadata
    )
    assert everything.next_page_token == ""
    ids, token = [], None
    while token != "":
        request = programs_pb2.ListProgramsRequest(page_size=2, page_token=token or "")
        page = client.programs.ListPrograms(request, metadata=client.metadata)
        assert len(page.programs) <= 2
        ids += [program.program_id for program in page.programs]
        token = page.next_page_token
    assert ids == sorted(ids) == [program.program_id for program in everything.programs]


def test_large_programs_are_listed_in_pages_that_clients_take(make_gateway, make_program):
    gateway = make_gateway()
    token = gateway.bootstrap()
    gateway.start()
    other = MapValue(entries=[MapEntry(key="x", value=Value(bytes_value=bytes(1_000_000)))])
    needs = programs_pb2.BackendRequirements(other=other)
    request = programs_pb2.UploadProgramRequest(program=make_program(backend_requirements=needs))
    with gateway.client(token) as client:
        for _ in range(5):
            client.programs.UploadProgram(request, metadata=client.metadata)
        pages, token = [], None
        while token != "":
            page = client.programs.ListPrograms(
                programs_pb2.ListProgramsRequest(page_size=1000, page_token=token or ""),
                metadata=client.metadata,
            )
            pages.append(page.programs)
            token = page.next_page_token
    # In the order of program_id: hello-world, then the five "sample-...".
    assert [len(page) for page in pages] == [4, 2]


@pytest.mark.parametrize(
    "fields", [{"page_size": -1}, {"page_token": "x"}, {"page_token": "WyJqb2JzIiwgMV0="}]
)
def test_wrong_page_is_refused(client, refused, fields):
    request = programs_pb2.ListProgramsRequest(**fields)
    error = refused(client.programs.ListPrograms, request, client.metadata)
    assert (error.reason, set(error.violations)) == ("INVALID_FIELD", set(fields))


def test_without_executor_backends_and_runs_are_unavailable(client, refused):
    error = refused(client.backends.ListBackends, backends_pb2.ListBackendsRequest(), client.metadata)
    assert (error.code, error.reason) == (grpc.StatusCode.UNAVAILABLE, "NO_EXECUTOR")
    request = jobs_pb2.RunProgramRequest(program_id="hello-world", backend_name="aer_simulator")
    error = refused(client.jobs.RunProgram, request, client.metadata)
    assert (error.code, error.reason) == (grpc.StatusCode.UNAVAILABLE, "NO_EXECUTOR")


def test_request_that_nests_too_deep_for_protobuf_harms_nobody(client, refused):
    value = b""
    for _ in range(300):
        value = (
            b"\x42"
            + _varint(len(value) + 1 + len(_varint(len(value))))
            + b"\x0a"
            + _varint(len(value))
            + value
        )
    run = client.channel.unary_unary("/aerlock.v1.JobService/RunProgram")
    entry = b"\x0a\x01a\x12" + _varint(len(value)) + value
    inputs = b"\x0a" + _varint(len(entry)) + entry
    with pytest.raises(grpc.RpcError):
        run(b"\x22" + _varint(len(inputs)) + inputs, metadata=client.metadata, timeout=30)
    assert get(client, "hello-world").program_id == "hello-world"


def _varint(number: int) -> bytes:
    return bytes([number]) if number < 0x80 else bytes([number & 0x7F | 0x80]) + _varint(number >> 7)
