"""Ids of sessions, and the names that servers know instead of them."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from iron_wsgi.errors import ConfigError
from iron_wsgi.servers.ids import MAX_ID, key_of, new_id, subject_key_of


@pytest.mark.parametrize("sid", ["a", "x" * MAX_ID, "with space", "~!*'"])
def test_an_id_is_what_the_option_returns(sid: str) -> None:
    assert new_id(lambda: sid) == sid


@pytest.mark.parametrize("sid", ["", "x" * (MAX_ID + 1), "\u00e4", None, 7, b"bytes"])
def test_what_cannot_be_an_id_is_refused_without_being_quoted(sid: Any) -> None:
    with pytest.raises(
        ConfigError, match="generate_id must return a string of 1 to 128 ASCII characters"
    ) as caught:
        new_id(lambda: sid)
    assert repr(sid) not in str(caught.value)


def test_a_key_is_the_sha_256_of_the_id() -> None:
    # Written down once for all: a new version must find what an older one has kept.
    assert key_of("sid") == hashlib.sha256(b"iron_wsgi session sid").hexdigest()


def test_a_subjects_key_is_another_than_that_of_an_id_of_the_same_text() -> None:
    assert subject_key_of("7") == hashlib.sha256(b"iron_wsgi subject 7").hexdigest()
    assert subject_key_of("7") != key_of("7")


@pytest.mark.parametrize("text", ["", "\x00", "\u00e4", "\U0001f642", "\ud800", "x" * 100_000])
def test_every_text_has_a_key_of_64_hexadecimal_digits(text: str) -> None:
    for name in (key_of(text), subject_key_of(text)):
        assert len(name) == 64
        assert set(name) <= set("0123456789abcdef")


def test_no_two_texts_share_a_key() -> None:
    texts = [
        "",
        " ",
        "7",
        "07",
        "7 ",
        "anna",
        "Anna",
        "\u00e4",
        "a\u0308",
        "\ud800",
        "?",
        "x" * 100,
        "x" * 101,
    ]
    names = {key_of(text) for text in texts} | {subject_key_of(text) for text in texts}
    assert len(names) == 2 * len(texts)
