"""Filters of the audit record that people keep under a name."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

NAME_LENGTH, QUERY_LENGTH = 80, 2000


class SavedView(models.Model):
    """query: the list's filter as an address has it (`who=ada&outcome=denied`).

    shared: everybody who may view the record sees it; only its owner changes it.
    """

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    name = models.CharField(_("name"), max_length=NAME_LENGTH)
    query = models.CharField(max_length=QUERY_LENGTH)
    shared = models.BooleanField(_("for everybody who may view the record"), default=False)
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("name", "pk")
        constraints = (models.UniqueConstraint(fields=("owner", "name"), name="audit_view_name"),)

    def __str__(self) -> str:
        return self.name
