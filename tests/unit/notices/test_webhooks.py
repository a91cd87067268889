"""Webhooks against a real receiver: signature, faults, retries, and where none may go."""

from __future__ import annotations

import hashlib
import json
import re
import time
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone, translation

from console.audit.models import AuditEvent
from console.notices import actions, courier, webhook
from console.notices.catalogue import sentence
from console.notices.courier import Courier
from console.notices.models import Channel, Delivery, DeliveryState
from console.notices.telling import Subject, tell
from console.notices.webhook import Undelivered
from tests.unit.clusters.authority import Authority
from tests.unit.notices.conftest import make_channel, pass_time
from tests.unit.notices.receiver import Receiver

pytestmark = pytest.mark.django_db
DOCS = Path(__file__).resolve().parents[3] / "docs/notices.md"
SECRET = "whsec_of-the-tests"


@pytest.fixture
def receiver(local_receivers):
    with Receiver() as running:
        yield running


@pytest.fixture
def channel(receiver: Receiver) -> Channel:
    return make_channel(address=receiver.url, secret=SECRET)


def told() -> None:
    subject = Subject("cluster", "7", "prod", "prod")
    values = {"name": "prod", "reason": "connection refused"}
    tell("cluster.away", "cluster/7", values, "critical", "/clusters/7/", subject=subject)


def send_next() -> Delivery:
    delivery = courier.claim()
    assert delivery is not None
    courier.send(delivery)
    delivery.refresh_from_db()
    return delivery


def hmac_by_hand(key: bytes, text: bytes) -> str:
    """RFC 2104, without the module that the console uses."""
    block = key.ljust(64, b"\0")
    inner = hashlib.sha256(bytes(b ^ 0x36 for b in block) + text).digest()
    return hashlib.sha256(bytes(b ^ 0x5C for b in block) + inner).hexdigest()


def test_what_arrives_is_what_the_documentation_says(receiver, channel, settings) -> None:
    settings.PUBLIC_URL = "https://console.example"
    told()
    delivery = send_next()
    assert delivery.state == DeliveryState.SENT and delivery.answer == "200 thanks"
    (got,) = receiver.got
    body = json.loads(got.body)
    example = json.loads(re.search(r"```json\n(.*?)```", DOCS.read_text(), re.S)[1])
    assert body.keys() == example.keys()
    assert body["notices"][0].keys() == example["notices"][0].keys()
    assert got.path == "/hook?from=flotilla"
    assert got.headers["content-type"].startswith("application/json")
    assert body["id"] == got.headers["flotilla-delivery"] == str(delivery.uuid)
    assert (body["type"], body["version"]) == ("opened", 1)
    notice = body["notices"][0]
    assert (notice["kind"], notice["state"], notice["cluster"]) == ("cluster.away", "open", "prod")
    assert notice["url"] == "https://console.example/clusters/7/"
    assert SECRET not in str(got)


def test_the_signature_is_over_time_and_body(receiver, channel) -> None:
    told()
    send_next()
    (got,) = receiver.got
    moment, signed = re.fullmatch(
        r"t=(\d+),v1=([0-9a-f]{64})", got.headers["flotilla-signature"]
    ).groups()
    assert hmac_by_hand(SECRET.encode(), moment.encode() + b"." + got.body) == signed
    assert abs(time.time() - int(moment)) < 60


def test_the_check_in_the_documentation_works(receiver, channel) -> None:
    told()
    send_next()
    (got,) = receiver.got
    found: dict = {}
    exec(re.search(r"```python\n(.*?)```", DOCS.read_text(), re.S)[1], found)
    header = got.headers["flotilla-signature"]
    assert found["genuine"](SECRET, header, got.body)
    assert not found["genuine"](SECRET, header, got.body + b" ")
    assert not found["genuine"]("whsec_another", header, got.body)
    old = re.sub(r"t=\d+", "t=1000000000", header)
    assert not found["genuine"](SECRET, old, got.body)


def test_the_message_is_in_the_channels_language(receiver, channel) -> None:
    Channel.objects.update(language="zh-hans")
    told()
    send_next()
    with translation.override("zh-hans"):
        wanted = sentence("cluster.away", {"name": "prod", "reason": "connection refused"})
    assert json.loads(receiver.got[0].body)["notices"][0]["text"] == wanted


