"""Each filter of the list has an index in the list's order.

The two plain indexes that they replace go by name: to alter the fields would make SQLite copy the
table, which takes long, and takes the triggers away.
"""

import django.db.models.functions.text
from django.db import migrations, models

REPLACED = ("action", "request_id")


def drop_plain(apps, editor):
    model = apps.get_model("audit", "AuditEvent")
    for column in REPLACED:
        names = editor._constraint_names(model, [column], index=True, unique=False)
        for name in names:
            editor.execute(f"DROP INDEX {editor.quote_name(name)}")


def make_plain(apps, editor):
    model = apps.get_model("audit", "AuditEvent")
    for column in REPLACED:
        editor.execute(editor._create_index_sql(model, fields=[model._meta.get_field(column)]))


INDEXES = (
    models.Index(django.db.models.functions.text.Lower("actor_name"), models.F("id"), name="audit_by_who"),
    models.Index(django.db.models.functions.text.Lower("cluster_name"), models.F("id"), name="audit_by_cluster_name"),
    models.Index(django.db.models.functions.text.Lower("tenant_name"), models.F("id"), name="audit_by_tenant_name"),
    models.Index(fields=["action", "id"], name="audit_by_action"),
    models.Index(fields=["object_type", "object_id", "id"], name="audit_by_object"),
    models.Index(fields=["outcome", "id"], name="audit_by_outcome"),
    models.Index(fields=["request_id", "id"], name="audit_by_request"),
    models.Index(fields=["session", "id"], name="audit_by_session"),
    models.Index(fields=["address", "id"], name="audit_by_address"),
)


class Migration(migrations.Migration):

    dependencies = [
        ('audit', '0007_saved_views'),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunPython(drop_plain, make_plain)],
            state_operations=[
                migrations.AlterField(
                    model_name='auditevent',
                    name='action',
                    field=models.CharField(max_length=64, verbose_name='action'),
                ),
                migrations.AlterField(
                    model_name='auditevent',
                    name='request_id',
                    field=models.CharField(blank=True, max_length=36, verbose_name='request'),
                ),
            ],
        ),
        *(migrations.AddIndex(model_name='auditevent', index=index) for index in INDEXES),
    ]
