"""Who is at work where: which transaction a thread, a task or a greenlet works for.

Three maps of a process, written by the threads that work (one dictionary store or deletion each, which the GIL makes
whole) and read by the sampler:

    threads    thread → the transaction it works for; requests, jobs, and worker threads while they run its function
    loops      thread → the event loop it runs and the transactions open on it; who of them *runs* is asked at a look
    greenlets  greenlet → the transaction it works for, and its thread

Nothing is imported to find out: a process that never loaded asyncio or greenlet has no tasks or greenlets.
"""

from __future__ import annotations

import _thread
import gc
import sys
from collections.abc import Callable, Container, Iterator
from contextvars import Context
from time import monotonic_ns
from typing import Any
from weakref import ref

from apm_agent.model.current import current, transaction_of
from apm_agent.model.transaction import Transaction
from apm_agent.profiling.native import original

#: The transaction and when work for it began here (monotonic ns).
Work = tuple[Transaction, int]

_modules = sys.modules

get_ident: Callable[[], int] = original("_thread", "get_ident")
get_native_id: Callable[[], int] = getattr(_thread, "get_native_id", lambda: 0)


class Loop:
    """An event loop's thread: the loop, and the transactions open on it."""

    __slots__ = ("loop", "open")

    def __init__(self, loop: Any) -> None:
        self.loop = loop
        #: with the task each began in
        self.open: dict[Transaction, ref[Any] | None] = {}


threads: dict[int, Work] = {}
loops: dict[int, Loop] = {}
greenlets: dict[Any, tuple[Transaction, int, int]] = {}
#: thread → the kernel's number for it, where the system has one
natives: dict[int, int] = {}
#: asyncio's own answer to which loop runs on a thread, once asyncio is there
_loop_here: Callable[[], Any] | None = None


def begin(transaction: Transaction) -> None:
    """Put the calling thread, task or greenlet at work for `transaction`."""
    ident = transaction.thread_id = get_ident()
    if ident not in natives:
        natives[ident] = get_native_id()
    # What `alone` asks, without a call of its own where there is neither a loop nor a library that shares threads.
    loop = (_loop_here or running_loop)() if "asyncio.events" in _modules else None
    if loop is not None or (("greenlet" in _modules or "trio.lowlevel" in _modules) and not alone()):
        _begin_shared(transaction, ident, loop)
        return
    before = threads.get(ident)
    if before is not None and not before[0].ended:
        # A transaction inside another on one thread (a test client in a job): the outer one goes on afterwards.
        notes = transaction.notes
        if notes is None:
            notes = transaction.notes = {}
        notes["interrupted"] = before
    threads[ident] = (transaction, transaction.start_ns)


def _begin_shared(transaction: Transaction, ident: int, loop: Any) -> None:
    if loop is not None:
        here = loops.get(ident)
        if here is None or here.loop is not loop:
            here = loops[ident] = Loop(loop)
        task = running_task(loop)
        here.open[transaction] = ref(task) if task is not None else None
        return
    greenlet = running_greenlet()
    if greenlet is not None:
        greenlets[greenlet] = (transaction, transaction.start_ns, ident)


def end(transaction: Transaction) -> bool:
    """Take `transaction` off wherever it was put, from whichever thread it ends on; False if it had one for itself."""
    ident = transaction.thread_id
    here = threads.get(ident)
    if here is not None and here[0] is transaction:
        before = transaction.notes.pop("interrupted", None) if transaction.notes else None
        if before is not None and not before[0].ended:
            threads[ident] = before
        else:
            threads.pop(ident, None)
        return False
    loop = loops.get(ident)
    if loop is not None and transaction in loop.open:
        loop.open.pop(transaction, None)
        if not loop.open:
            loops.pop(ident, None)
    elif greenlets:
        for greenlet, (other, _, _) in list(greenlets.items()):
            if other is transaction:
                greenlets.pop(greenlet, None)
    return True


def renew(ident: int) -> int:
    """Ask again for the kernel's number for a thread, by `threading`'s word; 0 where it knows none.

    What was known may be that of a thread long gone, whose ident this one got.
    """
    natives.pop(ident, None)
    thread = getattr(_modules.get("threading"), "_active", {}).get(ident)
    number: int = getattr(thread, "native_id", None) or 0
    if number:
        natives[ident] = number
    return number


def lend(transaction: Transaction) -> Work | None:
    """Put the calling worker thread at work for a transaction begun elsewhere; give the result to `give_back`."""
    ident = get_ident()
    if ident not in natives:
        natives[ident] = get_native_id()
    before = threads.get(ident)
    threads[ident] = (transaction, monotonic_ns())
    return before


