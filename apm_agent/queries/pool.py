"""Connections that are kept open for the requests of a dashboard, of the whole store or of one of its machines."""

from __future__ import annotations

import contextlib
import os
import threading
import weakref
from collections.abc import Iterator

from apm_agent.clickhouse.address import is_clickhouse, only
from apm_agent.errors import QuestionError
from apm_agent.queries.connection import Connection, path_of
from apm_agent.queries.damage import blame
from apm_agent.queries.mirror import forget, mirror_of

#: Machines of a server's store that are looked at one by one at a time.
_MOST_HOSTS = 8
_MOST_LISTED = 500
#: In the place of all that wrote nothing.
_NOBODY = "(nobody)"


class Pool:
    """Keeps a few connections open for many threads: opening one costs more than most questions."""

    _MOST = 4

    def __init__(self, url: str) -> None:
        self.url = url
        self.path = ""
        self._foreign: list[Connection] = []
        #: pools of a server's store as single machines have shipped it, the one asked last at the end
        self._of_hosts: dict[str, Pool] = {}
        self._begin()

    @contextlib.contextmanager
    def session(self, host: str = "") -> Iterator[Connection]:
        """A connection for one request; it goes back to the pool unless something went wrong with it."""
        if host:
            with self.session() as whole:
                hosts = machines(whole)
            # One that never wrote is narrowed to like a release that never ran: there is nothing, and no error.
            with self._of_host(host if host in hosts else _NOBODY) as narrowed:
                narrowed.hosts = hosts
                yield narrowed
            return
        connection = self._take()
        try:
            yield connection
        except QuestionError:
            self._give_back(connection)
            raise
        except BaseException as error:
            try:
                blame(connection, error)
            finally:
                connection.close()
            raise
        self._give_back(connection)

    @contextlib.contextmanager
    def _of_host(self, host: str) -> Iterator[Connection]:
        if self._mirror is None:
            with Connection(self.path, None, host) as connection:
                yield connection
            return
        with self._lock:
            pool = self._of_hosts.pop(host, None) or Pool(only(self.url, host))
            self._of_hosts[host] = pool
            over = [self._of_hosts.pop(each) for each in list(self._of_hosts)[:-_MOST_HOSTS]]
        for each in over:  # each has drawn a store of its own
            each.close()
            forget(each.url)
        with pool.session() as connection:
            yield connection

    def close(self) -> None:
        """Close what is idle."""
        with self._lock:
            _close(self._idle, self._pid)

    def _begin(self) -> None:
        self._idle: list[Connection] = []
        self._pid, self._lock = os.getpid(), threading.Lock()
        self._mirror = mirror_of(self.url) if is_clickhouse(self.url) else None
        self.path = os.path.abspath(path_of(self.url))
        # Nobody closes a dashboard, and Python 3.13 warns of a connection that is only dropped.
        weakref.finalize(self, _close, self._idle, self._pid)

    def _take(self) -> Connection:
        # After a fork the parent's connections are not ours to use, nor to close.
        if os.getpid() != self._pid:
            self._foreign.extend(self._idle)
            self._begin()
        with self._lock:
            connection = self._idle.pop() if self._idle else None
        if connection is not None and connection.current():
            connection.renew()
            return connection
        if connection is not None:
            connection.close()
        return Connection(self.path, self._mirror)

    def _give_back(self, connection: Connection) -> None:
        if not connection.empty:
            with self._lock:
                if len(self._idle) < self._MOST:
                    self._idle.append(connection)
                    return
        connection.close()


def machines(connection: Connection) -> list[str]:
    """The machines whose processes have written, by name; of very many those that wrote last.

    A server's store knows those that shipped to it: what they shipped is counted for each of them.
    """
    if connection.mirror is not None:
        return [] if connection.empty else sorted({each["host"] for each in connection.mirror.shipments()})
    rows = connection.rows(
        "SELECT host FROM processes WHERE host != '' GROUP BY host ORDER BY max(last_seen) DESC LIMIT ?",
        (_MOST_LISTED,),
    )
    return sorted(row[0] for row in rows)


def _close(connections: list[Connection], pid: int) -> None:
    """Close them all in the process that opened them."""
    while connections and os.getpid() == pid:
        connections.pop().close()