@pytest.mark.parametrize("status", [500, 503, 404, 401])
def test_a_refusal_is_tried_again_later_with_the_same_id(receiver, channel, status: int) -> None:
    receiver.answers = [status, 200]
    told()
    first = send_next()
    assert first.state == DeliveryState.PENDING and str(status) in first.answer
    assert courier.claim() is None
    wait = (first.due - timezone.now()).total_seconds()
    assert 20 < wait <= 36
    channel.refresh_from_db()
    assert channel.last_ok is False and channel.enabled
    pass_time(40)
    assert send_next().state == DeliveryState.SENT
    first_id, second_id = (got.headers["flotilla-delivery"] for got in receiver.got)
    assert first_id == second_id
    channel.refresh_from_db()
    assert channel.last_ok is True


def test_pauses_grow_to_an_hour_and_end_after_about_a_day(receiver, channel) -> None:
    receiver.answers = [500]
    told()
    waited = timedelta(0)
    for _attempt in range(courier.MOST_ATTEMPTS):
        delivery = send_next()
        if delivery.state != DeliveryState.PENDING:
            break
        pause = delivery.due - timezone.now()
        assert pause <= timedelta(hours=1.2)
        waited += pause
        pass_time(pause.total_seconds() + 1)
    assert delivery.state == DeliveryState.GIVEN_UP
    assert timedelta(hours=18) < waited < timedelta(hours=31)
    pass_time(7200)
    assert courier.claim() is None


def test_what_was_given_up_can_be_sent_again(receiver, channel, admin) -> None:
    receiver.answers = [500, 200]
    told()
    Delivery.objects.update(attempts=courier.MOST_ATTEMPTS - 1)
    assert send_next().state == DeliveryState.GIVEN_UP
    actions.retry(Delivery.objects.get(), None)
    assert send_next().state == DeliveryState.SENT
    with pytest.raises(actions.Refused):
        actions.retry(Delivery.objects.get(), None)


def test_410_switches_the_channel_off(receiver, channel) -> None:
    receiver.answers = [410]
    told()
    tell("cluster.degraded", "cluster/8", {"name": "b", "reason": "c"}, "warning")
    assert send_next().state == DeliveryState.GIVEN_UP
    channel.refresh_from_db()
    assert not channel.enabled and "410" in channel.disabled_reason
    assert Delivery.objects.exclude(state=DeliveryState.GIVEN_UP).get().state == "dropped"
    assert AuditEvent.objects.filter(action="notice_channel.switched_off").count() == 1
    tell("cluster.degraded", "cluster/9", {"name": "b", "reason": "c"}, "warning")
    assert courier.claim() is None


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirects_are_not_followed(receiver, channel, status: int) -> None:
    with Receiver() as other:
        receiver.answers = [status]
        receiver.headers = {"Location": other.url}
        told()
        assert "redirects are not followed" in send_next().answer
        assert other.got == []


@pytest.mark.parametrize("how", ["hang", "drip"])
def test_a_receiver_that_does_not_end_is_cut_off(receiver, how: str) -> None:
    receiver.answers = [how]
    with pytest.raises(Undelivered, match=r"No answer from 127\.0\.0\.1"):
        webhook.post(receiver.url, b"{}", {}, seconds=0.5)


def test_a_receiver_that_hangs_up_is_tried_again(receiver, channel) -> None:
    receiver.answers = ["cut", 200]
    told()
    assert send_next().state == DeliveryState.PENDING
    pass_time(40)
    assert send_next().state == DeliveryState.SENT


def test_nobody_there_is_said(local_receivers) -> None:
    with Receiver() as gone:
        url = gone.url
    with pytest.raises(Undelivered, match=r"No connection to 127\.0\.0\.1"):
        webhook.post(url, b"{}", {})


def test_a_long_answer_is_cut_and_its_controls_removed(receiver, channel) -> None:
    receiver.answers, receiver.body = [500], b"\x1b[31m<b>" + b"x" * 100_000 + b"\r\n\0"
    told()
    answer = send_next().answer
    assert len(answer) <= 300 and answer.isprintable()


