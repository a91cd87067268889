"""Sessions: idle and absolute end, other sessions after a new password, long-lived connections."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse

from console.accounts import sessions
from console.accounts.models import Role, User
from tests.factories import PASSWORD

pytestmark = pytest.mark.django_db
PROFILE = "/settings/profile/"


def shift(client: Client, key: str, seconds: int) -> None:
    session = client.session
    session[key] = int(time.time()) - seconds
    session.save()


def test_it_ends_after_the_idle_time(admin_client: Client) -> None:
    shift(admin_client, sessions.SEEN, settings.SESSION_COOKIE_AGE - 10)
    assert admin_client.get(PROFILE).status_code == 200
    shift(admin_client, sessions.SEEN, settings.SESSION_COOKIE_AGE + 10)
    assert admin_client.get(PROFILE).status_code == 302


def test_it_ends_after_the_absolute_time_however_busy(admin_client: Client) -> None:
    shift(admin_client, sessions.STARTED, settings.SESSION_MAX_SECONDS + 10)
    assert admin_client.get(PROFILE).status_code == 302


def test_a_session_without_times_is_over(admin_client: Client) -> None:
    session = admin_client.session
    del session[sessions.STARTED]
    session.save()
    assert admin_client.get(PROFILE).status_code == 302


def test_it_is_renewed_at_most_once_a_minute(admin_client: Client) -> None:
    now = admin_client.session[sessions.SEEN]
    shift(admin_client, sessions.SEEN, 30)
    admin_client.get(PROFILE)
    assert admin_client.session[sessions.SEEN] < now
    shift(admin_client, sessions.SEEN, 90)
    admin_client.get(PROFILE)
    assert admin_client.session[sessions.SEEN] >= now


def test_a_deactivated_person_is_out_with_the_next_request(
    operator: User, operator_client: Client
) -> None:
    assert operator_client.get(PROFILE).status_code == 200
    User.objects.filter(pk=operator.pk).update(is_active=False)
    assert operator_client.get(PROFILE).status_code == 302


def test_a_new_password_keeps_this_session_and_ends_the_others(
    operator: User, sign_in: Callable[[User], Client]
) -> None:
    here, there = sign_in(operator), sign_in(operator)
    new = "another long sentence"
    data = {"old_password": PASSWORD, "new_password1": new, "new_password2": new}
    assert here.post(reverse("accounts:password"), data).status_code == 302
    assert here.get(PROFILE).status_code == 200
    assert there.get(PROFILE).status_code == 302


@pytest.mark.parametrize(
    ("old", "new", "again", "field"),
    [
        ("wrong", "another long sentence", "another long sentence", "old_password"),
        (PASSWORD, "short", "short", "new_password1"),
        (PASSWORD, "123456789012345", "123456789012345", "new_password1"),
        (PASSWORD, "passwordpassword", "another long sentence", "new_password2"),
    ],
)
def test_a_bad_new_password_is_refused_at_its_field(
    operator_client: Client, operator: User, old: str, new: str, again: str, field: str
) -> None:
    data = {"old_password": old, "new_password1": new, "new_password2": again}
    response = operator_client.post(reverse("accounts:password"), data)
    assert response.status_code == 200
    assert field in response.context["form"].errors
    operator.refresh_from_db()
    assert operator.check_password(PASSWORD)


def test_guessing_the_old_password_locks_out(operator_client: Client) -> None:
    data = {"old_password": "wrong", "new_password1": "x", "new_password2": "x"}
    codes = [
        operator_client.post(reverse("accounts:password"), data).status_code
        for _ in range(settings.AXES_FAILURE_LIMIT)
    ]
    assert codes[-1] == 429


def test_new_passwords_are_not_kept_with_a_failure(operator_client: Client) -> None:
    from axes.models import AccessAttempt

    new = "canary new password"
    data = {"old_password": "canary old", "new_password1": new, "new_password2": new}
    operator_client.post(reverse("accounts:password"), data)
    assert AccessAttempt.objects.count() == 1
    assert "canary" not in str(list(AccessAttempt.objects.values()))


class TestStillValid:
    def ask(self, user: User, client: Client, permission: str = "tasks.view") -> bool:
        return sessions.still_valid(user.pk, client.session.session_key, permission)

    def test_it_is(self, operator: User, operator_client: Client) -> None:
        assert self.ask(operator, operator_client)

    def test_not_after_sign_out(self, operator: User, operator_client: Client) -> None:
        key = operator_client.session.session_key
        operator_client.post("/sign-out/")
        assert not sessions.still_valid(operator.pk, key, "tasks.view")

    def test_not_for_another_person(
        self, admin: User, operator: User, operator_client: Client
    ) -> None:
        assert not self.ask(admin, operator_client)

    def test_not_without_the_permission(self, operator: User, operator_client: Client) -> None:
        assert not self.ask(operator, operator_client, "audit.view")
        User.objects.filter(pk=operator.pk).update(role=Role.NONE)
        assert not self.ask(operator, operator_client)

    def test_not_when_deactivated(self, operator: User, operator_client: Client) -> None:
        User.objects.filter(pk=operator.pk).update(is_active=False)
        assert not self.ask(operator, operator_client)

    def test_not_after_a_new_password(self, operator: User, operator_client: Client) -> None:
        operator.set_password("another long sentence")
        operator.save()
        assert not self.ask(operator, operator_client)

    def test_not_when_its_time_is_up(self, operator: User, operator_client: Client) -> None:
        shift(operator_client, sessions.SEEN, settings.SESSION_COOKIE_AGE + 10)
        assert not self.ask(operator, operator_client)

    @pytest.mark.parametrize("key", [None, "", "made-up"])
    def test_not_without_a_session(self, operator: User, key: str | None) -> None:
        assert not sessions.still_valid(operator.pk, key, "tasks.view")
        assert not sessions.still_valid(None, key, "tasks.view")
