"""Asking for more: who may ask and answer, what is given, for how long, and by policies."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from clusters.models import Origin
from console.accounts.models import Role, User
from console.audit.models import AuditEvent
from console.notices.models import Notice
from tenancy import amounts, members, raises, request_actions
from tenancy.models import (
    ApprovalPolicy,
    Membership,
    Namespace,
    Quota,
    Request,
    RequestState,
    Tenant,
    TenantCluster,
)
from tenancy.request_actions import RequestRefusedError, Wish
from tests.conftest import signed_in, with_token
from tests.factories import ClusterFactory, UserFactory
from tests.unit.tenancy.quota_rows import in_threads

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop(admin: User) -> Tenant:
    tenant = Tenant.objects.create(name="Shop", slug="shop")
    Quota.objects.create(tenant=tenant, hard={"requests.cpu": "4", "pods": "10"})
    return tenant


@pytest.fixture
def dora(shop: Tenant, admin: User) -> User:
    """A developer of the shop."""
    user = UserFactory(username="dora")
    members.set_role(shop, user, "developer", by=admin)
    return user


@pytest.fixture
def owner(shop: Tenant, admin: User) -> User:
    user = UserFactory(username="olga")
    members.set_role(shop, user, "owner", by=admin)
    return user


def more(days: float | None = None, **wish: str) -> Wish:
    until = None if days is None else timezone.now() + timedelta(days=days)
    wanted = {key.replace("_", "."): text for key, text in (wish or {"requests_cpu": "2"}).items()}
    return Wish("quota", wish=wanted, reason="a sale", until=until)


def limit(tenant: Tenant, key: str = "requests.cpu") -> str:
    return amounts.human(key, raises.limits(tenant)[None][key])


def test_a_developer_asks_and_an_admin_approves(shop: Tenant, dora: User, admin: User) -> None:
    row = request_actions.ask(shop, more(), by=dora)
    assert row.state == RequestState.OPEN and limit(shop) == "4 CPU"
    request_actions.approve(row, by=admin, answer="go ahead")
    assert limit(shop) == "6 CPU"
    row.refresh_from_db()
    assert (row.state, row.decided_by, row.answer) == ("approved", admin, "go ahead")
    actions = set(AuditEvent.objects.values_list("action", flat=True))
    assert {"tenant_request.created", "tenant_request.approved", "tenant.quota_changed"} <= actions


def test_what_is_given_until_a_moment_counts_until_then_and_no_process_has_to_run(
    shop: Tenant, dora: User, admin: User
) -> None:
    row = request_actions.ask(shop, more(days=1), by=dora)
    request_actions.approve(row, by=admin, until=row.until)
    assert limit(shop) == "6 CPU"
    assert Quota.objects.get(tenant=shop).hard["requests.cpu"] == "4"
    Request.objects.filter(pk=row.pk).update(until=timezone.now() - timedelta(seconds=1))
    assert limit(shop) == "4 CPU"


def test_overlapping_amounts_add_up_and_end_each_by_itself(
    shop: Tenant, dora: User, admin: User
) -> None:
    short = request_actions.ask(shop, more(days=1), by=dora)
    request_actions.approve(short, by=admin, until=short.until)
    request_actions.approve(request_actions.ask(shop, more(), by=dora), by=admin)
    assert limit(shop) == "8 CPU"
    Request.objects.filter(pk=short.pk).update(until=timezone.now() - timedelta(seconds=1))
    assert limit(shop) == "6 CPU"


def test_the_end_is_told_once_to_the_one_who_asked(shop: Tenant, dora: User, admin: User) -> None:
    row = request_actions.ask(shop, more(days=1), by=dora)
    request_actions.approve(row, by=admin, until=row.until)
    Request.objects.filter(pk=row.pk).update(until=timezone.now() - timedelta(seconds=1))
    assert [request_actions.end_due(), request_actions.end_due()] == [1, 0]
    notice = Notice.objects.get(kind="request.ended")
    assert notice.owner == dora and "Shop" in notice.values["tenant"]
    assert AuditEvent.objects.filter(action="tenant_request.ended").count() == 1
    row.refresh_from_db()
    assert row.state == RequestState.ENDED


def test_a_day_before_its_end_it_is_told_once(shop: Tenant, dora: User, admin: User) -> None:
    row = request_actions.ask(shop, more(days=5), by=dora)
    request_actions.approve(row, by=admin, until=row.until)
    request_actions.end_due()
    assert not Notice.objects.filter(kind="request.ending").exists()
    for _again in range(2):
        request_actions.end_due(timezone.now() + timedelta(days=4, hours=2))
    assert Notice.objects.filter(kind="request.ending", owner=dora).count() == 1


def test_an_admin_gives_another_amount_for_a_shorter_time(
    shop: Tenant, dora: User, admin: User
) -> None:
    row = request_actions.ask(shop, more(), by=dora)
    page = f"/requests/{row.pk}/"
    tomorrow = timezone.localtime(timezone.now() + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M")
    answer = {"decision": "approve", "requests.cpu": "500m", "until": tomorrow, "answer": "half"}
    assert signed_in(admin).post(page, answer).status_code == 302
    row.refresh_from_db()
    assert row.granted == {"requests.cpu": "500m"} and row.wish == {"requests.cpu": "2"}
    assert row.until is not None and limit(shop) == "4.5 CPU"


def test_a_refusal_needs_a_reason_and_is_told(shop: Tenant, dora: User, admin: User) -> None:
    row = request_actions.ask(shop, more(), by=dora)
    page = f"/requests/{row.pk}/"
    answer = signed_in(admin).post(page, {"decision": "refuse", "answer": " "})
    assert answer.status_code == 200 and "Say why" in answer.content.decode()
    signed_in(admin).post(page, {"decision": "refuse", "answer": "no room before May"})
    row.refresh_from_db()
    assert row.state == RequestState.REFUSED and limit(shop) == "4 CPU"
    assert Notice.objects.get(kind="request.answered", owner=dora).values["answer"] == (
        "no room before May"
    )
    assert Notice.objects.get(kind="request.open").resolved is not None
    assert "no room before May" in signed_in(dora).get(page).content.decode()


def test_an_answer_is_given_once(shop: Tenant, dora: User, admin: User) -> None:
    row = request_actions.ask(shop, more(), by=dora)
    request_actions.approve(row, by=admin)
    for late in (
        lambda: request_actions.approve(row, by=admin),
        lambda: request_actions.refuse(row, by=admin, answer="no"),
        lambda: request_actions.withdraw(row, by=dora),
    ):
        with pytest.raises(RequestRefusedError, match="answered already"):
            late()
    assert limit(shop) == "6 CPU"


@pytest.mark.parametrize(
    ("who", "page", "answering"),
    [("owner", 200, False), ("dora", 200, False), ("viewer", 200, False), ("stranger", 404, False),
     ("former", 404, False), ("otto", 200, False), ("ada", 200, True)],
)  # fmt: skip
def test_who_sees_and_who_answers(
    shop: Tenant, dora: User, owner: User, admin: User, operator: User,
    who: str, page: int, answering: bool,
) -> None:  # fmt: skip
    people = {"owner": owner, "dora": dora, "ada": admin, "otto": operator}
    for name in ("viewer", "stranger", "former"):
        people[name] = UserFactory(username=name)
    members.set_role(shop, people["viewer"], "viewer", by=admin)
    members.remove(members.set_role(shop, people["former"], "admin", by=admin), by=admin)
    row = request_actions.ask(shop, more(), by=dora)
    client = signed_in(people[who])
    address = f"/requests/{row.pk}/"
    assert client.get(address).status_code == page
    listed = client.get("/requests/").content.decode()
    assert (address in listed) == (page == 200)
    client.post(address, {"decision": "approve", "requests.cpu": "2"})
    row.refresh_from_db()
    assert (row.state == RequestState.APPROVED) == answering
    if not answering:
        with pytest.raises(RequestRefusedError):
            request_actions.approve(row, by=people[who])


@pytest.mark.parametrize(("who", "code"), [("viewer", 403), ("stranger", 404), ("frozen", 403)])
def test_who_may_not_ask(shop: Tenant, dora: User, admin: User, who: str, code: int) -> None:
    user = dora if who == "frozen" else UserFactory(username=who)
    if who == "viewer":
        members.set_role(shop, user, "viewer", by=admin)
    Tenant.objects.filter(pk=shop.pk).update(frozen=who == "frozen")
    for kind in ("quota", "place", "member"):
        assert signed_in(user).get(f"/requests/ask/shop/{kind}/").status_code == code
    with pytest.raises(RequestRefusedError):
        request_actions.ask(shop, more(), by=user)


def test_wrong_amounts_are_named_beside_their_field_and_nothing_is_lost(
    shop: Tenant, dora: User
) -> None:
    sent = {"requests.cpu": "two", "pods": "-3", "reason": "a <b>sale</b>"}
    html = signed_in(dora).post("/requests/ask/shop/quota/", sent).content.decode()
    assert "“two” is no amount of CPU" in html and "cannot be negative" in html
    assert 'value="two"' in html and "a &lt;b&gt;sale&lt;/b&gt;" in html
    assert not Request.objects.exists()
    past = {"requests.cpu": "1", "reason": "x", "until": "2001-01-01T00:00"}
    html = signed_in(dora).post("/requests/ask/shop/quota/", past).content.decode()
    assert "This is over already" in html and not Request.objects.exists()


def test_a_policy_approves_what_is_small_and_short(shop: Tenant, dora: User) -> None:
    ApprovalPolicy.objects.create(name="small", most={"requests.cpu": "3"}, days=7)
    row = request_actions.ask(shop, more(days=2), by=dora)
    assert row.state == RequestState.APPROVED and "small" in row.answer
    assert limit(shop) == "6 CPU"
    for wish in (
        more(days=2),  # with the first it would be 4
        more(days=30, requests_cpu="1"),
        more(requests_cpu="1"),  # for good
        more(days=2, requests_cpu="1", pods="1"),  # pods are not named
    ):
        assert request_actions.ask(shop, wish, by=dora).state == RequestState.OPEN
    assert limit(shop) == "6 CPU"


@pytest.mark.parametrize("change", [{"enabled": False}, {"other": True}])
def test_a_policy_that_is_off_or_of_another_tenant_approves_nothing(
    shop: Tenant, dora: User, change: dict[str, bool]
) -> None:
    other = Tenant.objects.create(name="Other", slug="other")
    ApprovalPolicy.objects.create(
        name="small", most={"requests.cpu": "3"}, enabled=change.get("enabled", True),
        tenant=other if change.get("other") else None,
    )  # fmt: skip
    assert request_actions.ask(shop, more(), by=dora).state == RequestState.OPEN


def test_a_member_is_asked_for_and_the_owner_answers(shop: Tenant, dora: User, owner: User) -> None:
    UserFactory(username="neil")
    sent = {"user": "neil", "role": "developer", "reason": "new colleague"}
    answer = signed_in(dora).post("/requests/ask/shop/member/", sent)
    row = Request.objects.get()
    assert answer["Location"] == f"/requests/{row.pk}/"
    assert signed_in(owner).post(f"/requests/{row.pk}/", {"decision": "approve"}).status_code == 302
    assert Membership.objects.get(tenant=shop, user__username="neil").role == "developer"
    sent["role"] = "owner"
    html = signed_in(dora).post("/requests/ask/shop/member/", sent).content.decode()
    assert "Select a valid choice" in html and Request.objects.count() == 1


def test_a_namespace_is_asked_for_and_the_owner_makes_it_with_the_defaults(
    shop: Tenant, dora: User, owner: User
) -> None:
    cluster = ClusterFactory(name="east")
    TenantCluster.objects.create(tenant=shop, cluster=cluster)
    quota = {"requests.cpu": "3", "pods": "5"}
    Tenant.objects.filter(pk=shop.pk).update(defaults={"quota": quota})
    page, sent = "/requests/ask/shop/namespace/", {"cluster": cluster.pk, "reason": "a test"}
    for name, said in (("kube-x", "is kept for Kubernetes"), ("A_b", "lower-case")):
        assert said in signed_in(dora).post(page, {**sent, "name": name}).content.decode()
    for name in ("stage", "second"):
        assert signed_in(dora).post(page, {**sent, "name": name}).status_code == 302
    second, first = Request.objects.all()
    signed_in(owner).post(f"/requests/{first.pk}/", {"decision": "approve"})
    made = Namespace.objects.get()
    assert (made.name, made.quota, made.state) == ("stage", quota, "pending")
    answer = signed_in(owner).post(f"/requests/{second.pk}/", {"decision": "approve"})
    html = answer.content.decode()
    assert "2 CPU short" in html and Namespace.objects.count() == 1
    second.refresh_from_db()
    assert second.state == RequestState.OPEN, "nothing is half done"
    taken = with_token(dora).post(
        "/api/v1/requests/",
        {**sent, "name": "stage", "tenant": "shop", "kind": "namespace"},
        format="json",
    )
    assert "is taken on east" in str(taken.json()["errors"]["name"])


def test_a_cluster_is_asked_for_and_given(shop: Tenant, dora: User, admin: User) -> None:
    cluster = ClusterFactory(name="east")
    client = signed_in(dora)
    client.post("/requests/ask/shop/place/", {"place": f"cluster-{cluster.pk}", "reason": "more"})
    row = Request.objects.get()
    request_actions.approve(row, by=admin)
    assert TenantCluster.objects.get(tenant=shop).cluster == cluster
    html = client.get("/requests/ask/shop/place/").content.decode()
    assert f"cluster-{cluster.pk}" not in html


def test_the_cluster_of_the_console_itself_is_given_to_nobody(
    shop: Tenant, dora: User, admin: User
) -> None:
    home = ClusterFactory(name="home", origin=Origin.SYSTEM)
    assert "home" not in signed_in(dora).get("/requests/ask/shop/place/").content.decode()
    row = Request.objects.create(tenant=shop, kind="cluster", cluster=home, by=dora)
    with pytest.raises(RequestRefusedError, match="console itself runs on home"):
        request_actions.approve(row, by=admin)
    sent = {"cluster": home.pk}
    answer = with_token(admin).post("/api/v1/tenants/shop/clusters/", sent, format="json")
    assert answer.status_code in (400, 409)
    assert not TenantCluster.objects.exists()


def test_the_same_over_rest(shop: Tenant, dora: User, admin: User) -> None:
    asker, answerer = with_token(dora), with_token(admin)
    wish = {"tenant": "shop", "kind": "quota", "reason": "a sale", "amounts": {"requests.cpu": "2"}}
    made = asker.post("/api/v1/requests/", wish, format="json")
    assert made.status_code == 201 and made.json()["state"] == "open"
    address = f"/api/v1/requests/{made.json()['id']}/"
    assert asker.post(f"{address}approve/", {}, format="json").status_code == 403
    given = answerer.post(f"{address}approve/", {"amounts": {"requests.cpu": "1"}}, format="json")
    assert given.status_code == 200 and given.json()["granted"] == {"requests.cpu": "1"}
    assert answerer.post(f"{address}refuse/", {"answer": "no"}, format="json").status_code == 409
    assert limit(shop) == "5 CPU"
    for wrong, field in (
        ({"amounts": {"requests.cpu": "lots"}}, "requests.cpu"),
        ({"amounts": {"limits.cpu": "1"}}, "amounts"),
        ({"kind": "cluster", "cluster": 4711}, "cluster"),
        ({"kind": "membership", "user": "nobody", "role": "viewer"}, "user"),
    ):
        answer = asker.post("/api/v1/requests/", {**wish, **wrong}, format="json")
        assert answer.status_code == 400 and field in answer.json()["errors"], answer.json()
    stranger = with_token(UserFactory(role=Role.NONE))
    assert stranger.get(address).status_code == 404
    assert stranger.get("/api/v1/requests/").json()["results"] == []
    assert stranger.post("/api/v1/requests/", wish, format="json").status_code == 404


def test_policies_are_made_on_their_page(admin: User, dora: User) -> None:
    client = signed_in(admin)
    sent = {"name": "small", "days": "7", "enabled": "on", "requests.cpu": "2", "pods": ""}
    assert client.post("/requests/policies/add/", sent).status_code == 302
    policy = ApprovalPolicy.objects.get()
    assert policy.most == {"requests.cpu": "2"} and policy.days == 7
    assert "+2 CPU" in client.get("/requests/policies/").content.decode()
    empty = {**sent, "requests.cpu": "0"}
    html = client.post(f"/requests/policies/{policy.pk}/", empty).content.decode()
    assert "Fill in at least one amount" in html
    assert signed_in(dora).get("/requests/policies/").status_code == 404
    assert client.post(f"/requests/policies/{policy.pk}/remove/").status_code == 302
    assert not ApprovalPolicy.objects.exists()


@pytest.mark.parametrize("days", [None, 2])
def test_requests_above_limits_are_refused_with_the_figures(
    shop: Tenant, dora: User, admin: User, days: float | None
) -> None:
    Quota.objects.update(hard={"requests.cpu": "4", "limits.cpu": "4"})
    row = request_actions.ask(shop, more(days=days, requests_cpu="2"), by=dora)
    answer = with_token(admin).post(f"/api/v1/requests/{row.pk}/approve/", {}, format="json")
    assert answer.status_code == 409
    assert "The limit (4 CPU) is below requests.cpu (6 CPU)" in str(answer.json())
    page = signed_in(admin).post(
        f"/requests/{row.pk}/", {"decision": "approve", "requests.cpu": "2"}
    )
    assert page.status_code == 200 and "below requests.cpu" in page.content.decode()
    row.refresh_from_db()
    assert row.state == RequestState.OPEN and limit(shop) == "4 CPU"


@pytest.mark.parametrize("days", [None, 2])
def test_more_than_kubernetes_can_hold_is_refused_and_no_page_breaks(
    shop: Tenant, dora: User, admin: User, days: float | None
) -> None:
    row = request_actions.ask(shop, more(days=days, pods=str(amounts.MOST)), by=dora)
    until = row.until
    with pytest.raises(RequestRefusedError, match="more than Kubernetes can hold"):
        request_actions.approve(row, by=admin, until=until)
    assert signed_in(dora).get("/requests/ask/shop/quota/").status_code == 200
    assert signed_in(dora).get("/tenants/shop/").status_code == 200


@pytest.mark.parametrize(
    ("said", "given"),
    [
        ("2000m", "2"),
        ("+1.5", "1500m"),
        ("1e3", "1k"),
        (" 2 ", "2"),
        ("0.25", "250m"),
        ("1n", "1m"),
    ],
)
def test_every_spelling_of_an_amount_is_asked_for(
    shop: Tenant, dora: User, said: str, given: str
) -> None:
    sent = {"requests.cpu": said, "reason": "a sale"}
    assert signed_in(dora).post("/requests/ask/shop/quota/", sent).status_code == 302
    assert Request.objects.get().wish == {"requests.cpu": given}


@pytest.mark.parametrize(
    "said", ["-1", "nan", "inf", "1e400", "2 CPU", "0x10", "1Gib", "1,5", "9" * 40, "0", "--1", "½"]
)
def test_nonsense_is_asked_for_by_nobody(shop: Tenant, dora: User, said: str) -> None:
    sent = {"requests.cpu": said, "reason": "a sale"}
    assert signed_in(dora).post("/requests/ask/shop/quota/", sent).status_code == 200
    body = {"tenant": "shop", "kind": "quota", "amounts": {"requests.cpu": said}, "reason": "x"}
    answer = with_token(dora).post("/api/v1/requests/", body, format="json")
    assert answer.status_code == 400
    assert not Request.objects.exists()


@pytest.mark.django_db(transaction=True)
class TestRaces:
    def test_of_fifty_small_requests_at_once_a_policy_approves_what_it_allows(self) -> None:
        tenant = Tenant.objects.create(name="Shop", slug="shop")
        Quota.objects.create(tenant=tenant, hard={"pods": "10"})
        dora = UserFactory(username="dora")
        members.set_role(tenant, dora, "developer", by=UserFactory(role=Role.ADMIN))
        ApprovalPolicy.objects.create(name="small", most={"pods": "5"})
        refused = []

        def ask(number: int) -> None:
            try:
                request_actions.ask(tenant, Wish("quota", wish={"pods": "1"}), by=dora)
            except RequestRefusedError as error:
                refused.append(str(error))

        in_threads(ask, 50)
        given = Request.objects.filter(state=RequestState.APPROVED).count()
        waiting = Request.objects.filter(state=RequestState.OPEN).count()
        assert (given, waiting, len(refused)) == (5, request_actions.MOST_OPEN, 25)
        assert Quota.objects.get(tenant=tenant).hard == {"pods": "15"}

    def test_of_twenty_answers_at_once_one_counts(self) -> None:
        tenant = Tenant.objects.create(name="Shop", slug="shop")
        Quota.objects.create(tenant=tenant, hard={"pods": "10"})
        admin = UserFactory(role=Role.ADMIN)
        row = request_actions.ask(tenant, Wish("quota", wish={"pods": "1"}), by=admin)
        refused = []

        def approve(_number: int) -> None:
            try:
                request_actions.approve(Request.objects.get(pk=row.pk), by=admin)
            except RequestRefusedError as error:
                refused.append(str(error))

        in_threads(approve, 20)
        assert len(refused) == 19 and "answered already" in refused[0]
        assert Quota.objects.get(tenant=tenant).hard == {"pods": "11"}
