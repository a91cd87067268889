"""Kubeconfigs with broken secrets, shapes and YAML."""

from __future__ import annotations

import json
from collections.abc import Iterator

from tests.unit.clusters.hostile_ground import CA, GOOD, OTHER, PAIR, Case, b64, config, text


def secrets() -> Iterator[Case]:
    ca, user = "clusters[0].cluster.certificate-authority-data", "users[0].user"
    certificate, key = f"{user}.client-certificate-data", f"{user}.client-key-data"
    for name, value in (
        ("no-base64", "!!!"),
        ("no-pem", b64("hello")),
        ("pem-itself", CA.crt),
        ("key", b64(PAIR[1])),
        ("binary", b64(b"\xff\xfe")),
        ("cut", b64(CA.crt[:200])),
        ("list", [b64(CA.crt)]),
        ("number", 5),
        ("broken", b64(CA.crt.replace("M", "N", 5))),
        ("many", b64(CA.crt * 51)),
    ):
        yield f"ca-{name}", text(cluster__certificate_authority_data=value), ca
    pair = {"user__client_certificate_data": b64(PAIR[0]), "user__client_key_data": b64(PAIR[1])}
    yield "pair-other-key", text(**{**pair, "user__client_key_data": b64(OTHER[1])}), key
    yield "pair-no-key", text(**{**pair, "user__client_key_data": None}), key
    yield (
        "pair-no-certificate",
        text(**{**pair, "user__client_certificate_data": None}),
        certificate,
    )
    yield (
        "pair-swapped",
        text(user__client_certificate_data=b64(PAIR[1]), user__client_key_data=b64(PAIR[0])),
        certificate,
    )
    for name, value in (
        ("no-base64", "###"),
        ("no-pem", b64("hello")),
        ("certificate", b64(PAIR[0])),
        ("long", b64("-" * 9000)),
        (
            "locked",
            b64(
                "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n"
            ),
        ),
        ("list", ["x"]),
        ("engine", b64("engine:pkcs11")),
        ("uri", b64("pkcs11:token=x")),
    ):
        yield f"key-{name}", text(**{**pair, "user__client_key_data": value}), key
    for name, value in (("no-base64", "###"), ("no-pem", b64("x")), ("list", ["x"])):
        yield (
            f"certificate-{name}",
            text(**{**pair, "user__client_certificate_data": value}),
            certificate,
        )
    for name, value in (
        ("newline", "a\r\nImpersonate-User: admin"),
        ("space", "a b"),
        ("markup", "<script>"),
        ("utf8", "tökén"),
        ("list", ["t"]),
        ("map", {"a": "b"}),
        ("long", "a" * 20_000),
        ("true", True),
        ("tab", "a\tb"),
        ("quote", 'a"b'),
    ):
        yield f"token-{name}", text(user__token=value), f"{user}.token"
    yield "no-credentials", text(user__token=None), user
    yield "empty-token", text(user__token=""), user


def shapes() -> Iterator[Case]:
    yield "unknown-top", GOOD + "evil: 1\n", "evil"
    yield "unknown-cluster", text(cluster__evil=1), "clusters[0].cluster.evil"
    yield "unknown-user", text(user__evil=1), "users[0].user.evil"
    yield "unknown-context", text(context__evil=1), "contexts[0].context.evil"
    yield "unknown-row", GOOD.replace("- name: c", "- evil: 1\n  name: c"), "clusters[0].evil"
    yield "impersonate-case", GOOD.replace("token:", "As: admin\n    token:"), "users[0].user.As"
    for part in ("clusters", "users", "contexts"):
        for name, value in (("map", {}), ("text", "x"), ("row-text", ["x"]), ("row-list", [[]])):
            yield f"{part}-{name}", text(**{part: value}), part
        yield f"{part}-twice", text(**{part: config()[part] + config()[part]}), f"{part}[1].name"
        row = dict(config()[part][0])
        for name, value in (
            ("empty", ""),
            ("missing", None),
            ("list", []),
            ("long", "n" * 300),
            ("control", "a\x1b[31m"),
        ):
            yield f"{part}-name-{name}", text(**{part: [{**row, "name": value}]}), f"{part}[0].name"
        yield (
            f"{part}-body-list",
            text(**{part: [{"name": row["name"], part[:-1]: [1]}]}),
            f"{part}[0]",
        )
    yield "no-contexts", text(contexts=[]), "contexts"
    yield "no-users", text(users=[]), "contexts[0].context.user"
    yield "no-clusters", text(clusters=[]), "contexts[0].context.cluster"
    yield "other-user", text(context__user="nobody"), "contexts[0].context.user"
    yield "other-cluster", text(context__cluster="nothing"), "contexts[0].context.cluster"
    yield (
        "many-contexts",
        text(contexts=[{"name": f"n{i}", "context": {}} for i in range(201)]),
        "contexts",
    )
    yield "kind-secret", text(kind="Secret"), "kind"
    yield "version", text(apiVersion="v2"), "apiVersion"
    for name, value in (
        ("text", "hello"),
        ("list", "- a\n- b\n"),
        ("number", "5"),
        ("null", "null"),
        ("true", "true"),
    ):
        yield f"top-{name}", value, "file"


