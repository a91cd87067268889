"""Restoring etcd from a snapshot when its members have lost their quorum for good.

https://etcd.io/docs/v3.4/op-guide/recovery/ ("Restoring a cluster"): a new cluster of one
member is made from the snapshot, and the others join it with empty data. The old data
is kept in a folder beside it, until the next restore or until the cluster is deleted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from provisioning import shell
from provisioning.spec import Material, ReleaseFile
from provisioning.steps.base import Action, Context, PlanItem, Step, Verdict
from provisioning.steps.control_plane import COMPONENTS
from provisioning.steps.etcd import DATA, INITIAL, MEMBER, Etcd, peer_url
from provisioning.steps.etcd_snapshot import TOOLS
from provisioning.steps.haproxy import HAProxy
from provisioning.steps.layout import KUBECTL
from provisioning.steps.resource import Payloads
from provisioning.steps.resources import Command, Directory, Resource, Unit, Wait, digest
from provisioning.texts import gettext as _

# Inside the data folder: a rename cannot fail half-way, wherever the folder is mounted.
OLD = f"{DATA}/before-restore"
NEW = f"{DATA}/restoring"
STOP_SECONDS = 10  # until a program that does not end is killed
# In the material: the id of the host that the snapshot was restored on; for which restore the
# authority of etcd was made; the ids of control planes that were away, and hold the old data.
FIRST, RENEWED, STALE = "restore/first", "restore/authority", "restore/stale"
# Everything that etcd's authority has signed.
ETCD_LEAVES = ("etcd-server", "etcd-peer", "apiserver-etcd-client")


class CheckSnapshot(Action):
    """Everything that speaks against the restore, before anything is touched."""

    id = "restore-check"
    title = "Check the snapshot"
    timeout = 1800

    def plan(self, ctx: Context) -> Sequence[PlanItem]:
        """It reads, on the console and on the hosts."""
        how = _("its file opens, has its SHA-256 and belongs to this cluster; the disks have room")
        return [PlanItem(_("Check the snapshot"), Verdict.OK, (how,))]


class StopControlPlane(Step):
    """Nobody may write, and nothing starts by itself after a power cut in between."""

    id = "restore-stop"
    title = "Stop the control plane"
    timeout = 300

    def resources(self, ctx: Context) -> Sequence[Resource]:
        """All at once, and not for long: an API server without etcd hardly ends by itself."""
        units = [f"{name}.service" for name in (*COMPONENTS, "etcd")]
        names = " ".join(units)
        up = (
            f"systemctl show -p ActiveState --value {names}"
            " | grep -qxE 'active|activating|deactivating|reloading'"
        )
        text = f"""systemctl stop --no-block {names}
end=$(($(date +%s) + {STOP_SECONDS}))
while {up}; do
  if [ "$(date +%s)" -ge "$end" ]; then
    systemctl kill --kill-who=all --signal=KILL {names} 2>/dev/null
    end=$((end + {STOP_SECONDS}))
  fi
  sleep 0.2
done"""
        stop = Command(
            "restore-stop",
            _("The control plane's programs end"),
            text,
            unless=f"! {{ {up}; }}",
            once=False,
        )
        return [stop, *(Unit(name, enabled=False, started=False) for name in units)]


class OldDataAside(Step):
    """What etcd holds now is kept; a member without data can only join."""

    id = "restore-aside"
    title = "Put the old data aside"
    timeout = 120

    def resources(self, ctx: Context) -> Sequence[Resource]:
        """A rename in the same folder. What was kept by an earlier restore goes, unless there is
        nothing newer to keep."""
        run = str(ctx.spec.request.get("run", ""))
        mark = shell.quote(run)
        text = f"""set -e
umask 077
if [ -e {MEMBER} ]; then
  if [ "$(cat {OLD}/restore 2>/dev/null)" != {mark} ]; then
    rm -rf {OLD}
    mkdir {OLD}
    printf '%s' {mark} >{OLD}/restore.new
    mv {OLD}/restore.new {OLD}/restore
  fi
  rm -rf {OLD}/member
  mv -T {MEMBER} {OLD}/member
