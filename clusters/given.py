"""What a person gave to reach one cluster: already read, checked and in one form."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class Entry:
    """What one context says: where, and as whom. Key and token never show in a repr.

    certificate and key are PEM and belong together; ca may be empty (the
    authorities that this machine trusts). expires: when certificate or token
    end, the earlier one, as they say themselves; None when neither does.
    """

    server: str
    ca: str = ""
    certificate: str = field(default="", repr=False)
    key: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    expires: datetime | None = None

    @property
    def signs_in(self) -> str:
        """With what: "certificate" or "token"."""
        return "certificate" if self.certificate else "token"

    def as_data(self) -> dict[str, Any]:
        """As JSON for encrypted storage: secrets included."""
        return {
            "server": self.server,
            "ca": self.ca,
            "certificate": self.certificate,
            "key": self.key,
            "token": self.token,
            "expires": self.expires.isoformat() if self.expires else None,
        }

    @classmethod
    def of_data(cls, data: dict[str, Any]) -> Entry:
        """The other way round."""
        ends = data["expires"]
        return cls(**{**data, "expires": datetime.fromisoformat(ends) if ends else None})
