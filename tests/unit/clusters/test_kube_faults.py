"""What a server's refusal becomes: the kind, the cause, the mend, the Status' details."""

from __future__ import annotations

import json
import ssl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clusters.kube import (
    AccessRefused,
    ClusterUnreachable,
    Conflict,
    Forbidden,
    Impersonation,
    KubeError,
    NotFound,
    TooManyRequests,
    UnexpectedAnswer,
)
from clusters.kube.faults import of_exception, of_status

AT = "https://10.0.0.1:6443"


def status(code: int, **details: object) -> bytes:
    return json.dumps({"kind": "Status", "message": "because", "details": details}).encode()


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (401, AccessRefused),
        (403, Forbidden),
        (404, NotFound),
        (409, Conflict),
        (429, TooManyRequests),
        (422, UnexpectedAnswer),
        (503, UnexpectedAnswer),
    ],
)
def test_each_status_has_its_kind_and_says_what_the_server_said(code, kind):
    error = of_status(AT, "/api/v1/nodes/a", code, status(code))
    assert type(error) is kind
    assert error.status == code
    assert f"{AT}/api/v1/nodes/a" in error.cause
    assert "because" in error.cause


def test_a_forbidden_eviction_carries_its_causes():
    cause = {"reason": "DisruptionBudget", "message": "needs 2\nhealthy \x1b[31mpods"}
    error = of_status(AT, "/x", 429, status(429, causes=[cause], retryAfterSeconds=10))
    assert error.causes == (("DisruptionBudget", "needs 2 healthy [31mpods", ""),)
    assert error.retry_after == 10


def test_it_says_whose_right_is_missing():
    ours = of_status(AT, "/x", 403, b"{}")
    theirs = of_status(AT, "/x", 403, b"{}", "the user flotilla:user:7")
    assert "the console" in ours.cause
    assert "flotilla:admins" in ours.mend
    assert "flotilla:user:7" in theirs.cause
    assert "flotilla:admins" not in theirs.mend


@given(
    st.integers(100, 599),
    st.one_of(
        st.binary(max_size=200),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=20),
            lambda x: (
                st.lists(x, max_size=3)
                | st.dictionaries(
                    st.sampled_from(
                        ["message", "details", "causes", "reason", "retryAfterSeconds"]
                    ),
                    x,
                )
            ),
        ).map(lambda value: json.dumps(value).encode()),
    ),
)
def test_any_answer_becomes_one_line_of_bounded_length(code, body):
    error = of_status(AT, "/x", code, body)
    assert isinstance(error, KubeError)
    assert "\n" not in str(error)
    assert len(str(error)) < 600
    assert all(len(part) <= 200 for cause in error.causes for part in cause)


@pytest.mark.parametrize(
    ("user", "groups"),
    [
        ("", ()),
        ("a\r\nImpersonate-Group: system:masters", ()),
        ("a", ("b\nc",)),
        ("a", ("",)),
        (" a", ()),
        ("é", ()),
    ],
)
def test_a_name_that_would_break_out_of_its_header_is_refused(user, groups):
    with pytest.raises(ValueError, match="cannot be impersonated"):
        Impersonation(user, groups)


def test_a_connection_cut_during_the_handshake_is_no_matter_of_certificates() -> None:
    # A load balancer without a server closes at once: soon there may be one again.
    error = ssl.SSLEOFError(8, "EOF occurred in violation of protocol (_ssl.c:1006)")
    found = of_exception("https://10.0.0.100:8443", error)
    assert type(found) is ClusterUnreachable
    assert "cut the connection during the TLS handshake" in found.cause
