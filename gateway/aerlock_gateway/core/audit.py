"""Reading the audit."""

from aerlock.v1.accounts_pb2 import AuditEntry, ListAuditEntriesRequest
from aerlock_gateway.core import clock, paging
from aerlock_gateway.core.access import Account, Action, require
from aerlock_gateway.store import audit
from aerlock_gateway.store.database import Database

_ABOVE_ANY_ID = 2**63 - 1


async def list_entries(
    database: Database, caller: Account, request: ListAuditEntriesRequest
) -> tuple[list[AuditEntry], str]:
    """Returns a page of entries, newest first; raises `PermissionDeniedError`."""
    require(Action.READ_AUDIT, caller)
    size = paging.page_size(request.page_size)
    before = paging.read_token("audit", request.page_token, _ABOVE_ANY_ID)
    rows = await database.read(
        lambda connection: audit.page(connection, before, size + 1, request.account, request.subject)
    )
    following = paging.make_token("audit", rows[size - 1].id) if len(rows) > size else ""
    return [_to_message(row) for row in rows[:size]], following


def _to_message(row: audit.AuditRow) -> AuditEntry:
    return AuditEntry(
        entry_id=row.id,
        time=clock.to_timestamp(row.time),
        account=row.account,
        action=row.action,
        subject=row.subject,
        detail=row.detail,
    )
