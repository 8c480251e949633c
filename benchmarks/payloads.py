"""Session data of a given size that looks like what sessions hold."""

from __future__ import annotations

import json
import random
from typing import Any, Final

SIZES: Final = (100, 1000, 2500)
"""Octets of JSON: an id and a token; a signed-in visitor; nearly all that fits into one cookie."""
USUAL: Final = 1000
"""The size by which a goal is judged; the others stand beside it."""

PASSWORD: Final = "kD8vQ2mX7pLr4TzN9bYc3WfH6jGs1AeUo5Ri0VtZxqM"
TTL: Final = 1_209_600
USER_ID: Final = 4711


def data_of(size: int) -> dict[str, Any]:
    """Return data whose compact JSON has exactly *size* octets, 100 at least; each size has one such data.

    Little is repeated in them, as in sessions: some of what they are compared with compresses its data. Some
    two thirds are many small values, the rest is text.
    """
    chance = random.Random(size)
    data: dict[str, Any] = {"user": {"id": USER_ID}, "visits": 0, "csrf": ""}
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
