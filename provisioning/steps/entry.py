"""An API server is taken out of the load balancers before it stops, and put back when it serves.

A failed check would do it too, but only after the fact: HAProxy then cuts the
connections that are still there ("on-marked-down shutdown-sessions"), with
whatever request is under way on them.
"""

from __future__ import annotations

from collections.abc import Sequence

from provisioning import shell
from provisioning.spec import ClusterSpec, HostSpec
from provisioning.steps.base import Action, Context, PlanItem, Verdict
from provisioning.steps.haproxy import RUN
from provisioning.texts import gettext as _

SOCKET = f"{RUN}/haproxy.sock"
BACK_END = "api-servers"


class EntryLeft(Action):
    """No load balancer sends new connections to this API server; those that are there may end."""

    id = "entry-left"
    title = "Clients go to the other API servers"
    timeout = 120

    def plan(self, ctx: Context) -> Sequence[PlanItem]:
        """One line."""
        what = _("HAProxy sends no new connections to %(host)s") % {"host": ctx.here.name}
        return [PlanItem(what, Verdict.CHANGE, tuple(leave_commands(ctx.spec, ctx.here)))]


class EntryRejoined(Action):
    """The load balancers use this API server again."""

    id = "entry-rejoined"
    title = "Clients come back to this API server"
    timeout = 120

    def plan(self, ctx: Context) -> Sequence[PlanItem]:
        """One line."""
        what = _("HAProxy uses %(host)s again") % {"host": ctx.here.name}
        return [PlanItem(what, Verdict.CHANGE, tuple(rejoin_commands(ctx.here)))]


def leave_commands(spec: ClusterSpec, host: HostSpec) -> list[str]:
    """HAProxy's commands that drain one server; what an earlier run has drained comes back first.

    Without its check the server is never marked down, which would cut its connections. Management
    Guide of HAProxy 2.4, 9.3: "set server", "disable health".
    """
    others = [other for other in spec.control_plane if other != host]
    back = [command for other in others for command in rejoin_commands(other)]
    name = f"{BACK_END}/{shell.label(host.name)}"
    return [*back, f"disable health {name}", f"set server {name} state drain"]


def rejoin_commands(host: HostSpec) -> list[str]:
    """HAProxy's commands that use one server again, as long as its check succeeds."""
    name = f"{BACK_END}/{shell.label(host.name)}"
    return [f"enable health {name}", f"set server {name} state ready"]


def socket_script(commands: Sequence[str]) -> str:
    """A script that tells the host's HAProxy; one that does not run has nobody to send anywhere."""
    text = shell.quote("; ".join(commands))
    perl = (
        '$s = IO::Socket::UNIX->new($ARGV[0]) or die "$!\\n";'
        ' print $s "$ARGV[1]\\n"; $s->shutdown(1); print STDERR while <$s>'
    )
    python = (
        "import socket, sys; s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]);"
        ' s.sendall((sys.argv[2] + "\\n").encode()); s.shutdown(1);'
        " [sys.stderr.write(s.recv(65536).decode()) for _ in range(3)]"
    )
    return f"""
export LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
[ -S {SOCKET} ] || {{ echo "HAProxy does not run here" >&2; exit 0; }}
if command -v socat >/dev/null; then printf '%s\\n' {text} | socat -t 5 - UNIX-CONNECT:{SOCKET} >&2
elif perl -MIO::Socket::UNIX -e 1 2>/dev/null; then
  perl -MIO::Socket::UNIX -e {shell.quote(perl)} {SOCKET} {text}
elif command -v python3 >/dev/null; then python3 -c {shell.quote(python)} {SOCKET} {text}
else echo "none of socat, perl and python3 is here: HAProxy finds out by itself" >&2
fi
exit 0
"""
