"""Users: who may add and change them, the last admin, passwords shown once."""

from __future__ import annotations

import time
from collections.abc import Callable
from io import StringIO

import pytest
from django.conf import settings
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from console.accounts import sessions
from console.accounts.models import ApiToken, Role, User
from console.audit.models import AuditEvent
from tests.factories import UserFactory

pytestmark = pytest.mark.django_db
CREATE = "/settings/users/create/"


def edit(client: Client, person: User, **changes: object):
    data = {"role": person.role, "email": person.email, "is_active": "on"} | changes
    data = {key: value for key, value in data.items() if value is not None}
    return client.post(reverse("accounts:user-edit", args=[person.pk]), data)


def test_an_admin_adds_a_user_who_sets_a_password_of_their_own(admin_client: Client) -> None:
    response = admin_client.post(CREATE, {"username": "olga", "role": Role.OPERATOR})
    plain = response.context["plain"]
    assert "no-store" in response["Cache-Control"]
    olga = User.objects.get(username="olga")
    assert olga.check_password(plain)
    assert olga.must_change_password
    event = AuditEvent.objects.get(action="user.created")
    assert event.after["role"] == "operator"
    assert plain not in str(event.after)
    assert "md5" not in str(event.after)


@pytest.mark.parametrize("name", ["", "ada", "ADA", "has space", "x" * 151, "<script>"])
def test_bad_names_are_refused_at_the_field(admin_client: Client, name: str) -> None:
    response = admin_client.post(CREATE, {"username": name, "role": Role.OPERATOR})
    assert "username" in response.context["form"].errors
    assert User.objects.count() == 1


def test_an_unknown_role_is_refused(admin_client: Client) -> None:
    response = admin_client.post(CREATE, {"username": "olga", "role": "god"})
    assert "role" in response.context["form"].errors


def test_fields_that_the_form_lacks_cannot_be_set(admin_client: Client, operator: User) -> None:
    edit(admin_client, operator, is_superuser="on", is_staff="on", password="x", username="new")
    operator.refresh_from_db()
    assert (operator.is_superuser, operator.is_staff) == (False, False)
    assert operator.username == "otto"


def test_an_auditor_sees_the_list_and_changes_nothing(
    auditor_client: Client, operator: User
) -> None:
    assert auditor_client.get("/settings/users/").status_code == 200
    assert auditor_client.get(CREATE).status_code == 403
    assert edit(auditor_client, operator, role=Role.ADMIN).status_code == 403
    operator.refresh_from_db()
    assert operator.role == Role.OPERATOR


def test_for_an_operator_users_are_not_there(operator_client: Client, auditor: User) -> None:
    assert operator_client.get("/settings/users/").status_code == 404
    assert operator_client.get(CREATE).status_code == 404
    assert edit(operator_client, auditor).status_code == 404


def test_a_profile_cannot_raise_its_own_role(operator_client: Client, operator: User) -> None:
    operator_client.post("/settings/profile/", {"role": "admin", "language": "zh-hans"})
    operator.refresh_from_db()
    assert operator.role == Role.OPERATOR
    assert operator.language == "zh-hans"


def test_a_role_works_with_the_next_request(
    admin_client: Client, operator: User, operator_client: Client
) -> None:
    assert operator_client.get("/audit/").status_code == 404
    assert edit(admin_client, operator, role=Role.AUDITOR).status_code == 302
    assert operator_client.get("/audit/").status_code == 200
    event = AuditEvent.objects.get(action="user.changed")
    assert (event.before["role"], event.after["role"]) == ("operator", "auditor")


def test_deactivating_ends_sessions_and_tokens(
    admin_client: Client, operator: User, operator_client: Client
) -> None:
    _token, plain = ApiToken.issue(operator, "ci")
    edit(admin_client, operator, is_active=None)
    assert operator_client.get("/settings/profile/").status_code == 302
    headers = {"Authorization": f"Token {plain}"}
    assert Client(headers=headers).get("/api/v1/schema/").status_code == 401


