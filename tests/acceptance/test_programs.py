"""Programs through the Python client: upload in every shape, list, update, delete, share, run a revision."""

import json
from contextlib import ExitStack

import grpc
import pytest

from aerlock import (
    ConflictError,
    InputValueError,
    NotAuthorizedError,
    RuntimeProgramNotFound,
    RuntimeService,
)
from aerlock.v1 import accounts_pb2, accounts_pb2_grpc

OPTIONS = {"backend_name": "aer_simulator"}
PATIENCE_SECONDS = 60

SOURCE = """
def main(backend, user_messenger, times=1):
    for number in range(times):
        user_messenger.publish({"number": number})
    return "first"
"""
SECOND = SOURCE.replace("first", "second")

SPEC = {
    "backend_requirements": {"min_num_qubits": 5},
    "parameters": {
        "$schema": "https://json-schema.org/draft/2019-09/schema",
        "type": "object",
        "properties": {"times": {"type": "integer", "minimum": 0, "description": "How often."}},
        "required": ["times"],
    },
    "return_values": {"type": "string", "description": "Which one."},
    "interim_results": {
        "properties": {"number": {"type": "integer", "maxNumber": 3, "default_value": None}},
    },
}
METADATA = {"name": "Sample", "description": "Made by a test.", "max_execution_time": 300, "spec": SPEC}


@pytest.fixture(scope="module")
def people(stack):
    """Clients of two authors and a runner, none of which is the admin."""
    with ExitStack() as clients:
        channel = clients.enter_context(grpc.insecure_channel(stack.address))
        stub = accounts_pb2_grpc.AccountServiceStub(channel)
        admin = (("authorization", f"Bearer {stack.token}"),)
        services = {}
        for name, role in (("ada", "AUTHOR"), ("bob", "AUTHOR"), ("rae", "RUNNER")):
            account = accounts_pb2.Account(name=name, role=f"ROLE_{role}")
            stub.CreateAccount(accounts_pb2.CreateAccountRequest(account=account), metadata=admin)
            token = stub.CreateToken(accounts_pb2.CreateTokenRequest(account=name), metadata=admin).secret
            services[name] = clients.enter_context(RuntimeService(address=stack.address, token=token))
        yield services


@pytest.fixture
def ada(people) -> RuntimeService:
    return people["ada"]


@pytest.fixture
def bob(people) -> RuntimeService:
    return people["bob"]


@pytest.fixture
def program_id(ada) -> str:
    return ada.upload_program(SOURCE, METADATA)


def shown(program) -> dict[str, object]:
    return {key: value for key, value in program.to_dict().items() if key != "program_id"}


EXPECTED = {
    "name": "Sample",
    "description": "Made by a test.",
    "max_execution_time": 300,
    "limits": {},
    "backend_requirements": SPEC["backend_requirements"],
    "parameters": SPEC["parameters"],
    "return_values": SPEC["return_values"],
    "interim_results": SPEC["interim_results"],
    "is_public": False,
}


@pytest.mark.parametrize("metadata_form", ["dict", "JSON file", "fields", "fields over JSON file"])
@pytest.mark.parametrize("data_form", ["text", "file", "folder"])
def test_upload_in_every_form_keeps_every_field(ada, tmp_path, data_form, metadata_form):
    file, metadata = tmp_path / "program.py", tmp_path / "metadata.json"
    file.write_text(SOURCE)
    metadata.write_text(json.dumps(METADATA))
    data = {"text": SOURCE, "file": str(file), "folder": tmp_path}[data_form]
    if metadata_form == "fields":
        uploaded = ada.upload_program(data, **METADATA)
    elif metadata_form == "fields over JSON file":
        metadata.write_text(json.dumps({**METADATA, "name": "other", "description": ""}))
        uploaded = ada.upload_program(data, metadata, name="Sample", description=METADATA["description"])
    else:
        uploaded = ada.upload_program(data, METADATA if metadata_form == "dict" else str(metadata))
    program = ada.program(uploaded)
    assert shown(program) == EXPECTED
    assert (program.data, program.files) == (SOURCE, {"program.py": SOURCE})
    assert (program.owner, program.revision) == ("ada", 1)
    assert uploaded.startswith("sample-")


@pytest.mark.parametrize("field", ["name", "description", "max_execution_time"])
@pytest.mark.parametrize("value", ["missing", None, "", 0])
def test_upload_without_a_required_field_names_it(ada, field, value):
    metadata = {key: value for key, value in METADATA.items() if key != field}
    if value != "missing":
        metadata[field] = value
    with pytest.raises(InputValueError, match=f"^{field} is a required metadata field"):
        ada.upload_program(SOURCE, metadata)


