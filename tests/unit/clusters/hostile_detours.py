"""Kubeconfigs that run something, read something or lead elsewhere."""

from __future__ import annotations

from collections.abc import Iterator

from tests.unit.clusters.hostile_ground import GOOD, MARK, Case, text


def commands() -> Iterator[Case]:
    field = "users[0].user.exec"
    programs = {
        "sh": ["sh", "-c", f"touch {MARK}"],
        "touch": ["touch", MARK],
        "curl": ["curl", "http://192.0.2.66/"],
        "python": ["python3", "-c", f"open('{MARK}','w')"],
        "relative": ["./evil"],
        "up": ["../../bin/evil"],
        "home": ["~/evil"],
        "empty": [""],
        "markup": ["<script>"],
        "newline": ["sh\n-c"],
        "nul-escape": ["touch"],
        "windows": ["cmd.exe", "/c", "echo"],
        "aws": ["aws", "eks", "get-token"],
        "gke": ["gke-gcloud-auth-plugin"],
        "kubelogin": ["kubelogin", "get-token"],
    }
    for name, (command, *args) in programs.items():
        exec_ = {"apiVersion": "client.authentication.k8s.io/v1", "command": command, "args": args}
        yield f"exec-{name}", text(user__exec=exec_), field
    for version in ("v1alpha1", "v1beta1", "v9"):
        api = f"client.authentication.k8s.io/{version}"
        yield f"exec-{version}", text(user__exec={"apiVersion": api, "command": "touch"}), field
    for name, value in (
        ("text", "touch"),
        ("list", ["touch", MARK]),
        ("empty-map", {}),
        ("true", True),
        ("number", 7),
    ):
        yield f"exec-as-{name}", text(user__exec=value), field
    yield "exec-null", GOOD.replace("token: good-token", "token: t\n    exec: null"), field
    env = {"command": "touch", "env": [{"name": "LD_PRELOAD", "value": "/tmp/evil.so"}]}
    yield "exec-env", text(user__exec=env), field
    yield "exec-interactive", text(user__exec={"command": "x", "interactiveMode": "Always"}), field
    yield "exec-beside-certificate", text(user__token=None, user__exec={"command": "x"}), field
    for key in ("Exec", "EXEC", "eXec"):
        yield f"exec-case-{key}", GOOD.replace("token:", f"{key}: x\n    token:"), f".{key}"
    for number, quoted in enumerate(
        ('"exec"', "'exec'", '"\\x65xec"', '"\\u0065xec"', "? exec\n    ")
    ):
        yield f"exec-quoted-{number}", GOOD.replace("token:", f"{quoted}: x\n    token:"), field
    provider = "users[0].user.auth-provider"
    for name, settings in (
        ("gcp", {"cmd-path": "/bin/sh", "cmd-args": f"-c 'touch {MARK}'"}),
        ("azure", {"environment": "x", "tenant-id": "t"}),
        ("oidc", {"idp-issuer-url": "http://192.0.2.66/", "refresh-token": "r", "id-token": "i"}),
        ("openstack", {}),
        ("exec", {"cmd-path": MARK}),
    ):
        value = {"name": name, "config": settings}
        yield f"auth-provider-{name}", text(user__auth_provider=value), provider
    yield "auth-provider-empty", text(user__auth_provider={}), provider
    yield "auth-provider-text", text(user__auth_provider="gcp"), provider


def files() -> Iterator[Case]:
    paths = {
        "shadow": "/etc/shadow",
        "environ": "/proc/self/environ",
        "key-ring": "var/key-ring",
        "up": "../../../etc/passwd",
        "home": "~/.ssh/id_ed25519",
        "url": "file:///etc/passwd",
        "device": "/dev/zero",
        "fifo": "/proc/self/fd/0",
        "token": "/var/run/secrets/kubernetes.io/serviceaccount/token",
        "unc": "\\\\192.0.2.66\\share",
        "mark": MARK,
        "empty": "",
    }
    for name, path in paths.items():
        yield f"token-file-{name}", text(user__tokenFile=path), "users[0].user.tokenFile"
    for name in ("shadow", "environ", "up", "device", "mark", "empty"):
        path = paths[name]
        yield (
            f"ca-file-{name}",
            text(cluster__certificate_authority=path),
            "clusters[0].cluster.certificate-authority",
        )
        yield (
            f"certificate-file-{name}",
            text(user__client_certificate=path),
            "users[0].user.client-certificate",
        )
        yield f"key-file-{name}", text(user__client_key=path), "users[0].user.client-key"


