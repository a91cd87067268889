"""Sign-in: who gets in, what failures say, lockout, where one lands."""

from __future__ import annotations

from datetime import timedelta

import pytest
from axes.models import AccessAttempt
from django.conf import settings
from django.test import AsyncClient, Client
from django.urls import reverse
from django.utils import timezone

from console.accounts.models import User
from console.audit.models import AuditEvent
from tests.factories import PASSWORD

pytestmark = pytest.mark.django_db
PAGE = "/sign-in/"


def attempt(client: Client, name: str, password: str, **extra: str):
    return client.post(PAGE, {"username": name, "password": password}, **extra)


def test_it_signs_in_and_leads_to_the_overview(client: Client, admin: User) -> None:
    response = attempt(client, "ada", PASSWORD)
    assert response.status_code == 302
    assert response.url == reverse("overview")
    assert client.get(reverse("accounts:profile")).status_code == 200


def test_it_works_under_asgi_too(admin: User) -> None:
    from asgiref.sync import async_to_sync

    client = AsyncClient()

    async def run() -> tuple[int, int]:
        first = await client.post(PAGE, {"username": "ada", "password": PASSWORD})
        second = await client.get(reverse("accounts:profile"))
        return first.status_code, second.status_code

    assert async_to_sync(run)() == (302, 200)


def test_lockout_works_under_asgi_too(admin: User) -> None:
    from asgiref.sync import async_to_sync

    client = AsyncClient()

    async def run() -> int:
        for _ in range(settings.AXES_FAILURE_LIMIT):
            answer = await client.post(PAGE, {"username": "ada", "password": "wrong"})
        return answer.status_code

    assert async_to_sync(run)() == 429


def test_every_failure_says_the_same(client: Client, admin: User, operator: User) -> None:
    User.objects.filter(pk=operator.pk).update(is_active=False)
    tries = [("ada", "wrong"), ("nobody-of-this-name", "wrong"), ("otto", PASSWORD)]
    pages = [attempt(client, name, password) for name, password in tries]
    errors = [list(page.context["form"].non_field_errors()) for page in pages]
    assert all(page.status_code == 200 for page in pages)
    assert errors[0] == errors[1] == errors[2] != []
    assert all("_auth_user_id" not in page.wsgi_request.session for page in pages)


def test_a_failure_shows_no_password(client: Client, admin: User) -> None:
    response = attempt(client, "ada", "canary-password-17")
    assert b"canary-password-17" not in response.content


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/",
        "//evil.example/",
        "///evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "javascript:alert(1)",
        "http:evil.example",
        "https://testserver@evil.example/",
        "/\t/evil.example",
        " //evil.example",
    ],
)
def test_next_never_leads_out_of_the_console(client: Client, admin: User, target: str) -> None:
    data = {"username": "ada", "password": PASSWORD, "next": target}
    assert client.post(PAGE, data).url == reverse("overview")
    # Also for who is signed in already.
    assert client.get(PAGE, {"next": target}).url == reverse("overview")


def test_next_leads_back_to_the_page(client: Client, admin: User) -> None:
    data = {"username": "ada", "password": PASSWORD, "next": "/audit/?who=ada"}
    assert client.post(PAGE, data).url == "/audit/?who=ada"


def test_a_page_without_a_session_sends_to_sign_in_and_back(client: Client, db: None) -> None:
    response = client.get("/audit/?who=ada")
    assert response.status_code == 302
    assert response.url == "/sign-in/?next=%2Faudit%2F%3Fwho%3Dada"


def test_a_part_of_a_page_without_a_session_moves_the_whole_page(client: Client, db: None) -> None:
    response = client.get(
        "/audit/?part=rows",
        headers={"HX-Request": "true", "HX-Current-URL": "http://testserver/audit/"},
    )
    assert response.status_code == 401
    assert response["HX-Redirect"] == "/sign-in/?next=%2Faudit%2F"


def test_the_session_key_changes_at_sign_in(client: Client, admin: User) -> None:
    session = client.session
    session["planted"] = True
    session.save()
    before = session.session_key
    attempt(client, "ada", PASSWORD)
    assert client.session.session_key != before


def test_csrf_is_checked(admin: User) -> None:
    client = Client(enforce_csrf_checks=True)
    assert attempt(client, "ada", PASSWORD).status_code == 403
    assert "_auth_user_id" not in client.session


def test_sign_out_ends_the_session_and_takes_a_post(admin_client: Client) -> None:
    assert admin_client.get("/sign-out/").status_code == 405
    assert admin_client.get(reverse("accounts:profile")).status_code == 200
    assert admin_client.post("/sign-out/").status_code == 302
    assert admin_client.get(reverse("accounts:profile")).status_code == 302
    assert AuditEvent.objects.filter(action="auth.sign_out", actor_name="ada").count() == 1


