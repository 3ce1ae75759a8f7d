"""The profiles of finished windows of ten minutes, one a service and release, for whoever keeps profiles over time."""

from __future__ import annotations

from collections import defaultdict
from typing import NamedTuple

from apm_agent.model.profile import Profile
from apm_agent.queries.connection import Connection
from apm_agent.queries.subject import Endpoints
from apm_agent.queries.window import Window

#: Seconds of the finest windows of profiles, and how long after its end one is looked at: writers come late.
WIDTH, LATE = 600, 60


class Profiled(NamedTuple):
    """What was sampled of a service's release from `t` (Unix seconds) on, `WIDTH` seconds long."""

    t: int
    service: str
    release: str
    profile: Profile


def finished(since: float, now: float) -> list[int]:
    """When the windows begin that ended between then and now."""
    first = int((since - WIDTH - LATE) // WIDTH) * WIDTH
    return [t for t in range(first, int(now), WIDTH) if since < t + WIDTH + LATE <= now]


def profiles(connection: Connection, t: int) -> list[Profiled]:
    """The profiles of one window; none where nothing was sampled."""
    connection.renew()
    rows = connection.rows(
        "SELECT DISTINCT endpoint_id, release_id FROM profiles WHERE resolution = ? AND t >= ? AND t < ?",
        (WIDTH, t, t + WIDTH),
    )
    services: dict[int, str] = dict(connection.rows("SELECT id, service FROM endpoints"))
    versions: dict[int, str] = dict(connection.rows("SELECT id, version FROM releases"))
    together: dict[tuple[str, str], tuple[set[int], set[int]]] = defaultdict(lambda: (set(), set()))
    for endpoint, release in rows:
        endpoints, releases = together[services.get(endpoint, ""), versions.get(release, "")]
        endpoints.add(endpoint)
        releases.add(release)
    window = Window(t, t + WIDTH, None, False)
    found = []
    for (service, version), (endpoints, releases) in sorted(together.items()):
        profile = Endpoints(connection, window, endpoints, tuple(sorted(releases))).profile()
        if profile:
            found.append(Profiled(t, service, version, profile))
    return found
