"""From reading to acting: what a page may offer here, who wrote a line, and how an editor finds a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from apm_agent.errors import QuestionError
from apm_agent.exporters import EXPORTERS
from apm_agent.queries import missing, source_of
from apm_agent.queries.blame import blame
from apm_agent.queries.connection import Connection
from apm_agent.queries.scope import one_endpoint
from apm_agent.queries.source import Sources
from apm_agent.queries.units import parse_id
from apm_agent.web import parameters as read
from apm_agent.web import saved

if TYPE_CHECKING:
    from apm_agent.queries.window import Window
    from apm_agent.web.routes import Asked

_MOST_FILES = 2000
BLAME = ("file", "line", "id", "name", "kind")


class Acting(NamedTuple):
    """What the settings allow: the pattern of an editor's links ("" for none), and asking git."""

    editor: str = ""
    blame: bool = True


def site(asked: Asked) -> tuple[dict[str, Any], Window | None]:
    """What pages offer here beside reading; paths of files are only told where an editor is to open them."""
    editor = asked.acting.editor
    return {
        "editor": {"link": editor, "paths": _paths(asked.connection)} if editor else None,
        "blame": asked.acting.blame,
        "exports": [
            {"format": name, "opens": _plain(row.opens), "takes": list(row.takes)}
            for name, row in EXPORTERS.items()
        ],
        "files": {"pages": list(saved.PAGES), "bytes": saved.least_bytes()},
    }, read.window(asked.given)


def blamed(asked: Asked) -> tuple[dict[str, Any], Window | None]:
    """Who wrote a line of own code, as it ran in a transaction (`id`) or in an endpoint's last one (`name`)."""
    given = asked.given
    window = read.given_window(given)
    file = read.required(given, "file")
    line = read.whole(given, "line")
    if not asked.acting.blame:
        said = "asking git is turned off here: setting blame"
        return {"file": file, "line": line, "blame": None, "why_none": said}, window
    return blame(asked.connection, _sources(asked), file, line), window


def _sources(asked: Asked) -> Sources:
    given, connection = asked.given, asked.connection
    if given.get("id"):
        number = parse_id(given["id"])
        found = source_of.of_transaction(connection, number)
        if found is None:
            raise missing.transaction(number)
        return found
    name = read.text(given, "name")
    if not name:
        raise QuestionError("id= or name= is missing: of which transaction or endpoint is the line?")
    endpoint = one_endpoint(connection, name, read.text(given, "kind"), read.text(given, "service"))
    if endpoint is None:
        raise missing.endpoint(name)
    return source_of.of_endpoint(connection, endpoint, read.window(given))


def _paths(connection: Connection) -> dict[str, str]:
    """File as pages show it → its whole path, of own code; the newest where there are several."""
    rows = connection.rows(
        "SELECT file, path, max(day) FROM frames WHERE category = 'app' AND path <> '' GROUP BY file, path"
        f" ORDER BY 3 LIMIT {_MOST_FILES}"
    )
    return {file: path for file, path, _ in rows}


def _plain(opens: str) -> str:
    """Without Markdown's marks."""
    return saved.MARKDOWN.sub(r"\1", opens).replace("`", "")
