"""A cluster's own audit log, as an auditor reads it in the console's pages."""

from __future__ import annotations

import html
import json
import re
import urllib.request
from typing import Any

from tests.e2e.console import Console

AUDITOR = """
from django.test import Client
from console.accounts.models import User
user, _ = User.objects.get_or_create(username={name!r}, defaults={{"role": "auditor"}})
client = Client()
client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
print(client.cookies["sessionid"].value)
"""
EVENTS = """
import json
from console.audit.models import AuditEvent
rows = AuditEvent.objects.filter(action={action!r}).order_by("pk")
print(json.dumps([[row.actor_name, row.request_id, row.outcome, row.after] for row in rows]))
"""


class OwnLog:
    """One person's pages about a cluster's own audit log."""

    def __init__(self, console: Console, cluster: int, person: str = "audra") -> None:
        self.console, self.cluster = console, cluster
        said = console.manage("shell", "-c", AUDITOR.format(name=person))
        self.session = said.splitlines()[-1]

    def page(self, path: str) -> str:
        """A page's text without its tags, white space as one blank."""
        request = urllib.request.Request(
            f"{self.console.url}{path}", headers={"Cookie": f"sessionid={self.session}"}
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            found: str = answer.read().decode()
        return found

    def entries(self, query: str) -> list[str]:
        """The rows that a query finds, as text, newest first."""
        page = self.page(f"/clusters/{self.cluster}/audit-log/entries/?{query}")
        rows = re.findall(r"<tr>\s*<td>(.*?)</tr>", page, re.S)
        return [" ".join(html.unescape(re.sub(r"<[^>]*>", " ", row)).split()) for row in rows]

    def events(self, action: str) -> list[list[Any]]:
        """[actor, request, outcome, after] of the console's own events, oldest first."""
        said = self.console.manage("shell", "-c", EVENTS.format(action=action))
        return list(json.loads(said.splitlines()[-1]))