def detours() -> Iterator[Case]:
    field = "clusters[0].cluster.proxy-url"
    for name, url in (
        ("http", "http://192.0.2.66:3128"),
        ("https", "https://192.0.2.66"),
        ("socks", "socks5://192.0.2.66"),
        ("local", "http://127.0.0.1:1"),
        ("metadata", "http://169.254.169.254/"),
        ("empty", ""),
        ("credentials", "http://user:secret@192.0.2.66"),
    ):
        yield f"proxy-{name}", text(cluster__proxy_url=url), field
    insecure = "clusters[0].cluster.insecure-skip-tls-verify"
    yield "insecure-true", text(cluster__insecure_skip_tls_verify=True), insecure
    for word in ("yes", "on", "TRUE", '"true"', "1", "null", "[]", "{}"):
        changed = GOOD.replace("server:", f"insecure-skip-tls-verify: {word}\n    server:")
        yield (
            f"insecure-{''.join(c for c in word if c.isalnum()) or ord(word[0])}{len(word)}",
            changed,
            insecure,
        )
    for name, value in (("other", "kubernetes"), ("empty", ""), ("local", "localhost")):
        yield f"tls-server-name-{name}", text(cluster__tls_server_name=value), "tls-server-name"
    for key, value in (
        ("as", "system:admin"),
        ("as-uid", "0"),
        ("as-groups", ["system:masters"]),
        ("as-user-extra", {"scopes": ["all"]}),
        ("username", "admin"),
        ("password", "hunter2"),
    ):
        yield (
            f"user-{key}",
            text(**{f"user__{key.replace('-', '_')}": value}),
            f"users[0].user.{key}",
        )
        yield (
            f"user-{key}-empty",
            text(**{f"user__{key.replace('-', '_')}": ""}),
            f"users[0].user.{key}",
        )


def servers() -> Iterator[Case]:
    field = "clusters[0].cluster.server"
    wrong = [
        "http://192.0.2.10",
        "HTTPS://192.0.2.10",
        "ftp://192.0.2.10",
        "file:///etc/passwd",
        "unix:///run/docker.sock",
        "gopher://192.0.2.10",
        "javascript:alert(1)",
        "192.0.2.10:6443",
        "//192.0.2.10",
        "https:192.0.2.10",
        "https://",
        "https:///path",
        "https://user@192.0.2.10",
        "https://user:pw@192.0.2.10",
        "https://192.0.2.10@192.0.2.66",
        "https://192.0.2.10?x=1",
        "https://192.0.2.10#x",
        "https://192.0.2.10/?a",
        "https://192.0.2.10:0",
        "https://192.0.2.10:65536",
        "https://192.0.2.10:99999",
        "https://192.0.2.10:-1",
        "https://192.0.2.10:6443:1",
        "https://192.0.2.10:port",
        "https://192.0.2.10/../x",
        "https://192.0.2.10/%2e%2e",
        "https://192.0.2.10\\@192.0.2.66",
        "https://192.0.2.10 .example",
        "https://192.0.2.10\nHost: x",
        "https://192.0.2.10\r\nX: y",
        "https://192.0.2.10\t",
        "https://[192.0.2.10]",
        "https://[::1",
        "https://::1",
        "https://a..b",
        "https://" + "a" * 300,
        "https://-a.example/ b",
        "https://exa_mple.%00/",
        "https://127.0.0.1:6443",
        "https://127.1",
        "https://2130706433",
        "https://0x7f000001",
        "https://0177.0.0.1",
        "https://0",
        "https://0.0.0.0",
        "https://[::1]:6443",
        "https://[::]",
        "https://[::ffff:127.0.0.1]",
        "https://[64:ff9b::7f00:1]",
        "https://[2002:7f00:1::]",
        "https://169.254.169.254",
        "https://[fd00:ec2::254]",
        "https://[fe80::1%25eth0]",
        "https://[fe80::1]",
        "https://224.0.0.1",
        "https://255.255.255.255",
        "https://240.0.0.1",
        "https://１２７.0.0.1",
        "https://127。0。0。1",
        "https://100.100.100.200",
    ]
    for number, server in enumerate(wrong):
        yield f"server-{number:02}", text(cluster__server=server), field
    for name, value in (
        ("missing", None),
        ("empty", ""),
        ("list", ["https://192.0.2.10"]),
        ("map", {}),
        ("true", True),
    ):
        yield f"server-{name}", text(cluster__server=value), field
