"""Events that are there already wait for their places in the tree, marked as adopted."""

import uuid

from django.db import migrations, models


def adopt(apps, editor):
    events = apps.get_model("audit", "AuditEvent").objects.using(editor.connection.alias)
    events.filter(actor_key=None).exclude(actor_id=None).update(actor_key=models.F("actor_id"))
    tree, _made = (
        apps.get_model("audit", "Tree")
        .objects.using(editor.connection.alias)
        .get_or_create(pk=1, defaults={"origin": uuid.uuid4()})
    )
    tree.adopted = events.count()
    tree.save()
    quote = editor.quote_name
    editor.execute(
        f"INSERT INTO {quote('audit_pending')} ({quote('event_id')}) "
        f"SELECT {quote('id')} FROM {quote('audit_auditevent')}"
    )


class Migration(migrations.Migration):

    dependencies = [("audit", "0002_proof")]

    operations = [migrations.RunPython(adopt, migrations.RunPython.noop)]
