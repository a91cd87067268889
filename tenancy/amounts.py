"""What quotas count: which resources there are, and their amounts as whole numbers.

An amount is an int: milli-CPU, bytes, or pieces. Amounts are compared and added as
those, never as floats. Sources: "Resource Quotas", "Quantity" (apimachinery, resource.Quantity:
what does not come out even is rounded up) and the API server's validation of ResourceQuota.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, gettext_noop

from clusters.quantities import exact
from console.ui.quantities import bytes_text

Kind = Literal["cpu", "bytes", "count"]
Amounts = dict[str, int]

# The largest that a Quantity holds.
MOST = 2**63 - 1
NAMESPACES = "namespaces"
_DECIMAL = ("", "k", "M", "G", "T", "P", "E")
_BINARY = ("", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei")


@dataclass(frozen=True)
class Resource:
    """One thing that a quota can limit.

    key: as ResourceQuota names it. kind: what its amounts are. of_tenant_only: the
    console counts it itself, a ResourceQuota of Kubernetes does not know it.
    """

    key: str
    label: str | Promise
    kind: Kind
    of_tenant_only: bool = False


def _counted(key: str, label: str | Promise) -> Resource:
    return Resource(key, label, "count")


RESOURCES: Mapping[str, Resource] = {
    resource.key: resource
    for resource in (
        Resource("requests.cpu", gettext_lazy("CPU, requested"), "cpu"),
        Resource("limits.cpu", gettext_lazy("CPU, at most"), "cpu"),
        Resource("requests.memory", gettext_lazy("Memory, requested"), "bytes"),
        Resource("limits.memory", gettext_lazy("Memory, at most"), "bytes"),
        Resource("requests.nvidia.com/gpu", gettext_lazy("GPUs of NVIDIA"), "count"),
        Resource("requests.amd.com/gpu", gettext_lazy("GPUs of AMD"), "count"),
        Resource("requests.storage", gettext_lazy("Storage of volumes"), "bytes"),
        Resource("requests.ephemeral-storage", gettext_lazy("Disk of pods, requested"), "bytes"),
        Resource("limits.ephemeral-storage", gettext_lazy("Disk of pods, at most"), "bytes"),
        _counted("persistentvolumeclaims", gettext_lazy("Persistent volume claims")),
        _counted("pods", gettext_lazy("Pods")),
        _counted("services", gettext_lazy("Services")),
        _counted("services.loadbalancers", gettext_lazy("Services with a load balancer")),
        _counted("services.nodeports", gettext_lazy("Services with ports on every node")),
        _counted("count/ingresses.networking.k8s.io", gettext_lazy("Ingresses")),
        _counted("count/configmaps", gettext_lazy("Config maps")),
        _counted("count/secrets", gettext_lazy("Secrets")),
        _counted("count/deployments.apps", gettext_lazy("Deployments")),
        _counted("count/statefulsets.apps", gettext_lazy("Stateful sets")),
        _counted("count/daemonsets.apps", gettext_lazy("Daemon sets")),
        _counted("count/jobs.batch", gettext_lazy("Jobs")),
        _counted("count/cronjobs.batch", gettext_lazy("Cron jobs")),
        Resource(NAMESPACES, gettext_lazy("Namespaces"), "count", of_tenant_only=True),
    )
}
# What a LimitRange of the console gives to containers that say nothing.
DEFAULTED = ("cpu", "memory")
# A limit below the request could never be reached, nor be applied to a container.
PAIRS = (
    ("requests.cpu", "limits.cpu"),
    ("requests.memory", "limits.memory"),
    ("requests.ephemeral-storage", "limits.ephemeral-storage"),
)
_EXAMPLES: Mapping[Kind, str] = {
    "cpu": gettext_noop("“%(text)s” is no amount of CPU: write 2, 1.5 or 250m."),
    "bytes": gettext_noop("“%(text)s” is no amount of bytes: write 512Mi, 2Gi or 1.5G."),
    "count": gettext_noop("“%(text)s” is no number of pieces: write a whole number such as 20."),
}


class AmountsError(ValueError):
    """Amounts that cannot be used. problems: {resource: what is wrong with it}."""

    def __init__(self, problems: Mapping[str, str]) -> None:
        super().__init__(" ".join(f"{key}: {what}" for key, what in problems.items()))
        self.problems = dict(problems)


def parse(key: str, text: Any) -> int:
    """The amount that a quantity stands for, in the units of the resource.

    text: any spelling of Kubernetes ("1.5", "250m", "1e3", "2Gi"), or a number of JSON.
    Raises ValueError with a sentence for beside the field.
    """
    resource = known(key)
    return _parse(resource.kind, text)


def text(key: str, amount: int) -> str:
    """The amount in Kubernetes' canonical spelling: "1500m", "2Gi", "20"."""
    return _text(known(key).kind, amount)


def human(key: str, amount: int) -> str:
    """The amount as people write it: "1.5 CPU", "2 GiB", "3"."""
    return human_of(known(key).kind, amount)


def human_of(kind: Kind, amount: int) -> str:
    """The same for an amount of which only the kind is known."""
    if kind == "bytes":
        return bytes_text(amount)
    if kind == "cpu":
        whole, rest = divmod(abs(amount), 1000)
        figure = f"{whole}.{rest:03d}".rstrip("0") if rest else str(whole)
        return f"{'-' if amount < 0 else ''}{figure} CPU"
    return str(amount)