def test_two_programs_of_one_name_get_two_ids(ada, bob, program_id):
    others = {ada.upload_program(SOURCE, METADATA), bob.upload_program(SOURCE, METADATA)}
    assert len(others | {program_id}) == 3
    for one in others | {program_id}:
        prefix, _, suffix = one.rpartition("-")
        assert (prefix, len(suffix), suffix.isalnum()) == ("sample", 10, True)


def test_list_is_sliced_and_ends_beyond_its_end(bob):
    ids = [bob.upload_program(SOURCE, METADATA, name=f"list {number}") for number in range(5)]
    mine = {"owner": "bob", "name_prefix": "list "}
    assert [program.program_id for program in bob.programs(**mine)] == ids
    assert [program.program_id for program in bob.programs(False, 2, 1, **mine)] == ids[1:3]
    assert [program.program_id for program in bob.programs(limit=None, skip=None, **mine)] == ids
    assert [program.program_id for program in bob.programs(True, limit=2, skip=4, **mine)] == ids[4:]
    assert bob.programs(skip=5, **mine) == []
    assert bob.programs(limit=None, skip=10**9) == []
    assert bob.programs(limit=0) == []
    found = bob.programs(limit=None, text="LIST 3", is_public=False, order_by="update_time desc")
    assert [program.program_id for program in found] == [ids[3]]


SUMMARY = """\
==================================================
{program_id}:
  Name: Sample
  Description: Made by a test.
"""

DETAILED = """\
==================================================
{program_id}:
  Name: Sample
  Description: Made by a test.
  Creation date: {created}
  Update date: {created}
  Max execution time: 300
  Backend requirements:
    Minimum number of qubits: 5
  Input parameters:
    Type: object
    Properties:
        - times:
            Type: integer
            Minimum: 0
            Description: How often.
            Required: True
  Interim results:
    Properties:
        - number:
            Type: integer
            Max number: 3
            Default value: None
            Required: False
  Returns:
    Description: Which one.
    Type: string
"""


def test_programs_are_printed_as_the_original_printed_them(bob, capsys):
    program_id = bob.upload_program(SOURCE, METADATA)
    program = bob.program(program_id)
    texts = {}
    for detailed in (False, True):
        bob.pprint_programs(refresh=True, detailed=detailed, limit=None)
        printed = capsys.readouterr().out
        begin = printed.index(f"{'=' * 50}\n{program_id}:")
        end = printed.find("=" * 50, begin + 50)
        texts[detailed] = printed[begin : end if end > 0 else None]
    fields = {"program_id": program_id, "created": program.creation_date.isoformat()}
    assert texts[False] == SUMMARY.format(**fields)
    assert texts[True] == DETAILED.format(**fields)
    assert "Max execution time" not in texts[False]


def test_program_without_schemas_is_printed_so(ada):
    program_id = ada.upload_program(SOURCE, METADATA, spec={})
    assert str(ada.program(program_id)).endswith(
        "  Input parameters:\n    none\n  Interim results:\n    none\n  Returns:\n    none"
    )


CHANGES = [
    ({"data": SECOND}, {}),
    ({"metadata": {"name": "New", "description": "Also new."}}, {"name": "New", "description": "Also new."}),
    ({"name": "New"}, {"name": "New"}),
    (
        {"description": "Also new.", "max_execution_time": 5},
        {"description": "Also new.", "max_execution_time": 5},
    ),
    ({"spec": {"return_values": {}}}, {"return_values": {}}),
    (
        {
            "data": SECOND,
            "metadata": {**METADATA, "name": "New", "spec": {}},
            "name": "Newest",
            "is_public": True,
        },
        {"name": "Newest", "is_public": True},
    ),
]


@pytest.mark.parametrize(("change", "expected"), CHANGES)
def test_update_changes_what_is_given_and_no_more(ada, program_id, change, expected):
    updated = ada.update_program(program_id, **change)
    program = ada.program(program_id, refresh=True)
    assert shown(program) == shown(updated) == {**EXPECTED, **expected}
    assert program.data == change.get("data", SOURCE)
    assert program.revision == 2


def test_update_of_nothing_warns_and_changes_nothing(ada, program_id):
    with pytest.warns(UserWarning, match="No update is made") as warned:
        assert ada.update_program(program_id) is None
    assert (len(warned), warned[0].filename) == (1, __file__)
    assert ada.program(program_id).revision == 1