fi
rm -rf {INITIAL} {NEW}
sync"""
        return [
            Directory(DATA, 0o700, owns=True),
            Command(
                "restore-aside",
                _("etcd's old data goes to %(folder)s") % {"folder": OLD},
                text,
                version=run,
            ),
        ]


class RestoreSnapshot(Action):
    """The snapshot becomes the data of one member; see provisioning.snapshots_restore."""

    id = "restore-data"
    title = "Restore the snapshot"
    timeout = 3600

    def plan(self, ctx: Context) -> Sequence[PlanItem]:
        """On the first control plane that answers."""
        how = (
            _("send the snapshot, with its revision raised above all that was ever seen"),
            "etcdctl snapshot restore",
        )
        return [PlanItem(_("Restore the snapshot"), Verdict.CHANGE, how)]


class NewEtcdAuthority(Action):
    """What was left out can never talk to the restored members again, nor these to it.

    A control plane that comes back with the old data has the same addresses as before, and a
    majority of such members is the old cluster once more: whoever asks "the members" must not
    be answered by those.
    """

    id = "restore-authority"
    title = "A new authority for etcd"

    def plan(self, ctx: Context) -> Sequence[PlanItem]:
        """One line; the step after it makes what is missing then."""
        return [PlanItem(_("New authority and certificates of etcd"), Verdict.CHANGE)]


def forget_authority(material: Material, run: str) -> bool:
    """Drop etcd's authority and all that it signed, once for each restore. True when it did."""
    if material.get(RENEWED) == run:
        return False
    for name in list(material):
        stem = name.rpartition(".")[0]
        if stem == "ca/etcd" or (
            stem.startswith("hosts/") and stem.rpartition("/")[2] in ETCD_LEAVES
        ):
            del material[name]
    material[RENEWED] = run
    return True


@dataclass(frozen=True)
class RestoredData(Resource):
    """etcd's data folder made from a snapshot that the console sends.

    size (bytes) and sha256: of the file as it travels; run: which restore this is, because the
    same snapshot may be restored twice.
    """

    run: str
    name: str
    peer: str
    token: str
    size: int
    sha256: str

    @property
    def key(self) -> str:
        """One of a host."""
        return "command:restore-data"

    @property
    def title(self) -> str:
        """What a person reads."""
        return _("etcd's data from the snapshot")

    def evaluate(self, facts: object) -> PlanItem:
        """It is always done."""
        return self.change("etcdctl snapshot restore")

    def script(self, payloads: Payloads) -> str:
        """Receive, check, restore beside the data folder, then put it in place by a rename."""
        number = payloads.add(
            ReleaseFile("snapshot", "etcd", self.sha256, self.size, Path("snapshot"), self.size)
        )
        name, peer = shell.label(self.name), shell.token(self.peer)
        restore = (
            f"fl_utl snapshot restore {NEW}/etcd.db --data-dir={NEW}/data --name={name}"
            f" --initial-cluster={name}={peer} --initial-advertise-peer-urls={peer}"
            f" --initial-cluster-token={shell.token(self.token)}"
        )
        need = self.size * 2 // 1024 + 65536
        mark = digest(self.run)
        return f"""{TOOLS}
fl_mark_get "$FL_KEY"
if [ "$FL_R" = {mark} ] && [ -d {MEMBER} ]; then fl_ok
else
  fl_changing
  rm -rf {NEW} {MEMBER}
  mkdir -m 700 {NEW} || fl_unwritable {NEW}
  [ "$(fl_free {NEW})" -gt {need} ] ||
    fl_fail disk_full "{need // 1024} MiB free in {DATA}" "$(($(fl_free {NEW}) / 1024)) MiB free"
  fl_emit want "{{\\"payload\\":{number},\\"key\\":\\"$FL_KEY\\"}}"
  (umask 077; head -c {self.size:d} <&4 | tee {NEW}/etcd.db | fl_digest >{NEW}/sum)
  fl_x=$(cat {NEW}/sum)
  if [ "${{fl_x%% *}}" != {shell.token(self.sha256)} ]; then
    fl_x="SHA-256 ${{fl_x%% *}} of $(stat -c %s {NEW}/etcd.db) bytes"
    rm -rf {NEW}
    fl_fail checksum "SHA-256 {self.sha256} of {self.size:d} bytes" "$fl_x"
  fi
  fl_run "fl_utl snapshot status {NEW}/etcd.db" || fl_fail snapshot_damaged "a snapshot" "$fl_out"
  fl_run {shell.quote(restore)} || fl_fail command_failed "etcd takes the snapshot" "$fl_out"
  mv -T {NEW}/data/member {MEMBER} || fl_unwritable {MEMBER}
  chmod 700 {MEMBER}
  rm -rf {NEW}
  sync
  fl_mark_put "$FL_KEY" {mark}
  fl_changed
fi"""


