"""Source lines: only own code, only below the application's folder, only what ran."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from apm_agent.model.profile import Frame
from apm_agent.queries.source import Line, Sources

CODE = "import os\n\n\n@wrap\ndef first():\n    a = 1\n\n    return a\n\n\ndef second():\n    return 2\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "shop.py").write_text(CODE)
    return folder


def line(
    root: Path, path: Path | str, number: int = 6, ran_at: float | None = None, category: str = "app"
) -> Line:
    frame = Frame("first", "shop.py", number, category, str(path))
    return Sources([str(root)], time.time() + 60 if ran_at is None else ran_at).line(frame)


def test_a_line_of_own_code(root: Path) -> None:
    assert line(root, root / "shop.py") == Line("a = 1", False)


def test_a_file_newer_than_what_ran_has_changed(root: Path) -> None:
    assert line(root, root / "shop.py", ran_at=time.time() - 3600) == Line(None, True)


@pytest.mark.parametrize("number", [0, -1, 13, 10**9])
def test_lines_that_are_not_there(root: Path, number: int) -> None:
    assert line(root, root / "shop.py", number).text is None


def test_r39_nothing_outside_the_folder_is_read(root: Path, tmp_path: Path) -> None:
    outside = tmp_path / "secret.py"
    outside.write_text(CODE)
    (tmp_path / "app2").mkdir()
    (tmp_path / "app2" / "shop.py").write_text(CODE)
    os.symlink(outside, root / "link.py")
    (root / ".env").write_text(CODE)
    os.symlink(root / ".env", root / "env.py")
    (root / "folder.py").mkdir()
    for path in (
        outside, root / ".." / "secret.py", root / "link.py", root / ".env", root / "env.py",
        root / "folder.py",
        tmp_path / "app2" / "shop.py", "/etc/passwd", "shop.py", "", "a\x00b.py", root / "missing.py",
    ):  # fmt: skip
        assert line(root, path) == Line(None, False), path
    assert line(root, root / "shop.py", category="lib") == Line(None, False)


def test_r39_the_whole_disk_is_no_applications_folder(root: Path) -> None:
    assert line(Path("/"), root / "shop.py") == Line(None, False)
    assert line(Path("relative"), root / "shop.py") == Line(None, False)


def test_r39_a_pipe_is_not_waited_for(root: Path) -> None:
    os.mkfifo(root / "pipe.py")
    assert line(root, root / "pipe.py") == Line(None, False)


@pytest.mark.parametrize(
    ("function", "line_number", "wanted"), [("first", 6, [4, 5, 6, 7, 8]), ("second", 12, [11, 12])]
)
def test_a_block_is_the_function_around_the_line(
    root: Path, function: str, line_number: int, wanted: list[int]
) -> None:
    frame = Frame(function, "shop.py", line_number, "app", str(root / "shop.py"))
    assert [number for number, _ in Sources([str(root)], time.time() + 60).block(frame)] == wanted


def test_a_block_outside_functions_is_what_is_near(root: Path) -> None:
    frame = Frame("<module>", "shop.py", 1, "app", str(root / "shop.py"))
    assert Sources([str(root)], time.time() + 60).block(frame)[0] == (1, "import os")


def test_a_long_function_is_cut_around_the_line(root: Path) -> None:
    (root / "long.py").write_text("def f():\n" + "    x = 1\n" * 1000)
    block = Sources([str(root)], time.time() + 60).block(
        Frame("f", "long.py", 500, "app", str(root / "long.py"))
    )
    assert len(block) <= 41
    assert any(number == 500 for number, _ in block)


def test_r39_what_is_not_text_or_too_large_is_not_shown(root: Path) -> None:
    (root / "binary.py").write_bytes(b"a = 1\n\x00\x01\x02\n" * 10)
    (root / "large.py").write_text("a = 1\n" * 400_000)
    (root / "bytes.py").write_bytes(b"a = '\xff\xfe'\n")
    assert line(root, root / "binary.py", 1) == Line(None, False)
    assert line(root, root / "large.py", 1) == Line(None, False)
    assert line(root, root / "bytes.py", 1) == Line("a = '\ufffd\ufffd'", False)


def test_r39_no_link_leads_out_of_the_folder(root: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "shop.py").write_text(CODE)
    os.symlink(outside, root / "inner")
    (root / "real").mkdir()
    (root / "real" / "shop.py").write_text(CODE)
    os.symlink(root / "real", root / "near")
    os.symlink(root / "loop.py", root / "loop.py")
    for path in (
        root / "inner" / "shop.py", root / "inner" / ".." / "outside" / "shop.py", f"{root}/../outside/shop.py",
        f"{root}/real/../../outside/shop.py", root / "loop.py", f"{root}//{'../' * 40}etc/hosts.py",
        f"{root}/{'x' * 5000}.py",
    ):  # fmt: skip
        assert line(root, path) == Line(None, False), path
    assert line(root, root / "near" / "shop.py") == Line("a = 1", False), "a link that stays inside is fine"


def test_lines_are_counted_as_python_counts_them(root: Path) -> None:
    (root / "feed.py").write_bytes(b"a = 1\x0c\nb = '\xe2\x80\xa8'\r\nc = 3\rd = 4")
    texts = [line(root, root / "feed.py", number).text for number in (1, 2, 3, 4, 5)]
    assert [text and text[0] for text in texts] == ["a", "b", "c", "d", None]


def test_a_file_edited_between_what_ran_is_marked(root: Path) -> None:
    now = time.time()
    os.utime(root / "shop.py", (now - 60, now - 60))
    frame = Frame("first", "shop.py", 6, "app", str(root / "shop.py"))
    assert Sources([str(root)], now, now - 3600).line(frame) == Line("a = 1", False, True)
    assert Sources([str(root)], now, now - 30).line(frame) == Line("a = 1", False, False)
    assert Sources([str(root)], now - 120, now - 3600).line(frame) == Line(None, True)
    assert Sources([str(root)], now, now - 30).told(frame) == {"source": "a = 1", "changed": False}
