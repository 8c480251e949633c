"""The tables of `differences.py`, row by row, against the implementations themselves."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any, Final

import pytest

from iron_wsgi import unseal_data
from tests.effort import repetitions

from .differences import (
    COOKIE_COLUMNS,
    COOKIES,
    MARK,
    NOW_MS,
    SEAL_COLUMNS,
    SEALS,
    SEVERAL,
    Row,
    parts,
    signed,
)
from .forge import OLD
from .payloads import canonical, sessions, text_of
from .peers import SEALS as BARE
from .visits import COOKIE, here

if TYPE_CHECKING:
    from .peers import Answer, Call, Peers

needs_node = pytest.mark.needs("node")

PEERS: Final = SEAL_COLUMNS[:-1]
MUTANTS: Final = repetitions(300, 1500)

# What their errors say, and the word for it in the tables; the first that fits.
WORDS: Final = (
    ("Incorrect number of sealed components", "parts"),
    ("Wrong mac prefix", "prefix"),
    ("Invalid expiration", "expiry"),
    ("Expired seal", "expired"),
    ("Cannot find password", "id"),
    ("Empty password", "password"),
    ("Password string too short", "password"),
    ("Key buffer (password) too small", "password"),
    ("Bad hmac value", "mac"),
    ("forbidden prototype", "proto"),
    ("Failed parsing sealed object", "json"),
    ("Invalid character", "character"),
    ("base64", "character"),
    ("SyntaxError", "json"),
    ("iv: Must", "iv"),
    ("algorithm.iv", "iv"),
    ("Invalid initialization vector", "iv"),
    ("OperationError", "cipher"),
    ("Provider routines", "cipher"),
)


def test_every_row_has_a_cell_for_every_column_and_a_name_of_its_own() -> None:
    for rows, columns in ((SEALS, SEAL_COLUMNS), (COOKIES, COOKIE_COLUMNS)):
        assert {len(row.cells) for row in rows} == {len(columns)}
        assert len({row.name for row in rows}) == len(rows)


def test_every_row_in_which_somebody_differs_from_us_has_a_reason() -> None:
    for row in SEALS + COOKIES:
        if any((cell == "opens") != (row.ours == "opens") for cell in row.theirs):
            assert row.reason, row.name


def test_no_row_is_accepted_here_and_refused_by_all_of_them() -> None:
    for row in SEALS + [row for row in COOKIES if row.reason != SEVERAL]:
        if row.ours == "opens":
            assert any("opens" in cell.split("/") for cell in row.theirs), row.name


def test_where_several_cookies_came_we_may_choose_another_but_none_that_they_would_refuse_alone() -> None:
    alone = next(row for row in COOKIES if row.name == "a good cookie")
    in_chunks = next(row for row in COOKIES if row.name == "three chunks")
    assert set(alone.theirs) == {"opens"}
    assert "opens" in in_chunks.theirs
    several = [row for row in COOKIES if row.reason == SEVERAL]
    assert len(several) == 3
    for row in several:
        assert any(row.text.endswith(chosen.text) for chosen in (alone, in_chunks)), row.name


@needs_node
@pytest.mark.parametrize("peer", PEERS)
def test_every_implementation_says_of_a_seal_what_the_table_says(peers: Peers, peer: str) -> None:
    answers = peers.ask_all(_unsealing(peer, row.text) for row in SEALS)
    _assert_column(
        SEAL_COLUMNS.index(peer),
        SEALS,
        [_word(answer, row) for answer, row in zip(answers, SEALS, strict=True)],
        peers,
    )


@pytest.mark.parametrize("row", SEALS, ids=lambda row: row.name)
def test_we_say_of_a_seal_what_the_table_says(row: Row) -> None:
    data, reasons = _unsealed(row.text)
    if reasons:
        assert data == {}
    assert (reasons[0] if reasons else _word_for(data, row)) == row.ours


@needs_node
@pytest.mark.parametrize("peer", COOKIE_COLUMNS[:-1])
def test_every_implementation_says_of_a_cookie_what_the_table_says(peers: Peers, peer: str) -> None:
    is_forerunner = peer.startswith("next")
    answers = peers.ask_all(
        {
            "call": "visit",
            "peer": peer,
            "cookie": row.forerunner_text if is_forerunner else row.text,
            "options": {"cookieName": COOKIE, "password": OLD, **row.options},
            "now": NOW_MS,
        }
        for row in COOKIES
    )
    found = [_visited(answer, row) for answer, row in zip(answers, COOKIES, strict=True)]
    _assert_column(COOKIE_COLUMNS.index(peer), COOKIES, found, peers)


@pytest.mark.parametrize("row", COOKIES, ids=lambda row: row.name)
def test_we_say_of_a_cookie_what_the_table_says(row: Row) -> None:
    visit = here(row.text, password=OLD, now_ms=NOW_MS, **row.options)
    opened = _word_for(visit.found, row)
    assert (opened if opened == "opens" or not visit.reasons else visit.reasons[0]) == row.ours


@needs_node
def test_a_seal_altered_at_random_is_opened_here_only_if_somebody_else_opens_it_to_the_same_data(
    peers: Peers,
) -> None:
    chance = random.Random("altered seals")
    texts = [_altered(_GOOD, chance) for _ in range(MUTANTS)]
    accepted = _assert_no_more_liberal(peers, texts)
    # Only what stands behind the mark can be altered without being noticed.
    assert all(text.partition("~")[0] == _GOOD.partition("~")[0] for text in accepted)


@needs_node
def test_a_field_altered_at_random_and_signed_again_is_opened_here_only_if_somebody_else_opens_it(
    peers: Peers,
) -> None:
    chance = random.Random("altered fields")
    made = parts()
    fields = ("prefix", "password_id", "encryption_salt", "iv", "ciphertext", "expiration", "integrity_salt")
    texts = []
    for number in range(MUTANTS):
        name = fields[number % len(fields)]
        altered = made.changed(**{name: _altered(getattr(made, name), chance).replace("*", "")})
        texts.append(altered.signed().text() + MARK)
    assert _assert_no_more_liberal(peers, texts)


@needs_node
def test_json_altered_at_random_and_signed_is_read_here_exactly_where_json_parse_reads_it(
    peers: Peers,
) -> None:
    chance = random.Random("altered payloads")
    documents = [text_of(data) for data in sessions() if data]
    texts = []
    for number in range(MUTANTS):
        document = _altered(documents[number % len(documents)], chance)
        texts.append(signed(document.encode("utf-8", "surrogatepass")))
    read = unread = 0
    answers = peers.ask_all(_unsealing("iron-session-9", text) for text in texts)
    for text, answer in zip(texts, answers, strict=True):
        data, reasons = _unsealed(text)
        theirs = json.loads(answer.value) if answer.ok else None
        if isinstance(theirs, dict) and "$number" not in answer.value:
            assert canonical(data) == canonical(theirs)
            assert not reasons
            read += 1
        else:  # not JSON, not an object, or an infinite number
            assert reasons == ["invalid"]
            unread += 1
    assert read > MUTANTS // 15
    assert unread > MUTANTS // 15


_GOOD: Final = signed()
_ODD: Final = "AZaz09-_=+/*~. \n\t\0%\"'é🦊٣{}[],:;\\"


def _altered(text: str, chance: random.Random) -> str:
    """Return *text* with one place replaced, removed, doubled or filled with something odd."""
    place = chance.randrange(len(text))
    verb = chance.randrange(5)
    if verb == 0:
        return text[:place] + chance.choice(_ODD) + text[place + 1 :]
    if verb == 1:
        return text[:place] + chance.choice(_ODD) + text[place:]
    if verb == 2:
        return text[:place] + text[place + 1 :]
    end = place + chance.randrange(1, 8)
    if verb == 3:
        return text[:end] + text[place:]
    return text[:place] + text[place:end][::-1] + text[end:]


def _assert_no_more_liberal(peers: Peers, texts: list[str]) -> list[str]:
    """Return the texts that we open, each of which somebody else opens to the same data."""
    answers = {peer: peers.ask_all(_unsealing(peer, text) for text in texts) for peer in PEERS}
    accepted = []
    for number, text in enumerate(texts):
        data, _ = _unsealed(text)
        if data:
            accepted.append(text)
            theirs = [answers[peer][number] for peer in PEERS]
            assert canonical(data) in [canonical(answer.data) for answer in theirs if answer.ok], text
    return accepted


def _unsealed(text: str) -> tuple[dict[str, Any], list[str]]:
    reasons: list[str] = []
    data = unseal_data(
        text,
        password={1: OLD},
        clock=lambda: NOW_MS / 1000,
        on_unseal_error=lambda reason, _: reasons.append(reason),
    )
    return data, reasons


def _unsealing(peer: str, text: str) -> Call:
    # The bare libraries know no mark, so the ordinary one is not given to them.
    seal = text.removesuffix(MARK) if peer in BARE else text
    return {"call": "unseal", "peer": peer, "seal": seal, "password": {"1": OLD}, "now": NOW_MS}


def _visited(answer: Answer, row: Row) -> str:
    if not answer.ok:
        return _word(answer, row)
    found = json.loads(answer.value["found"])
    reasons = answer.value["reasons"]
    return reasons[0] if reasons else _word_for(found, row)


def _word(answer: Answer, row: Row) -> str:
    if answer.ok:
        return _word_for(answer.data, row)
    if answer.name == "Unreadable":
        return answer.message
    said = f"{answer.name}: {answer.message}"
    for words, word in WORDS:
        if words in said:
            return word
    return answer.name


def _word_for(data: Any, row: Row) -> str:
    if canonical(data) == canonical(json.loads(row.expected)):
        return "opens"
    if data is None:
        return "null"
    if data == {}:
        return "{}"
    return "infinite" if "$number" in text_of(data) else "other"


def _assert_column(column: int, rows: list[Row], found: list[str], peers: Peers) -> None:
    has_from_base64 = peers.value("facts")["fromBase64"]
    expected = [row.cells[column].split("/")[-1 if has_from_base64 else 0] for row in rows]
    names = [row.name for row in rows]
    unlike = [entry for entry in zip(names, found, expected, strict=True) if entry[1] != entry[2]]
    assert unlike == [], "(input, what it says, what the table says)"
