"""Taking a snapshot of etcd: on any healthy member, brought to the console, nothing left behind.

https://etcd.io/docs/v3.4/op-guide/recovery/ ("Snapshotting the keyspace")
"""

from __future__ import annotations

from collections.abc import Sequence

from provisioning.spec import ClusterSpec
from provisioning.steps.base import Action, Context, PlanItem, Verdict
from provisioning.steps.etcd import MEMBER, etcdctl
from provisioning.steps.layout import BIN
from provisioning.texts import gettext as _

DATABASE = f"{MEMBER}/snap/db"
SPARE_KIB = 64 * 1024  # what is left free for etcd itself while a copy lies beside it


class TakeSnapshot(Action):
    """A verified copy of etcd's data on the console; see provisioning.snapshots_take."""

    id = "etcd-snapshot"
    title = "Take a snapshot of etcd"
    timeout = 3600

    def plan(self, ctx: Context) -> Sequence[PlanItem]:
        """What will happen; nothing on a host stays changed."""
        how = (
            "etcdctl snapshot save",
            "etcdctl snapshot status",
            _("bring it to the console, compare its SHA-256, keep it encrypted"),
        )
        return [PlanItem(_("Snapshot of etcd"), Verdict.CHANGE, how)]


# What both directions need: etcd's own tool for files. etcdctl did it until 3.5 and does no more
# since 3.6 (etcd's CHANGELOG-3.6, "etcdctl snapshot status/restore removed").
TOOLS = f"""
fl_utl() {{
  if [ -x {BIN}/etcdutl ]; then {BIN}/etcdutl "$@"
  elif [ -x {BIN}/etcdctl ]; then ETCDCTL_API=3 {BIN}/etcdctl "$@"
  else ETCDCTL_API=3 /usr/bin/etcdctl "$@"
  fi
}}
fl_failed() {{ printf '#failed %s %s\\n' "$1" "$(printf '%s' "$2" | tr '\\n' ' ')" >&2; exit 1; }}
fl_free() {{ df -Pk "$1" | awk 'NR==2 {{print $4}}'; }}
fl_digest() {{ sha256sum; }}
openssl dgst -sha256 -r </dev/null >/dev/null 2>&1 && fl_digest() {{ openssl dgst -sha256 -r; }}
"""


def snapshot_script(spec: ClusterSpec) -> str:
    """The script that takes one: the packed file (gzip) on stdout, what it is on stderr.

    Lines of stderr for the console: "#status JSON" (etcdctl snapshot status), "#endpoint JSON"
    (endpoint status), "#uid UUID" (of the namespace kube-system), "#sha256 HEX" and "#size N" of
    the plain file, or "#failed CODE TEXT". The copy lies in a folder that only root can enter
    and is gone when the script ends; what a power cut left goes at the next run.
    """
    ask = etcdctl(spec)
    return f"""
set -u
umask 077
export LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
{TOOLS}
e() {{ {ask} "$@"; }}
dir=/var/lib/flotilla/{spec.id:d}/snapshot
trap 'rm -rf "$dir"' EXIT
trap 'exit 1' HUP INT TERM PIPE
rm -rf "$dir"
mkdir -p "$dir" || fl_failed not_writable "$dir cannot be made"
said=$(e endpoint health 2>&1) || fl_failed etcd_unhealthy "$said"
size=$(stat -c %s {DATABASE} 2>/dev/null) || fl_failed etcd_unhealthy "{DATABASE} is not there"
free=$(fl_free "$dir") need=$((size / 1024 + {SPARE_KIB}))
[ "${{free:-0}}" -gt "$need" ] ||
  fl_failed disk_full "$((need / 1024)) MiB are needed in $dir, $((${{free:-0}} / 1024)) are free"
# A restore raises the revision of the last compaction (provisioning.snapshots_database): a cluster
# that was never compacted gets one of revision 1, which removes nothing.
e compact --physical 1 >/dev/null 2>&1
file=$dir/etcd.db
said=$(e --command-timeout=3600s snapshot save "$file" 2>&1) || fl_failed command_failed "$said"
status=$(fl_utl snapshot status "$file" -w json 2>&1) || fl_failed command_failed "$status"
printf '#status %s\\n' "$(printf '%s\\n' "$status" | grep '"hash"' | tail -n 1)" >&2
printf '#endpoint %s\\n' "$(e endpoint status -w json | tr -d '\\n')" >&2
uid=$(e get /registry/namespaces/kube-system --print-value-only |
  grep -aoE '[0-9a-f]{{8}}(-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}}' | head -n 1)
sum=$(fl_digest <"$file")
printf '#uid %s\\n#sha256 %s\\n#size %s\\n' "$uid" "${{sum%% *}}" "$(stat -c %s "$file")" >&2
gzip -1 -c "$file" || fl_failed command_failed "the copy could not be sent"
"""
