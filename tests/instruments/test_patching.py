"""Rows put in place and taken out, on a library made for it."""

from __future__ import annotations

import asyncio
import copy
import importlib
import inspect
import math
import pickle
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from apm_agent.errors import ConfigError, contained
from apm_agent.instruments import INSTRUMENTS, patching
from apm_agent.tracing import tracer as tracing

LIBRARY = '''
"""A library with one of everything."""

class Base:
    def inherited(self, a, b=2): return ("inherited", a, b)

class Thing(Base):
    def method(self, a: int, *, b: str = "x") -> str:
        """Says it."""
        return b * a
    async def coroutine(self, a): return a
    def generator(self, n): yield from range(n)
    async def async_generator(self, n):
        for i in range(n): yield i
    @staticmethod
    def static(a): return ("static", a)
    @classmethod
    def of_class(cls, a): return (cls, a)
    def returns_coroutine(self, a): return self.coroutine(a)
    def steps(self, n):
        sent = yield n
        return sent + n
    def row(self, a=1): return a
    def fails(self): raise LookupError("why")
    attribute = 3

class Sub(Thing): pass

def function(a, b=1): return a + b

def submit(function, *args): return function(*args)

from math import hypot

class Callable:
    def __call__(self, a): return a

instance = Callable()
'''
TABLE = """
from apm_agent.instruments.rows import Attached, Passing, Replaced, Returning, Timed

def described(span, instance, args, kwargs):
    span.name = f"{type(instance).__name__} {args} {kwargs}"

def finished(span, result, args):
    span.tag(result=repr(result))

def broken(span, instance, args, kwargs):
    raise RuntimeError("describe is broken")

def doubled(wrapped, instance, args, kwargs):
    return wrapped(*args, **kwargs) * 2

def stepped(wrapped, instance, args, kwargs):
    result = yield from wrapped(*args, **kwargs)
    return result * 2

def replaced(plain):
    def row(self, a=1): return plain(self, a) * 2
    return row

def louder(function):
    if function is len: raise RuntimeError("wrap is broken")
    return lambda *args: function(*args) + "!"

events = []

def attach(module):
    events.append(("on", module.__name__))
    return lambda: events.append(("off", module.__name__))

PATCHES = (
    Timed("a_library:Thing.method", described, finish=finished),
    Timed("a_library:Thing.coroutine", described, kind="http", finish=finished),
    Timed("a_library:Thing.generator", described),
    Timed("a_library:Thing.async_generator", described),
    Timed("a_library:Thing.static", described),
    Timed("a_library:Thing.of_class", described),
    Timed("a_library:Thing.inherited", described),
    Timed("a_library:Thing.returns_coroutine"),
    Timed("a_library:Thing.fails", broken),
    Timed("a_library:function", broken, finish=lambda span, result, args: 1 / 0),
    Timed("a_library:hypot", described),
    Timed("a_library:instance", described),
    Passing("a_library:submit", 0, louder),
    Returning("a_library:Thing.steps", stepped),
    Replaced("a_library:Thing.row", replaced),
    Attached("a_library", attach),
)
"""


