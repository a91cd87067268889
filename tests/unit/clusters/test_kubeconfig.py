"""Kubeconfigs: what is in them, who gets one, and what is remembered of it."""

from __future__ import annotations

import base64
import time
from datetime import UTC, datetime, timedelta

import pytest
import yaml
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from django.urls import reverse

from clusters.kube import Connection
from clusters.kube.credentials import Credentials
from console.accounts.sessions import CONFIRMED
from console.audit.models import AuditEvent
from provisioning import pki
from provisioning.kubeconfig import issue
from provisioning.operations import Refused
from tests.factories import ClusterFactory, ClusterSecretFactory
from tests.unit.clusters.apiserver import ApiServer
from tests.unit.clusters.authority import Authority


def with_authority(cluster):
    authority = pki.new_authority("kubernetes-ca")
    rows = {"ca/kubernetes.crt": authority.certificate, "ca/kubernetes.key": authority.key}
    for name, value in rows.items():
        ClusterSecretFactory(cluster=cluster, name=name, value=value)
    return cluster


@pytest.fixture
def cluster(db):
    return with_authority(ClusterFactory(name="edge"))


def parts(text: str):
    config = yaml.safe_load(text)
    user = config["users"][0]["user"]
    pem = base64.b64decode(user["client-certificate-data"])
    return config, x509.load_pem_x509_certificate(pem), base64.b64decode(user["client-key-data"])


def one(name: x509.Name, oid) -> str:
    return name.get_attributes_for_oid(oid)[0].value


def test_the_certificate_carries_the_person_and_ends_soon(cluster, admin):
    config, certificate, _key = parts(issue(cluster, admin, 8).text)
    assert one(certificate.subject, NameOID.COMMON_NAME) == "ada"
    assert one(certificate.subject, NameOID.ORGANIZATION_NAME) == "flotilla:admins"
    left = certificate.not_valid_after_utc - datetime.now(UTC)
    assert timedelta(hours=7, minutes=58) < left <= timedelta(hours=8)
    usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    assert constraints.ca is False
    ca = x509.load_pem_x509_certificate(
        cluster.secrets.get(name="ca/kubernetes.crt").value.encode()
    )
    certificate.verify_directly_issued_by(ca)
    assert config["clusters"][0]["cluster"]["server"] == cluster.endpoint
    assert config["current-context"] == "edge"
    assert "insecure-skip-tls-verify" not in str(config)


def test_the_authoritys_key_is_not_in_it(cluster, admin):
    text = issue(cluster, admin, 8).text
    key = cluster.secrets.get(name="ca/kubernetes.key").value
    assert base64.b64encode(key.encode()).decode() not in text
    assert key not in text


def test_each_is_a_new_certificate(cluster, admin):
    _c, one_, key = parts(issue(cluster, admin, 8).text)
    _c, two, other = parts(issue(cluster, admin, 8).text)
    assert one_.serial_number != two.serial_number
    assert key != other


def test_it_opens_an_api_server(db, admin):
    authority = Authority()
    with ApiServer(authority) as server:
        cluster = ClusterFactory(endpoint=server.endpoint)
        ClusterSecretFactory(cluster=cluster, name="ca/kubernetes.crt", value=authority.crt)
        ClusterSecretFactory(cluster=cluster, name="ca/kubernetes.key", value=authority.key)
        _config, certificate, key = parts(issue(cluster, admin, 1).text)
        pem = certificate.public_bytes(pki.serialization.Encoding.PEM).decode()
        Connection(Credentials(server.endpoint, authority.crt, pem, key.decode())).version()
        assert server.subjects == ["ada"]


@pytest.mark.parametrize("hours", [0, -1, 169, 10_000])
def test_hours_out_of_range(cluster, admin, hours):
    with pytest.raises(Refused, match="hours"):
        issue(cluster, admin, hours)


@pytest.mark.parametrize("fields", [{"origin": "imported"}, {"endpoint": ""}])
def test_clusters_without_an_authority_of_ours(admin, db, fields):
    with pytest.raises(Refused):
        issue(with_authority(ClusterFactory(**fields)), admin)