class TestLockout:
    def fail(self, client: Client, times: int, **extra: str):
        for _ in range(times):
            response = attempt(client, "ada", "wrong", **extra)
        return response

    def test_it_locks_out_and_says_until_when(self, client: Client, admin: User) -> None:
        response = self.fail(client, settings.AXES_FAILURE_LIMIT)
        assert response.status_code == 429
        until = response.context["until"]
        left = until - timezone.now()
        assert timedelta(minutes=14) < left <= settings.AXES_COOLOFF_TIME
        assert int(response["Retry-After"]) == pytest.approx(left.total_seconds(), abs=2)

    def test_the_right_password_does_not_help_while_locked(
        self, client: Client, admin: User
    ) -> None:
        self.fail(client, settings.AXES_FAILURE_LIMIT)
        assert attempt(client, "ada", PASSWORD).status_code == 429
        assert "_auth_user_id" not in client.session

    def test_trying_on_does_not_move_the_end(self, client: Client, admin: User) -> None:
        first = self.fail(client, settings.AXES_FAILURE_LIMIT).context["until"]
        assert self.fail(client, 3).context["until"] == first

    def test_another_browser_at_the_same_address_is_locked_too(self, admin: User) -> None:
        self.fail(Client(), settings.AXES_FAILURE_LIMIT)
        other = Client(headers={"user-agent": "another"})
        assert attempt(other, "ada", PASSWORD).status_code == 429

    def test_another_address_and_another_person_are_not(
        self, client: Client, admin: User, operator: User
    ) -> None:
        self.fail(client, settings.AXES_FAILURE_LIMIT)
        assert attempt(Client(), "ada", PASSWORD, REMOTE_ADDR="10.9.9.9").status_code == 302
        assert attempt(Client(), "otto", PASSWORD).status_code == 302

    def test_a_forwarded_address_from_outside_is_not_believed(
        self, client: Client, admin: User
    ) -> None:
        for number in range(settings.AXES_FAILURE_LIMIT):
            response = attempt(client, "ada", "wrong", HTTP_X_FORWARDED_FOR=f"10.1.1.{number}")
        assert response.status_code == 429

    def test_it_ends_by_itself(self, client: Client, admin: User) -> None:
        self.fail(client, settings.AXES_FAILURE_LIMIT)
        past = timezone.now() - settings.AXES_COOLOFF_TIME - timedelta(seconds=1)
        AccessAttempt.objects.update(attempt_time=past)
        assert attempt(client, "ada", PASSWORD).status_code == 302

    def test_success_forgets_failures(self, client: Client, admin: User) -> None:
        self.fail(client, settings.AXES_FAILURE_LIMIT - 1)
        assert attempt(client, "ada", PASSWORD).status_code == 302
        assert self.fail(Client(), 1).status_code == 200

    def test_what_was_typed_is_not_kept(self, client: Client, admin: User) -> None:
        attempt(client, "ada", "canary-password-17")
        kept = str(list(AccessAttempt.objects.values()))
        assert "canary-password-17" not in kept

    def test_events(self, client: Client, admin: User) -> None:
        self.fail(client, settings.AXES_FAILURE_LIMIT + 2)
        events = AuditEvent.objects
        assert events.filter(action="auth.locked_out").count() == 1
        assert events.filter(action="auth.sign_in_failed", outcome="failure").count() == 5
        assert events.filter(action="auth.sign_in_failed", outcome="denied").count() == 2

    def test_a_password_typed_as_name_is_not_recorded(self, client: Client, admin: User) -> None:
        attempt(client, "canary-password-17", "")
        attempt(client, "canary-password-17", "x")
        event = AuditEvent.objects.get(action="auth.sign_in_failed")
        assert "canary" not in event.object_name
        assert event.address == "127.0.0.1"


class TestMustChangePassword:
    @pytest.fixture
    def person(self, operator: User) -> User:
        operator.must_change_password = True
        operator.save()
        return operator

    def test_nothing_else_opens_first(self, client: Client, person: User) -> None:
        assert attempt(client, "otto", PASSWORD).url == reverse("accounts:password")
        assert client.get(reverse("accounts:tokens")).url == reverse("accounts:password")
        answer = client.get("/api/v1/schema/")
        assert answer.status_code == 403
        assert answer["Content-Type"] == "application/problem+json"

    def test_afterwards_everything_does(self, client: Client, person: User) -> None:
        attempt(client, "otto", PASSWORD)
        new = "another long sentence"
        data = {"old_password": PASSWORD, "new_password1": new, "new_password2": new}
        assert client.post(reverse("accounts:password"), data).url == reverse("overview")
        assert client.get(reverse("accounts:tokens")).status_code == 200

    def test_the_old_password_is_no_new_one(self, client: Client, person: User) -> None:
        attempt(client, "otto", PASSWORD)
        data = {"old_password": PASSWORD, "new_password1": PASSWORD, "new_password2": PASSWORD}
        response = client.post(reverse("accounts:password"), data)
        assert response.status_code == 200
        assert "new_password1" in response.context["form"].errors
