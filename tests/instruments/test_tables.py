"""The rows of INSTRUMENTS, and that an application loads the tables of what it imports and no others."""

from __future__ import annotations

import importlib
import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

from apm_agent.instruments import INSTRUMENTS

ROOT = Path(__file__).parents[2]


def run(code: str, *folders: Path) -> str:
    """What a fresh interpreter prints that runs `code`."""
    place = f"import sys; sys.path[:0] = {[str(folder) for folder in (ROOT, *folders)]!r}\n"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", place + code],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def below(module: str, packages: tuple[str, ...] | list[str]) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in packages)


@pytest.mark.parametrize("name", INSTRUMENTS)
def test_a_row_names_a_file_of_ours_and_the_packages_all_its_patches_lie_below(name: str) -> None:
    file, *packages = INSTRUMENTS[name]
    where = ROOT / (file.replace(".", "/") + ".py")
    if (ROOT / ".git").exists():
        known = subprocess.run(
            ["git", "ls-files", "--error-unmatch", str(where)], cwd=ROOT, capture_output=True, check=False
        )
        assert known.returncode == 0, f"{where} is not under version control"
    modules = {row.target.partition(":")[0] for row in importlib.import_module(file).PATCHES}
    assert [module for module in modules if not below(module, packages)] == []
    assert [package for package in packages if not any(below(module, [package]) for module in modules)] == []


@pytest.mark.parametrize("name", INSTRUMENTS)
def test_a_package_of_a_row_is_one_that_is_executed(name: str) -> None:
    """A folder without an `__init__` is a package too, but nothing of it ever runs, and its row would wait for ever."""
    for package in INSTRUMENTS[name][1:]:
        try:
            found = importlib.util.find_spec(package)
        except ModuleNotFoundError:
            continue
        assert found is None or found.origin is not None, package


def test_r27_install_loads_the_tables_of_what_is_imported_and_no_others() -> None:
    told = json.loads(
        run("""
import json
import apm_agent.agent
from apm_agent.instruments import INSTRUMENTS, patching
before = set(sys.modules)
patching.apply(["logging"])
needed = [file for name, (file, *packages) in INSTRUMENTS.items() if name != "logging" and before & set(packages)]
print(json.dumps([sorted(set(sys.modules) - before), needed]))
""")
    )
    loaded, needed = told
    assert set(needed) <= set(loaded)
    tables = {file for file, *_ in INSTRUMENTS.values()}
    assert tables & set(loaded) == set(needed)
    assert len(loaded) <= 8, loaded


def test_a_table_is_loaded_when_its_package_is_imported_not_when_it_is_looked_for() -> None:
    run("""
import importlib.util
from apm_agent.instruments import patching
patching.apply()
table = "apm_agent.instruments.jinja2"
def state(): return next(tuple(s) for name, *s in patching.states() if name == "jinja2")
assert importlib.util.find_spec("jinja2") is not None
assert table not in sys.modules
assert state() == ("waiting", "not imported yet: jinja2"), state()
import jinja2
assert table in sys.modules
assert state() == ("patched", ""), state()
assert "__wrapped__" in vars(jinja2.Template.render)
assert type(jinja2.__loader__).__name__ == "SourceFileLoader"
assert jinja2.__spec__.loader is jinja2.__loader__
""")


def test_r43_an_import_after_remove_loads_no_table() -> None:
    run("""
from apm_agent.instruments import patching
finders = list(sys.meta_path)
patching.apply()
patching.remove()
assert sys.meta_path == finders
import jinja2
assert "apm_agent.instruments.jinja2" not in sys.modules
assert not hasattr(jinja2.Template.render, "__wrapped__")
assert {state for _, state, _ in patching.states()} == {"disabled"}
""")


def test_r41_what_is_off_is_not_even_loaded() -> None:
    run("""
from apm_agent.instruments import patching
patching.apply(["jinja2"])
import jinja2
assert "apm_agent.instruments.jinja2" not in sys.modules
assert not hasattr(jinja2.Template.render, "__wrapped__")
assert ("jinja2", "disabled", "") in patching.states()
patching.apply()
assert jinja2.Template.render.__wrapped__
assert ("jinja2", "patched", "") in patching.states()
""")


