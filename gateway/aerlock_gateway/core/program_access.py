"""Finding a program for a caller: what it may not see does not exist, by the same path and words."""

import sqlite3
from collections.abc import Iterable

from aerlock.v1.programs_pb2 import VISIBILITY_PUBLIC
from aerlock_gateway.core.access import Account, Action, missing, relation_to_program, require
from aerlock_gateway.store import grants, programs


def find_program(
    connection: sqlite3.Connection,
    caller: Account,
    program_id: str,
    revision: int = 0,
    actions: Iterable[Action] = (Action.SEE_PROGRAM,),
) -> programs.ProgramRow:
    """Returns a revision of a program on which the caller may do all of ``actions``; 0 is the newest.

    Raises:
        NotFoundError: there is none, or the caller may not see it.
        PermissionDeniedError: the caller sees it, and may not do one of them.
    """
    row = programs.find(connection, program_id, revision)
    level = grants.level(connection, program_id, caller.name)
    # A program that is not there is one that nobody has a relation to; no account has such a name.
    owner, visibility = (row.owner, row.visibility) if row else ("\0", 0)
    relation = relation_to_program(caller, owner, visibility == VISIBILITY_PUBLIC, level if row else 0)
    for action in actions:
        require(action, caller, relation)
    if row is None:
        raise missing("program")
    return row
