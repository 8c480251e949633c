"""The tables of sessions and of revocations, and the entry by which the list knows that it is complete."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import migrations, models


def begin_the_list(apps: Any, schema_editor: Any) -> None:
    """Say that nothing was revoked before: sessions that live in cookies now shall live on."""
    entries = apps.get_model("iron_wsgi_django", "Revocation").objects.using(schema_editor.connection.alias)
    entries.get_or_create(name="since", defaults={"before": 0})


class Migration(migrations.Migration):
    """Makes both tables."""

    initial = True
    dependencies: ClassVar[list[tuple[str, str]]] = []
    operations: ClassVar[list[Any]] = [
        migrations.CreateModel(
            name="SessionRecord",
            fields=[
                ("key", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("value", models.TextField()),
                ("version", models.BigIntegerField()),
                ("subject", models.CharField(blank=True, max_length=64)),
                ("created_at", models.FloatField()),
                ("written_at", models.FloatField()),
                ("expires_at", models.FloatField(null=True)),
            ],
            options={
                "indexes": [
                    models.Index(fields=["expires_at"], name="iron_record_expires_at"),
                    models.Index(fields=["subject"], name="iron_record_subject"),
                ],
            },
        ),
        migrations.CreateModel(
            name="Revocation",
            fields=[
                ("name", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("before", models.BigIntegerField(null=True)),
                ("expires_at", models.FloatField(null=True)),
            ],
            options={
                "indexes": [models.Index(fields=["expires_at"], name="iron_revocation_expires_at")],
            },
        ),
        migrations.RunPython(begin_the_list, migrations.RunPython.noop, hints={"model_name": "revocation"}),
    ]
