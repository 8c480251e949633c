from __future__ import annotations

import logging

import pytest

from iron_wsgi import InvalidSeal, Refused, Unavailable
from iron_wsgi.servers.outages import RETRY_AFTER, ask


def test_an_answer_is_passed_on_whatever_it_is() -> None:
    assert ask("store", lambda: None) is None
    assert ask("store", lambda: False) is False
    assert ask("store", lambda: [1]) == [1]


@pytest.mark.parametrize("error", [OSError("x"), TimeoutError(), KeyError("x"), RuntimeError(), ValueError()])
def test_whatever_a_driver_raises_is_an_outage(error: Exception) -> None:
    def fail() -> None:
        raise error

    with pytest.raises(Unavailable, match=r"^the sessions' store does not answer$") as caught:
        ask("store", fail)
    # A driver's error may hold the address of a server, with its password.
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_what_the_package_says_itself_is_no_outage() -> None:
    def refuse() -> None:
        raise Refused("lost")

    with pytest.raises(Refused, match="lost"):
        ask("store", refuse)


def test_an_interrupt_is_no_outage() -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ask("store", interrupt)


def test_every_outage_is_logged_in_one_short_line(caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> None:
        raise OSError("no route" + "x" * 1000 + "\nsecond line")

    for _ in range(2):
        with pytest.raises(Unavailable):
            ask("list of revocations", fail)
    assert len(caplog.records) == 2
    for record in caplog.records:
        assert record.levelno == logging.ERROR
        assert record.exc_info is None
        line = record.getMessage()
        assert line.startswith("the sessions' list of revocations did not answer: OSError: no route")
        assert "second" not in line
        assert len(line) < 300


def test_a_visitor_is_asked_to_come_back_soon() -> None:
    assert 1 <= RETRY_AFTER <= 60


def test_the_text_of_an_error_that_may_quote_what_was_asked_is_not_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail() -> None:
        raise KeyError("CANARY")

    with pytest.raises(Unavailable):
        ask("store", fail)
    assert "KeyError" in caplog.text
    assert "CANARY" not in caplog.text


def test_a_seal_that_somebodys_list_cannot_open_is_an_outage_and_other_errors_of_ours_are_meant() -> None:
    def unseal() -> None:
        raise InvalidSeal("broken")

    with pytest.raises(Unavailable):
        ask("store", unseal)

    def refuse() -> None:
        raise Refused("lost")

    with pytest.raises(Refused):
        ask("store", refuse)
