"""The database refuses to change or remove what was recorded."""

from django.db import migrations

from console.audit import triggers


class Migration(migrations.Migration):

    dependencies = [("audit", "0003_adopt")]

    operations = [
        migrations.RunPython(
            lambda _apps, editor: triggers.install(editor),
            lambda _apps, editor: triggers.remove(editor),
        )
    ]