def test_tables_import_none_of_the_packages_that_load_them() -> None:
    """So no thread can wait for a table while another, reading that table, waits for what the first imports."""
    loaded = json.loads(
        run("""
import json
import apm_agent.agent
from apm_agent.instruments import INSTRUMENTS
before = set(sys.modules)
import importlib
for file, *_ in INSTRUMENTS.values():
    importlib.import_module(file)
print(json.dumps(sorted(set(sys.modules) - before)))
""")
    )
    watched = [package for _, *packages in INSTRUMENTS.values() for package in packages]
    assert [module for module in loaded if below(module, watched)] == []


THREADS = """
import importlib, threading
from apm_agent.instruments import INSTRUMENTS, patching
NAMES = [f"shelf{i}" for i in range(40)]
for name in NAMES:
    INSTRUMENTS[name] = (f"table_{name}", name, "lib_" + name)
patching.apply()
sys.setswitchinterval(1e-6)
start = threading.Barrier(5)
def work(prefix, names):
    start.wait()
    for name in names:
        importlib.import_module(prefix + name)
def end():
    start.wait()
    AT_ONCE()
threads = [threading.Thread(target=work, args=w) for w in
           (("", NAMES), ("lib_", NAMES), ("", NAMES[::-1]), ("lib_", NAMES[::-1]))] + [threading.Thread(target=end)]
for thread in threads: thread.start()
for thread in threads: thread.join()
modules = [sys.modules[prefix + name] for name in NAMES for prefix in ("", "lib_")]
"""


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    """Forty tables, each for two modules."""
    for i in range(40):
        name = f"shelf{i}"
        for module in (name, f"lib_{name}"):
            (tmp_path / f"{module}.py").write_text("def work(): return 1\n")
        (tmp_path / f"table_{name}.py").write_text(
            "from apm_agent.instruments.rows import Timed\n"
            f"PATCHES = (Timed('{name}:work'), Timed('lib_{name}:work'))\n"
        )
    return tmp_path


def test_threads_that_import_at_once_are_patched_once(shelf: Path) -> None:
    run(
        THREADS.replace("AT_ONCE", "patching.apply")
        + """
for module in modules:
    assert not hasattr(module.work.__wrapped__, "__wrapped__"), module
assert {state for name, state, _ in patching.states() if name in NAMES} == {"patched"}
patching.remove()
for module in modules:
    assert not hasattr(module.work, "__wrapped__"), module
""",
        shelf,
    )


def test_a_module_that_another_thread_is_half_through_importing_is_patched_when_it_is_whole(
    tmp_path: Path,
) -> None:
    (tmp_path / "slow.py").write_text(
        "import sys\nsys.half.set()\nassert sys.go.wait(30)\ndef work(): return 1\n"
    )
    (tmp_path / "table_slow.py").write_text(
        "from apm_agent.instruments.rows import Timed\nPATCHES = (Timed('slow:work'),)\n"
    )
    run(
        """
import importlib, threading
from apm_agent.instruments import INSTRUMENTS, patching
INSTRUMENTS["slow"] = ("table_slow", "slow")
patching.apply()
sys.half, sys.go = threading.Event(), threading.Event()
importer = threading.Thread(target=importlib.import_module, args=("slow",))
importer.start()
assert sys.half.wait(30)
assert not hasattr(sys.modules["slow"], "work")
patching.apply()
assert ("slow", "waiting", "not imported yet: slow") in patching.states()
sys.go.set()
importer.join()
assert sys.modules["slow"].work() == 1 and sys.modules["slow"].work.__wrapped__
assert ("slow", "patched", "") in patching.states()
""",
        tmp_path,
    )


def test_r43_removing_while_threads_import_leaves_nothing(shelf: Path) -> None:
    run(
        THREADS.replace("AT_ONCE", "patching.remove")
        + """
for module in modules:
    assert not hasattr(module.work, "__wrapped__"), module
assert {state for name, state, _ in patching.states()} == {"disabled"}
assert not any(type(finder).__module__.startswith("apm_agent") for finder in sys.meta_path)
""",
        shelf,
    )
