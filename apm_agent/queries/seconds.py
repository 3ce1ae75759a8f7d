"""A profile of the next few seconds of every process: asked for through a file beside the store, read from others."""

from __future__ import annotations

import os
import secrets
import time
from collections import defaultdict
from typing import Any

from apm_agent.errors import QuestionError, StoreError
from apm_agent.model import live as shape
from apm_agent.model import seconds
from apm_agent.model.profile import Stack
from apm_agent.model.seconds import Asked, Captured
from apm_agent.queries import beside, live
from apm_agent.queries.profile import PRUNE, Profiled, Weighed, columnar
from apm_agent.queries.units import millis


class ForgottenError(QuestionError):
    """It was well asked for, and is not there any more."""


def ask(store_path: str, length: float) -> Asked:
    """Ask every process to tell what it samples in the next seconds; only one capture runs at a time."""
    if not seconds.LEAST <= length <= seconds.MOST:
        raise QuestionError(
            f"capture={length:g} is not a number of seconds from {seconds.LEAST:g} to {seconds.MOST:g}"
        )
    live.ask(store_path)
    asked = Asked(secrets.token_hex(8), float(length), time.time())
    folder = shape.folder_of(store_path)
    flags = os.O_CREAT | os.O_WRONLY | os.O_TRUNC | getattr(os, "O_NOFOLLOW", 0)
    new = f"{seconds.asked_of(folder)}.new"
    try:
        with open(os.open(new, flags, 0o600), "w", encoding="ascii") as file:
            file.write(seconds.to_ask(asked))
        os.replace(new, seconds.asked_of(folder))
        beside.sweep(folder, seconds.is_captured, seconds.FORGOTTEN)
    except OSError as error:
        raise StoreError(f"cannot ask for a profile: {error.strerror or error}: {folder}") from error
    return asked


def captured(store_path: str, name: str) -> dict[str, Any]:
    """How far the capture of that id is, and its profile once all have told or their time is over."""
    folder = shape.folder_of(store_path)
    asked = seconds.read_asked(folder)
    told = _told(store_path, folder, name)
    if asked is None or asked.id != name:
        if not told:
            raise ForgottenError(
                f"capture={name[:40]!r} is not there any more: another one was asked for, or it is older than "
                f"{seconds.FORGOTTEN:.0f} seconds"
            )
        asked = None
    over = time.time() - asked.at - asked.seconds if asked is not None else seconds.GRACE
    done = over >= seconds.GRACE or (over >= 0 and bool(told) and all(each.done for each in told))
    return {
        "id": name,
        "asked_at": asked.at if asked is not None else None,
        "seconds": asked.seconds if asked is not None else None,
        "done": done,
        "processes": [
            {
                "host": each.host, "pid": each.pid, "service": each.service, "done": each.done,
                "samples": sum(seen.samples for seen in each.stacks),
                "sampled_ms": millis(sum(seen.ns for seen in each.stacks)),
            }
            for each in told
        ],
        "profile": columnar(_together(told), PRUNE) if done else None,
    }  # fmt: skip


def _together(told: list[Captured]) -> Profiled:
    sums: dict[Stack, list[int]] = defaultdict(lambda: [0, 0])
    for seen in (seen for each in told for seen in each.stacks):
        sums[seen.stack][0] += seen.samples
        sums[seen.stack][1] += seen.ns
    return Profiled([Weighed(stack, 0, samples, ns) for stack, (samples, ns) in sums.items()], 0)


def _told(store_path: str, folder: str, name: str) -> list[Captured]:
    store = os.path.basename(store_path)
    found = [seconds.read(path) for path in beside.files(folder, seconds.is_captured)]
    return [each for each in found if each is not None and each.id == name and each.store == store]
