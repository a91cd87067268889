"""`manage.py lab`."""
