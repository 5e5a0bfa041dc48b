"""Who may do what: one table of actions, which is the rule, the documentation and the list of what tests try.

A decision takes the role of the caller and its relation to the thing: `relation_to_program`
and `relation_to_owner` find the relation, `require` decides and raises. An admin may do
everything but change what ships with the server.
"""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Final

from aerlock_gateway.errors import NotFoundError, PermissionDeniedError

SHIPPED_OWNER: Final = ""
"""The owner of the programs that ship with the server."""


class Role(StrEnum):
    """What an account is for."""

    ADMIN = "admin"
    AUTHOR = "author"
    RUNNER = "runner"


@dataclass(frozen=True, slots=True)
class Account:
    """Who calls."""

    name: str
    role: Role


class Level(IntEnum):
    """What a grant of a program to an account lets it do; each level includes those below."""

    NONE = 0
    RUN = 1
    READ = 2
    MANAGE = 3


class Relation(StrEnum):
    """How a caller stands to a thing: the closest of these."""

    OWNER = "owner"
    MANAGE = "grant MANAGE"
    READ = "grant READ"
    RUN = "grant RUN"
    SHIPPED = "shipped program"
    PUBLIC = "public program"
    NONE = "none of these"


class Action(StrEnum):
    """What can be done; the part before the dot is the kind of thing that it is done to."""

    UPLOAD_PROGRAM = "program.upload"
    SEE_PROGRAM = "program.see"
    RUN_PROGRAM = "program.run"
    READ_SOURCE = "program.read_source"
    UPDATE_PROGRAM = "program.update"
    SET_VISIBILITY = "program.set_visibility"
    GRANT_PROGRAM = "program.grant"
    DELETE_PROGRAM = "program.delete"
    SEE_JOB = "job.see"
    CANCEL_JOB = "job.cancel"
    UPDATE_JOB = "job.update"
    DELETE_JOB = "job.delete"
    SEE_ACCOUNT = "account.see"
    CREATE_ACCOUNT = "account.create"
    LIST_ACCOUNTS = "account.list"
    UPDATE_ACCOUNT = "account.update"
    CREATE_TOKEN = "token.create"  # noqa: S105 - the name of an action
    LIST_TOKENS = "token.list"
    REVOKE_TOKEN = "token.revoke"  # noqa: S105
    READ_AUDIT = "audit.read"


@dataclass(frozen=True, slots=True)
class Rule:
    """Which accounts other than admins may act, and what a refused one is told."""

    relations: AbstractSet[Relation]
    roles: AbstractSet[Role]
    refusal: str = ""


_EVERYONE: Final = frozenset({Role.AUTHOR, Role.RUNNER})
_AUTHORS: Final = frozenset({Role.AUTHOR})
_NOBODY: Final[frozenset[Role]] = frozenset()
_OWNER: Final = frozenset({Relation.OWNER})
_MANAGERS: Final = frozenset({Relation.OWNER, Relation.MANAGE})
_READERS: Final = _MANAGERS | {Relation.READ, Relation.SHIPPED}
_VIEWERS: Final = frozenset(Relation) - {Relation.NONE}
_ADMINS: Final[frozenset[Relation]] = frozenset()
# What acts on no thing, since it makes one or lists them.
_NOTHING: Final = frozenset({Relation.NONE})

_MANAGE: Final = "takes its owner, a grant of MANAGE or an admin"

