"""NUL characters in addresses, parameters, cookies and cursors: refused, on every database."""

from __future__ import annotations

import base64
import json

import pytest
from channels.testing import WebsocketCommunicator
from django.conf import settings

from tests.factories import ClusterFactory
from tests.unit.fleet.rows import make

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def cluster(db):
    found = ClusterFactory()
    make(found, "pods", "web", "shop")
    return found


@pytest.mark.parametrize(
    "place",
    [
        "/clusters/{pk}/objects/pods/shop/web%00/",
        "/clusters/{pk}/objects/pods/%00/web/yaml/",
        "/clusters/{pk}/objects/%00/shop/web/",
        "/clusters/{pk}/objects/pods/shop/web%00/log.txt",
    ],
)
def test_nothing_is_at_an_address_with_a_nul(admin_client, cluster, place) -> None:
    answer = admin_client.get(place.format(pk=cluster.pk))
    assert answer.status_code == 404
    assert "html" in answer["Content-Type"]


def test_nor_in_the_api(admin_api, cluster) -> None:
    answer = admin_api.get(f"/api/v1/clusters/{cluster.pk}/pods/shop/web%00/log/")
    assert answer.status_code == 404
    assert answer["Content-Type"] == "application/problem+json"
    answer = admin_api.get("/api/v1/clusters/?search=%00")
    assert answer.status_code == 400
    assert "NUL" in answer.json()["detail"]


@pytest.mark.parametrize(
    "query", ["q=%00", "namespace=a%00b", "status=%00", "a%00=1", "sort=%00", "after=%00"]
)
def test_no_parameter_has_one(admin_client, cluster, query) -> None:
    for page in (f"/clusters/{cluster.pk}/pods/", "/clusters/", "/audit/", "/search/"):
        answer = admin_client.get(f"{page}?{query}")
        assert answer.status_code in (400, 404), page


def test_a_place_in_a_list_has_none(admin_client, admin_api, cluster) -> None:
    for values in (["\x00", 1], ["\x00", "\x00"], [1, "\x00"], ["\x00", "a", 1]):
        place = base64.urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=")
        for way in ("after", "before"):
            for page in ("/clusters/", "/audit/", "/users/"):
                answer = admin_client.get(f"{page}?{way}={place}")
                assert answer.status_code in (200, 404), page
    for cursor in (b"p=%00", b"p=abc", b"p=1&o=%00", b"r=1&p=a%00"):
        encoded = base64.b64encode(cursor).decode()
        answer = admin_api.get("/api/v1/audit-events/", {"cursor": encoded})
        assert answer.status_code in (200, 404), cursor


def test_a_cookie_with_one_counts_as_not_sent(client, admin_client) -> None:
    odd = chr(34) + "abcdefgh\\000ij" + chr(34)
    answer = client.get("/", headers={"cookie": f"{settings.SESSION_COOKIE_NAME}={odd}"})
    assert answer.status_code == 302
    assert "sign-in" in answer["Location"]
    admin_client.cookies["other"] = "x"
    assert admin_client.get("/").status_code == 200


@pytest.mark.parametrize(
    ("path", "cookie"),
    [
        ("/ws/clusters/1/pods/shop/web\x00/log/", b""),
        ("/ws/clusters/1/pods/\x00/web/exec/", b""),
        ("/ws/clusters/changes/?list=%00", b""),
        ("/ws/clusters/changes/", b'sessionid="abcdefgh\\000"'),
    ],
)
async def test_a_websocket_with_one_is_not_opened(path, cookie) -> None:
    from console.asgi import application

    headers = [(b"origin", b"http://localhost"), (b"host", b"localhost"), (b"cookie", cookie)]
    plain, _, query = path.partition("?")
    socket = WebsocketCommunicator(application, plain, headers=headers)
    socket.scope["query_string"] = query.encode()
    accepted, code = await socket.connect()
    assert (accepted, code) == (False, 4400)