def test_update_is_whole_or_nothing(ada, program_id):
    with pytest.raises(InputValueError, match="line 2"):
        ada.update_program(program_id, data="def main(backend, user_messenger):\n    x = = 1\n", name="New")
    program = ada.program(program_id)
    assert (program.name, program.data, program.revision) == ("Sample", SOURCE, 1)
    with pytest.raises(InputValueError, match="description"):
        ada.update_program(program_id, description="")


def test_update_with_an_old_etag_changes_nothing(ada, program_id):
    program = ada.program(program_id)
    changed = ada.update_program(program_id, name="New", etag=program.etag)
    with pytest.raises(ConflictError, match="etag"):
        ada.update_program(program_id, name="Newer", etag=program.etag)
    assert ada.program(program_id).etag == changed.etag


def test_old_revision_is_run_and_brought_back(ada, program_id):
    queued = ada.run(program_id, OPTIONS, {"times": 1})
    ada.update_program(program_id, data=SECOND, spec={"parameters": {}})
    revisions = ada.program_revisions(program_id)
    assert [revision.revision for revision in revisions] == [2, 1]
    assert [revision.data for revision in revisions] == [SECOND, SOURCE]
    assert ada.program(program_id, revision=1).data == SOURCE
    assert ada.run(program_id, OPTIONS).result(PATIENCE_SECONDS) == "second"
    assert ada.run(program_id, OPTIONS, {"times": 1}, revision=1).result(PATIENCE_SECONDS) == "first"
    with pytest.raises(InputValueError, match="times"):
        ada.run(program_id, OPTIONS, revision=1)
    assert queued.result(PATIENCE_SECONDS) == "first"
    back = ada.update_program(program_id, from_revision=1)
    assert (back.revision, back.content_sha256) == (3, revisions[1].content_sha256)
    assert ada.run(program_id, OPTIONS, {"times": 0}).result(PATIENCE_SECONDS) == "first"
    with pytest.raises(RuntimeProgramNotFound):
        ada.run(program_id, OPTIONS, revision=7)


def test_deleted_program_is_gone_and_its_jobs_stay(ada, program_id):
    job = ada.run(program_id, OPTIONS, {"times": 2})
    ada.delete_program(program_id)
    for attempt in (
        lambda: ada.delete_program(program_id),
        lambda: ada.program(program_id),
        lambda: ada.run(program_id, OPTIONS, {"times": 2}),
        lambda: ada.update_program(program_id, name="New"),
        lambda: ada.set_program_visibility(program_id, True),
        lambda: ada.program_revisions(program_id),
    ):
        with pytest.raises(RuntimeProgramNotFound):
            attempt()
    assert program_id not in [program.program_id for program in ada.programs(limit=None)]
    assert job.result(PATIENCE_SECONDS) == "first"
    found = ada.job(job.job_id())
    assert (found.program_id, found.interim_results()) == (program_id, [{"number": 0}, {"number": 1}])


def test_second_user_sees_what_is_public_and_changes_nothing(people, program_id):
    ada = people["ada"]
    attempts = {
        "get": lambda other: other.program(program_id),
        "run": lambda other: other.run(program_id, OPTIONS, {"times": 0}).result(PATIENCE_SECONDS),
        "update": lambda other: other.update_program(program_id, name="Taken"),
        "delete": lambda other: other.delete_program(program_id),
        "show": lambda other: other.set_program_visibility(program_id, True),
        "grant": lambda other: other.grant_program(program_id, "rae"),
    }
    for other in (people["bob"], people["rae"]):
        for attempt in attempts.values():
            with pytest.raises(RuntimeProgramNotFound):
                attempt(other)
        ada.set_program_visibility(program_id, True)
        assert program_id in [program.program_id for program in other.programs(limit=None, owner="ada")]
        assert attempts["run"](other) == "first"
        program = attempts["get"](other)
        with pytest.raises(NotAuthorizedError, match="source"):
            _ = program.data
        for name in ("update", "delete", "show", "grant"):
            with pytest.raises(NotAuthorizedError):
                attempts[name](other)
        ada.set_program_visibility(program_id, False)
        assert program_id not in [program.program_id for program in other.programs(limit=None)]


def test_visibility_goes_there_and_back(ada, bob, program_id):
    for public in (True, False, True):
        ada.set_program_visibility(program_id, public)
        assert ada.program(program_id).is_public is public
        assert (program_id in [p.program_id for p in bob.programs(limit=None)]) is public
    assert ada.program(program_id).revision == 1
    public_id = ada.upload_program(SOURCE, METADATA, is_public=True)
    assert bob.program(public_id).is_public
    with pytest.raises(InputValueError, match="is_public"):
        ada.set_program_visibility(program_id, "yes")
    with pytest.raises(RuntimeProgramNotFound):
        ada.set_program_visibility("no-such-program", True)