RULES: Final = {
    Action.UPLOAD_PROGRAM: Rule(_NOTHING, _AUTHORS, "you are not authorized to upload programs"),
    Action.SEE_PROGRAM: Rule(_VIEWERS, _EVERYONE),
    Action.RUN_PROGRAM: Rule(_VIEWERS, _EVERYONE),
    Action.READ_SOURCE: Rule(
        _READERS, _EVERYONE, "reading the source of a program takes its owner, a grant of READ or an admin"
    ),
    Action.UPDATE_PROGRAM: Rule(_MANAGERS, _AUTHORS, f"updating a program {_MANAGE}"),
    Action.SET_VISIBILITY: Rule(_MANAGERS, _AUTHORS, f"setting the visibility of a program {_MANAGE}"),
    Action.GRANT_PROGRAM: Rule(_MANAGERS, _AUTHORS, f"seeing and changing the grants of a program {_MANAGE}"),
    Action.DELETE_PROGRAM: Rule(_OWNER, _AUTHORS, "deleting a program takes its owner or an admin"),
    Action.SEE_JOB: Rule(_OWNER, _EVERYONE),
    Action.CANCEL_JOB: Rule(_OWNER, _EVERYONE),
    Action.UPDATE_JOB: Rule(_OWNER, _EVERYONE),
    Action.DELETE_JOB: Rule(_OWNER, _EVERYONE),
    Action.SEE_ACCOUNT: Rule(_OWNER, _EVERYONE),
    Action.CREATE_ACCOUNT: Rule(_NOTHING, _NOBODY, "you are not authorized to create accounts"),
    Action.LIST_ACCOUNTS: Rule(_NOTHING, _NOBODY, "you are not authorized to list accounts"),
    Action.UPDATE_ACCOUNT: Rule(_ADMINS, _NOBODY, "you are not authorized to update accounts"),
    Action.CREATE_TOKEN: Rule(_OWNER, _EVERYONE),
    Action.LIST_TOKENS: Rule(_OWNER, _EVERYONE),
    Action.REVOKE_TOKEN: Rule(_OWNER, _EVERYONE),
    Action.READ_AUDIT: Rule(_NOTHING, _NOBODY, "you are not authorized to read the audit"),
}
"""The table. An action whose relations are those of ``_NOTHING`` depends on the role alone."""

# What one may not see does not exist: one text for both, and one reason.
_MISSING: Final = {
    "program": (
        "PROGRAM_NOT_FOUND",
        "there is no such program or revision; ListPrograms shows those that you may run",
    ),
    "job": (
        "JOB_NOT_FOUND",
        "there is no such job; ListJobs shows yours, with all_accounts all that you may see",
    ),
    "account": ("ACCOUNT_NOT_FOUND", "there is no such account; GetAccount without a name shows yours"),
    "token": ("TOKEN_NOT_FOUND", "there is no such token; ListTokens shows yours"),
}
_SEEING: Final = {
    "program": Action.SEE_PROGRAM,
    "job": Action.SEE_JOB,
    "account": Action.SEE_ACCOUNT,
    "token": Action.LIST_TOKENS,
}


def relation_to_program(caller: Account, owner: str, is_public: bool, level: int) -> Relation:
    """Returns the closest relation of the caller to a program; ``level`` is that of its grant, 0 for none."""
    if owner == SHIPPED_OWNER:
        return Relation.SHIPPED
    if owner == caller.name:
        return Relation.OWNER
    if level:
        return Relation[Level(level).name]
    return Relation.PUBLIC if is_public else Relation.NONE


def relation_to_owner(caller: Account, owner: str) -> Relation:
    """Returns the relation of the caller to a job, an account or a token of ``owner``."""
    return Relation.OWNER if owner == caller.name else Relation.NONE


def allowed(action: Action, role: Role, relation: Relation = Relation.NONE) -> bool:
    """Returns whether an account of this role and relation may act."""
    rule = RULES[action]
    if role == Role.ADMIN:
        return relation != Relation.SHIPPED or relation in rule.relations
    return role in rule.roles and relation in rule.relations


def require(action: Action, caller: Account, relation: Relation = Relation.NONE) -> None:
    """Returns where the caller may act.

    Raises:
        NotFoundError: it may not even see the thing.
        PermissionDeniedError: it may see the thing, and not do this.
    """
    if allowed(action, caller.role, relation):
        return
    kind = action.partition(".")[0]
    is_about_a_thing = Relation.NONE not in RULES[action].relations
    if is_about_a_thing and not allowed(_SEEING[kind], caller.role, relation):
        raise missing(kind)
    raise _refusal(action, caller, relation)


def missing(kind: str) -> NotFoundError:
    """Returns the error for a thing that does not exist, for anyone or for the caller."""
    reason, sentence = _MISSING[kind]
    return NotFoundError(sentence, reason=reason)


def _refusal(action: Action, caller: Account, relation: Relation) -> PermissionDeniedError:
    rule = RULES[action]
    if relation == Relation.SHIPPED:
        return PermissionDeniedError("the program ships with the server: nobody changes it")
    if caller.role not in rule.roles:
        roles = " or ".join(sorted({*rule.roles, Role.ADMIN}))
        return PermissionDeniedError(
            f"{rule.refusal}: it takes the role {roles}, and yours is {caller.role}", reason="ROLE_REQUIRED"
        )
    return PermissionDeniedError(rule.refusal)
