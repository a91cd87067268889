"""E-mail: through Django's own outbox, and over a socket to a mail server."""

from __future__ import annotations

import email
from email.policy import default

import pytest
from django.core import mail as outbox
from django.core.exceptions import ValidationError

from console.checks import email_server, public_address
from console.notices import courier, mail
from console.notices.models import Channel, DeliveryState
from console.notices.telling import over, tell
from tests.unit.notices.conftest import make_channel, pass_time
from tests.unit.notices.mail_server import MailServer

pytestmark = pytest.mark.django_db


@pytest.fixture
def channel(settings) -> Channel:
    settings.EMAIL_HOST, settings.PUBLIC_URL = "mail.test", "https://console.example"
    return make_channel(
        type="email", address="ops@example.com, night@example.com", time_zone="Europe/Berlin"
    )


@pytest.fixture
def server(settings):
    with MailServer() as running:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", running.port
        settings.EMAIL_USE_TLS = settings.EMAIL_USE_SSL = False
        yield running


def told(reason: str = "connection refused", name: str = "prod") -> None:
    values = {"name": name, "reason": reason}
    tell("cluster.away", "cluster/7", values, "critical", "/clusters/7/")


def send_next() -> str:
    delivery = courier.claim()
    assert delivery is not None
    courier.send(delivery)
    delivery.refresh_from_db()
    return delivery.state


def test_it_says_what_happened_and_where_to_look(channel) -> None:
    told()
    assert send_next() == DeliveryState.SENT
    (message,) = outbox.outbox
    assert message.to == ["ops@example.com", "night@example.com"]
    assert message.subject == (
        "[Flotilla] Critical: The cluster prod does not answer: connection refused"
    )
    assert "https://console.example/clusters/7/" in message.body
    assert "CE" in message.body  # the channel's time zone: CET or CEST
    assert message.message().get_content_type() == "text/plain"
    over("cluster.away", "cluster/7")
    assert send_next() == DeliveryState.SENT
    assert outbox.outbox[1].subject == "[Flotilla] Over: The cluster prod answers again."


def test_what_a_cluster_says_cannot_write_headers(channel) -> None:
    told("x\r\nBcc: evil@example.com\n\nSee https://evil.example", "a\rb\u2028c\u0085d")
    assert send_next() == DeliveryState.SENT
    (message,) = outbox.outbox
    assert message.subject.isprintable()
    parsed = email.message_from_string(message.message().as_string(), policy=default)
    assert parsed["Bcc"] is None
    assert parsed["To"] == "ops@example.com, night@example.com"


def test_it_goes_over_the_wire(server, channel, settings) -> None:
    settings.EMAIL_HOST = "127.0.0.1"
    settings.EMAIL_HOST_USER, settings.EMAIL_HOST_PASSWORD = "flotilla", "from-a-file"
    told("überlastet")
    assert send_next() == DeliveryState.SENT
    assert server.signed_in == ["flotilla from-a-file"]
    assert server.receivers == ["ops@example.com", "night@example.com"]
    parsed = email.message_from_bytes(server.messages[0], policy=default)
    assert "überlastet" in parsed["Subject"] and "überlastet" in parsed.get_content()
    assert parsed["Auto-Submitted"] == "auto-generated"


def test_a_server_that_refuses_is_asked_again_with_the_same_message_id(
    server, channel, settings
) -> None:
    settings.EMAIL_HOST = "127.0.0.1"
    server.refuse = "450 mailbox busy"
    told()
    assert send_next() == DeliveryState.PENDING
    channel.refresh_from_db()
    assert "mailbox busy" in channel.last_answer and not channel.last_ok
    first = str(channel.deliveries.get().uuid)
    server.refuse = ""
    pass_time(60)
    assert send_next() == DeliveryState.SENT
    assert f"<{first}@".encode() in server.messages[0]


def test_without_a_server_it_says_so(channel, settings) -> None:
    settings.EMAIL_HOST = ""
    told()
    assert send_next() == DeliveryState.PENDING
    channel.refresh_from_db()
    assert "FLOTILLA_EMAIL_HOST" in channel.last_answer
    (warning,) = email_server(None)
    assert warning.id == "flotilla.W009" and "ops" in warning.msg
    settings.EMAIL_HOST = "mail.test"
    assert email_server(None) == []


def test_the_own_address_is_checked(settings) -> None:
    settings.PUBLIC_URL = "console.example"
    assert [found.id for found in public_address(None)] == ["flotilla.E010"]
    settings.PUBLIC_URL = "https://console.example"
    assert public_address(None) == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        " , ",
        "ops",
        "ops@",
        "ops@example.com; night@example.com",
        "ops@example.com\r\nBcc: evil@example.com",
        "Ops <ops@example.com>",
        ", ".join(f"a{n}@example.com" for n in range(21)),
    ],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        mail.clean_addresses(text)