@pytest.fixture
def library(tmp_path: Path, sink: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """`a_library` and the instrument for it, imported after the agent's start."""
    (tmp_path / "a_library.py").write_text(LIBRARY)
    (tmp_path / "a_table.py").write_text(TABLE)
    monkeypatch.syspath_prepend(str(tmp_path))
    INSTRUMENTS["a_library"] = ("a_table", "a_library")
    patching.apply()
    assert state()[0] == "waiting"
    yield importlib.import_module("a_library")
    patching.remove()
    del INSTRUMENTS["a_library"], sys.modules["a_library"], sys.modules["a_table"]


@pytest.fixture
def clean(tmp_path: Path) -> ModuleType:
    """The same library, unpatched."""
    (tmp_path / "clean").mkdir()
    spec = importlib.util.spec_from_loader("a_library", loader=None)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    exec(compile(LIBRARY, "a_library.py", "exec", dont_inherit=True), module.__dict__)
    return module


def state(name: str = "a_library") -> tuple[str, str]:
    [found] = [(state, detail) for known, state, detail in patching.states() if known == name]
    return found


NAMES = (
    "Thing.method", "Thing.coroutine", "Thing.generator", "Thing.async_generator", "Thing.static",
    "Thing.of_class", "Thing.inherited", "Thing.returns_coroutine", "Thing.fails", "function", "hypot",
    "instance", "submit", "Thing.steps", "Thing.row",
)  # fmt: skip


def raw(module: Any, name: str) -> tuple[Any, bool]:
    """What lies in the place, untouched by binding, and whether it lies there itself."""
    *path, last = name.split(".")
    for part in path:
        module = getattr(module, part)
    return inspect.getattr_static(module, last), last in vars(module)


def test_the_library_is_patched_as_it_is_imported_and_says_so(library: ModuleType) -> None:
    assert state() == ("patched", "")
    assert state("httpx")[0] in ("waiting", "patched")
    contained.seen.clear()


async def test_each_kind_of_callable_is_one_span(library: ModuleType) -> None:
    assert tracing.tracer is not None
    job = tracing.tracer.begin("background", "job")
    thing = library.Thing()
    assert thing.method(2, b="y") == "yy"
    assert await thing.coroutine(3) == 3
    assert list(thing.generator(2)) == [0, 1]
    assert [i async for i in thing.async_generator(2)] == [0, 1]
    assert thing.static(1) == library.Thing.static(1) == ("static", 1)
    assert library.Thing.of_class(1) == (library.Thing, 1)
    assert library.Sub.of_class(1) == (library.Sub, 1)
    assert thing.inherited(1) == ("inherited", 1, 2)
    assert library.Base().inherited(1) == ("inherited", 1, 2)
    assert library.hypot(3, 4) == 5.0
    assert library.instance(5) == 5
    tracing.tracer.end(job)
    assert [(s.kind, s.name, s.tags) for s in job.spans] == [
        ("code", "Thing (2,) {'b': 'y'}", {"result": "'yy'"}),
        ("http", "Thing (3,) {}", {"result": "3"}),
        ("code", "Thing (2,) {}", None),
        ("code", "Thing (2,) {}", None),
        ("code", "NoneType (1,) {}", None),
        ("code", "NoneType (1,) {}", None),
        ("code", "type (1,) {}", None),
        ("code", "type (1,) {}", None),
        ("code", "Thing (1,) {}", None),
        ("code", "NoneType (3, 4) {}", None),
        ("code", "NoneType (5,) {}", None),
    ]
    assert all(s.end_ns for s in job.spans)


def test_generators_and_what_is_called_for_each_row_may_be_changed(library: ModuleType) -> None:
    steps = library.Thing().steps(3)
    assert next(steps) == 3
    with pytest.raises(StopIteration) as ended:
        steps.send(4)
    assert ended.value.value == 14
    assert library.Thing().row(5) == library.Thing().row(a=5) == 10


def test_a_broken_description_never_loses_the_call(library: ModuleType) -> None:
    assert tracing.tracer is not None
    job = tracing.tracer.begin("background", "job")
    assert library.function(1, b=2) == 3
    with pytest.raises(LookupError, match="why"):
        library.Thing().fails()
    assert library.submit(len, "abc") == 3
    assert library.submit(str, "abc") == "abc!"
    tracing.tracer.end(job)
    assert [(s.name, s.tags) for s in job.spans] == [
        ("a_library:function", None),
        ("a_library:Thing.fails", {"error": "LookupError"}),
    ]
    assert {error for _, error in contained.seen} == {
        "RuntimeError: describe is broken",
        "ZeroDivisionError: division by zero",
        "RuntimeError: wrap is broken",
    }
    contained.seen.clear()


def test_r12_kind_signature_identity_and_pickle_are_kept(library: ModuleType, clean: ModuleType) -> None:
    asks = (
        inspect.isfunction, inspect.ismethod, inspect.isbuiltin, inspect.iscoroutinefunction, inspect.getdoc,
        inspect.isgeneratorfunction, inspect.isasyncgenfunction, callable, inspect.isroutine,
        inspect.ismethoddescriptor, lambda f: f.__module__, lambda f: getattr(f, "__qualname__", None),
        lambda f: getattr(f, "__name__", None),
    )  # fmt: skip
    for name in NAMES:
        here, there = (resolve(module, name) for module in (library, clean))
        for number, ask in enumerate(asks):
            answer = ask(there)
            assert ask(here) == (name if answer == "Base.inherited" else answer), (name, number)
        if name != "hypot":
            assert str(inspect.signature(here)) == str(inspect.signature(there)), name
        if name not in ("hypot", "instance"):
            specs = [inspect.getfullargspec(f)._replace(annotations={}) for f in (here, there)]
            assert specs[0] == specs[1], name
        assert here is resolve(library, name) or "of_class" in name
        if name not in ("Thing.of_class", "instance"):
            found = pickle.loads(pickle.dumps(here))
            assert found is here or (name == "hypot" and found is math.hypot)
        if name != "Thing.of_class":
            assert copy.copy(here) is here
            assert copy.deepcopy(here) is here
    thing = library.Thing()
    assert isinstance(thing.method, type(clean.Thing().method))
    assert pickle.loads(pickle.dumps(thing.method)).__func__ is library.Thing.method
    assert isinstance(pickle.loads(pickle.dumps(thing)), library.Thing)
    made = thing.returns_coroutine(1)
    assert inspect.iscoroutine(made)
    assert asyncio.run(made) == 1


def resolve(module: Any, name: str) -> Any:
    for part in name.split("."):
        module = getattr(module, part)
    return module


def test_r43_remove_puts_back_the_very_objects(library: ModuleType, tmp_path: Path) -> None:
    from a_table import events

    patched = {name: raw(library, name) for name in NAMES}
    patching.apply()
    assert {name: raw(library, name) for name in NAMES} == patched, "applying again patches nothing twice"
    patching.remove()
    restored = {name: raw(library, name) for name in NAMES}
    assert restored["Thing.inherited"] == (library.Base.inherited, False)
    assert restored["hypot"][0] is math.hypot
    for name, (found, _) in restored.items():
        before = patched[name][0]
        assert found is not before
        if hasattr(before, "__wrapped__"):
            assert inspect.unwrap(before) is inspect.unwrap(getattr(found, "__func__", found)), name
    assert events == [("on", "a_library"), ("off", "a_library")]
    assert state() == ("disabled", "")
    patching.apply()
    assert state() == ("patched", "")
    assert events == [("on", "a_library"), ("off", "a_library"), ("on", "a_library")]
    patching.remove()
    assert {name: raw(library, name) for name in NAMES} == restored


def test_r43_a_reloaded_module_is_patched_again(library: ModuleType) -> None:
    importlib.reload(library)
    original = library.Thing.method.__wrapped__
    assert not hasattr(original, "__wrapped__")
    patching.remove()
    assert library.Thing.method is original
    del sys.modules["a_library"]
    patching.apply()
    again = importlib.import_module("a_library")
    assert again.Thing.method.__wrapped__.__code__.co_name == "method"
    assert again.__spec__.loader is again.__loader__
    assert type(again.__loader__).__name__ == "SourceFileLoader"


def test_somebody_elses_patch_over_ours_is_left_to_them(library: ModuleType) -> None:
    import functools

    ours = library.Thing.method

    @functools.wraps(ours)
    def theirs(*args: Any, **kwargs: Any) -> Any:
        return ours(*args, **kwargs)

    library.Thing.method = theirs
    patching.apply()
    assert library.Thing.method is theirs
    patching.remove()
    assert library.Thing.method is theirs
    assert library.Thing().method(2) == "xx"


def test_an_import_after_remove_finds_nothing_to_do(
    tmp_path: Path, sink: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a_library.py").write_text(LIBRARY)
    (tmp_path / "a_table.py").write_text(TABLE)
    monkeypatch.syspath_prepend(str(tmp_path))
    INSTRUMENTS["a_library"] = ("a_table", "a_library")
    finders = list(sys.meta_path)
    for _ in range(3):
        patching.apply()
        assert sys.meta_path != finders
        patching.remove()
    assert sys.meta_path == finders
    library = importlib.import_module("a_library")
    assert not hasattr(library.Thing.method, "__wrapped__")
    patching.apply()
    assert library.Thing.method.__wrapped__.__code__.co_name == "method"
    assert not hasattr(library.Thing.method.__wrapped__, "__wrapped__"), "once"
    patching.remove()
    del INSTRUMENTS["a_library"], sys.modules["a_library"], sys.modules["a_table"]


def test_what_cannot_be_placed_is_failed_with_its_reason(
    tmp_path: Path, sink: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "b_library.py").write_text(
        "from builtins import len\nclass Thing:\n    attribute = 3\n    def method(self): return 1\n"
    )
    (tmp_path / "b_table.py").write_text(
        textwrap.dedent(
            """
            from apm_agent.instruments.rows import Attached, Replaced, Timed

            def attach(module):
                raise RuntimeError("no hook here")

            PATCHES = (
                Timed("b_library:Thing.gone"),
                Timed("b_library:Thing.attribute"),
                Replaced("b_library:len", lambda plain: plain),
                Attached("b_library", attach),
                Timed("b_library:Thing.method"),
            )
            """
        )
    )
    (tmp_path / "c_table.py").write_text("1 / 0")
    monkeypatch.syspath_prepend(str(tmp_path))
    INSTRUMENTS.update(
        {
            "b_library": ("b_table", "b_library"),
            "c_library": ("c_table", "b_library"),
            "d_library": ("no_such_table", "b_library"),
            "e_library": ("no_such_table", "never_imported"),
        }
    )
    try:
        patching.apply()
        import b_library

        assert b_library.Thing.attribute == 3
        assert hasattr(b_library.Thing.method, "__wrapped__"), "the rows that can be are placed"
        failed, why = state("b_library")
        assert failed == "failed"
        assert "b_library:Thing.gone: AttributeError" in why
        assert "b_library:Thing.attribute: TypeError: b_library:Thing.attribute is of type int" in why
        assert "b_library:len: TypeError: b_library:len is of type builtin_function_or_method" in why
        assert b_library.len is len
        assert "RuntimeError: no hook here" in why
        assert state("c_library") == ("failed", "ZeroDivisionError: division by zero")
        assert state("d_library") == ("failed", "ModuleNotFoundError: No module named 'no_such_table'")
        assert state("e_library") == ("waiting", "not imported yet: never_imported"), "nobody needs its table"
        patching.remove()
        assert not hasattr(b_library.Thing.method, "__wrapped__")
    finally:
        for name in ("b_library", "c_library", "d_library", "e_library"):
            del INSTRUMENTS[name]
        contained.seen.clear()


def test_r41_what_is_off_stays_as_it_was_and_a_wrong_name_is_refused(library: ModuleType) -> None:
    with pytest.raises(ConfigError, match=r"'sqlachemy', .* Did you mean 'sqlalchemy'"):
        patching.apply(["sqlachemy"])
    with pytest.raises(ConfigError, match="Instruments are: sqlite3, "):
        patching.apply(["zzz"])
    assert hasattr(library.Thing.method, "__wrapped__")
    patching.apply(["a_library"])
    assert not hasattr(library.Thing.method, "__wrapped__")
    assert state() == ("disabled", "")
    patching.apply()
    assert hasattr(library.Thing.method, "__wrapped__")


def test_rows_of_no_instrument_outlast_the_instruments(library: ModuleType) -> None:
    from a_table import doubled

    from apm_agent.instruments.rows import Returning

    take_out = patching.place(
        [Returning("a_library:function", doubled), Returning("a_library:hypot", doubled)]
    )
    assert (library.function(1), library.hypot(3, 4)) == (4, 10.0)
    patching.remove()
    importlib.reload(library)
    assert (library.function(1), library.hypot(3, 4)) == (4, 10.0)
    take_out()
    assert (library.function(1), library.hypot(3, 4)) == (2, 5.0)
    assert library.hypot is math.hypot


def test_many_threads_import_at_once(library: ModuleType) -> None:
    patching.remove()
    start = threading.Barrier(8)

    def apply() -> None:
        start.wait()
        patching.apply()

    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(apply) for _ in range(8)]:
            done.result()
    assert not hasattr(library.Thing.method.__wrapped__, "__wrapped__"), "once"


def test_no_instrument_imports_its_library() -> None:
    code = """if True:
        import sys
        before = set(sys.modules)
        from apm_agent.instruments import INSTRUMENTS, patching
        patching.apply()
        for guest in ("sqlite3", "sqlalchemy", "django", "jinja2", "requests", "urllib3", "httpx", "asgiref",
                      "redis", "valkey", "pymemcache", "aiohttp",
                      "anyio", "asyncio", "ssl", "socket", "concurrent.futures.thread"):
            assert guest not in sys.modules, guest
        # multiprocessing, which the agent asks when its process ends, has loaded logging
        states = {state for name, state, _ in patching.states() if name not in ("logging", "locks")}
        assert states == {"waiting"}, patching.states()
        import sqlite3
        patching.remove()
    """
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert run.returncode == 0, run.stderr