def yaml_tricks() -> Iterator[Case]:
    for name, content, word in _yaml_tricks():
        yield f"yaml-{name}", content, word


def _yaml_tricks() -> Iterator[Case]:
    user = "users[0].user.token"
    bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{new}: &{new} [{','.join(['*' + old] * 9)}]\n"
        for old, new in zip("abcdefgh", "bcdefghi", strict=True)
    )
    yield "bomb", bomb, "a"
    yield "anchor", GOOD.replace("token: good", "token: &t good"), user
    yield "alias", GOOD.replace("good-token", "*t"), user
    yield "alias-user", GOOD.replace("users:", "x: &u {exec: {command: touch}}\nusers:"), "x"
    merge = GOOD.replace("token: good-token", "<<: {exec: {command: touch}}\n    token: t")
    yield "merge", merge, "users[0].user"
    for tag in (
        "!!python/object/apply:os.system [touch x]",
        "!!python/name:os.system x",
        "!!binary aGk=",
        "!!str x",
        "!evil x",
        "!<tag:yaml.org,2002:python/object/new:os.system> [x]",
        "!!python/module:os x",
        "!!set {a}",
        "! x",
    ):
        name = "".join(c for c in tag.split(" ")[0] if c.isalnum()) or "bare"
        yield f"tag-{name}", GOOD.replace("good-token", tag), user
    yield "directive", "%YAML 1.2\n---\n" + GOOD, "line 1"
    yield "tag-directive", "%TAG ! tag:evil,2026:\n---\n" + GOOD, "line 1"
    yield "two-documents", GOOD + "---\n" + GOOD, "file"
    yield "second-document", GOOD + "---\nexec: x\n", "file"
    yield "twice-top", GOOD + "users: []\n", "users"
    yield (
        "twice-server",
        GOOD.replace("server:", "server: https://192.0.2.66\n    server:"),
        "clusters[0].cluster.server",
    )
    yield "twice-token", GOOD.replace("token:", "token: other\n    token:"), user
    yield "twice-quoted", GOOD.replace("token:", '"token": other\n    token:'), user
    yield "deep-list", "a: " + "[" * 30 + "]" * 30 + "\n", "line 1"
    yield "deep-map", "a: " + "{b: " * 30 + "x" + "}" * 30 + "\n", "line 1"
    yield "deep-unclosed", "[" * 5000, "line 1"
    yield "nul", GOOD.replace("good-token", "good\0token"), "file"
    yield "nul-escape", GOOD.replace("good-token", '"good\\0token"'), user
    yield "latin-1", GOOD.replace("good-token", "tökén").encode("latin-1"), "file"
    yield "utf-16", GOOD.encode("utf-16"), "file"
    yield "cut-utf-8", GOOD.encode() + b"\xe2\x82", "file"
    yield "empty", "", "file"
    yield "blanks", " \n\t\n", "file"
    yield "comments", "# nothing\n", "file"
    yield "unclosed-quote", GOOD.replace("good-token", '"good'), "line"
    yield "unclosed-brace", GOOD + "{", "line"
    yield "tab-indent", "clusters:\n\t- name: c\n", "line"
    yield "key-list", "? [a, b]\n: c\n", "line 1"
    yield "key-null", GOOD + "~: x\n", "line"
    yield "key-true", GOOD + "true: x\n", "line"
    yield "bell", GOOD.replace("good-token", '"\x07"'), "file"
    yield "html", "<!DOCTYPE html><html><body>Sign in</body></html>", "file"
    yield "json-twice", json.dumps(config())[:-1] + ', "users": []}', "users"
    yield "json-exec", json.dumps(config(user__exec={"command": "touch"})), "users[0].user.exec"
    yield (
        "json-unicode-key",
        json.dumps(config(user__exec="x")).replace('"exec"', '"\\u0065xec"'),
        "users[0].user.exec",
    )
