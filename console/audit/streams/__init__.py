"""Streaming: every event and checkpoint goes out in order, at least once (docs/audit.md)."""
