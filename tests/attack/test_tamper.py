"""T-TAMPER: a seal that was altered anywhere does not open."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from iron_wsgi import Refused, Sealer, SealError, SessionOptions
from iron_wsgi.vaults.seal_vault import SealVault

from . import mutants
from .mutants import LONG, MIDDLE, NOW, PASSWORDS, SHORT, Opened, Tally, byte_mutants, slips

SEALS = pytest.mark.parametrize("seal", [SHORT, MIDDLE, LONG], ids=["short", "middle", "long"])

VAULT = SealVault(SessionOptions(password=PASSWORDS, cookie_name="session", clock=lambda: NOW))


def session_data(text: str) -> Opened:
    """What a cookie value is to a session; None if it is refused. Any other exception is a defect."""
    try:
        return VAULT.load(text).data
    except Refused:
        return None


def tried(seal: str, tally: Tally) -> None:
    assert (tally.accepted, tally.failed) == (0, 0), tally.example
    assert tally.refused > len(seal)


def test_no_byte_of_a_short_seal_can_be_replaced_by_any_other_in_a_session_cookie() -> None:
    tally = Tally()
    tally.count(SHORT, byte_mutants(SHORT), session_data)
    tried(SHORT, tally)
    assert tally.tried == 255 * len(SHORT)
    # What follows the mark's '~' is not sealed, so it may be anything, and only that.
    assert tally.same == 255


@SEALS
def test_no_seal_survives_a_changed_character_of_its_alphabet_or_one_bit_turned(seal: str) -> None:
    tally = Tally()
    tally.count(seal, byte_mutants(seal, values=b"*~=%AZaz09-_ \n"))
    tally.count(
        seal,
        (
            f"{seal[:place]}{chr(ord(seal[place]) ^ 1 << bit)}{seal[place + 1 :]}"
            for place in range(0, len(seal), 5)
            for bit in range(8)
        ),
    )
    tried(seal, tally)


@SEALS
def test_no_seal_survives_a_lost_doubled_or_exchanged_character_or_a_cut(seal: str) -> None:
    tally = Tally()
    tally.count(seal, slips(seal), session_data)
    tried(seal, tally)
    # "~2" lost, "2" lost, "2" doubled, "~" doubled: the seal itself is whole.
    assert 1 < tally.same < 10


@pytest.mark.parametrize("length", [*range(43), *range(44, 60)])
def test_a_mac_of_any_other_length_than_43_characters_is_refused(length: int) -> None:
    head, _, mac = SHORT.removesuffix("~2").rpartition("*")
    assert len(mac) == 43
    assert session_data(f"{head}*{mac}") is not None
    assert session_data(f"{head}*{(mac * 2)[:length]}") is None
    assert length > 43 or session_data(f"{head}*{mac[:length]}") is None


def test_the_last_character_of_the_mac_has_one_spelling() -> None:
    # It carries four bits of the MAC, so a reader that compares octets takes three other characters for it.
    head, last = SHORT.removesuffix("~2")[:-1], SHORT.removesuffix("~2")[-1]
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    assert [one for one in alphabet if session_data(head + one) is not None] == [last]


def test_an_altered_link_raises_one_kind_of_error_and_nothing_else() -> None:
    links = Sealer(PASSWORDS, purpose="link", clock=lambda: NOW)
    link = links.seal({"user": 7}, ttl=60)
    sealed_part = link.partition("~")[0]
    refused = 0
    for mutant in byte_mutants(link, values=range(32, 127)):
        try:
            data = links.unseal(mutant)
        except SealError:  # noqa: PERF203 - each mutant is judged by itself
            refused += 1
        else:
            assert (mutant.partition("~")[0], data) == (sealed_part, {"user": 7})
    assert refused > 94 * (len(sealed_part) - 1)


@pytest.mark.long("every byte of three seals, each by all others; above, by those that seals are made of")
def test_of_all_1_3_million_altered_seals_none_opens() -> None:
    run = subprocess.run(
        [sys.executable, "-m", mutants.__name__],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    print(run.stdout)  # noqa: T201 - the figures
    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stdout.startswith("1,3")
