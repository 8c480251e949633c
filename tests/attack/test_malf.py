"""T-MALF: whatever stands in the Cookie header, the visitor is anonymous at worst, and nothing breaks."""

from __future__ import annotations

import base64
import json
import pickle
import random
from collections.abc import Iterator
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from itsdangerous import URLSafeTimedSerializer

from iron_wsgi import Sealer, SealError, unseal_data
from tests.effort import repetitions

from .seals import NOW, OLD, forged, vault, verdict
from .site import environ, page, serve, sessions

TEXTS: Final = repetitions(7_000, 70_000)  # of each kind

SEAL = forged({"user": 1})
VAULT = vault()
ALPHABETS = {
    "base64url": "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
    "of seals": "*~ABab01_-.Fe26",
    "ASCII": "".join(map(chr, range(128))),
    "latin-1": "".join(map(chr, range(256))),
    "Unicode": "aé*~\u0661\uff11\u2028\ufeff\U0001f600\ud800\udfff%=",
}


def near_seals(source: random.Random) -> Iterator[str]:
    """Yield texts that are shaped like seals, for ever."""
    while True:
        alphabet = ALPHABETS[source.choice(list(ALPHABETS))]
        fields = [
            "Fe26.2",
            source.choice(["1", "", "2", "default", "__proto__"]),
            *(
                "".join(source.choices(alphabet, k=source.choice([0, 1, 21, 22, 43, 64, 100])))
                for _ in range(6)
            ),
        ]
        if source.random() < 0.5:
            fields[5] = source.choice(["", "0", "1900000000000", "9" * 20])
        if source.random() < 0.1:
            source.shuffle(fields)
        yield "*".join(fields[: source.choice([8, 8, 8, 8, 7, 9])]) + source.choice(["", "~2", "~", "~2~2"])


def noise(source: random.Random) -> Iterator[str]:
    """Yield texts of no shape, for ever."""
    while True:
        alphabet = ALPHABETS[source.choice(list(ALPHABETS))]
        yield "".join(source.choices(alphabet, k=int(2 ** source.uniform(0, 11))))


def splices(source: random.Random) -> Iterator[str]:
    """Yield a good seal with a piece cut out, repeated, turned round or put in, for ever."""
    while True:
        start, end = sorted(source.sample(range(len(SEAL)), 2))
        piece = SEAL[start:end]
        yield (
            SEAL[:start]
            + source.choice(["", piece * 2, piece[::-1] + "x", piece.swapcase() + "*", "~"])
            + SEAL[end:]
        )


@pytest.mark.parametrize("kind", [near_seals, noise, splices])
def test_of_random_texts_of_each_kind_none_opens_and_none_breaks_anything(kind: Any) -> None:
    texts = kind(random.Random(26))
    refused = 0
    for _ in range(TEXTS):
        text = next(texts)
        if text.partition("~")[0] == SEAL:
            continue
        assert verdict(text, VAULT) in ("invalid", "unknown-password"), ascii(text)
        refused += 1
    assert refused > 0.98 * TEXTS


@given(st.text(st.characters(max_codepoint=255), max_size=300))
def test_no_cookie_header_breaks_a_request_or_makes_a_session(header: str) -> None:
    seen: list[Any] = []
    answer = serve(sessions(page(lambda session: seen.append(dict(session)))), environ(header))
    assert (answer.status, seen) == ("200 OK", [{}])
    answer = serve(sessions(page(lambda session: seen.append(dict(session)))), environ(f"session={header}"))
    assert (answer.status, seen) == ("200 OK", [{}, {}])


@given(st.binary(max_size=200))
def test_no_octets_under_our_name_break_a_request(octets: bytes) -> None:
    # A server hands octets on as latin-1 text (PEP 3333).
    header = b"session=" + octets + b"; session.0=" + octets
    assert serve(sessions(page(bool)), environ(header.decode("latin-1"))).status == "200 OK"


@given(st.text(max_size=100))
def test_no_text_given_as_a_token_opens_or_raises_anything_but_our_error(token: str) -> None:
    assert unseal_data(token, password=OLD, clock=lambda: NOW) == {}
    with pytest.raises(SealError):
        Sealer(OLD, purpose="link", clock=lambda: NOW).unseal(token)