def test_tls_is_for_the_name_and_checked(local_receivers, tmp_path, monkeypatch) -> None:
    authority = Authority()
    with Receiver(authority.server("127.0.0.1"), tmp_path) as receiver:
        with pytest.raises(Undelivered, match="is not trusted"):
            webhook.post(receiver.url, b"{}", {})
        (tmp_path / "ca.pem").write_text(authority.crt)
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
        assert webhook.post(receiver.url, b"{}", {}).status == 200
        elsewhere = receiver.url.replace("127.0.0.1", "localhost")
        with pytest.raises(Undelivered, match="is not trusted"):
            webhook.post(elsewhere, b"{}", {})
        assert len(receiver.got) == 1


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1/",
        "http://localhost:6443/",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://0x7f000001/",
        "http://2130706433/",
        "http://127.1/",
        "http://0/",
        "http://169.254.169.254/latest/meta-data/",
        "http://[fd00:ec2::254]/",
        "http://[fe80::1%25eth0]/",
    ],
)
def test_the_console_talks_to_neither_itself_nor_its_cloud(address: str) -> None:
    with pytest.raises(Undelivered):
        webhook.post(address, b"{}", {})


def test_a_name_that_leads_to_this_machine_is_refused_without_a_connection(settings) -> None:
    with Receiver() as receiver:
        channel = make_channel(address=receiver.url.replace("127.0.0.1", "localhost"))
        told()
        delivery = send_next()
        assert "loopback" in delivery.answer and delivery.state == DeliveryState.PENDING
        assert receiver.got == []
        channel.refresh_from_db()
        assert channel.last_ok is False


@pytest.mark.parametrize(
    "address",
    [
        "ftp://example.com/",
        "file:///etc/passwd",
        "gopher://example.com/",
        "https://",
        "https:///x",
        "example.com/hook",
        "https://user:secret@example.com/",
        "https://example.com:99999/",
        "https://exa mple.com/",
        "https://example.com/\r\nX-Evil: 1",
        "https://exa\u0000mple.com/",
        "javascript:alert(1)",
    ],
)
def test_what_is_no_web_address_is_refused(address: str) -> None:
    with pytest.raises(Undelivered):
        webhook.target(address)


def test_odd_paths_cannot_break_the_request(receiver) -> None:
    webhook.post(f"{receiver.url}&name=ü%20x#part", b"{}", {})
    assert receiver.got[0].path == "/hook?from=flotilla&name=%C3%BC%20x"


def test_proxies_of_the_environment_are_not_used(receiver, channel, monkeypatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    told()
    assert send_next().state == DeliveryState.SENT


def test_one_that_its_sender_died_with_is_sent_by_another(receiver, channel) -> None:
    told()
    lost = courier.claim()
    assert lost is not None
    assert courier.claim() is None
    pass_time(61)
    delivery = send_next()
    assert delivery.state == DeliveryState.SENT and delivery.uuid == lost.uuid
    courier.finish(lost, ok=False, answer="too late")
    delivery.refresh_from_db()
    assert delivery.state == DeliveryState.SENT, "who lost the claim changes nothing"


def test_a_test_is_tried_once_and_says_how_it_went(receiver, channel) -> None:
    receiver.answers = [500]
    actions.send_test(channel, None)
    assert send_next().state == DeliveryState.GIVEN_UP
    body = json.loads(receiver.got[0].body)
    assert (body["type"], body["notices"]) == ("test", [])


@pytest.mark.django_db(transaction=True)
def test_several_couriers_send_each_message_once_and_one_that_hangs_holds_up_no_other(
    local_receivers,
) -> None:
    with Receiver() as well, Receiver() as ill:
        ill.answers = ["hang"]
        make_channel("well", address=well.url)
        make_channel("ill", address=ill.url)
        for number in range(12):
            values = {"name": str(number), "reason": "x"}
            tell("cluster.away", f"cluster/{number}", values, "critical")
        couriers = [Courier(0.05), Courier(0.05)]
        for one in couriers:
            one.start()
        got = well.wait_for(12, 30)
        time.sleep(0.3)
        ill.ended.set()
        for one in couriers:
            one.stop()
        for one in couriers:
            one.join(20)
            assert not one.is_alive()
    ids = [one.headers["flotilla-delivery"] for one in got]
    assert len(ids) == len(set(ids)) == 12


@pytest.mark.django_db(transaction=True)
def test_a_channel_that_cannot_be_read_does_not_end_all_sending(channel):
    """As when its time zone went with an upgrade: the thread ended, and all was "Waiting"."""
    told()
    Channel.objects.update(
        time_zone="Gone/Away", quiet_from="00:00", quiet_until="23:59", break_through=[]
    )
    thread = Courier(look_seconds=0.05)
    thread.start()
    thread.join(0.5)
    assert thread.is_alive()
    thread.stop()
    thread.join(5)
