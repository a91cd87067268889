"""The proof: every node Ready, and on each a real pod that answers over the pod network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from provisioning.spec import ClusterSpec, HostSpec
from provisioning.steps.base import Context, Step
from provisioning.steps.layout import KUBECTL, as_yaml
from provisioning.steps.resources import Probe, Resource, Wait
from provisioning.texts import gettext as _

ANSWER = "flotilla-pod-answers"
PORT = 8080


def pod_name(host: HostSpec) -> str:
    """The test pod's name on a host."""
    return f"flotilla-verify-{host.index}"


def verify_pod(spec: ClusterSpec, host: HostSpec) -> dict[str, Any]:
    """A small web server, placed by the scheduler, with no rights at all."""
    serve = f"echo {ANSWER} > /www/index.html && exec httpd -f -p {PORT} -h /www"
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": pod_name(host),
            "namespace": "default",
            "labels": {"app.kubernetes.io/managed-by": "flotilla", "flotilla.dev/verify": "true"},
        },
        "spec": {
            "nodeSelector": {"kubernetes.io/hostname": host.name},
            "tolerations": [{"operator": "Exists"}],
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "terminationGracePeriodSeconds": 0,
            "restartPolicy": "Never",
            "securityContext": {"runAsUser": 65534, "runAsGroup": 65534, "fsGroup": 65534},
            "containers": [
                {
                    "name": "web",
                    "image": spec.release.verify_image,
                    "imagePullPolicy": "IfNotPresent",
                    "command": ["sh", "-c", serve],
                    "securityContext": {
                        "allowPrivilegeEscalation": False,
                        "capabilities": {"drop": ["ALL"]},
                    },
                    "volumeMounts": [{"name": "www", "mountPath": "/www"}],
                }
            ],
            "volumes": [{"name": "www", "emptyDir": {}}],
        },
    }


def verify_script(spec: ClusterSpec, hosts: Sequence[HostSpec]) -> str:
    """Starts the pods, asks each over HTTP through the API server, removes them whatever happened.

    The API server opens the connection from the control plane's host to the pod's own address,
    so a pod on a worker is reached over the pod network.
    """
    pods = [pod_name(host) for host in hosts]
    manifest = as_yaml(*(verify_pod(spec, host) for host in hosts))
    names = " ".join(pods)
    return f"""remove() {{ {KUBECTL} -n default delete pod {names} --ignore-not-found --force \
--grace-period=0 --timeout=30s >/dev/null 2>&1; }}
{KUBECTL} -n default get pod {names} >/dev/null 2>&1 && remove
n=0
until {KUBECTL} apply -f - <<'EOF'
{manifest}EOF
do
  # The account "default" of the namespace comes a moment after the controller manager.
  n=$((n + 1)); [ "$n" -lt 30 ] || {{ remove; exit 1; }}
  sleep 0.5
done
left="{names}"
end=$(($(date +%s) + 90))
while [ -n "$left" ]; do
  again=
  for p in $left; do
    a=$({KUBECTL} get --raw "/api/v1/namespaces/default/pods/$p:{PORT}/proxy/" 2>/dev/null)
    if [ "$a" = {ANSWER} ]; then
      at='{{.spec.nodeName}} at {{.status.podIP}}'
      echo "$p on $({KUBECTL} -n default get pod "$p" -o jsonpath="$at") answers"
    else again="$again $p"; fi
  done
  left=$again
  if [ -n "$left" ]; then
    if [ "$(date +%s)" -ge "$end" ]; then
      {KUBECTL} -n default get pod -o wide $left
      {KUBECTL} -n default describe pod $left | tail -n 25
      remove
      exit 1
    fi
    sleep 0.2
  fi
done
remove
[ -z "$({KUBECTL} -n default get pod {names} --ignore-not-found -o name)" ] || {{
  echo "the test pods do not go away: {names}"; exit 1; }}
"""


class Verify(Step):
    """Runs on a control plane; nothing that it makes stays.

    Where hosts join a cluster it is about them alone: what others run there may
    be ill for reasons of its own.
    """

    id = "verify"
    title = "Prove that it works"
    timeout = 300

    def resources(self, ctx: Context) -> Sequence[Resource]:
        """Nodes Ready, then the pods."""
        spec = ctx.spec
        hosts = [h for h in ctx.present if not spec.joining or h.id in spec.joining]
        names = " ".join(host.name for host in hosts)
        return [
            Wait(
                "nodes-ready",
                _("Every node is Ready"),
                f"{KUBECTL} wait --for=condition=Ready --timeout=5s node {names}",
                120,
                _("every node reports Ready"),
                f"{KUBECTL} get nodes -o wide; {KUBECTL} describe nodes | grep -A8 '^Conditions'",
                ("kube-apiserver.service",),
            ),
            Probe(
                "pods",
                _("A pod on every node answers over the pod network"),
                verify_script(spec, hosts),
                _("a pod on every node runs and answers over HTTP"),
                "pod_silent",
                _("in every run a pod is started on each node, asked over HTTP and removed"),
            ),
        ]
