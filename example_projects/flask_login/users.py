"""Who may sign in. A real site keeps its users in a database."""

# Flask-Login has no types.
# mypy: disable-error-code="import-untyped", allow-subclassing-any

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import final

from flask import current_app
from flask_login import UserMixin
from werkzeug.security import check_password_hash, generate_password_hash


@final
@dataclass(frozen=True, eq=False)
class User(UserMixin):
    """Somebody who can sign in. The session holds the id alone: names change, and hashes stay at home."""

    id: str
    name: str
    password_hash: str = field(repr=False)


@final
class Users:
    """All users, by id and by name."""

    def __init__(self, users: Iterable[User] = ()) -> None:
        """Know *users*, whose hashes were made by `generate_password_hash`."""
        self._by_id = {user.id: user for user in users}
        self._by_name = {user.name: user for user in self._by_id.values()}
        self._nobodys_hash = generate_password_hash(secrets.token_urlsafe())

    def get(self, identity: str) -> User | None:
        """Return the user with this id."""
        return self._by_id.get(identity)

    def named(self, name: str) -> User | None:
        """Return the user with this name."""
        return self._by_name.get(name)

    def authenticate(self, name: str, password: str) -> User | None:
        """Return the user with this name if the password is right."""
        user = self.named(name)
        # A password is always hashed: how long the answer takes does not tell which names there are.
        is_right = check_password_hash(user.password_hash if user else self._nobodys_hash, password)
        return user if is_right else None


def known_users() -> Users:
    """Return those of the current application."""
    users: Users = current_app.config["USERS"]
    return users
