"""Keyset pages: every row once, whatever is sorted, filtered or added meanwhile."""

from __future__ import annotations

from typing import Any

import pytest
from django.http import QueryDict
from django.test import RequestFactory

from console.accounts.models import User
from console.ui.lists import Page, keyset
from tests.factories import UserFactory

pytestmark = pytest.mark.django_db
SORTS = ("username", "-date_joined", "last_name")


def page_at(address: str, size: int = 3) -> Page:
    request = RequestFactory().get(f"/{address}")
    return keyset(request, User.objects.all(), sorts=SORTS, size=size)


def names(page: Page) -> list[str]:
    return [user.username for user in page]


def walk(page: Page) -> list[Any]:
    """All rows from a page on, by its link to the next."""
    rows = list(page)
    while page.next:
        page = page_at(page.next)
        rows += page.rows
    return rows


@pytest.fixture(autouse=True)
def _people() -> None:
    for n in range(10):
        # The same last name for many: only the key tells them apart.
        UserFactory(username=f"u{n}", last_name="same" if n < 7 else "other")


@pytest.mark.parametrize("sort", ["", "?sort=-username", "?sort=last_name", "?sort=date_joined"])
def test_every_row_is_on_one_page(sort: str) -> None:
    seen = [user.pk for user in walk(page_at(sort))]
    assert len(seen) == len(set(seen)) == 10


def test_back_leads_to_the_page_before() -> None:
    first = page_at("")
    second = page_at(first.next)
    assert names(page_at(second.previous)) == names(first) == ["u0", "u1", "u2"]
    assert first.previous == ""
    last = page_at(page_at(page_at(second.next).next).previous)
    assert names(page_at(last.next)) == ["u9"]


def test_rows_that_come_meanwhile_shift_nothing() -> None:
    first = page_at("")
    UserFactory(username="a-new-first")
    assert names(page_at(first.next)) == ["u3", "u4", "u5"]


def test_the_filter_stays_in_the_links() -> None:
    page = page_at("?q=x&sort=-username")
    query = QueryDict(page.next.removeprefix("?"))
    assert query["q"] == "x"
    assert query["sort"] == "-username"
    assert page.filtered
    assert not page_at("?sort=username").filtered


@pytest.mark.parametrize(
    "nonsense",
    ["?after=%%%", "?after=e30", "?after=WzEsMl0", "?before=", "?sort=password", "?sort=-pk__x"],
)
def test_nonsense_in_the_address_is_no_error(nonsense: str) -> None:
    assert page_at(nonsense) is not None


def test_one_cannot_sort_by_what_is_not_offered() -> None:
    assert page_at("?sort=password").sort == "username"
