"""Pages of kubeconfigs: those that were given out, a new one, revoking."""

from __future__ import annotations

from typing import cast

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache

from clusters.kube import KubeError
from console.accounts.confirm import confirm_password
from console.accounts.models import User
from console.accounts.permissions import SIGNED_IN, allowed, requires
from console.ui.downloads import attachment
from console.ui.lists import keyset
from tenancy import kubeconfigs
from tenancy.forms_kubeconfigs import KubeconfigForm
from tenancy.models import GivenKubeconfig, Namespace, Tenant
from tenancy.permissions import MEMBERS, VIEW, holding, rights


def visible_kubeconfigs(user: User) -> QuerySet[GivenKubeconfig]:
    """One's own; of a tenant whose members one manages, everybody's; for admins all."""
    rows = GivenKubeconfig.objects.select_related("cluster", "tenant", "namespace", "user")
    if allowed(user, "tenants.change"):
        return rows
    managed = Tenant.objects.filter(holding(user, MEMBERS))
    return rows.filter(Q(user=user) | Q(tenant__in=managed))


def namespace_or_404(user: User, pk: int) -> Namespace:
    """A namespace in which the person may take kubeconfigs.

    Raises Http404 for what they may not see, PermissionDenied without the right.
    """
    row = get_object_or_404(Namespace.objects.select_related("tenant", "cluster"), pk=pk)
    if VIEW not in rights(user, row.tenant):
        raise Http404
    if not kubeconfigs.roles_for(user, row):
        raise PermissionDenied
    return row


@requires(GET=SIGNED_IN)
def given(request: HttpRequest) -> HttpResponse:
    """Every kubeconfig that one may revoke, newest first."""
    page = keyset(request, visible_kubeconfigs(cast(User, request.user)))
    now = timezone.now()
    context = {"page": page, "rows": [(row, row.is_over(now)) for row in page]}
    return render(request, "tenancy/kubeconfig_list.html", context)


@requires(GET=SIGNED_IN, POST=SIGNED_IN)
@confirm_password
@never_cache
def new(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Take a kubeconfig; the file is in this one answer and nowhere else."""
    user = cast(User, request.user)
    namespace = namespace_or_404(user, pk)
    form = KubeconfigForm(request.POST or None, roles=kubeconfigs.roles_for(user, namespace))
    if form.is_valid():
        try:
            issued = kubeconfigs.issue(namespace, user, request=request, **form.cleaned_data)
        except (kubeconfigs.KubeconfigRefusedError, KubeError) as error:
            form.add_error(None, str(error))
        else:
            return HttpResponse(
                issued.text,
                content_type="application/yaml",
                headers={
                    "Content-Disposition": attachment(issued.filename),
                    "Cache-Control": "no-store",
                },
            )
    context = {"form": form, "namespace": namespace}
    return render(request, "tenancy/kubeconfig_new.html", context)


@requires(POST=SIGNED_IN)
def revoke(request: HttpRequest, pk: int) -> HttpResponse:
    """Revoke one at once."""
    user = cast(User, request.user)
    row = get_object_or_404(visible_kubeconfigs(user), pk=pk)
    if kubeconfigs.revoke(row, by=user, request=request):
        messages.success(request, _("Revoked: the kubeconfig opens nothing any more."))
    else:
        messages.warning(
            request,
            _(
                "%(cluster)s does not answer. The kubeconfig is revoked as soon as it does; until "
                "then it may still work."
            )
            % {"cluster": row.cluster.name},
        )
    return redirect("kubeconfigs:list")
