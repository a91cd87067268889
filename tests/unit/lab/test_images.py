"""Images made in Python: the same bytes each time, and what containerd expects in them."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import zlib

from lab.images import BUSYBOX_REF, PAUSE_COMMAND, PAUSE_REF, Image, archive, layer

PROGRAM = b"\x7fELF not really"


def members(data: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        return {
            m.name: file.read()
            for m in tar.getmembers()
            if (file := tar.extractfile(m)) is not None
        }


def test_the_same_input_gives_the_same_bytes() -> None:
    image = Image(PAUSE_REF, PAUSE_COMMAND)
    first = archive(image, layer(PROGRAM, ["sh", "sleep"]))
    assert first == archive(image, layer(PROGRAM, ["sleep", "sh", "sh"]))
    assert first != archive(image, layer(PROGRAM + b"!", ["sh", "sleep"]))


def test_manifest_config_and_layer_agree() -> None:
    content = layer(PROGRAM, ["sh"])
    files = members(archive(Image(BUSYBOX_REF, ("/bin/sh",), "arm64"), content))
    (manifest,) = json.loads(files["manifest.json"])
    assert manifest["RepoTags"] == ["flotilla.dev/lab/busybox:1"]
    written = files[manifest["Config"]]
    assert manifest["Config"] == f"{hashlib.sha256(written).hexdigest()}.json"
    config = json.loads(written)
    assert (config["os"], config["architecture"]) == ("linux", "arm64")
    assert config["config"]["Cmd"] == ["/bin/sh"]
    (packed,) = (files[name] for name in manifest["Layers"])
    assert zlib.decompress(packed, 31) == content
    assert config["rootfs"]["diff_ids"] == [f"sha256:{hashlib.sha256(content).hexdigest()}"]


def test_the_layer_holds_the_program_and_a_link_for_each_applet() -> None:
    with tarfile.open(fileobj=io.BytesIO(layer(PROGRAM, ["sh", "busybox", "ls"]))) as tar:
        names = set(tar.getnames())
        assert {"bin/busybox", "bin/sh", "bin/ls", "etc/passwd", "tmp"} <= names
        assert tar.getmember("bin/sh").linkname == "busybox"
        assert tar.getmember("bin/busybox").mode == 0o755
        assert len(tar.getnames()) == len(names)


def test_the_names_of_the_tars() -> None:
    assert Image(PAUSE_REF, ()).file_name == "pause-1.tar"
