"""What tests of the audit record share."""

from __future__ import annotations

import pytest

from console.audit import bounds, record


@pytest.fixture
def unbounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Events as large as those that were written before there were bounds."""
    monkeypatch.setattr(bounds, "TEXT_LIMIT", 10**8)
    monkeypatch.setattr(bounds, "ENTRY_LIMIT", 10**8)
    monkeypatch.setattr(record, "Budget", lambda: bounds.Budget(10**8))
