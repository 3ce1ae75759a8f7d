"""Where the store may lie, and who may read it."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from apm_agent.errors import StoreError
from apm_agent.store import open_store
from apm_agent.store.location import file_system, path_of, refuse_network
from records import process, prune_all, record


def test_relative_and_absolute_urls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert path_of("sqlite:///.apm-agent/apm.db") == str(tmp_path / ".apm-agent" / "apm.db")
    assert path_of("sqlite:////var/lib/apm.db") == "/var/lib/apm.db"


@pytest.mark.parametrize(
    "url", ["sqlite:///", "sqlite://", "sqlite:///:memory:", "apm.db", "sqlite:///folder/", ""]
)
def test_a_url_that_names_no_file(url: str) -> None:
    with pytest.raises(StoreError, match=r"sqlite:///"):
        path_of(url)


def test_an_unknown_scheme_names_those_there_are() -> None:
    with pytest.raises(StoreError, match="write sqlite:///path"):
        open_store("postgres://db/apm", process())


def test_the_folder_and_its_files_are_private(tmp_path: Path) -> None:
    folder = tmp_path / ".apm-agent"
    store = open_store(f"sqlite:///{folder}/apm.db", process())
    store.write([record()])
    prune_all(store)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in folder.iterdir()}
    store.close()
    assert {"apm.db", "apm.db-wal", "apm.ballast", ".gitignore"} <= set(modes)
    assert set(modes.values()) == {0o600}
    assert (folder / ".gitignore").read_text() == "*\n"


def test_a_folder_of_the_users_own_gets_no_gitignore(tmp_path: Path) -> None:
    open_store(f"sqlite:///{tmp_path}/apm.db", process()).close()
    assert not (tmp_path / ".gitignore").exists()


def test_a_place_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="Make the folder writable"):
        open_store(f"sqlite:///{tmp_path}/file/apm.db", process())


MOUNTS = """\
22 1 254:0 / / rw,relatime - ext4 /dev/vda rw
30 22 0:30 / /mnt/team\\040share rw - nfs4 files:/export rw
31 22 0:31 / /mnt/host rw - 9p host rw
32 30 0:32 / /mnt/team\\040share/local rw - xfs /dev/vdb rw
"""


def test_network_file_systems_are_refused_by_name(tmp_path: Path) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(MOUNTS)
    assert file_system("/mnt/team share/apm", str(mounts)) == "nfs4"
    assert file_system("/mnt/team share/local/apm", str(mounts)) == "xfs"
    assert file_system("/mnt/hostile", str(mounts)) == "ext4"
    with pytest.raises(StoreError, match=r"network file system \(9p\)"):
        refuse_network("/mnt/host/app", str(mounts))
    refuse_network("/srv", str(mounts))
    refuse_network("/srv", os.devnull)
