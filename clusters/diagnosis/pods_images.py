"""Why an image cannot be had, from the words of kubelet, runtime and registry.

The patterns are those of containerd, CRI-O, Docker and the registries behind
them; tests/unit/diagnosis/messages.py has real ones.
"""

from __future__ import annotations

import re

from clusters.diagnosis.reading import Cause, Container, event_evidence, make, message, text

REASONS = frozenset(
    {
        "ErrImagePull",
        "ImagePullBackOff",
        "ErrImageNeverPull",
        "InvalidImageName",
        "ImageInspectError",
        "RegistryUnavailable",
        "SignatureValidationFailed",
    }
)
# The first that fits: a registry that hides what exists says "does not exist or denied".
_KINDS = (
    ("image_name_wrong", r"InvalidImageName|couldn't parse image|invalid reference format"),
    ("image_never_pulled", r"ErrImageNeverPull|image pull policy of Never"),
    ("image_rate_limit", r"toomanyrequests|too many requests|rate limit|\b429\b"),
    (
        "image_registry_tls",
        r"x509:|server gave HTTP response to HTTPS client|tls: |certificate (?:signed|has expired)",
    ),
    (
        "image_registry_away",
        r"no such host|i/o timeout|connection refused|no route to host|network is unreachable"
        r"|TLS handshake timeout|deadline exceeded|Client\.Timeout|connection timed out|timed out"
        r"|connection reset|proxyconnect|server misbehaving|name resolution|: EOF|unexpected EOF"
        r"|RegistryUnavailable",
    ),
    (
        "image_denied",
        r"unauthorized|authentication required|access denied|denied: |no basic auth"
        r"|\b401\b|\b403\b|authorization failed|insufficient_scope|may require",
    ),
    ("image_platform", r"no match(?:ing manifest)? for (?:platform|\S+/\S+)|exec format error"),
    ("image_no_space", r"no space left on device"),
    (
        "image_not_found",
        r"not found|NotFound|manifest unknown|MANIFEST_UNKNOWN|name unknown|NAME_UNKNOWN"
        r"|does not exist|\b404\b",
    ),
    ("image_registry_error", r"\b50[0-4]\b|internal server error|bad gateway|service unavailable"),
)
_COMPILED = tuple((code, re.compile(pattern, re.IGNORECASE)) for code, pattern in _KINDS)
_BACK_OFF = re.compile(r'^Back-off pulling image "[^"]*"(?:: )?')
# What the layers put in front of the registry's own words.
_PREFIX = re.compile(
    r"^(?:(?:Err[A-Za-z]+|ImagePullBackOff|Error response from daemon): "
    r"|Failed to pull image \"[^\"]*\": "
    r"|rpc error: code = \w+ desc = "
    r"|failed to (?:pull and unpack image|resolve reference|copy|do request)(?: \"[^\"]*\")?: "
    r"|httpReaderSeeker: |failed open: |(?:Head|Get|Post) \"[^\"]{1,500}\": "
    r"|Error: "
    r"|\"[^\"]{1,300}\": (?=failed|not found|pull))"
)
_IN_EVENT = re.compile(r'^(?:Failed to pull image|Failed to inspect image) "([^"]{1,300})"')


def of_container(container: Container) -> Cause:
    """What a waiting container says of its image; the registry's words may be in an event only."""
    if container.state != "waiting" or container.reason not in REASONS:
        return {}
    said = _BACK_OFF.sub("", container.message)
    return _cause(container, said, container.reason)


def refined(container: Container, cause: Cause, failed: list[object]) -> Cause:
    """With the kubelet's events Failed: until 1.31 ImagePullBackOff forgets what the registry said.

    failed: the newest first.
    """
    if cause["code"] != "image_not_pulled":
        return cause
    for event in failed:
        said = message(getattr(event, "message", ""))
        match = _IN_EVENT.match(said)
        if match and match[1] == container.image:
            better = _cause(container, said, "")
            return {**better, "evidence": event_evidence(event)}
    return cause


def _cause(container: Container, said: str, reason: str) -> Cause:
    code = "image_not_pulled"
    # The image's own name may hold any of the words.
    judged = said.replace(container.image, "") if container.image else said
    for kind, pattern in _COMPILED:
        if pattern.search(judged) or pattern.fullmatch(reason):
            code = kind
            break
    return make(
        code,
        container.evidence,
        **container.who,
        image=container.image,
        registry=registry_of(container.image),
        said=text(_words(said).removeprefix(f"{container.image}: ")),
    )


def _words(said: str) -> str:
    """The innermost words of a wrapped message."""
    for _ in range(12):
        shorter = _PREFIX.sub("", said, count=1)
        if shorter == said:
            break
        said = shorter
    return said


def registry_of(image: str) -> str:
    """The registry that an image's reference names: "docker.io" when it names none.

    Source: the reference grammar of distribution/reference: the first part is a
    host when it has a dot or a port, or is localhost.
    """
    first, slash, _rest = image.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        return first
    return "docker.io" if image else ""
