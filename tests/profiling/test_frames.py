"""Names and lines of what the sampler kept."""

from __future__ import annotations

import sys
import traceback
from pathlib import Path
from types import CodeType, FrameType

import pytest

from apm_agent.model.origin import APP, LIB, STD, Origin
from apm_agent.model.transaction import Transaction
from apm_agent.profiling import frames
from apm_agent.profiling.keys import key_of

ROOT = str(Path(__file__).parents[2])


def lines_now(frame: FrameType) -> list[tuple[str, int]]:
    return [(f.f_code.co_filename, n) for f, n in traceback.walk_stack(frame)][::-1]


class Shop:
    def price(self, deep: int) -> tuple[frames.StackKey, list[tuple[str, int]]]:
        if deep:
            values = [
                self.price(
                    deep - 1
                )
                for _ in range(1)
            ]  # fmt: skip
            return values[0]
        frame = sys._getframe()
        return key_of(frame), lines_now(frame)


def test_every_frame_has_the_line_that_runs_outermost_first() -> None:
    key, truth = Shop().price(3)
    stack = frames.resolve(key, Origin(ROOT))
    assert [path for path, _ in truth] == [f.path for f in stack]
    # The innermost frame moved on between the two looks, within one line.
    assert [line for _, line in truth] == [f.line for f in stack]
    assert stack[-1].function == ("Shop.price" if sys.version_info >= (3, 11) else "price")
    assert stack[-1].file == "tests/profiling/test_frames.py"
    assert stack[-1].category == APP


def test_a_generator_and_an_exception_have_their_lines() -> None:
    keys = []

    def numbers():  # type: ignore[no-untyped-def]
        try:
            yield 1
            raise ValueError
        except ValueError:
            keys.append((key_of(sys._getframe()), lines_now(sys._getframe())))

    assert list(numbers()) == [1]
    key, truth = keys[0]
    assert [f.line for f in frames.resolve(key, Origin(ROOT))] == [line for _, line in truth]


def test_frames_of_our_own_package_are_left_out() -> None:
    code = Transaction.rename.__code__
    mine = test_frames_of_our_own_package_are_left_out.__code__
    stack = frames.resolve((code, 0, mine, 0), Origin(ROOT))
    assert [f.function for f in stack] == [mine.co_name]


def test_a_function_as_a_whole_is_its_first_line() -> None:
    code = Shop.price.__code__
    frame = frames.frame_of((code, -1), Origin(ROOT))
    assert frame.line == code.co_firstlineno


def test_equal_code_of_two_files_stays_apart() -> None:
    def compiled(name: str) -> CodeType:
        module = compile("def get(self):\n    return self.x\n", name, "exec")
        return next(c for c in module.co_consts if isinstance(c, CodeType))

    one, other = compiled("/srv/one.py"), compiled("/srv/other.py")
    assert one == other, "to Python they are the same"
    origin = Origin("/srv")
    assert [frames.frame_of((code, 0), origin).file for code in (one, other)] == ["one.py", "other.py"]


def test_the_same_place_is_the_same_object() -> None:
    place, origin = (Shop.price.__code__, 0), Origin(ROOT)
    assert frames.frame_of(place, origin) is frames.frame_of(place, origin)


def test_the_cache_is_bounded() -> None:
    origin = Origin(ROOT)
    for number in range(frames._MOST + 10):
        code = _compute.__code__.replace(co_name=f"f{number}")
        frames.frame_of((code, 0), origin)
    assert len(frames._known) <= frames._MOST


def _compute() -> None: ...


def test_the_standard_library_is_told_apart() -> None:
    code = traceback.walk_stack.__code__
    frame = frames.frame_of((code, 0), Origin(ROOT))
    assert (frame.category, frame.file) == (STD, "traceback.py")


def test_a_source_of_cython_is_a_packages_unless_it_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "prices.pyx").write_text("")
    for origin in (Origin(), Origin(str(tmp_path))):
        assert origin.of("asyncpg/protocol/protocol.pyx") == LIB
        assert origin.of("src/python/grpcio/grpc/_cython/_cygrpc/aio/server.pyx.pxi") == LIB
        assert origin.of("prices.pyx") == origin.of("prices.py") == APP
