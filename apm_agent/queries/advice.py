"""What usually helps, a text a kind of insight; never said as certain, because the code was not read."""

from __future__ import annotations

#: What the text of an insight calls its pattern → what helps.
REPEATED_QUERY = {
    "related objects of Django": "Each fetches a related object by itself: select_related('…') on the query before the "
    "loop fetches them along with it, prefetch_related('…') in one query more.",
    "lazy loads of SQLAlchemy": "Each is a lazy load of a relationship: .options(selectinload(…)) on the query before "
    "the loop loads them in one query more, joinedload(…) along with it.",
}
SLOW_QUERY = (
    "Look at its plan with EXPLAIN: a missing index on the columns in WHERE or ORDER BY is the usual cause; also "
    "check that it fetches only the rows and columns the page needs."
)
HOT_LINE = (
    "Look at what this line repeats: a result that could be kept between calls, a list searched where a set or dict "
    "would do, work that could move out of the loop or out of the request."
)
SLOW_UPSTREAM = (
    "If the answer may be some seconds old, cache it; independent calls can run at the same time; in any case set a "
    "timeout, and reuse one client so that connections stay open."
)
SEQUENTIAL_CALLS = (
    "If none of them needs the answer of another, which only the code tells, start them together: asyncio.gather() or "
    "a TaskGroup, in threads ThreadPoolExecutor.map()."
)
CONNECTION_WAIT = (
    "All connections were taken: look first at what keeps them long, such as a slow query, a call to another service "
    "inside a transaction or a connection not given back; then at the size of the pool."
)
CACHE_MISSES = (
    "Look at whether what is missed is ever set, under the same key, and whether it lives long enough; many keys at "
    "once are one round trip (get_many(), MGET)."
)
BIG_RESULT = (
    "If the page shows fewer, let the database choose: LIMIT, a page at a time, or sums made by it. If all are "
    "needed, read them in pieces and only the columns that are used."
)
SLOW_TEMPLATE = (
    "Often the template calls code or queries in a loop: fetch those in the view, or cache the fragment; large lists "
    "are better paged."
)
BLOCKED_LOOP = (
    "Every other request on this loop waits meanwhile. Run the call in a thread (await asyncio.to_thread(…)), use the "
    "async version of the library, or make the view a plain def."
)
BLOCKED_BY = (
    "This one was ready to go on, and could not: look at the line that held the loop, not at this one. A call that "
    "blocks belongs in a thread (await asyncio.to_thread(…)); long computing in a process."
)
GC_PAUSE = (
    "Many objects are made and kept here. gc.freeze() after start-up and a higher gc.set_threshold() usually help; "
    "building fewer temporary objects always does."
)
MEMORY_GROWTH = (
    "Something outlives the call: a list or dict at module level that only grows, or a cache without a bound "
    "(functools.lru_cache(maxsize=None)). A first few calls may only be warming up."
)
ERROR_BURST = (
    "Look at what changed when it began: a release, a setting, a service or a disk it depends on. One of the failed "
    "transactions has its last log lines."
)
TWO_SPEEDS = (
    "Compare a slow trace with a fast one: a cache that was missed, a lock or connection waited for, or arguments that "
    "ask for more work. Judge the speeds apart: a mean or a median of both describes neither."
)
REGRESSION = (
    "Compare the two (apm-agent compare release:OLD release:NEW): what grew is at the top. A different load or "
    "different data after the release looks the same."
)
