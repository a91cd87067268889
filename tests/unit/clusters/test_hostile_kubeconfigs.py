"""Every hostile kubeconfig is refused by the field's name, and nothing happens meanwhile."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import yaml

from clusters.kube.kubeconfig_parser import parse
from clusters.kube.strict_yaml import Refused
from tests.unit.clusters.hostile_ground import config

FOLDER = Path(__file__).with_name("hostile_kubeconfigs")
MANIFEST: dict[str, str] = json.loads((FOLDER / "manifest.json").read_text())
CHECKOUT = Path(__file__).resolve().parents[3]

# Parses every file with a hook that sees what Python does on behalf of anybody (PEP 578).
TRACED = """
import json, os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
import django
django.setup()
from pathlib import Path
from clusters.kube.kubeconfig_parser import parse
from clusters.kube.strict_yaml import Refused
folder, good = Path(sys.argv[1]), sys.argv[2]
texts = [path.read_bytes() for path in sorted(folder.glob("*.yaml"))]
parse(good)  # what is loaded at first use is loaded now
seen, refused = [], 0
WATCHED = ("open", "os.", "subprocess.", "socket.", "shutil.", "pty.", "ctypes.", "import", "exec")
active = False
def hook(event, args):
    if active and event.startswith(WATCHED):
        seen.append([event, repr(args)[:200]])
sys.addaudithook(hook)
active = True
for text in texts:
    try:
        parse(text)
    except Refused:
        refused += 1
quiet = list(seen)
open(os.devnull).close()
noticed = len(seen) > len(quiet)
active = False
print(json.dumps({"seen": quiet, "noticed": noticed, "refused": refused, "files": len(texts)}))
"""


def run(script: str, *arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", script, *arguments],
        cwd=CHECKOUT, capture_output=True, text=True, timeout=90, check=True, **options,
    )  # fmt: skip


def test_there_are_at_least_two_hundred_and_each_is_in_the_manifest():
    assert sorted(MANIFEST) == sorted(path.name for path in FOLDER.glob("*.yaml"))
    assert len(MANIFEST) >= 200


@pytest.mark.parametrize("name", sorted(MANIFEST))
def test_it_is_refused_naming_the_field(name):
    with pytest.raises(Refused) as caught:
        parse((FOLDER / name).read_bytes())
    assert MANIFEST[name] in caught.value.field
    assert caught.value.why
    # What is refused may hold a secret: it is named and not repeated.
    for secret in ("good-token", "hunter2", "secret@", "BEGIN", "Impersonate-User"):
        assert secret not in str(caught.value)


def test_no_process_no_file_and_no_socket_comes_of_them():
    told = json.loads(run(TRACED, str(FOLDER), yaml.safe_dump(config())).stdout)
    assert told["seen"] == []
    assert told["noticed"], "the hook sees nothing at all"
    assert told["refused"] == told["files"] == len(MANIFEST)


STOCK = """
import sys
import yaml
from kubernetes.config import new_client_from_config_dict
with open(sys.argv[1]) as file:
    given = yaml.safe_load(file)
client = new_client_from_config_dict(given)
client.configuration.retries = 0
if len(sys.argv) > 2:
    from kubernetes.client import VersionApi
    try:
        VersionApi(client).get_code(_request_timeout=5)
    except Exception as error:
        print(type(error).__name__)
"""


def stock_loads(path: Path, given: dict, *more: str) -> None:
    path.write_text(yaml.safe_dump(given))
    run(STOCK, str(path), *more)


def test_the_stock_loader_runs_the_command_of_exec(tmp_path):
    """Why a user's kubeconfig is never given to the library."""
    mark = tmp_path / "touched"
    given = config(
        user__exec={
            "apiVersion": "client.authentication.k8s.io/v1beta1",
            "command": "touch",
            "args": [str(mark)],
            "interactiveMode": "Never",
        },
        user__token=None,
    )
    with pytest.raises(Refused, match="exec"):
        parse(yaml.safe_dump(given))
    assert not mark.exists()
    stock_loads(tmp_path / "kubeconfig", given)
    assert mark.exists()


class Listener(BaseHTTPRequestHandler):
    asked: list[tuple[str, str]] = []

    def do_GET(self):
        self.asked.append((self.path, self.headers.get("Authorization", "")))
        self.send_response(404)
        self.end_headers()

    def do_CONNECT(self):
        self.asked.append((self.path, "CONNECT"))
        self.send_response(403)
        self.end_headers()

    def log_message(self, *_args):
        pass


@pytest.fixture
def listener():
    Listener.asked = []
    server = HTTPServer(("127.0.0.1", 0), Listener)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_the_stock_loader_sends_a_file_of_this_machine_to_the_files_server(tmp_path, listener):
    secret = tmp_path / "key-ring"
    secret.write_text("the-console-s-own-secret")
    given = config(cluster__server=listener, user__token=None, user__tokenFile=str(secret))
    with pytest.raises(Refused):
        parse(yaml.safe_dump(given))
    assert Listener.asked == []
    stock_loads(tmp_path / "kubeconfig", given, "call")
    assert any("the-console-s-own-secret" in sent for _path, sent in Listener.asked)


def test_the_stock_loader_goes_through_the_files_proxy(tmp_path, listener):
    given = config(cluster__proxy_url=listener)
    with pytest.raises(Refused, match="proxy-url"):
        parse(yaml.safe_dump(given))
    assert Listener.asked == []
    stock_loads(tmp_path / "kubeconfig", given, "call")
    assert ("192.0.2.10:6443", "CONNECT") in Listener.asked


def test_the_stock_yaml_loader_expands_a_bomb():
    bomb = (FOLDER / "yaml-bomb.yaml").read_text()
    # Four of its eight levels are enough to see it.
    few = "".join(bomb.splitlines(keepends=True)[:5])
    expanded = json.dumps(yaml.safe_load(few))
    assert len(expanded) > 100 * len(few)


def test_what_they_are_made_of_is_itself_fine():
    """The ground of all hostile ones is fine, so that each is refused for its own reason."""
    (found,) = parse(yaml.safe_dump(config()))
    assert found.entry and found.entry.server == "https://192.0.2.10:6443"
    ca = config()["clusters"][0]["cluster"]["certificate-authority-data"]
    assert found.entry.ca.strip() == base64.b64decode(ca).decode().strip()
