"""The tables of `stores.DatabaseStore` and `revocation.DatabaseRevocations`.

They stay empty where ``IRON_SESSION`` names neither. Whoever reads them learns no session's id and no data:
names are hashes, values are sealed.
"""

from __future__ import annotations

from django.db import models


class SessionRecord(models.Model):
    """One session as `iron_wsgi.stores.Record` has it. Moments are epoch seconds."""

    key = models.CharField(primary_key=True, max_length=64)
    value = models.TextField()
    version = models.BigIntegerField()
    subject = models.CharField(max_length=64, blank=True)
    created_at = models.FloatField()
    written_at = models.FloatField()
    expires_at = models.FloatField(null=True)

    class Meta:
        """For the sweep, and for lists of somebody's sessions."""

        indexes = (
            models.Index(fields=["expires_at"], name="iron_record_expires_at"),
            models.Index(fields=["subject"], name="iron_record_subject"),
        )

    def __str__(self) -> str:
        """Name the session by the first digits of its hash."""
        return str(self.key)[:8]


class Revocation(models.Model):
    """One entry of the list: a session that is over, or a moment before which sessions have to have begun.

    Attributes:
        name: The hash of a session's id or of a subject; or one of the words in `revocation`.
        before: Epoch milliseconds, where the entry is a moment.
        expires_at: Epoch seconds from which on the entry may go; None for never.
    """

    name = models.CharField(primary_key=True, max_length=64)
    before = models.BigIntegerField(null=True)
    expires_at = models.FloatField(null=True)

    class Meta:
        """For the sweep."""

        indexes = (models.Index(fields=["expires_at"], name="iron_revocation_expires_at"),)

    def __str__(self) -> str:
        """Name the entry by its word, or by the first digits of its hash."""
        return str(self.name)[:8]