class TestTheLastAdmin:
    def test_it_cannot_be_demoted_or_deactivated(self, admin_client: Client, admin: User) -> None:
        assert "role" in edit(admin_client, admin, role=Role.OPERATOR).context["form"].errors
        assert "is_active" in edit(admin_client, admin, is_active=None).context["form"].errors
        admin.refresh_from_db()
        assert (admin.role, admin.is_active) == (Role.ADMIN, True)

    def test_inactive_admins_do_not_count(self, admin_client: Client, admin: User) -> None:
        UserFactory(role=Role.ADMIN, is_active=False)
        assert "role" in edit(admin_client, admin, role=Role.AUDITOR).context["form"].errors

    def test_nobody_demotes_themselves(self, admin_client: Client, admin: User) -> None:
        UserFactory(role=Role.ADMIN)
        assert "role" in edit(admin_client, admin, role=Role.AUDITOR).context["form"].errors

    def test_another_admin_may(
        self, admin_client: Client, admin: User, sign_in: Callable[[User], Client]
    ) -> None:
        other = UserFactory(role=Role.ADMIN)
        assert edit(sign_in(other), admin, role=Role.AUDITOR).status_code == 302


def test_a_reset_password_ends_sessions_and_is_shown_once(
    admin_client: Client, operator: User, operator_client: Client
) -> None:
    response = admin_client.post(reverse("accounts:user-reset-password", args=[operator.pk]))
    operator.refresh_from_db()
    assert operator.check_password(response.context["plain"])
    assert operator.must_change_password
    assert operator_client.get("/settings/profile/").status_code == 302


class TestConfirmPassword:
    def age(self, client: Client) -> None:
        session = client.session
        session[sessions.CONFIRMED] = int(time.time()) - settings.CONFIRM_PASSWORD_SECONDS - 5
        session.save()

    def test_a_dangerous_page_asks_and_comes_back(self, admin_client: Client) -> None:
        from tests.factories import PASSWORD

        self.age(admin_client)
        asked = admin_client.get(CREATE)
        assert asked.url == f"/settings/confirm-password/?next={CREATE.replace('/', '%2F')}"
        data = {"password": PASSWORD, "next": CREATE}
        assert admin_client.post("/settings/confirm-password/", data).url == CREATE
        assert admin_client.get(CREATE).status_code == 200

    def test_a_sent_form_does_nothing_until_confirmed(
        self, admin_client: Client, operator: User
    ) -> None:
        self.age(admin_client)
        page = reverse("accounts:user-edit", args=[operator.pk])
        response = admin_client.post(
            page,
            {"role": "admin", "is_active": "on"},
            headers={"referer": f"http://testserver{page}"},
        )
        assert response.url.endswith(f"?next={page.replace('/', '%2F')}")
        operator.refresh_from_db()
        assert operator.role == Role.OPERATOR

    def test_a_wrong_password_confirms_nothing_and_locks_out(self, admin_client: Client) -> None:
        self.age(admin_client)
        codes = [
            admin_client.post("/settings/confirm-password/", {"password": "wrong"}).status_code
            for _ in range(settings.AXES_FAILURE_LIMIT)
        ]
        assert codes[0] == 200
        assert codes[-1] == 429
        assert admin_client.get(CREATE).status_code == 302

    def test_it_leads_nowhere_else(self, admin_client: Client) -> None:
        from tests.factories import PASSWORD

        data = {"password": PASSWORD, "next": "//evil.example/"}
        assert admin_client.post("/settings/confirm-password/", data).url == "/"

    def test_permission_comes_first(self, operator_client: Client) -> None:
        self.age(operator_client)
        assert operator_client.get(CREATE).status_code == 404


class TestCreateAdmin:
    def run(self, *args: str) -> str:
        out = StringIO()
        call_command("create_admin", *args, stdout=out, stderr=StringIO())
        return out.getvalue().strip()

    def test_it_prints_the_password_once_and_keeps_the_admin(self, db: None) -> None:
        plain = self.run()
        admin = User.objects.get()
        assert (admin.username, admin.role) == ("admin", Role.ADMIN)
        assert admin.check_password(plain)
        assert self.run() == ""
        assert User.objects.get().check_password(plain)

    def test_a_lost_password_can_be_reset(self, admin: User) -> None:
        plain = self.run("ada", "--reset")
        admin.refresh_from_db()
        assert admin.check_password(plain)
