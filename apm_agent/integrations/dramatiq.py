"""Dramatiq: a transaction a message processed, by a middleware that every broker gets as it is made."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any
from weakref import WeakSet

from apm_agent.instruments.rows import Attached, Returning
from apm_agent.instruments.support import Support
from apm_agent.integrations import jobs
from apm_agent.integrations.jobs import KEY, Job

#: id of a message being processed → its run, and how often it had been tried.
_open: dict[int, tuple[Job, int]] = {}
_watched: WeakSet[Any] = WeakSet()


class _Hooks:
    """What Dramatiq calls; joined with its own base class, which has all the other hooks."""

    def before_enqueue(self, broker: Any, message: Any, delay: Any) -> None:
        """Put the ticket into the message's options, where middlewares keep what is theirs."""
        with jobs.enqueueing:
            message.options[KEY] = jobs.ticket(message.options.get(KEY))

    def before_process_message(self, broker: Any, message: Any) -> None:
        """Begin; before all other middlewares, so that their work is seen too."""
        with jobs.beginning:
            options = message.options
            tries = options.get("retries") or 0
            run = jobs.begin(
                message.actor_name,
                options.get(KEY),
                enqueued=message.message_timestamp * 1_000_000,
                job=f"dramatiq {message.message_id}",
                queue=message.queue_name,
                retries=tries or None,
            )
            if run is not None:
                _open[id(message)] = run, tries

    def after_process_message(
        self, broker: Any, message: Any, *, result: Any = None, exception: BaseException | None = None
    ) -> None:
        """End; after all other middlewares, one of which has decided whether it is tried again."""
        with jobs.ending:
            run, tries = _open.pop(id(message), (None, 0))
            if run is None:
                return
            if exception is not None:
                again = not message.failed and (message.options.get("retries") or 0) > tries
                run.retry(exception) if again else run.fail(exception)
            run.end()

    def after_skip_message(self, broker: Any, message: Any) -> None:
        """A middleware or the actor said so."""
        with jobs.ending:
            run, _ = _open.pop(id(message), (None, 0))
            if run is not None:
                run.note(outcome="skipped")
                run.end()

    def after_worker_shutdown(self, broker: Any, worker: Any) -> None:
        """The process ends soon, and not always by Python's own way."""
        jobs.flush()


def made(wrapped: Callable[..., Any], broker: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """``Broker.__init__(…)``."""
    result = wrapped(*args, **kwargs)
    with jobs.beginning:
        _watch(broker)
    return result


def attach(module: Any) -> Callable[[], None]:
    """Watch the broker there is already; those we watch are given back as they were."""
    if getattr(module, "global_broker", None) is not None:
        _watch(module.global_broker)

    def detach() -> None:
        for broker in list(_watched):
            broker.middleware[:] = [one for one in broker.middleware if not isinstance(one, _Hooks)]
        _watched.clear()
        _open.clear()

    return detach


def _watch(broker: Any) -> None:
    if not any(isinstance(one, _Hooks) for one in broker.middleware):
        base = sys.modules["dramatiq.middleware"].Middleware
        broker.middleware.insert(0, type("APMMiddleware", (_Hooks, base), {})())
        _watched.add(broker)


PATCHES = (
    Returning("dramatiq.broker:Broker.__init__", made),
    Attached("dramatiq.broker", attach),
)

#: For docs/supported.md.
SUPPORT = Support(
    "Jobs",
    "Dramatiq (Redis, RabbitMQ, async actors)",
    "a middleware, given to each broker as it is made",
    "each message processed as a transaction by its actor, retries and skipped ones told from failures, "
    "its wait, who enqueued it (option `apm_agent` of the message)",
    ("dramatiq",),
)
