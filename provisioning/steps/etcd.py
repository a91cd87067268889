"""etcd with TLS for clients and peers: a member on every control plane, and how one joins."""

from __future__ import annotations

from collections.abc import Sequence

from provisioning import shell
from provisioning.spec import ClusterSpec, HostSpec
from provisioning.steps.base import Context, Step
from provisioning.steps.certificates import pair_files
from provisioning.steps.layout import (
    BIN,
    KUBERNETES,
    PKI,
    UNITS,
    facts_here,
    release_files,
    unit_file,
)
from provisioning.steps.resources import (
    Command,
    Directory,
    File,
    Package,
    Probe,
    Resource,
    Unit,
    Wait,
)
from provisioning.texts import gettext as _

DATA = "/var/lib/etcd"
MEMBER = f"{DATA}/member"
INITIAL = f"{KUBERNETES}/etcd-initial.env"
CLIENT_PORT, PEER_PORT, HEALTH_PORT = 2379, 2380, 2381


def etcd_program(spec: ClusterSpec) -> str:
    """The etcd that is run: the release's, or the distribution's when it has none."""
    own = any(file.name == "etcd" for file in release_files(spec, "etcd"))
    return f"{BIN}/etcd" if own else "/usr/bin/etcd"


def program_version(spec: ClusterSpec) -> str:
    """What stands for the program that runs: another Kubernetes restarts no etcd that stays."""
    own = (file.sha256 for file in release_files(spec, "etcd") if file.name == "etcd")
    return next(own, "/usr/bin/etcd")


def etcdctl(spec: ClusterSpec, *hosts: HostSpec) -> str:
    """The words of an etcdctl call with this host's certificates; hosts: whom to ask (none: here).

    https://etcd.io/docs/v3.4/op-guide/security/
    """
    own = any(file.name == "etcdctl" for file in release_files(spec, "etcd"))
    program = f"{BIN}/etcdctl" if own else "/usr/bin/etcdctl"
    where = ",".join(client_url(host) for host in hosts) or f"https://127.0.0.1:{CLIENT_PORT}"
    return (
        f"ETCDCTL_API=3 {program} --cacert={PKI}/etcd/ca.crt --cert={PKI}/etcd/server.crt"
        f" --key={PKI}/etcd/server.key --endpoints={where} --dial-timeout=3s --command-timeout=10s"
    )


def client_url(host: HostSpec) -> str:
    """Where a member's clients find it."""
    return f"https://{shell.address(host.address)}:{CLIENT_PORT}"


def peer_url(host: HostSpec) -> str:
    """Where a member's peers find it; etcd tells members apart by it while they have no name."""
    return f"https://{shell.address(host.address)}:{PEER_PORT}"


