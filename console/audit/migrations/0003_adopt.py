"""Events that are there already wait for their places in the tree, marked as adopted."""

import uuid

from django.db import migrations, models


def adopt(apps, editor):
    trees = apps.get_model("audit", "Tree").objects.using(editor.connection.alias)
    if trees.exists():
        return  # here once more, after a way back that left the tree: nothing is adopted twice
    events = apps.get_model("audit", "AuditEvent").objects.using(editor.connection.alias)
    events.filter(actor_key=None).exclude(actor_id=None).update(actor_key=models.F("actor_id"))
    trees.create(pk=1, origin=uuid.uuid4(), adopted=events.count())
    quote = editor.quote_name
    editor.execute(
        f"INSERT INTO {quote('audit_pending')} ({quote('event_id')}) "
        f"SELECT {quote('id')} FROM {quote('audit_auditevent')}"
    )


class Migration(migrations.Migration):

    dependencies = [("audit", "0002_proof")]

    operations = [migrations.RunPython(adopt, migrations.RunPython.noop)]
