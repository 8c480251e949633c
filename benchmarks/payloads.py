"""Session data of a given size that looks like what sessions hold."""

from __future__ import annotations

import json
import random
from typing import Any, Final

SIZES: Final = (50, 500, 2700)
"""Octets: an id and a token; a signed-in visitor; nearly all that fits into one cookie."""

PASSWORD: Final = "kD8vQ2mX7pLr4TzN9bYc3WfH6jGs1AeUo5Ri0VtZxqM"
NOW: Final = 1_800_000_000.0
TTL: Final = 1_209_600


def data_of(size: int) -> dict[str, Any]:
    """Return data whose compact JSON has exactly *size* octets, 50 at least."""
    data: dict[str, Any] = {"user_id": 4711, "csrf": ""}
    if size >= 500:
        data |= {"roles": ["editor", "billing"], "locale": "en-GB", "signed_in": True, "cart": []}
        item = {"sku": "A-10233", "quantity": 2, "price": 19.95, "gift": False}
        # Some two thirds are many small values, the rest is text.
        data["cart"] += [item] * ((size * 2 // 3 - len(text_of(data))) // (len(text_of(item)) + 1))
    data["csrf"] = "t" * (size - len(text_of(data)))
    return data


def lifelike_of(size: int) -> dict[str, Any]:
    """Return data like those of `data_of` in which little is repeated, as in sessions: 100 octets at least.

    For comparisons with what compresses its data. Each size has one such data.
    """
    chance = random.Random(size)
    data: dict[str, Any] = {"user_id": 4711, "csrf": ""}
    if size >= 500:
        data |= {"roles": ["editor", "billing"], "locale": "en-GB", "signed_in": True, "cart": []}
        while len(text_of(data)) < size * 2 // 3:
            sku, quantity = f"A-{chance.randrange(10_000, 99_999)}", chance.randrange(1, 9)
            price, is_gift = round(chance.uniform(1, 99), 2), chance.random() < 0.2
            data["cart"].append({"sku": sku, "quantity": quantity, "price": price, "gift": is_gift})
    data["csrf"] = "".join(chance.choices("0123456789abcdef", k=size - len(text_of(data))))
    return data


def text_of(data: object) -> bytes:
    """Return compact JSON."""
    return json.dumps(data, separators=(",", ":")).encode()
