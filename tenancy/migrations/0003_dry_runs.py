from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("tenancy", "0002_isolation_proofs")]

    operations = [
        migrations.AddField(
            model_name="namespace",
            name="proof",
            field=models.JSONField(blank=True, default=dict),
        ),
        migrations.AddField(
            model_name="namespace",
            name="proved",
            field=models.DateTimeField(blank=True, null=True),
        ),
    ]
