

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('tenancy', '0001_tenancy'),
    ]

    operations = [
        migrations.AddField(
            model_name='namespace',
            name='theirs_from',
            field=models.PositiveIntegerField(default=1),
        ),
    ]
