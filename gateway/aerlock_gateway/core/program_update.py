"""What an update makes of a program: the fields that it names, over the revision that it starts from."""

from dataclasses import dataclass
from typing import Final

from google.protobuf.field_mask_pb2 import FieldMask

from aerlock.v1.programs_pb2 import (
    VISIBILITY_PRIVATE,
    VISIBILITY_PUBLIC,
    VISIBILITY_UNSPECIFIED,
    Program,
    UpdateProgramRequest,
)
from aerlock_gateway.core.access import Action
from aerlock_gateway.errors import InvalidArgumentError, Violation

_VISIBILITY: Final = "visibility"
REVISIONED: Final = (
    "name",
    "description",
    "max_execution_time",
    "limits",
    "backend_requirements",
    "parameters_schema",
    "return_values_schema",
    "interim_results_schema",
    "source",
)
"""The fields whose change makes a new revision."""

_FIELDS: Final = (*REVISIONED, _VISIBILITY)
_LONGEST_NAME: Final = 64


@dataclass(frozen=True, slots=True)
class Update:
    """An update as it was asked for: its fields are known and its numbers possible."""

    program: Program
    revisioned: tuple[str, ...]
    visibility: int
    """The new one; 0 leaves it."""
    from_revision: int

    @property
    def changes_content(self) -> bool:
        """Whether it may make a new revision."""
        return bool(self.revisioned) or self.from_revision != 0

    @property
    def actions(self) -> list[Action]:
        """What the caller must be allowed to do."""
        actions = [Action.SEE_PROGRAM]
        if self.changes_content:
            actions.append(Action.UPDATE_PROGRAM)
        if self.visibility:
            actions.append(Action.SET_VISIBILITY)
        return actions

    def applied_to(self, base: Program) -> Program:
        """Returns ``base`` with the fields that the update names."""
        program = Program()
        program.CopyFrom(base)
        FieldMask(paths=self.revisioned).MergeMessage(self.program, program, True, True)
        return program


def read_update(request: UpdateProgramRequest) -> Update:
    """Returns the update that is asked for; raises `InvalidArgumentError`."""
    names = _names(request)
    violations = [
        Violation("update_mask", f"has {name[:_LONGEST_NAME]!r}; it may name {', '.join(_FIELDS)}")
        for name in names
        if name not in _FIELDS
    ][:1]
    if request.from_revision < 0:
        violations.append(Violation("from_revision", "must not be negative; 0 leaves data and metadata"))
    known = (VISIBILITY_UNSPECIFIED, VISIBILITY_PRIVATE, VISIBILITY_PUBLIC)
    if request.program.visibility not in known:
        violations.append(Violation("program.visibility", "must be VISIBILITY_PRIVATE or VISIBILITY_PUBLIC"))
    if violations:
        raise InvalidArgumentError.of(violations)
    return Update(
        program=request.program,
        revisioned=tuple(name for name in REVISIONED if name in names),
        visibility=(request.program.visibility or VISIBILITY_PRIVATE) if _VISIBILITY in names else 0,
        from_revision=request.from_revision,
    )


def _names(request: UpdateProgramRequest) -> set[str]:
    if "*" in request.update_mask.paths:
        return set(_FIELDS)
    if request.update_mask.paths:
        return set(request.update_mask.paths)
    return {field.name for field, _ in request.program.ListFields() if field.name in _FIELDS}
