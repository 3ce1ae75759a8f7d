"""Install and uninstall, as a user's process sees them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


def run(code: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(Path(__file__).parent.parent), **environment},
    )


def test_r43_the_same_settings_again_are_fine_and_others_are_refused(tmp_path: Path) -> None:
    done = run(
        "import apm_agent as apm\n"
        "apm.install(slow='1s')\n"
        "apm.install(slow=1.0)\n"
        "apm.install()\n"
        "try:\n    apm.install(slow='2s')\n"
        "except Exception as error: print(type(error).__name__, error)\n",
        tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("InstallError apm-agent is already installed with slow=1.0, now 2.0")


def test_r43_uninstall_and_install_anew(tmp_path: Path) -> None:
    done = run(
        "import sqlite3, apm_agent as apm\n"
        "before = sqlite3.connect\n"
        "for _ in range(3):\n"
        "    apm.install()\n"
        "    with apm.background_transaction('job') as job: pass\n"
        "    assert apm.flush(10)\n"
        "    apm.uninstall()\n"
        "    assert sqlite3.connect is before\n"
        "    assert apm.current_transaction() is None\n"
        "import sqlite3\n"
        "print(sqlite3.connect('.apm-agent/apm.db').execute('select count(*) from transactions').fetchone()[0])\n",
        tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "3\n"


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        (
            {"APM_AGENT_SAMPLE_INTERVAL": "often"},
            "APM_AGENT_SAMPLE_INTERVAL is 'often', but must be a duration",
        ),
        ({"APM_AGENT_SAMPEL_INTERVAL": "1"}, "Did you mean 'sample_interval'"),
        ({"APM_AGENT_STORE": "postgres://x"}, "no store for 'postgres://x'"),
        ({"APM_AGENT_STORE": "sqlite:///"}, "names no file"),
    ],
)
def test_r41_a_bad_setting_stops_the_start_with_words(
    tmp_path: Path, environment: dict[str, str], says: str
) -> None:
    done = run("import apm_agent; apm_agent.install()", tmp_path, **environment)
    assert done.returncode == 1
    assert says in done.stderr.splitlines()[-1]
    assert not list(tmp_path.iterdir())


def test_off_means_off(tmp_path: Path) -> None:
    done = run(
        "import apm_agent as apm, threading\n"
        "apm.install()\n"
        "with apm.background_transaction('job'), apm.span('part') as s:\n"
        "    s.tag(x=1); apm.add_context(y=2); apm.rename_transaction('z')\n"
        "    assert apm.current_transaction() is None\n"
        "assert apm.flush()\n"
        "print(threading.active_count())\n",
        tmp_path,
        APM_AGENT_ENABLED="off",
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "1\n", "")
    assert not list(tmp_path.iterdir())


def test_the_store_stays_where_the_process_began(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    done = run(
        "import os, apm_agent as apm\n"
        "apm.install()\n"
        "os.chdir('elsewhere')\n"
        "with apm.background_transaction('job'): pass\n",
        tmp_path,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / ".apm-agent" / "apm.db").exists()
    assert not list((tmp_path / "elsewhere").iterdir())


@pytest.mark.parametrize(
    "ending", ["", "raise SystemExit(3)", "import os, signal; os.kill(os.getpid(), signal.SIGINT)"]
)
def test_r07_what_was_recorded_is_written_at_exit(tmp_path: Path, ending: str) -> None:
    done = run(
        f"import apm_agent as apm\napm.install()\nwith apm.background_transaction('job'): pass\n{ending}",
        tmp_path,
    )
    bare = run(f"\n\n\n{ending}", tmp_path)
    assert (done.returncode, done.stderr) == (bare.returncode, bare.stderr)
    rows = run(
        "import sqlite3\n"
        "print(sqlite3.connect('.apm-agent/apm.db').execute('select count(*) from transactions').fetchone()[0])",
        tmp_path,
    )
    assert rows.stdout == "1\n"
