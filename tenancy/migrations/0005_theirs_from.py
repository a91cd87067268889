

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('tenancy', '0004_use_history'),
    ]

    operations = [
        migrations.AddField(
            model_name='namespace',
            name='theirs_from',
            field=models.PositiveIntegerField(default=1),
        ),
    ]
