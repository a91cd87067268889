"""Writes hostile_kubeconfigs/: one small file for each trick, and manifest.json with the field.

Run it after a change: `python -m tests.unit.clusters.write_hostile_kubeconfigs`. The files
are committed, so that a test fails when what is refused changes. Addresses are those of
documentation (RFC 5737), and the paths name files that a test watches for.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from tests.unit.clusters import hostile_detours as hd
from tests.unit.clusters import hostile_texts as ht
from tests.unit.clusters.hostile_ground import Case

FOLDER = Path(__file__).with_name("hostile_kubeconfigs")


def cases() -> Iterator[Case]:
    for group in (
        hd.commands,
        hd.files,
        hd.detours,
        hd.servers,
        ht.secrets,
        ht.shapes,
        ht.yaml_tricks,
    ):
        yield from group()


def write() -> int:
    FOLDER.mkdir(exist_ok=True)
    for old in FOLDER.iterdir():
        old.unlink()
    manifest: dict[str, str] = {}
    for name, content, word in cases():
        file = f"{name}.yaml"
        assert file not in manifest, f"{file} is there twice"
        (FOLDER / file).write_bytes(content if isinstance(content, bytes) else content.encode())
        manifest[file] = word
    lines = json.dumps(manifest, indent=1, sort_keys=True, ensure_ascii=False)
    (FOLDER / "manifest.json").write_text(lines + "\n")
    return len(manifest)


if __name__ == "__main__":
    print(f"{write()} kubeconfigs in {FOLDER}")