def test_the_event_names_whom_until_when_and_no_secret(cluster, admin):
    issued = issue(cluster, admin, 8)
    event = AuditEvent.objects.get(action="cluster.kubeconfig_issued")
    assert event.actor == admin
    assert event.after["user"] == "ada"
    _config, certificate, _key = parts(issued.text)
    assert event.after["serial"] == f"{certificate.serial_number:x}"
    assert "PRIVATE" not in str(event.after)


def page(cluster) -> str:
    return reverse("provisioning:cluster-kubeconfig", args=[cluster.pk])


def test_the_page_hands_it_out_as_a_file_that_is_not_kept(cluster, admin_client):
    assert admin_client.get(page(cluster)).status_code == 200
    answer = admin_client.post(page(cluster), {"hours": "4"})
    assert answer.status_code == 200
    assert answer["Content-Disposition"] == 'attachment; filename="edge.kubeconfig.yaml"'
    assert "no-store" in answer["Cache-Control"]
    _config, certificate, _key = parts(answer.content.decode())
    assert one(certificate.subject, NameOID.COMMON_NAME) == "ada"


def test_the_page_asks_for_the_password_first(cluster, admin_client):
    session = admin_client.session
    session[CONFIRMED] = int(time.time()) - 3600
    session.save()
    answer = admin_client.post(page(cluster), {"hours": "8"})
    assert answer.status_code == 302
    assert reverse("accounts:confirm-password") in answer["Location"]
    assert not AuditEvent.objects.filter(action="cluster.kubeconfig_issued").exists()


def test_the_page_takes_the_hours_that_it_offers_and_no_others(cluster, admin_client):
    answer = admin_client.post(page(cluster), {"hours": "9999"})
    assert answer.status_code == 200
    assert "Content-Disposition" not in answer
    assert not AuditEvent.objects.filter(action="cluster.kubeconfig_issued").exists()


def test_only_admins_get_one(cluster, operator_client, auditor_client, nobody_client):
    assert operator_client.post(page(cluster), {"hours": "8"}).status_code == 403
    assert auditor_client.get(page(cluster)).status_code == 403
    assert nobody_client.get(page(cluster)).status_code == 404
    assert not AuditEvent.objects.filter(action="cluster.kubeconfig_issued").exists()


def test_the_button_is_there_for_admins_only(cluster, admin_client, operator_client):
    detail = reverse("clusters:detail", args=[cluster.pk])
    assert page(cluster) in admin_client.get(detail).content.decode()
    assert page(cluster) not in operator_client.get(detail).content.decode()


def api(cluster) -> str:
    return f"/api/v1/clusters/{cluster.pk}/kubeconfig/"


def test_the_api_answers_yaml_or_json(cluster, admin_api):
    answer = admin_api.post(api(cluster), {"hours": 2}, format="json")
    assert answer.status_code == 200
    assert answer["Content-Type"].startswith("application/yaml")
    assert answer["Cache-Control"] == "no-store"
    parts(answer.content.decode())
    answer = admin_api.post(api(cluster), {}, format="json", HTTP_ACCEPT="application/json")
    assert answer.json()["kind"] == "Config"


@pytest.mark.parametrize("hours", [0, 169, "x", None])
def test_the_api_names_the_field(cluster, admin_api, hours):
    answer = admin_api.post(api(cluster), {"hours": hours}, format="json")
    assert answer.status_code == 400
    assert "hours" in answer.json()["errors"]


def test_the_api_is_for_admins_only(cluster, operator_api, auditor_api, nobody_api):
    assert operator_api.post(api(cluster), {}, format="json").status_code == 403
    assert auditor_api.post(api(cluster), {}, format="json").status_code == 403
    assert nobody_api.post(api(cluster), {}, format="json").status_code == 404


def test_the_api_asks_a_browsers_session_for_the_password(cluster, admin_client):
    session = admin_client.session
    session[CONFIRMED] = int(time.time()) - 3600
    session.save()
    assert admin_client.post(api(cluster), {}, content_type="application/json").status_code == 403
