"""A site with the official layout on this machine, and bundles, both small and real."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from provisioning.releases_layout import BINARIES, CNI, ETCD
from provisioning.releases_store import unpacked as contents

VERSION = "v1.30.2"


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def program(name: str, size: int = 50_000) -> bytes:
    """Something that stands for a binary: its own for each name, packs like code does."""
    seed = hashlib.sha256(name.encode()).digest()
    return (b"\x7fELF" + seed * (size // 64)).ljust(size, b"\0")


@dataclass
class Site:
    """A web server on loopback. files by path; what it is asked is in `asked`."""

    server: ThreadingHTTPServer
    files: dict[str, bytes] = field(default_factory=dict)
    redirects: dict[str, str] = field(default_factory=dict)
    # Path -> how often to break off after so many bytes.
    cut_off: dict[str, list[int]] = field(default_factory=dict)
    slow: dict[str, float] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    ranges: bool = True

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    site: Site

    def log_message(self, *_args):
        """Quiet."""

    def do_GET(self):
        site, path = self.site, self.path
        wanted = self.headers.get("Range", "")
        site.asked.append((path, wanted))
        if to := site.redirects.get(path):
            self.send_response(302)
            self.send_header("Location", to)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        body = site.files.get(path)
        if body is None:
            self.send_error(404)
            return
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and site.ranges else 0
        if start >= len(body) and start:
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(body)}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        self.send_header("Content-Length", str(len(body) - start))
        self.end_headers()
        end = len(body)
        if site.cut_off.get(path):
            end = min(end, start + site.cut_off[path].pop(0))
            self.close_connection = True
        if pause := site.slow.get(path):
            for at in range(start, end):
                self.wfile.write(body[at : at + 1])
                self.wfile.flush()
                time.sleep(pause)
            return
        self.wfile.write(body[start:end])


@pytest.fixture
def site(monkeypatch) -> Iterator[Site]:
    """An empty site; no proxy stands between it and the console."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    handler = type("Handler", (_Handler,), {})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    found = Site(server)
    handler.site = found
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield found
    server.shutdown()
    server.server_close()


def tarball(files: dict[str, bytes], mode: str = "w:gz") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as tar:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), 0o755
            tar.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


@pytest.fixture
def official(site: Site, settings, tmp_path: Path) -> Site:
    """The site with everything of VERSION in the official layout, and the console set to it."""
    for name in BINARIES:
        path = f"/release/{VERSION}/bin/linux/amd64/{name}"
        site.files[path] = program(name)
        site.files[f"{path}.sha256"] = sha256(program(name)).encode()
    etcd = "etcd-v3.5.12-linux-amd64"
    archive = tarball({f"{etcd}/{name}": program(name) for name in (*ETCD, "README.md")})
    site.files[f"/etcd/v3.5.12/{etcd}.tar.gz"] = archive
    site.files["/etcd/v3.5.12/SHA256SUMS"] = (
        f"{'0' * 64}  etcd-v3.5.12-darwin-amd64.zip\n{sha256(archive)}  {etcd}.tar.gz\n".encode()
    )
    cni = "cni-plugins-linux-amd64-v1.5.1.tgz"
    archive = tarball({f"./{name}": program(name) for name in (*CNI, "vlan")})
    site.files[f"/cni/v1.5.1/{cni}"] = archive
    site.files[f"/cni/v1.5.1/{cni}.sha256"] = f"{sha256(archive)}  {cni}\n".encode()
    settings.RELEASE_MIRROR = f"{site.url}/release"
    settings.RELEASE_ETCD_MIRROR = f"{site.url}/etcd"
    settings.RELEASE_CNI_MIRROR = f"{site.url}/cni"
    settings.RELEASE_CNI_VERSION = "v1.5.1"
    return site


@pytest.fixture(autouse=True)
def store(settings, tmp_path: Path) -> Path:
    """The console's own folder of releases, fresh for each test."""
    settings.RELEASES_DIR = tmp_path / "releases"
    return settings.RELEASES_DIR


@pytest.fixture
def bundle(tmp_path: Path) -> Callable[..., Path]:
    """Makes the folder of a bundle as the lab does: binaries, extras/, manifest.json."""

    def make(version: str = VERSION, arch: str = "amd64", name: str = "bundle") -> Path:
        folder = tmp_path / name
        rows = [(file, file, "binary") for file in BINARIES]
        rows += [(file, f"extras/{file}", "etcd") for file in ETCD]
        rows += [(file, f"extras/cni/{file}", "cni") for file in CNI]
        rows += [("pause-1.tar", "extras/images/pause-1.tar", "image")]
        files = []
        for file, path, kind in rows:
            data = program(file + version)
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(data)
            files.append(
                {
                    "name": file,
                    "path": path,
                    "kind": kind,
                    "sha256": sha256(data),
                    "size": len(data),
                }
            )
        manifest = {
            "version": version,
            "arch": arch,
            "source": "made for a test",
            "pause_image": "flotilla.dev/lab/pause:1",
            "verify_image": "flotilla.dev/lab/busybox:1",
            "files": files,
        }
        (folder / "manifest.json").write_text(json.dumps(manifest))
        return folder

    return make


def packed_tar(folder: Path, target: Path, mode: str = "w:gz") -> Path:
    """A folder as an archive."""
    with tarfile.open(target, mode) as tar:
        tar.add(folder, arcname=folder.name)
    return target


def unpacked(path: Path) -> bytes:
    return b"".join(contents(path))