def known(key: str) -> Resource:
    """The resource of a name. Raises ValueError, naming those that there are."""
    found = RESOURCES.get(key)
    if found is None:
        raise ValueError(
            _("No quota can limit “%(key)s”; these can be limited: %(keys)s.")
            % {"key": str(key)[:80], "keys": ", ".join(RESOURCES)}
        )
    return found


def read(hard: Mapping[str, Any], *, of_tenant: bool = False) -> Amounts:
    """The amounts of a quota {resource: quantity}; what is None or "" is not limited.

    of_tenant: whether what the console alone counts may be limited. Raises AmountsError
    with everything that is wrong, limits below requests included.
    """
    found: Amounts = {}
    problems: dict[str, str] = {}
    for key, value in hard.items():
        if value is None or value == "":
            continue
        try:
            resource = known(key)
            if resource.of_tenant_only and not of_tenant:
                raise ValueError(_("Only the quota of a tenant can limit this."))
            found[key] = _parse(resource.kind, value)
        except ValueError as error:
            problems[key] = str(error)
    for request, limit in PAIRS:
        if request in found and limit in found and found[limit] < found[request]:
            problems[limit] = _below(
                human(limit, found[limit]), request, human(request, found[request])
            )
    if problems:
        raise AmountsError(problems)
    return found


def spelled(amounts: Mapping[str, int]) -> dict[str, str]:
    """{resource: canonical quantity}, in the order of RESOURCES: what the tables keep."""
    return {key: text(key, amounts[key]) for key in RESOURCES if key in amounts}


def total(all_of_them: Iterable[Mapping[str, int]]) -> Amounts:
    """The sums of several amounts."""
    found: Amounts = {}
    for amounts in all_of_them:
        for key, amount in amounts.items():
            found[key] = found.get(key, 0) + amount
    return found


def limits_problems(limits: Mapping[str, Any]) -> dict[str, str]:
    """What is wrong with the defaults of containers, {"cpu.limit": sentence}.

    limits: {"cpu": {"request": "100m", "limit": "1"}, "memory": {...}}, each part optional.
    """
    problems: dict[str, str] = {}
    for name, pair in limits.items():
        known_parts = isinstance(pair, Mapping) and not set(pair) - {"request", "limit"}
        if name not in DEFAULTED or not known_parts:
            problems[str(name)] = _("Only a request and a limit of CPU and memory can be set.")
            continue
        found: Amounts = {}
        for part, value in pair.items():
            if value is None or value == "":
                continue
            try:
                found[part] = of_container(name, value)
            except ValueError as error:
                problems[f"{name}.{part}"] = str(error)
        if {"request", "limit"} <= set(found) and found["limit"] < found["request"]:
            key = f"requests.{name}"
            problems[f"{name}.limit"] = _below(
                human(key, found["limit"]), _("the request"), human(key, found["request"])
            )
    return problems


def of_container(name: str, value: Any) -> int:
    """The amount of a resource as containers and nodes name it ("cpu", "nvidia.com/gpu").

    Raises ValueError as parse().
    """
    return _parse(container_kind(name), value)


def container_kind(name: str) -> Kind:
    """What the amounts of such a resource are; extended ones come in pieces."""
    if name == "cpu":
        return "cpu"
    sizes = name in ("memory", "storage", "ephemeral-storage") or name.startswith("hugepages-")
    return "bytes" if sizes else "count"


def _below(limit: str, request: str, requested: str) -> str:
    return _("The limit (%(limit)s) is below %(request)s (%(requested)s).") % {
        "limit": limit,
        "request": request,
        "requested": requested,
    }


def _parse(kind: Kind, value: Any) -> int:
    # As the API server reads them, and as people paste them.
    given = value.strip() if isinstance(value, str) else value
    number = exact(given)
    if number is None:
        raise ValueError(_(_EXAMPLES[kind]) % {"text": _shown(value)})
    if number < 0:
        raise ValueError(_("An amount cannot be negative."))
    if kind == "count" and number.denominator != 1:
        raise ValueError(_(_EXAMPLES[kind]) % {"text": _shown(value)})
    if kind == "cpu":
        number *= 1000
    amount = -(-number.numerator // number.denominator)  # rounded up
    if amount > MOST:
        raise ValueError(
            _("“%(text)s” is more than Kubernetes can hold.") % {"text": _shown(value)}
        )
    return amount


def _shown(value: Any) -> str:
    if isinstance(value, int) and abs(value) >= 10**40:
        return "…"  # Python itself refuses to spell a number of thousands of digits
    return str(value)[:40]


def _text(kind: Kind, amount: int) -> str:
    if kind == "cpu" and amount % 1000:
        return f"{amount}m"
    if kind == "cpu":
        amount //= 1000
    decimal = _scaled(amount, 1000, _DECIMAL)
    if kind != "bytes":
        return decimal
    binary = _scaled(amount, 1024, _BINARY)
    # 10G is 9765625Ki: the one that can be read.
    return binary if len(binary) <= len(decimal) else decimal


def _scaled(amount: int, step: int, units: tuple[str, ...]) -> str:
    index = 0
    while amount and amount % step == 0 and index + 1 < len(units):
        amount //= step
        index += 1
    return f"{amount}{units[index]}"
