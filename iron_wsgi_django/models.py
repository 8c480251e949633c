"""The tables of `databases.store.DatabaseStore` and `databases.revocations.DatabaseRevocations`.

They stay empty where ``IRON_SESSION`` names neither. A dump of them holds no session id and no data: names
are hashes, values are encrypted.
"""

from __future__ import annotations

from django.db import models


class SessionRecord(models.Model):
    """One `iron_wsgi.stores.Record`. Moments are epoch seconds."""

    key = models.CharField(primary_key=True, max_length=64)
    value = models.TextField()
    version = models.BigIntegerField()
    subject = models.CharField(max_length=64, blank=True)
    created_at = models.FloatField()
    written_at = models.FloatField()
    expires_at = models.FloatField(null=True)

    class Meta:
        """Indexes for the sweep, and for the sessions of one subject."""

        indexes = (
            models.Index(fields=["expires_at"], name="iron_record_expires_at"),
            models.Index(fields=["subject"], name="iron_record_subject"),
        )

    def __str__(self) -> str:
        """Return the first digits of the key, which is the hash of the session's id."""
        return str(self.key)[:8]


class Revocation(models.Model):
    """One entry of the list: a revoked session, or a moment before which sessions are revoked.

    Attributes:
        name: The hash of a session's id or of a subject; or ``"all"`` or ``"since"``, see
            `databases.revocations`.
        before: Epoch milliseconds, where the entry is a moment.
        expires_at: Epoch seconds from which on a sweep may delete the entry; None for never.
    """

    name = models.CharField(primary_key=True, max_length=64)
    before = models.BigIntegerField(null=True)
    expires_at = models.FloatField(null=True)

    class Meta:
        """An index for the sweep."""

        indexes = (models.Index(fields=["expires_at"], name="iron_revocation_expires_at"),)

    def __str__(self) -> str:
        """Return the name, of a hash only the first digits."""
        return str(self.name)[:8]