class Etcd(Step):
    """One member on every control plane.

    How it finds the others the first time stands in a file of its own, which
    is written only while it has no data: later the membership lives in etcd
    itself, and a member that comes or goes restarts nobody.
    """

    id = "etcd"
    title = "etcd"
    timeout = 300

    def resources(self, ctx: Context) -> Sequence[Resource]:
        """Data folder for root only (CIS 1.1.11), certificates, unit; a newcomer joins."""
        spec, here = ctx.spec, ctx.here
        # In a cluster that runs, one without data has lost it: it joins anew.
        joins = (here.id in spec.joining or spec.running) and bool(_others(ctx))
        at = f"hosts/{here.id}"
        files = [
            File(f"{PKI}/etcd/ca.crt", ctx.material.get("ca/etcd.crt")),
            *pair_files(ctx, f"{at}/etcd-server", f"{PKI}/etcd/server"),
            *pair_files(ctx, f"{at}/etcd-peer", f"{PKI}/etcd/peer"),
            File(f"{UNITS}/etcd.service", self._unit(ctx)),
        ]
        found: list[Resource] = []
        if etcd_program(spec) == "/usr/bin/etcd":
            found.append(Package("etcd-server", "/usr/bin/etcd"))
            found.append(Package("etcd-client", "/usr/bin/etcdctl"))
        found.append(Directory(DATA, 0o700, owns=True))
        found += files
        found.append(self._joined(ctx) if joins else self._founded(ctx))
        found.append(
            Unit(
                "etcd.service",
                restart_on=tuple(file.key for file in files),
                version=program_version(spec),
            )
        )
        if joins:
            found.append(self._promoted(ctx))
        found.append(self._healthy(ctx))
        return found

    @staticmethod
    def _founded(ctx: Context) -> Command:
        """The first members know one another from the start."""
        members = (h for h in ctx.spec.control_plane if h.id not in ctx.spec.joining)
        cluster = ",".join(f"{h.name}={peer_url(h)}" for h in (*members,) or (ctx.here,))
        return Command(
            "etcd-initial",
            _("How the members find one another the first time"),
            _initial(cluster, "new"),
            unless=f"[ -e {MEMBER} ] || grep -qsxF 'ETCD_INITIAL_CLUSTER={cluster}' {INITIAL}",
            settled=MEMBER,
            once=False,
        )

    @staticmethod
    def _joined(ctx: Context) -> Command:
        """A newcomer is made known as a learner, so that it does not count for the quorum yet.

        A member of the same address without our data was a machine that is no more.
        https://etcd.io/docs/v3.4/op-guide/runtime-configuration/
        """
        here = ctx.here
        ask = etcdctl(ctx.spec, *_others(ctx))
        run = f"""e() {{ {ask} "$@"; }}
list=$(e member list) || {{ echo "no member of the cluster answers"; exit 1; }}
mine=$(printf '%s\\n' "$list" | grep -F ', {peer_url(here)}, ')
case $mine in
*", started, "*) e member remove "${{mine%%,*}}" || exit 1; mine= ;;
esac
[ -n "$mine" ] || e member add {here.name} --learner --peer-urls={peer_url(here)} || exit 1
all=$(e member list | awk -F', ' '$2 == "started" {{ printf "%s=%s,", $3, $4 }}')
[ -n "$all" ] || exit 1
{_initial(f"${{all}}{here.name}={peer_url(here)}", "existing")}"""
        title = _("It is made known to the other members, as a learner")
        known = f"{ask} member list | grep -qF ', {peer_url(here)}, '"
        return Command(
            "etcd-initial",
            title,
            run,
            unless=f"[ -e {MEMBER} ] || {{ [ -s {INITIAL} ] && {known}; }}",
            settled=MEMBER,
            once=False,
        )

    @staticmethod
    def _promoted(ctx: Context) -> Command:
        ask = etcdctl(ctx.spec, *_others(ctx))
        line = f"e member list | grep -F ', {peer_url(ctx.here)}, '"
        run = f"""e() {{ {ask} "$@"; }}
end=$(($(date +%s) + 150))
until [ -z "$({line} | grep ', true$')" ]; do
  id=$({line} | cut -d, -f1)
  said=$(e member promote "${{id:-0}}" 2>&1) && break
  [ "$(date +%s)" -lt "$end" ] || {{ echo "$said"; exit 1; }}
  sleep 0.5
done"""
        return Command(
            "etcd-promoted",
            _("It has all data and votes with the others"),
            run,
            # Where nobody answers there is no quorum, which the wait below says better.
            unless=f'e() {{ {ask} "$@"; }}\nl=$({line}) || exit 0\n'
            'case $l in *", false" | "") ;; *) exit 1 ;; esac',
            settled=MEMBER,
            once=False,
        )

    @staticmethod
    def _healthy(ctx: Context) -> Wait:
        ask = etcdctl(ctx.spec)
        return Wait(
            "etcd-healthy",
            _("The member serves reads that a quorum agrees on"),
            f"{ask} endpoint health >/dev/null 2>&1",
            120,
            _("etcd on this host is healthy"),
            f"{ask} endpoint health; {ask} member list; journalctl -u etcd -n 15 --no-pager -o cat",
            ("etcd.service",),
        )

    @staticmethod
    def _unit(ctx: Context) -> str:
        spec, here = ctx.spec, ctx.here
        service = ["Type=notify", "TimeoutStartSec=150", f"EnvironmentFile=-{INITIAL}"]
        if here.arch == "arm64":
            service.append("Environment=ETCD_UNSUPPORTED_ARCH=arm64")  # etcd before 3.5 asks for it
        if facts_here(ctx).cap_sys_resource:
            service.append("OOMScoreAdjust=-998")
        return unit_file(
            "etcd, the store of the cluster",
            (
                etcd_program(spec),
                f"--name={here.name}",
                f"--data-dir={DATA}",
                f"--listen-client-urls={client_url(here)},https://127.0.0.1:{CLIENT_PORT}",
                f"--advertise-client-urls={client_url(here)}",
                f"--listen-peer-urls={peer_url(here)}",
                f"--initial-advertise-peer-urls={peer_url(here)}",
                f"--initial-cluster-token=flotilla-{spec.id}",
                f"--listen-metrics-urls=http://127.0.0.1:{HEALTH_PORT}",
                f"--cert-file={PKI}/etcd/server.crt",
                f"--key-file={PKI}/etcd/server.key",
                f"--trusted-ca-file={PKI}/etcd/ca.crt",
                "--client-cert-auth=true",
                f"--peer-cert-file={PKI}/etcd/peer.crt",
                f"--peer-key-file={PKI}/etcd/peer.key",
                f"--peer-trusted-ca-file={PKI}/etcd/ca.crt",
                "--peer-client-cert-auth=true",
                # Members that vote before they depose a leader: a host that comes back after a
                # partition disturbs nobody (etcd, "Pre-Vote").
                "--pre-vote=true",
                "--auto-compaction-mode=periodic",
                "--auto-compaction-retention=8h",
                "--quota-backend-bytes=8589934592",
            ),
            service=service,
        )


