"""How many of what each page lists there are in a window: for the rail beside every page."""

from __future__ import annotations

from apm_agent.queries.connection import Connection
from apm_agent.queries.live import told
from apm_agent.queries.scope import release_ids, select
from apm_agent.queries.window import Window


def counts(
    connection: Connection, window: Window, service: str = "", release: str = ""
) -> dict[str, int | None]:
    """Endpoints and jobs that were called, statements that ran, calls that failed; and what is in flight.

    Processes tell that only while somebody asks for it: else it is not known (None).
    """
    releases, pieces = release_ids(connection, release), window.pieces()
    whose = "JOIN endpoints e ON e.id = endpoint_id WHERE (? = '' OR e.service = ?)"
    sql, parameters = select("rollups", "endpoint_id, count, errors", pieces, releases)
    called = connection.rows(
        "SELECT e.kind, count(*), sum(errors) FROM (SELECT endpoint_id, sum(errors) AS errors"
        f" FROM ({sql}) GROUP BY endpoint_id HAVING sum(count) > 0) {whose} GROUP BY e.kind",
        (*parameters, service, service),
    )
    by_kind = {kind: count for kind, count, _ in called}
    sql, parameters = select("statement_rollups", "endpoint_id, statement_id", pieces, releases)
    ran = connection.row(
        f"SELECT count(DISTINCT statement_id) FROM ({sql}) {whose}", (*parameters, service, service)
    )
    telling = [each for each in told(connection.path) if service in ("", each.service)]
    return {
        "endpoints": by_kind.get("web", 0),
        "jobs": by_kind.get("background", 0),
        "queries": ran[0] if ran else 0,
        "errors": sum(errors for _, _, errors in called),
        "in_flight": sum(len(each.flights) for each in telling) if telling else None,
    }
