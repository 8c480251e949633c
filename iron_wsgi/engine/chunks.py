"""Chunks: a sealed session in one cookie, in several, or in none because it is too large."""

from __future__ import annotations

from iron_wsgi.cookies.cookie import MAX_COOKIE, Cookie, chunk_name, deletion
from iron_wsgi.errors import CookieTooLarge
from iron_wsgi.sessions.events import notices
from iron_wsgi.sessions.options import SessionOptions
from iron_wsgi.sessions.state import State

PROXY_WARNING = 3000  # octets; nginx answers 502 near 3,900 with its default proxy_buffer_size of 4 KB


def pack(whole: Cookie, state: State, options: SessionOptions) -> tuple[Cookie, ...]:
    """Return the cookies that carry *whole*, and deletions of the ones that they replace.

    Writing chunks expires the whole cookie, and writing the whole expires chunks, so that a browser never
    sends an old session beside the new one.

    Raises:
        CookieTooLarge: The session does not fit. The error names the largest keys.
    """
    cookies = (
        _as_whole(whole, state, options)
        if len(whole.header) <= MAX_COOKIE
        else _as_chunks(whole, state, options)
    )
    octets = sum(len(cookie.header) for cookie in cookies)
    if octets > PROXY_WARNING:
        notices.say(
            "proxy",
            whole.name,
            f"{octets} octets in one response; a proxy may answer 502 (nginx: raise proxy_buffer_size)",
        )
    return cookies


def _as_whole(whole: Cookie, state: State, options: SessionOptions) -> tuple[Cookie, ...]:
    stale = [name for name in state.received_names if name != whole.name]
    if options.overflow == "chunk" and (first := chunk_name(whole.name, 0)) not in stale:
        # A parallel response may have written chunks meanwhile. Without name.0 they are never read.
        stale.append(first)
    return (whole, *(deletion(name, whole.options) for name in stale))


def _as_chunks(whole: Cookie, state: State, options: SessionOptions) -> tuple[Cookie, ...]:
    size = len(whole.header)
    if options.overflow != "chunk":
        advice = "Store less, or set overflow='chunk' or overflow='store'."
        raise _too_large(whole, state, options, size=size, limit=MAX_COOKIE, advice=advice)
    room = MAX_COOKIE - len(_chunk(whole, 0, "").header)
    parts = [whole.value[start : start + room] for start in range(0, len(whole.value), room)]
    limit = options.max_chunks
    if len(parts) > limit:
        advice = f"It needs {len(parts)} cookies, max_chunks is {limit}; keep the data elsewhere."
        raise _too_large(whole, state, options, size=len(whole.value), limit=room * limit, advice=advice)
    chunks = [_chunk(whole, index, part) for index, part in enumerate(parts)]
    written = {chunk.name for chunk in chunks}
    stale = [
        whole.name,
        *(name for name in state.received_names if name != whole.name and name not in written),
    ]
    return (*chunks, *(deletion(name, whole.options) for name in stale))


def _chunk(whole: Cookie, index: int, part: str) -> Cookie:
    name = chunk_name(whole.name, index)
    return Cookie(name=name, value=part, options=whole.options, max_age=whole.max_age, expires=whole.expires)


def _too_large(
    whole: Cookie, state: State, options: SessionOptions, *, size: int, limit: int, advice: str
) -> CookieTooLarge:
    sizes = [(key, len(options.serializer.dumps({key: value}))) for key, value in state.data.items()]
    largest = sorted(sizes, key=lambda entry: entry[1], reverse=True)[:3]
    notices.say("too large", whole.name, f"it was not set: {size} octets, limit {limit}")
    message = f"the session cookie would be {size} octets, and {limit} is the limit. {advice}"
    return CookieTooLarge(message, size=size, limit=limit, largest=largest)