FOREIGN = {
    "JSON": json.dumps({"admin": True}),
    "an empty object": "{}",
    "base64 of JSON": base64.urlsafe_b64encode(json.dumps({"admin": True}).encode()).decode(),
    "a pickle": base64.b64encode(pickle.dumps({"admin": True})).decode(),
    "octets of a pickle": pickle.dumps({"admin": True}).decode("latin-1"),
    "Flask's signed cookie": URLSafeTimedSerializer(OLD, salt="cookie-session").dumps({"admin": True}),
    "a JWT that is not signed": "eyJhbGciOiJub25lIn0.eyJhZG1pbiI6dHJ1ZX0.",
    "a session id": "3f786850e387550fdab836ed7e6dc881",
    "express-session's": "s:3f786850e387550fdab836ed7e6dc881.AAAA",
    "null": "null",
    "undefined": "undefined",
    "an object of JavaScript": "[object Object]",
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_what_is_no_seal_goes_to_no_other_decoder(kind: str) -> None:
    decoded: list[bytes] = []

    class Spy:
        def dumps(self, data: dict[str, Any], /) -> bytes:
            return json.dumps(data).encode()

        def loads(self, payload: bytes, /) -> Any:
            decoded.append(payload)
            return json.loads(payload)

    assert verdict(FOREIGN[kind], vault(serializer=Spy())) == "invalid"
    assert verdict(forged({"user": 1}, "x" + OLD), vault(serializer=Spy())) == "invalid"
    assert decoded == []
    assert verdict(SEAL, vault(serializer=Spy())) == {"user": 1}
    assert len(decoded) == 1


NEIGHBOURS = [
    "a=1",
    "b]ad=x",
    "=nameless",
    "=",
    ";",
    "a",
    "\xff\xfe=\x80",
    'q="unclosed',
    'q="a;b"',
    "q='x",
    "a=1=2=3",
    "@#(=)!",
    "$Version=1",
    "expires=Thu, 01 Jan 1970 00:00:00 GMT",
    "a\x00b=c",
    " ",
    "session",
    "session=",
    'session=""',
    "Session=x",
    "SESSION=x",
    "xsession=x",
    "session.=x",
    "session.x=y",
    "=session=x",
]


@pytest.mark.parametrize("neighbour", NEIGHBOURS, ids=ascii)
@pytest.mark.parametrize("order", ["before", "behind", "between"])
def test_an_odd_cookie_beside_ours_signs_nobody_out(neighbour: str, order: str) -> None:
    ours = f"session={SEAL}"
    header = {
        "before": f"{neighbour}; {ours}",
        "behind": f"{ours}; {neighbour}",
        "between": f"a=b; {neighbour};{ours};{neighbour}",
    }[order]
    seen: list[Any] = []
    serve(sessions(page(lambda session: seen.append(dict(session)))), environ(header))
    assert seen == [{"user": 1}]


@pytest.mark.parametrize(
    "header",
    [
        pytest.param(f"=__Host-s={SEAL}", id="nameless"),
        pytest.param(f"=; __Host-s ={SEAL}x", id="a blank behind the name and a spoilt seal"),
        pytest.param(f"%5F%5FHost-s={SEAL}", id="percent-encoded"),
        pytest.param(f"__host-s={SEAL}", id="lower case"),
        pytest.param(f"__HOST-S={SEAL}", id="upper case"),
        pytest.param(f"a=b,__Host-s={SEAL}", id="behind a comma"),
        pytest.param(f"a=b, __Host-s={SEAL}", id="behind a comma and a blank"),
        pytest.param(f'a="; __Host-s={SEAL}"', id="in a quoted value"),
        pytest.param(f"a=b\r\n__Host-s={SEAL}", id="behind a line break"),
        pytest.param(f"a=b\x00; \x00__Host-s={SEAL}", id="behind a NUL"),
        pytest.param(f"\xa0__Host-s={SEAL}", id="behind a no-break space"),
        pytest.param(f"a=b __Host-s={SEAL}", id="behind a blank"),
    ],
)
def test_no_other_cookie_is_read_as_one_of_the_host_alone(header: str) -> None:
    seen: list[Any] = []
    app = sessions(page(lambda session: seen.append(dict(session))), cookie_name="__Host-s")
    assert serve(app, environ(f"__Host-s={SEAL}")).status == "200 OK"
    assert serve(app, environ(header)).status == "200 OK"
    assert seen == [{"user": 1}, {}]


@pytest.mark.parametrize("joint", [",", ", "])
def test_two_cookie_headers_that_a_server_joined_by_a_comma_are_no_error(joint: str) -> None:
    seen: list[Any] = []
    app = sessions(page(lambda session: seen.append(dict(session))))
    for header in (
        f"a=b{joint}session={SEAL}",
        f"session={SEAL}{joint}a=b",
        f"session={SEAL}{joint}session={SEAL}",
    ):
        assert serve(app, environ(header)).status == "200 OK"
    assert all(data in ({}, {"user": 1}) for data in seen)


def test_a_percent_encoded_cookie_is_the_same_session() -> None:
    # The cookie library of the JavaScript peers decodes it, and some clients encode '*'.
    for spelling in (
        SEAL.replace("*", "%2A"),
        SEAL.replace("*", "%2a"),
        "".join(f"%{ord(c):02X}" for c in SEAL),
    ):
        assert verdict(spelling, VAULT) == {"user": 1}
        assert verdict(spelling.replace("%2", "%252"), VAULT) == "invalid"
    for broken in (SEAL + "%", SEAL + "%2", SEAL + "%zz", "%" + SEAL, SEAL.replace("*", "%u002A")):
        assert verdict(broken, VAULT) == "invalid"
