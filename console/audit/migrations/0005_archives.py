"""Events may leave for an archive that is signed for; triggers know of it."""

import django.db.models.deletion
from django.db import migrations, models

from console.audit import triggers


def install(_apps, editor):
    triggers.install(editor)


def remove(_apps, editor):
    triggers.remove(editor)


class Migration(migrations.Migration):

    dependencies = [
        ('audit', '0004_append_only'),
    ]

    operations = [
        # On the way back the table is gone by then, and the triggers know it no more.
        migrations.RunPython(migrations.RunPython.noop, install),
        migrations.CreateModel(
            name='Archive',
            fields=[
                ('start', models.BigIntegerField(primary_key=True, serialize=False, verbose_name='first position')),
                ('end', models.BigIntegerField()),
                ('first_time', models.DateTimeField(verbose_name='from')),
                ('last_time', models.DateTimeField(verbose_name='until')),
                ('file', models.CharField(max_length=255, verbose_name='file')),
                ('bytes', models.BigIntegerField(verbose_name='size')),
                ('sha256', models.CharField(max_length=64)),
                ('time', models.DateTimeField(verbose_name='made')),
                ('key', models.CharField(max_length=200)),
                ('signature', models.CharField(max_length=100)),
            ],
            options={
                'ordering': ('-start',),
            },
        ),
        migrations.CreateModel(
            name='ArchiveCheck',
            fields=[
                ('archive', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='check_made', serialize=False, to='audit.archive')),
                ('time', models.DateTimeField()),
                ('error', models.TextField(blank=True)),
            ],
        ),
        migrations.RunPython(install, remove),
    ]