def _others(ctx: Context) -> tuple[HostSpec, ...]:
    """The members that are there before this host joins: the old ones, and newcomers before it."""
    joining, members = ctx.spec.joining, ctx.spec.control_plane
    old = tuple(h for h in members if h != ctx.here and h.id not in joining)
    if ctx.here.id not in joining:
        return old
    before = members[: members.index(ctx.here)]
    return old + tuple(host for host in before if host.id in joining)


def _initial(cluster: str, state: str) -> str:
    return (
        f'umask 077 && printf "ETCD_INITIAL_CLUSTER=%s\\nETCD_INITIAL_CLUSTER_STATE={state}\\n"'
        f' "{cluster}" >{INITIAL}.new && mv {INITIAL}.new {INITIAL}'
    )


class EtcdUp(Step):
    """Starts members that stand still, and waits for none: a quorum needs several at once."""

    id = "etcd-up"
    title = "etcd is started"
    timeout = 60

    def resources(self, ctx: Context) -> Sequence[Resource]:
        """Nothing where it runs, or was never set up."""
        return [
            Command(
                "etcd-up",
                _("etcd runs"),
                "systemctl start --no-block etcd.service",
                unless="systemctl is-active -q etcd.service || systemctl show -P ActiveState"
                f" etcd.service | grep -qx activating || ! [ -e {MEMBER} ]",
                settled=MEMBER,
                once=False,
            )
        ]


class EtcdQuorum(Step):
    """Refuses, before anything is changed, what would leave etcd without a majority."""

    id = "etcd-quorum"
    title = "etcd can spare the member"
    timeout = 60

    def resources(self, ctx: Context) -> Sequence[Resource]:
        """More than half of the members that stay must be healthy now."""
        stay = ctx.spec.control_plane
        needed = len(stay) // 2 + 1
        tests = "".join(
            f"if {etcdctl(ctx.spec, host)} endpoint health >/dev/null 2>&1; then n=$((n + 1));"
            f' else ill="$ill {host.name}"; fi\n'
            for host in stay
        )
        return [
            Probe(
                "etcd-quorum",
                _("The members that stay have a majority"),
                f'n=0 ill=\n{tests}echo "$n of {len(stay)} members that stay are healthy'
                f'${{ill:+; not:$ill}}"\n[ "$n" -ge {needed} ]',
                _("at least %(needed)d of the %(count)d members that stay are healthy")
                % {"needed": needed, "count": len(stay)},
                "no_quorum",
                _("each member that stays is asked for its health"),
            )
        ]


def _gone(ask: str, host: HostSpec) -> str:
    """Shell text that succeeds when a host is no member any more."""
    return f"list=$({ask} member list) && ! printf '%s' \"$list\" | grep -qF ', {peer_url(host)}, '"


class EtcdMemberRemoved(Step):
    """Takes the members that leave off the list; runs on a control plane that stays."""

    id = "etcd-member-removed"
    title = "The etcd member is removed"
    timeout = 120

    def resources(self, ctx: Context) -> Sequence[Resource]:
        """One command for each; it refuses what would cost the quorum by etcd's own check."""
        spec = ctx.spec
        gone = [host for host in spec.leaving if host.id in spec.leaving_control_plane]
        ask = etcdctl(spec, *spec.control_plane)
        return [
            Command(
                f"etcd-remove-{host.name}",
                _("The member %(name)s is removed from etcd") % {"name": host.name},
                f"id=$({ask} member list | grep -F ', {peer_url(host)}, ' | cut -d, -f1)\n"
                f'[ -n "$id" ] && {ask} member remove "$id" && {{\n'
                # A member lists what it has applied: another one may be a moment behind.
                f"for _ in 1 2 3 4 5 6 7 8 9 10; do\nsleep 0.5\n{_gone(ask, host)} && break\n"
                "done\n}",
                unless=_gone(ask, host),
                once=False,
            )
            for host in gone
        ]
