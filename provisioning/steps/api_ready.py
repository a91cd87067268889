"""The control plane answers, and knows what nodes and people need first."""

from __future__ import annotations

import datetime
from collections.abc import Sequence

from provisioning.steps.base import Context, Step
from provisioning.steps.certificates import needs_bootstrap
from provisioning.steps.control_plane import COMPONENTS
from provisioning.steps.layout import KUBECTL, KUBERNETES, as_yaml
from provisioning.steps.objects import first_objects
from provisioning.steps.pod_policies import pod_policies, without_policies
from provisioning.steps.resources import Command, File, Resource, Wait, digest
from provisioning.texts import gettext as _


class ApiReady(Step):
    """The wait for this host's API server, and for the way in through the virtual IP."""

    id = "api"
    title = "The API answers"
    timeout = 300

    def resources(self, ctx: Context) -> Sequence[Resource]:
        """One wait, or two."""
        found: list[Resource] = [
            Wait(
                "api",
                _("The API is ready"),
                # kubectl costs more than asking systemd, on a host that is busy starting.
                f"systemctl is-active -q kube-apiserver && {KUBECTL} get --raw /readyz",
                120,
                _("the API server answers /readyz"),
                f"{KUBECTL} get --raw '/readyz?verbose'; "
                "journalctl -u kube-apiserver -n 15 --no-pager -o cat",
                tuple(f"{name}.service" for name in COMPONENTS),
            ),
        ]
        if ctx.spec.vip:
            found.append(self._entry(ctx))
        return found

    @staticmethod
    def _entry(ctx: Context) -> Wait:
        return Wait(
            "entry",
            _("The API answers through the virtual IP"),
            f"{KUBECTL} --server={ctx.spec.endpoint} get --raw /readyz",
            60,
            _("%(endpoint)s answers /readyz") % {"endpoint": ctx.spec.endpoint},
            f"ip -o addr show | grep -F ' {ctx.spec.vip}/'; "
            "journalctl -u keepalived -u haproxy -n 20 --no-pager -o cat",
            ("haproxy.service", "keepalived.service"),
        )


class FirstObjects(Step):
    """What nodes and people need before they can do anything; once, on any control plane."""

    id = "objects"
    title = "Rights and tokens"
    timeout = 120

    def resources(self, ctx: Context) -> Sequence[Resource]:
        """The rights and policies, and the bootstrap token while a kubelet has yet to say hello."""
        objects = first_objects()
        path = f"{KUBERNETES}/objects/flotilla-rights.yaml"
        found: list[Resource] = [
            File(path, objects),
            Command(
                "rights",
                _("Rights of kubelets, API server and admins"),
                f"{KUBECTL} apply -f {path}",
                unless=f"{KUBECTL} get -f {path}",
                version=digest(objects),
            ),
            *pod_policies(ctx),
            *without_policies(ctx.spec),
        ]
        token = ctx.material.get("bootstrap.token", "")
        if any(needs_bootstrap(ctx, host) for host in ctx.spec.hosts):
            found.append(_token_command(token, ctx.material.get("bootstrap.expires", "0")))
        return found


def _token_command(token: str, expires: str) -> Command:
    """Makes the bootstrap token known ("Authenticating with Bootstrap Tokens")."""
    ident, _dot, secret = token.partition(".")
    until = datetime.datetime.fromtimestamp(int(expires), datetime.UTC)
    manifest = as_yaml(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": f"bootstrap-token-{ident}", "namespace": "kube-system"},
            "type": "bootstrap.kubernetes.io/token",
            "stringData": {
                "token-id": ident,
                "token-secret": secret,
                "expiration": until.strftime("%Y-%m-%dT%H:%M:%SZ"),
                "usage-bootstrap-authentication": "true",
                "usage-bootstrap-signing": "false",
            },
        }
    )
    # On standard input: an argument could be read by every user of the host.
    return Command(
        "bootstrap-token",
        _("Token that new nodes introduce themselves with"),
        f"{KUBECTL} apply -f - <<'EOF'\n{manifest}EOF\n",
        sensitive=(secret,) if secret else (),
    )
