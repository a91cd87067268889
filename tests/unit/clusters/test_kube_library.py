"""Threads that make the first connections of a process at the same time."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[3]
# A disk that is slow to give the library's files, and threads that come one after another.
THREADS = """
import sys, threading, time
import django
django.setup()
from clusters.kube.connection import Connection
from clusters.kube.credentials import Credentials
from provisioning import pki

SLOW = ("kubernetes", "oauthlib", "requests_oauthlib", "requests", "websocket")

class SlowDisk:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in SLOW:
            time.sleep(0.01)

sys.meta_path.insert(0, SlowDisk())
authority = pki.new_authority("ca")
pair = pki.new_leaf(authority, pki.Leaf("console"))
given = Credentials("https://127.0.0.1:1", authority.certificate, pair.certificate, pair.key)
wrong = []

def connect(after):
    time.sleep(after)
    try:
        Connection(given)
    except BaseException as error:
        wrong.append(repr(error))

threads = [threading.Thread(target=connect, args=(n * 0.15,)) for n in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
connect(0)
print(wrong)
"""


def test_threads_that_connect_first_do_not_break_the_library_for_each_other() -> None:
    done = subprocess.run(
        [sys.executable, "-c", THREADS],
        cwd=CHECKOUT, capture_output=True, text=True, check=False, timeout=100,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"},
    )  # fmt: skip
    assert done.stdout.strip() == "[]", done.stdout + done.stderr[-2000:]
