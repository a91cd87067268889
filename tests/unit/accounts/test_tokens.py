"""API tokens: shown once, kept as a digest, expiring, revocable, owned."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from rest_framework.test import APIClient

from console.accounts.models import ApiToken, User
from console.audit.models import AuditEvent

pytestmark = pytest.mark.django_db
SCHEMA = "/api/v1/schema/"
LIST = "/settings/tokens/"


def ask(header: str) -> int:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=header)
    return client.get(SCHEMA).status_code


def test_it_opens_the_api(operator: User) -> None:
    _token, plain = ApiToken.issue(operator, "ci")
    assert ask(f"Token {plain}") == 200
    assert ask(f"token {plain}") == 200


@pytest.mark.parametrize("change", ["expired", "revoked", "deactivated", "deleted"])
def test_it_opens_nothing_any_more(operator: User, change: str) -> None:
    token, plain = ApiToken.issue(operator, "ci")
    if change == "expired":
        ApiToken.objects.update(expires=timezone.now() - timedelta(seconds=1))
    elif change == "revoked":
        ApiToken.objects.update(revoked=timezone.now())
    elif change == "deactivated":
        User.objects.update(is_active=False)
    else:
        token.delete()
    assert ask(f"Token {plain}") == 401


@pytest.mark.parametrize(
    "header", ["Token", "Token a b", "Token flo_", "Token nonsense", "Token \xff\xfe", "Bearer x"]
)
def test_nonsense_is_refused(operator: User, header: str) -> None:
    assert ask(header) == 401


def test_a_refusal_says_how_to_sign_in() -> None:
    answer = APIClient().get(SCHEMA)
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"] == 'Token realm="flotilla"'
    assert answer["Content-Type"] == "application/problem+json"


def test_the_digest_opens_nothing(operator: User) -> None:
    token, _plain = ApiToken.issue(operator, "ci")
    assert ask(f"Token {token.digest}") == 401


def test_a_token_opens_no_page(operator: User) -> None:
    _token, plain = ApiToken.issue(operator, "ci")
    response = Client(headers={"Authorization": f"Token {plain}"}).get("/settings/profile/")
    assert response.status_code == 302


def test_last_used_is_written_at_most_once_a_minute(operator: User) -> None:
    token, plain = ApiToken.issue(operator, "ci")
    ask(f"Token {plain}")
    token.refresh_from_db()
    first = token.last_used
    assert first is not None
    ask(f"Token {plain}")
    token.refresh_from_db()
    assert token.last_used == first
    ApiToken.objects.update(last_used=timezone.now() - timedelta(seconds=61))
    ask(f"Token {plain}")
    token.refresh_from_db()
    assert token.last_used > first


def test_the_page_shows_the_plain_text_once(operator_client: Client, operator: User) -> None:
    response = operator_client.post(reverse("accounts:token-create"), {"name": "ci", "days": 30})
    plain = response.context["plain"]
    assert plain in response.content.decode()
    assert "no-store" in response["Cache-Control"]
    assert ask(f"Token {plain}") == 200
    assert plain not in operator_client.get(LIST).content.decode()
    token = ApiToken.objects.get(user=operator)
    assert token.expires - timezone.now() < timedelta(days=30)
    assert plain not in str(AuditEvent.objects.filter(action="token.created").values())


@pytest.mark.parametrize("days", ["0", "-1", "366", "99999999999999999999", "soon", ""])
def test_its_life_is_limited(operator_client: Client, days: str) -> None:
    response = operator_client.post(reverse("accounts:token-create"), {"name": "ci", "days": days})
    assert "days" in response.context["form"].errors
    assert not ApiToken.objects.exists()


def test_a_name_is_taken_while_its_token_is_valid(operator_client: Client, operator: User) -> None:
    token, _plain = ApiToken.issue(operator, "ci")
    data = {"name": "ci", "days": 30}
    response = operator_client.post(reverse("accounts:token-create"), data)
    assert "name" in response.context["form"].errors
    operator_client.post(reverse("accounts:token-revoke", args=[token.pk]))
    assert "plain" in operator_client.post(reverse("accounts:token-create"), data).context


def test_one_revokes_ones_own(operator_client: Client, operator: User) -> None:
    token, plain = ApiToken.issue(operator, "ci")
    operator_client.post(reverse("accounts:token-revoke", args=[token.pk]))
    assert ask(f"Token {plain}") == 401
    event = AuditEvent.objects.get(action="token.revoked")
    assert (event.actor_name, event.object_id) == ("otto", str(token.pk))


def test_somebody_elses_is_not_there(operator_client: Client, auditor: User) -> None:
    token, plain = ApiToken.issue(auditor, "theirs")
    response = operator_client.post(reverse("accounts:token-revoke", args=[token.pk]))
    assert response.status_code == 404
    assert ask(f"Token {plain}") == 200
    assert "theirs" not in operator_client.get(LIST).content.decode()


def test_an_admin_sees_and_revokes_all(admin_client: Client, operator: User) -> None:
    token, plain = ApiToken.issue(operator, "theirs")
    assert [t.pk for t in admin_client.get(LIST).context["others"]] == [token.pk]
    admin_client.post(reverse("accounts:token-revoke", args=[token.pk]))
    assert ask(f"Token {plain}") == 401


class TestCommand:
    def run(self, *args: str) -> str:
        out = StringIO()
        call_command("create_token", *args, stdout=out)
        return out.getvalue()

    def test_it_prints_the_token_and_nothing_else(self, operator: User) -> None:
        plain = self.run("otto", "--name", "ci", "--days", "7").strip()
        assert " " not in plain
        assert ask(f"Token {plain}") == 200

    @pytest.mark.parametrize(
        "args",
        [
            ("nobody-here",),
            ("otto", "--days", "0"),
            ("otto", "--days", "366"),
            ("otto", "--name", " "),
        ],
    )
    def test_bad_arguments(self, operator: User, args: tuple[str, ...]) -> None:
        with pytest.raises(CommandError):
            self.run(*args)
        assert not ApiToken.objects.exists()
