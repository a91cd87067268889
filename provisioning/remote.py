"""The frame around every script that changes a host: fencing, lock, and how to stop it.

Pure text in, text out. The shell of each script is started with the mark
FLOTILLA_RUN=<task>.<fence>.<number> in its environment (provisioning.ssh puts it
there) and everything that it starts inherits it, so what an earlier worker left
running can be found and ended, and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass

FENCED = 78  # exit status of a script whose worker has lost the task
LOCKED = 79  # exit status when another task holds the host
LOCK_SECONDS = 60
KILL_SECONDS = 30

_END_MARKED = r"""
fl_end_marked() { # pattern of the mark, mark to spare, seconds until KILL
  for fl_signal in TERM KILL; do
    fl_waited=0
    while :; do
      fl_found=
      for fl_e in $(grep -lzxE "FLOTILLA_RUN=$1" /proc/[0-9]*/environ 2>/dev/null); do
        # Gone meanwhile (the search itself is one of these), or one of our own.
        fl_m=$({ tr '\0' '\n' <"$fl_e"; } 2>/dev/null | grep '^FLOTILLA_RUN=')
        case "$fl_m" in "" | "FLOTILLA_RUN=$2") continue ;; esac
        fl_p=${fl_e#/proc/}; fl_found="$fl_found ${fl_p%/environ}"
      done
      [ -z "$fl_found" ] && return 0
      [ "$fl_waited" = 0 ] && kill -"$fl_signal" $fl_found 2>/dev/null
      [ "$fl_signal" = TERM ] && [ "$fl_waited" -ge "$(($3 * 5))" ] && break
      [ "$fl_signal" = KILL ] && [ "$fl_waited" -ge 25 ] && return 1
      fl_waited=$((fl_waited + 1)); sleep 0.2
    done
  done
}
"""

_FRAME = r"""
fl_dir=/run/flotilla
mkdir -p -m 700 "$fl_dir"
fl_task={task} fl_fence={fence} fl_mark={task}.{fence}.{number}
fl_check() {{
  fl_seen=0
  [ -f "$fl_dir/task-$fl_task" ] && IFS= read -r fl_seen <"$fl_dir/task-$fl_task"
  [ "${{fl_seen:-0}}" -gt "$fl_fence" ] && exit {fenced}
  return 0
}}
fl_check
if [ "${{fl_seen:-0}}" -lt "$fl_fence" ]; then
  # First script of this claim on this host: shut the earlier worker out, then end
  # what it left running.
  echo "$fl_fence" >"$fl_dir/new.$$" && mv "$fl_dir/new.$$" "$fl_dir/task-$fl_task"
fi
if [ -f "$fl_dir/running" ]; then
  IFS= read -r fl_running <"$fl_dir/running"
  case "$fl_running" in
    "$fl_task".*) fl_end_marked "$fl_task\.[0-9]+\.[0-9]+" "$fl_mark" {kill} ;;
  esac
fi
exec 9>"$fl_dir/lock"
flock -w {lock} 9 || {{ cat "$fl_dir/running" >&2; exit {locked}; }}
fl_check
echo "$fl_mark" >"$fl_dir/running"
( exec 9>&-
"""

_END = r"""
)
fl_status=$?
rm -f "$fl_dir/running"
exit $fl_status
"""


@dataclass(frozen=True)
class Mark:
    """Which run a script belongs to: task number, fencing number, number of the channel."""

    task: int
    fence: int
    number: int

    def __str__(self) -> str:
        return f"{self.task}.{self.fence}.{self.number}"


def framed(body: str, mark: Mark) -> str:
    """The script with its frame.

    It exits FENCED when a later claim of the same task has been on the host, and
    LOCKED when another task holds the host for LOCK_SECONDS; otherwise with the
    body's own status.
    """
    head = _FRAME.format(
        task=mark.task,
        fence=mark.fence,
        number=mark.number,
        fenced=FENCED,
        locked=LOCKED,
        lock=LOCK_SECONDS,
        kill=KILL_SECONDS,
    )
    return f"{_END_MARKED}{head}{body}\n{_END}"


def stop_script(task: int, fence: int, seconds: int = KILL_SECONDS) -> str:
    """Ends what this claim of a task left running on a host: TERM, then KILL after `seconds`.

    Exit status 1 says that something would not die.
    """
    return f"{_END_MARKED}\nfl_end_marked '{task}\\.{fence}\\.[0-9]+' '' {seconds}\n"
