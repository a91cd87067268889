"""The watched read model in SQL that pages are served from."""
