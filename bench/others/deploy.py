"""The same folder and files by pyinfra."""

import io
import os

from pyinfra.operations import files

CONTENT = os.environ["BENCH_CONTENT"]

files.directory(path="/etc/bench-pyinfra", mode="755")
for number in range(40):
    files.put(
        name=f"file {number}",
        src=io.StringIO(CONTENT),
        dest=f"/etc/bench-pyinfra/f{number}",
        mode="644",
    )
