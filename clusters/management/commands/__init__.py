"""manage.py watcher."""
