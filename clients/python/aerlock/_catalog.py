"""The part of the service that keeps programs: uploading, finding, changing and sharing them."""

import uuid
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from aerlock._channel import Connection
from aerlock._pages import sliced
from aerlock.exceptions import InputValueError
from aerlock.program_metadata import check_required, read_metadata
from aerlock.program_upload import read_source, to_program, visibility
from aerlock.resource_limits import ResourceLimits
from aerlock.runtime_program import RuntimeProgram
from aerlock.v1 import programs_pb2

Metadata = Mapping[str, Any] | str | Path
_LEVELS: Final = {
    "run": programs_pb2.GRANT_LEVEL_RUN,
    "read": programs_pb2.GRANT_LEVEL_READ,
    "manage": programs_pb2.GRANT_LEVEL_MANAGE,
}


class Catalog:
    """The methods of `aerlock.RuntimeService` that are about programs."""

    _connection: Connection

    def upload_program(
        self,
        data: str | Path,
        metadata: Metadata | None = None,
        *,
        name: str | None = None,
        description: str | None = None,
        max_execution_time: float | None = None,
        limits: ResourceLimits | Mapping[str, Any] | None = None,
        is_public: bool | None = None,
        spec: Mapping[str, Any] | None = None,
    ) -> str:
        """Uploads a program and returns its id.

        ``data`` is the source text, or the path of a .py file, or of a folder
        with program.py and the modules that it imports. ``metadata`` is a dict or
        the path of a JSON file with name, description and max_execution_time in
        seconds, and optionally limits, is_public, and spec with
        backend_requirements, parameters, return_values and interim_results; a field that is given by
        itself counts instead. Raises `InputValueError` that names what is wrong
        and NotAuthorizedError for an account that may not upload.
        """
        fields = _fields(name, description, max_execution_time, limits, is_public, spec)
        given = read_metadata(metadata, fields)
        check_required(given)
        program, _ = to_program(given, read_source(data))
        request = programs_pb2.UploadProgramRequest(program=program, request_id=uuid.uuid4().hex)
        return self._connection.call(self._connection.programs.UploadProgram, request).program.program_id

    def update_program(
        self,
        program_id: str,
        data: str | Path | None = None,
        metadata: Metadata | None = None,
        name: str | None = None,
        description: str | None = None,
        max_execution_time: float | None = None,
        spec: Mapping[str, Any] | None = None,
        *,
        limits: ResourceLimits | Mapping[str, Any] | None = None,
        is_public: bool | None = None,
        from_revision: int = 0,
        etag: str = "",
    ) -> RuntimeProgram | None:
        """Changes what is given, all at once or nothing, and returns the program as it is then.

        The arguments are those of ``upload_program``; of ``spec`` only the parts
        that are in it change, and an empty one is cleared. ``from_revision``
        brings data and metadata of an older revision back, before what else is
        given. With ``etag``, that of the program when it was read, nothing is
        changed that others have changed since: ConflictError. Where nothing is
        given there is a UserWarning. Raises RuntimeProgramNotFound,
        NotAuthorizedError and `InputValueError`.
        """
        fields = _fields(name, description, max_execution_time, limits, is_public, spec)
        given = read_metadata(metadata, fields)
        program, paths = to_program(given, None if data is None else read_source(data))
        if not paths and not from_revision:
            warnings.warn(
                "None of the 'data', 'metadata', 'name', 'description', 'max_execution_time', 'spec',"
                " 'limits', 'is_public' or 'from_revision' parameters is specified. No update is made.",
                UserWarning,
                stacklevel=2,
            )
            return None
        program.program_id, program.etag = program_id, etag
        return self._update(program, paths, from_revision)

    def set_program_visibility(self, program_id: str, public: bool) -> None:
        """Lets every account run a program, or only those that it is granted to.

        Raises RuntimeProgramNotFound and NotAuthorizedError.
        """
        program = programs_pb2.Program(program_id=program_id, visibility=visibility(public))
        self._update(program, ["visibility"])

    def delete_program(self, program_id: str) -> None:
        """Deletes a program for everyone, while its jobs stay.

        Raises RuntimeProgramNotFound, also for one that is deleted already, and NotAuthorizedError.
        """
        request = programs_pb2.DeleteProgramRequest(program_id=program_id)
        self._connection.call(self._connection.programs.DeleteProgram, request)

    def programs(
        self,
        refresh: bool = False,
        limit: int | None = 20,
        skip: int | None = 0,
        *,
        name_prefix: str = "",
        owner: str = "",
        is_public: bool | None = None,
        text: str = "",
        order_by: str = "",
    ) -> list[RuntimeProgram]:
        """Lists the programs that this account may run; ``limit=None`` lists all.

        The other arguments narrow the list: to names that begin so, to one owner,
        to public or to other programs, to those with a text in name or
        description. ``order_by`` is "program_id", "name" or "update_time", with
        " desc" for the other direction. ``refresh`` is there for the sake of
        older code: nothing is cached. Raises `InputValueError`.
        """
        narrowed = {"name_prefix": name_prefix, "owner": owner, "text": text, "order_by": order_by}
        seen = programs_pb2.VISIBILITY_UNSPECIFIED if is_public is None else visibility(is_public)

        def page(size: int, token: str) -> tuple[Iterable[programs_pb2.Program], str]:
            request = programs_pb2.ListProgramsRequest(
                page_size=size, page_token=token, visibility=seen, **narrowed
            )
            response = self._connection.call(self._connection.programs.ListPrograms, request)
            return response.programs, response.next_page_token

        return [RuntimeProgram(program, self._connection) for program in sliced(page, limit, skip)]

    def pprint_programs(
        self, refresh: bool = False, detailed: bool = False, limit: int | None = 20, skip: int | None = 0
    ) -> None:
        """Prints the programs: id, name and description, or all there is with ``detailed``."""
        for program in self.programs(refresh, limit, skip):
            summary = f"{program.program_id}:\n  Name: {program.name}\n  Description: {program.description}"
            print(f"{'=' * 50}\n{program if detailed else summary}")  # noqa: T201

    def program(self, program_id: str, refresh: bool = False, *, revision: int = 0) -> RuntimeProgram:
        """Gets one program, or an older revision of it; raises RuntimeProgramNotFound.

        ``refresh`` is there for the sake of older code: nothing is cached.
        """
        request = programs_pb2.GetProgramRequest(program_id=program_id, revision=revision)
        program = self._connection.call(self._connection.programs.GetProgram, request).program
        return RuntimeProgram(program, self._connection)

    def program_revisions(self, program_id: str, limit: int | None = None) -> list[RuntimeProgram]:
        """Lists the revisions of a program, newest first; raises RuntimeProgramNotFound."""

        def page(size: int, token: str) -> tuple[Iterable[programs_pb2.Program], str]:
            request = programs_pb2.ListProgramRevisionsRequest(
                program_id=program_id, page_size=size, page_token=token
            )
            response = self._connection.call(self._connection.programs.ListProgramRevisions, request)
            return response.programs, response.next_page_token

        return [RuntimeProgram(program, self._connection) for program in sliced(page, limit)]

    def grant_program(self, program_id: str, account: str, level: str = "run") -> None:
        """Lets an account run a program, and "read" its source, or "manage" it.

        Raises RuntimeProgramNotFound, NotAuthorizedError and `InputValueError`.
        """
        if level not in _LEVELS:
            raise InputValueError(f"level must be one of {', '.join(_LEVELS)}, not {level!r}")
        grant = programs_pb2.ProgramGrant(account=account, level=_LEVELS[level])
        request = programs_pb2.SetProgramGrantRequest(program_id=program_id, grant=grant)
        self._connection.call(self._connection.programs.SetProgramGrant, request)

    def revoke_program_grant(self, program_id: str, account: str) -> None:
        """Takes from an account what it was granted; raises RuntimeProgramNotFound, NotAuthorizedError."""
        request = programs_pb2.DeleteProgramGrantRequest(program_id=program_id, account=account)
        self._connection.call(self._connection.programs.DeleteProgramGrant, request)

    def program_grants(self, program_id: str) -> dict[str, str]:
        """The accounts that a program is granted to, with "run", "read" or "manage".

        Raises RuntimeProgramNotFound and NotAuthorizedError.
        """
        names = {number: name for name, number in _LEVELS.items()}

        def page(size: int, token: str) -> tuple[Iterable[programs_pb2.ProgramGrant], str]:
            request = programs_pb2.ListProgramGrantsRequest(
                program_id=program_id, page_size=size, page_token=token
            )
            response = self._connection.call(self._connection.programs.ListProgramGrants, request)
            return response.grants, response.next_page_token

        return {grant.account: names.get(grant.level, "") for grant in sliced(page, None)}

    def _update(
        self, program: programs_pb2.Program, paths: Iterable[str], from_revision: int = 0
    ) -> RuntimeProgram:
        request = programs_pb2.UpdateProgramRequest(program=program, from_revision=from_revision)
        request.update_mask.paths.extend(paths)
        answer = self._connection.call(self._connection.programs.UpdateProgram, request)
        return RuntimeProgram(answer.program, self._connection)


def _fields(
    name: str | None,
    description: str | None,
    max_execution_time: float | None,
    limits: ResourceLimits | Mapping[str, Any] | None,
    is_public: bool | None,
    spec: Mapping[str, Any] | None,
) -> dict[str, Any]:
    return {
        "name": name,
        "description": description,
        "max_execution_time": max_execution_time,
        "limits": limits,
        "is_public": is_public,
        "spec": spec,
    }