class EtcdRestored(Etcd):
    """The member with the snapshot's data starts alone; the others join it, one after another."""

    id = "etcd-restored"
    title = "etcd from the snapshot"
    timeout = 600

    def resources(self, ctx: Context) -> Sequence[Resource]:
        """The same as for a new member, once it is known who was the first."""
        here, members = ctx.here, ctx.spec.control_plane
        first = ctx.material.get(FIRST, str(members[0].id))
        joining = frozenset() if str(here.id) == first else frozenset({here.id})
        there = _without_away(ctx)
        return super().resources(replace(there, spec=replace(there.spec, joining=joining)))


def _without_away(ctx: Context) -> Context:
    there = tuple(h for h in ctx.spec.control_plane if h.id not in ctx.away)
    return replace(ctx, spec=replace(ctx.spec, control_plane=there))


class RestoredBalancer(HAProxy):
    """As always, without the API servers of hosts that were left out."""

    id = "haproxy-restored"

    def resources(self, ctx: Context) -> Sequence[Resource]:
        """The next repair takes the others in again."""
        return super().resources(_without_away(ctx))


class NodesRestarted(Step):
    """Programs that remember objects which the restored cluster has never had."""

    id = "restore-nodes"
    title = "Restart the node's programs"
    timeout = 180

    def resources(self, ctx: Context) -> Sequence[Resource]:
        """kubelet and kube-proxy; pods keep running.

        https://kubernetes.io/docs/tasks/administer-cluster/configure-upgrade-etcd/
        ("Restoring an etcd cluster": restart what could rely on stale data)
        """
        return [
            Command(
                "restore-nodes",
                _("kubelet and kube-proxy start anew"),
                "systemctl restart kubelet.service kube-proxy.service",
                version=str(ctx.spec.request.get("run", "")),
            )
        ]


class RestoreProven(Step):
    """The cluster takes writes again, and its nodes report."""

    id = "restore-proof"
    title = "Prove that the restored cluster works"
    timeout = 420

    def resources(self, ctx: Context) -> Sequence[Resource]:
        """A write through the API, and every node that was not left out is ready."""
        run = shell.quote(str(ctx.spec.request.get("run", "")))
        names = [shell.label(host.name) for host in ctx.present]
        one = "{.metadata.name}={.status.conditions[?(@.type=='Ready')].status} "
        every = shell.quote("jsonpath={range .items[*]}" + one + "{end}")
        wanted = "|".join(f"{name}=True" for name in names)
        return [
            Command(
                "restore-write",
                _("The API takes a write"),
                f"{KUBECTL} annotate --overwrite namespace kube-system flotilla.dev/restored={run}",
                version=str(ctx.spec.request.get("run", "")),
            ),
            Wait(
                "restore-ready",
                _("The nodes are ready"),
                f'[ "$({KUBECTL} get nodes -o {every} | tr " " "\\n" |'
                f" grep -cxE '{wanted}')\" = {len(names):d} ]",
                300,
                _("%(nodes)s are ready") % {"nodes": ", ".join(names)},
                f"{KUBECTL} get nodes -o wide",
            ),
        ]


def restored_data(ctx: Context, size: int, sha256: str) -> RestoredData:
    """The resource for the host of ctx."""
    return RestoredData(
        run=str(ctx.spec.request.get("run", "")),
        name=ctx.here.name,
        peer=peer_url(ctx.here),
        token=f"flotilla-{ctx.spec.id}",
        size=size,
        sha256=sha256,
    )
