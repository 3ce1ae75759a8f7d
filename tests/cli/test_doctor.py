"""`apm-agent doctor`: every trouble is named with its cure, and the exit code says whether there is one."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from servers import PYTHON, environment


def doctor(cwd: Path, *options: str, **variables: str) -> tuple[int, dict[str, dict[str, Any]]]:
    done = subprocess.run(
        [PYTHON, "-m", "apm_agent", "doctor", "--json", *options],
        cwd=cwd, env=environment(**variables), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.stderr == "", done.stderr
    return done.returncode, {found["what"]: found for found in json.loads(done.stdout)}


def test_a_folder_where_nothing_ran_yet(tmp_path: Path) -> None:
    _, found = doctor(tmp_path)
    assert found["store"]["state"] == "fine"
    assert found["last event"]["detail"] == "never"
    assert "apm-agent run" in found["last event"]["cure"]
    assert "flask" in found["frameworks"]["detail"]
    assert list(tmp_path.iterdir()) == [], "it looks and makes nothing"


def test_after_a_run_it_knows_the_last_event_and_what_was_watched(tmp_path: Path) -> None:
    code = "import apm_agent, sqlite3\n"
    code += "with apm_agent.background_transaction('job'): sqlite3.connect('x').close()"
    subprocess.run(
        [PYTHON, "-m", "apm_agent", "run", "--no-dashboard", PYTHON, "-c", code],
        cwd=tmp_path, env=environment(), check=True, capture_output=True,
    )  # fmt: skip
    _, found = doctor(tmp_path)
    assert "1 transactions" in found["last event"]["detail"]
    assert "sqlite3" in found["watched"]["detail"]


def test_settings_come_with_their_source_and_secrets_stay_secret(tmp_path: Path) -> None:
    _, found = doctor(tmp_path, APM_AGENT_DASHBOARD_TOKEN="hunter2")
    assert found["setting"]["detail"] == "dashboard_token = [secret] from APM_AGENT_DASHBOARD_TOKEN"
    assert "hunter2" not in json.dumps(found)


def test_a_wrong_setting_is_a_trouble(tmp_path: Path) -> None:
    code, found = doctor(tmp_path, APM_AGENT_SLOOW="1")
    assert code == 1
    assert found["settings"]["state"] == "wrong"
    assert "APM_AGENT_SLOOW" in found["settings"]["detail"]


def test_a_place_nobody_can_write_is_a_trouble(tmp_path: Path) -> None:
    (tmp_path / "file").touch()  # a folder's mode would not stop root, whom CI runs as
    code, found = doctor(tmp_path, "--store", "file/below/apm.db")
    assert code == 1
    assert "cannot be written" in found["store"]["detail"]


def test_a_store_url_that_names_nothing_is_a_trouble(tmp_path: Path) -> None:
    code, found = doctor(tmp_path, "--store", "mysql://x")
    assert code == 1
    assert "mysql://x" in found["store"]["detail"]


def test_a_file_that_is_no_store_is_a_trouble(tmp_path: Path) -> None:
    (tmp_path / "apm.db").write_bytes(b"not a database" * 100)
    code, found = doctor(tmp_path, "--store", "apm.db")
    assert code == 1
    assert "damaged" in found["store"]["detail"]
