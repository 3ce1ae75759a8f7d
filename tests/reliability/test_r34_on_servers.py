"""R19, R34: whatever happens to the store's file, a real server answers on, says it once, and records again after."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest

from damage import FAULTS, locked, mount
from fuse import network_folder
from records import rows, sums_agree
from witness import Site, load, serving, until

pytestmark = pytest.mark.server

_rounds = count()


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A small disk of its own where that can be had, so that it can be filled."""
    folder = tmp_path_factory.mktemp("disk")
    mounted = mount(folder, "size=64m")
    yield folder
    if mounted:
        subprocess.run(["umount", "-l", folder], check=True)


@pytest.fixture(scope="module")
def site(disk: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One server for all faults, which come in any order."""
    store = disk / "store" / "apm.db"
    with serving(tmp_path_factory.mktemp("site"), store=store, APM_AGENT_MAX_SIZE="16MB") as site:
        yield site


def records_arrive(site: Site) -> bool:
    """Every process that serves writes what it serves from some moment on; what was written to a file that is gone
    or put aside by then went with it.
    """

    def a_round() -> bool:
        path = f"/after/{next(_rounds)}"
        asked = set()
        while len(asked) < 2:
            site.ask(path)
            asked = {(each.pid, path) for each in site.served() if each.path == path}
        return until(lambda: asked <= in_store(site), 2.0)

    return until(a_round, 15)


def in_store(site: Site) -> set[tuple[int, str]]:
    try:
        return site.kept()
    except sqlite3.Error:  # the file, or its tables, are about to be made
        return set()


@pytest.mark.parametrize("fault", FAULTS)
def test_r34_requests_are_answered_and_records_come_again(site: Site, disk: Path, fault: str) -> None:
    if fault == "full" and not os.path.ismount(disk):
        pytest.skip("filling a disk needs one of its own, and mounting it root")
    for aside in site.store.parent.glob("*.corrupt-*"):
        aside.unlink()  # what other faults left there would fill the disk
    assert records_arrive(site)
    workers = set(site.workers())
    with load(site) as statuses:
        with FAULTS[fault](site.store):
            begun = len(site.served())
            assert until(lambda: len(site.served()) > begun + 200)
        assert records_arrive(site), site.program.output
    assert set(statuses) == {200}
    assert set(site.workers()) == workers, "it recovers without a restart"
    # On a full disk transactions are deleted to make room, and their sums stay.
    assert fault == "full" or until(lambda: sums_agree(site.store), 5), (
        "what is written meanwhile is not all of it"
    )
    assert rows(site.store, "PRAGMA integrity_check") == [("ok",)]


def warnings(site: Site) -> list[str]:
    return [line for line in site.program.output.splitlines() if line.startswith("apm-agent failed while")]


def serve_through(site: Site, requests: int = 100) -> None:
    """Requests while nothing can be recorded: all are answered, by both workers."""
    begun = len(site.served())
    with load(site) as statuses:
        assert until(lambda: len({each.pid for each in site.served()[begun:]}) == 2)
        assert until(lambda: len(site.served()) > begun + requests)
    assert set(statuses) == {200}


def test_r34_a_network_file_system_is_refused_with_words(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    with network_folder(shared), serving(tmp_path / "site", store=shared / "apm.db") as site:
        serve_through(site)
        assert until(lambda: len(warnings(site)) == 2)
        assert (
            f"{shared} is on a network file system (fuse.sshfs), where SQLite loses data"
            in site.program.output
        )
        assert len(warnings(site)) == 2, "each of the two workers says it once"
    assert list(shared.iterdir()) == []


@contextmanager
def unwritable(folder: Path) -> Iterator[Callable[[], None]]:
    """A folder nobody may write, and what makes it writable."""
    if os.getuid():
        folder.chmod(0o500)
        yield lambda: folder.chmod(0o700)
        folder.chmod(0o700)
    elif mount(folder, "size=24m,ro"):
        remount = ["mount", "-o", "remount,rw", str(folder)]
        yield lambda: subprocess.run(remount, check=True) and None
        subprocess.run(["umount", "-l", folder], check=True)
    else:
        pytest.skip("root may write anywhere, and cannot mount here")


def test_r34_a_folder_that_cannot_be_written_is_said_once_and_taken_up_once_it_can(tmp_path: Path) -> None:
    folder = tmp_path / "readonly"
    folder.mkdir()
    with unwritable(folder) as mend, serving(tmp_path / "site", store=folder / "apm.db") as site:
        serve_through(site)
        assert until(lambda: len(warnings(site)) == 2)
        assert "Make the folder writable for this user" in site.program.output
        serve_through(site)
        mend()
        assert records_arrive(site)
        assert len(warnings(site)) == 2, site.program.output
        assert until(lambda: sums_agree(site.store), 5)


def test_r19_what_a_full_queue_drops_is_counted_and_shown(tmp_path: Path) -> None:
    """The store is locked for as long as it takes: memory holds what it may, the rest is counted."""
    queue = 50
    with serving(tmp_path, "--workers", "1", APM_AGENT_MAX_QUEUE=str(queue)) as site:
        assert site.ask() == 200
        assert until(lambda: in_store(site))
        with locked(site.store):
            serve_through_one(site, 3 * queue)
        sent = len(site.served())

        def told() -> bool:
            # The health of a process is written with what it serves, each five seconds.
            site.ask("/again")
            [(state,)] = rows(site.store, "SELECT state FROM processes")
            recorder = json.loads(state)["recorder"]
            return recorder["recorded"] >= sent and recorder["dropped"] > 0

        assert until(told)
    [(state,)] = rows(site.store, "SELECT state FROM processes")
    dropped = json.loads(state)["recorder"]["dropped"]
    [(kept,)] = rows(site.store, "SELECT count(*) FROM transactions")
    assert kept + dropped == len(site.served()), "every request is in the store or was counted as dropped"
    assert kept >= queue, "what the queue holds is not dropped"


def serve_through_one(site: Site, requests: int) -> None:
    begun = len(site.served())
    with load(site) as statuses:
        assert until(lambda: len(site.served()) > begun + requests)
    assert set(statuses) == {200}
