"""A program of the catalog, as its callers see it."""

import json
from datetime import datetime
from typing import Any

from aerlock import jsonview
from aerlock._channel import Connection
from aerlock._times import to_local_time, to_seconds
from aerlock.parameters import ParameterNamespace
from aerlock.resource_limits import ResourceLimits
from aerlock.v1 import programs_pb2


class RuntimeProgram:
    """What a server says of a program; made by `aerlock.RuntimeService`."""

    def __init__(self, program: programs_pb2.Program, connection: Connection) -> None:
        self._program = program
        self._connection = connection

    @property
    def program_id(self) -> str:
        """What ``RuntimeService.run`` takes."""
        return self._program.program_id

    @property
    def revision(self) -> int:
        """1 at upload, and one more with every change of data or metadata."""
        return self._program.revision

    @property
    def etag(self) -> str:
        """Changes with every change of the program; what ``RuntimeService.update_program`` takes."""
        return self._program.etag

    @property
    def content_sha256(self) -> str:
        """Digest of data and metadata of this revision: equal where they are equal."""
        return self._program.content_sha256

    @property
    def name(self) -> str:
        """The name that its author gave it."""
        return self._program.name

    @property
    def description(self) -> str:
        """What it does."""
        return self._program.description

    @property
    def owner(self) -> str:
        """The account that uploaded it; empty for a program that ships with the server."""
        return self._program.owner

    @property
    def max_execution_time(self) -> float:
        """Seconds of wall time after which a job of it is stopped."""
        return to_seconds(self._program.max_execution_time)

    @property
    def limits(self) -> ResourceLimits:
        """What a job of it may use, where that is less than the server allows."""
        return ResourceLimits.from_message(self._program.limits)

    @property
    def is_public(self) -> bool:
        """Whether every account may run it."""
        return self._program.visibility == programs_pb2.VISIBILITY_PUBLIC

    @property
    def creation_date(self) -> datetime:
        """When it was uploaded, in local time."""
        return to_local_time(self._program.create_time)

    @property
    def update_date(self) -> datetime:
        """When it last changed, or in a list of revisions was made, in local time."""
        return to_local_time(self._program.update_time)

    @property
    def backend_requirements(self) -> dict[str, Any]:
        """What it needs of a backend, such as ``{"min_num_qubits": 5}``."""
        requirements = self._program.backend_requirements
        shown: dict[str, Any] = jsonview.map_to_python(requirements.other)
        if requirements.HasField("min_num_qubits"):
            shown = {"min_num_qubits": requirements.min_num_qubits, **shown}
        return shown

    @property
    def return_values(self) -> dict[str, Any]:
        """JSON Schema of the final result; empty where there is none."""
        return _schema(self._program.return_values_schema)

    @property
    def interim_results(self) -> dict[str, Any]:
        """JSON Schema of each interim result; empty where there is none."""
        return _schema(self._program.interim_results_schema)

    def parameters(self) -> ParameterNamespace:
        """A new namespace to fill in and to pass to ``run`` as inputs."""
        return ParameterNamespace(_schema(self._program.parameters_schema))

    @property
    def files(self) -> dict[str, str]:
        """The source of all modules by path; raises `NotAuthorizedError` for those who may not read it."""
        request = programs_pb2.GetProgramRequest(
            program_id=self.program_id, revision=self.revision, view=programs_pb2.PROGRAM_VIEW_FULL
        )
        program = self._connection.call(self._connection.programs.GetProgram, request).program
        return {path: text.decode() for path, text in sorted(program.source.files.items())}

    @property
    def data(self) -> str:
        """The source of program.py; raises `NotAuthorizedError` for those who may not read it."""
        return self.files["program.py"]

    def to_dict(self) -> dict[str, Any]:
        """The metadata as plain values."""
        return {
            "program_id": self.program_id,
            "name": self.name,
            "description": self.description,
            "max_execution_time": self.max_execution_time,
            "limits": self.limits.to_dict(),
            "backend_requirements": self.backend_requirements,
            "parameters": _schema(self._program.parameters_schema),
            "return_values": self.return_values,
            "interim_results": self.interim_results,
            "is_public": self.is_public,
        }

    def __repr__(self) -> str:
        return f"<RuntimeProgram {self.program_id!r}>"

    def __str__(self) -> str:
        lines = [
            f"{self.program_id}:",
            f"  Name: {self.name}",
            f"  Description: {self.description}",
            f"  Creation date: {self.creation_date.isoformat()}",
            f"  Update date: {self.update_date.isoformat()}",
            f"  Max execution time: {_plain(self.max_execution_time)}",
        ]
        if limits := self.limits.to_dict():
            lines += [
                "  Limits:",
                *(f"    {_sentence_case(name)}: {limit}" for name, limit in limits.items()),
            ]
        if (qubits := self.backend_requirements.get("min_num_qubits")) is not None:
            lines += ["  Backend requirements:", f"    Minimum number of qubits: {qubits}"]
        lines += ["  Input parameters:", *_described(_schema(self._program.parameters_schema))]
        lines += ["  Interim results:", *_described(self.interim_results)]
        lines += ["  Returns:", *_described(self.return_values)]
        return "\n".join(lines)


def _plain(seconds: float) -> str:
    return str(int(seconds)) if seconds == int(seconds) else str(seconds)


def _schema(text: str) -> dict[str, Any]:
    schema = json.loads(text) if text else {}
    return schema if isinstance(schema, dict) else {}


def _described(schema: dict[str, Any]) -> list[str]:
    """The lines that print a schema, indented by four."""
    lines = [f"    {key.capitalize()}: {schema[key]}" for key in ("description", "type") if key in schema]
    properties = schema.get("properties", {})
    if properties:
        lines.append("    Properties:")
    for name, details in properties.items():
        lines.append(f"        - {name}:")
        if isinstance(details, dict):
            lines += [f"            {_sentence_case(key)}: {value}" for key, value in details.items()]
        lines.append(f"            Required: {name in schema.get('required', ())}")
    return lines or ["    none"]


def _sentence_case(key: str) -> str:
    words = "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in key)
    return words.replace("_", " ").strip().capitalize()