def give_back(before: Work | None) -> None:
    """The worker thread is done with the function it was lent for."""
    if before is not None and not before[0].ended:
        threads[get_ident()] = before
    else:
        threads.pop(get_ident(), None)


def forget() -> None:
    """Start from nothing, as a forked child does: its threads and loops are not its parent's."""
    threads.clear()
    loops.clear()
    greenlets.clear()
    natives.clear()


def anyone() -> bool:
    """Whether any transaction is open."""
    return bool(threads or loops or greenlets)


def open_now(most: int) -> list[Transaction]:
    """At most so many of the transactions that are open, each once, whether they run or wait."""
    found = dict.fromkeys(work[0] for work in list(threads.values()))
    for loop in list(loops.values()):
        found.update(dict.fromkeys(list(loop.open)[:most]))
    found.update(dict.fromkeys(entry[0] for entry in list(greenlets.values())))
    return [transaction for transaction in list(found)[:most] if not transaction.ended]


def idents() -> set[int]:
    """The threads to look at."""
    return {*list(threads), *list(loops), *(ident for _, _, ident in list(greenlets.values()))}


def at_work(alive: Container[int]) -> Iterator[tuple[Transaction, int, int]]:
    """Who runs on the threads just looked at: transaction, since when, on which thread; drops threads that are gone.

    A transaction suspended in an `await` does not run, and is not told of here.
    """
    busy: set[int] = set()
    for ident, here in list(loops.items()):
        if ident not in alive:
            loops.pop(ident, None)
            continue
        transaction = running_transaction(here.loop)
        if transaction is not None:
            busy.add(ident)
            yield transaction, transaction.start_ns, ident
    for greenlet, (transaction, since, ident) in list(greenlets.items()):
        if ident not in alive or greenlet.dead:
            greenlets.pop(greenlet, None)
        elif greenlet.gr_frame is None and not transaction.ended:  # no frame of its own: it has the thread's
            busy.add(ident)
            yield transaction, since, ident
    for ident, work in list(threads.items()):
        if ident not in alive:
            if threads.get(ident) is work:
                threads.pop(ident, None)
        elif ident not in busy and not work[0].ended:
            yield work[0], work[1], ident


def is_shared(ident: int) -> bool:
    """Whether several transactions take turns on this thread."""
    return ident in loops or any(ident == other for _, _, other in list(greenlets.values()))


def alone() -> bool:
    """Whether what runs on this thread now is one transaction's work only: no event loop, greenlets or trio."""
    return not (
        (_loop_here or running_loop)() is not None
        or ("greenlet" in _modules and running_greenlet() is not None)
        or ("trio.lowlevel" in _modules and in_trio())
    )


def running_loop() -> Any:
    """The asyncio loop (or uvloop) that runs on this thread; None without one."""
    global _loop_here
    events = _modules.get("asyncio.events")
    get = getattr(events, "_get_running_loop", None)  # missing while another thread imports it
    if "asyncio.runners" in _modules:  # comes after it; before, `get` may be what C's own takes the place of
        _loop_here = get
    return get() if get is not None else None


def running_greenlet() -> Any:
    """The greenlet that runs on this thread; None for the thread's own, outermost one."""
    get = getattr(_modules.get("greenlet"), "getcurrent", None)
    greenlet = get() if get is not None else None
    return greenlet if greenlet is not None and greenlet.parent is not None else None


def in_trio() -> bool:
    """Whether trio runs on this thread: its tasks cannot be told apart from outside, so they are left alone."""
    ask = getattr(_modules.get("trio.lowlevel"), "in_trio_run", None)
    return ask is not None and ask()


def running_transaction(loop: Any) -> Transaction | None:
    """The transaction of the task that `loop` is running just now, asked from any thread."""
    return transaction_of_task(running_task(loop))


def running_task(loop: Any) -> Any:
    """The task that `loop` is running just now; None between two of them."""
    asyncio = _modules.get("asyncio")
    return asyncio.current_task(loop) if asyncio is not None else None


def transaction_of_task(task: Any) -> Transaction | None:
    """The live transaction a task works for: the one it was spawned under, or began itself."""
    context = context_of(task) if task is not None else None
    return transaction_of(context.get(current)) if context is not None else None


def context_of(task: Any) -> Context | None:
    """The context a task runs in; before 3.12 it is found among what the task refers to."""
    get: Callable[[], Context] | None = getattr(task, "get_context", None)
    if get is not None:
        return get()
    for other in gc.get_referents(task):
        if isinstance(other, Context):
            return other
    return None