def test_granted_program_is_shared_with_one_account(ada, bob, program_id):
    ada.grant_program(program_id, "bob")
    assert bob.run(program_id, OPTIONS, {"times": 0}).result(PATIENCE_SECONDS) == "first"
    ada.grant_program(program_id, "bob", "read")
    assert bob.program(program_id).data == SOURCE
    assert ada.program_grants(program_id) == {"bob": "read"}
    with pytest.raises(NotAuthorizedError, match="MANAGE"):
        bob.update_program(program_id, name="Taken")
    ada.revoke_program_grant(program_id, "bob")
    with pytest.raises(RuntimeProgramNotFound):
        bob.program(program_id)
    with pytest.raises(InputValueError, match="level"):
        ada.grant_program(program_id, "bob", "own")
    with pytest.raises(InputValueError, match="no account"):
        ada.grant_program(program_id, "nobody")


def test_account_that_may_not_upload_is_told_so(people):
    with pytest.raises(NotAuthorizedError, match="not authorized to upload programs"):
        people["rae"].upload_program(SOURCE, METADATA)


PACKAGED = {
    "program.py": "from helpers import word\nfrom models.deep.ising import energy\nimport models\n\n"
    "def main(backend, user_messenger):\n    return [word, energy(), models.NAME]\n",
    "helpers.py": "word = 'helper'\n",
    "models/__init__.py": "from .names import NAME\n",
    "models/names.py": "NAME = 'models'\n",
    "models/deep/__init__.py": "",
    "models/deep/ising.py": "from ..names import NAME\n\ndef energy():\n    return NAME + ' -1'\n",
}


def write_files(folder, files):
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)


def test_folder_with_packages_runs_as_it_is(ada, tmp_path):
    hidden = {"__pycache__/x.py": "", ".venv/y.py": "", "data/notes.txt": ""}
    write_files(tmp_path, {**PACKAGED, **hidden})
    program_id = ada.upload_program(tmp_path, METADATA, spec={})
    assert ada.program(program_id).files == PACKAGED
    result = ada.run(program_id, OPTIONS).result(PATIENCE_SECONDS)
    assert result == ["helper", "models -1", "models"]


def test_folder_that_is_no_package_is_left_out_with_a_warning(ada, tmp_path):
    write_files(tmp_path, {"program.py": SOURCE, "tests/check.py": "x = 1"})
    with pytest.warns(UserWarning, match=r"tests is not uploaded: it has no __init__\.py"):
        program_id = ada.upload_program(tmp_path, METADATA)
    assert set(ada.program(program_id).files) == {"program.py"}


def test_folder_that_is_too_large_is_refused_before_it_is_read(ada, tmp_path):
    write_files(tmp_path, {"program.py": SOURCE, **{f"m{number}.py": "" for number in range(64)}})
    with pytest.raises(InputValueError, match="at most 64"):
        ada.upload_program(tmp_path, METADATA)


WARNING_CODES = """
def main(backend, user_messenger, bad):
    user_messenger.publish({"number": "one" if bad else 1})
    return 1 if bad else "done"
"""


def test_result_that_is_not_as_described_is_kept_with_a_warning(service):
    spec = {"interim_results": SPEC["interim_results"], "return_values": SPEC["return_values"]}
    program_id = service.upload_program(WARNING_CODES, METADATA, spec=spec)
    good = service.run(program_id, OPTIONS, {"bad": False})
    assert good.result(PATIENCE_SECONDS) == "done"
    assert good.warnings() == []
    bad = service.run(program_id, OPTIONS, {"bad": True})
    assert bad.result(PATIENCE_SECONDS) == 1
    assert bad.interim_results() == [{"number": "one"}]
    (first, at_number), (second, at_root) = bad.warnings()
    assert (first, second) == ("INTERIM_RESULT_MISMATCH", "RETURN_VALUE_MISMATCH")
    assert "Interim result 1 " in at_number
    assert "/number" in at_number
    assert "string" in at_root


def test_shipped_program_gives_what_its_schemas_say(service):
    job = service.run("hello-world", OPTIONS, {"iterations": 2})
    assert job.result(PATIENCE_SECONDS) == "All done!"
    assert job.warnings() == []


def test_source_is_utf_8_whatever_it_says(ada):
    source = "\ufeff# -*- coding: latin-1 -*-\r\ndef main(backend, user_messenger):\r\n    return 'é'\r\n"
    program_id = ada.upload_program(source, METADATA, spec={})
    assert ada.program(program_id).data == source
    assert ada.run(program_id, OPTIONS).result(PATIENCE_SECONDS) == "é"
