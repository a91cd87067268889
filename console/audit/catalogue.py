"""Every action that an audit event may name, with what it means.

`record` refuses an action that is not here: a new kind of change gets its line first.
"""

from __future__ import annotations

from collections.abc import Mapping

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

ACTIONS: Mapping[str, str | Promise] = {
    "auth.sign_in": _("Signed in"),
    "auth.sign_in_failed": _("Sign-in failed"),
    "auth.locked_out": _("Locked out after repeated failures"),
    "auth.sign_out": _("Signed out"),
    "auth.password_changed": _("Changed the own password"),
    "auth.password_confirmed": _("Confirmed the password"),
    "request.denied": _("Tried something that the role does not allow"),
    "user.created": _("Created a user"),
    "user.changed": _("Changed a user"),
    "user.removed": _("Removed a user"),
    "user.password_reset": _("Reset a user's password"),
    "token.created": _("Created an API token"),
    "token.revoked": _("Revoked an API token"),
    "credential.created": _("Created a credential"),
    "credential.changed": _("Changed a credential"),
    "credential.removed": _("Removed a credential"),
    "host.added": _("Added a host"),
    "host.changed": _("Changed a host"),
    "host.removed": _("Removed a host"),
    "host.trusted": _("Trusted a host key"),
    "host.key_installed": _("Installed the console's key at first contact"),
    "host.checked": _("Checked a host"),
    "release.added": _("Added a release"),
    "release.fetched": _("Fetched a release"),
    "release.imported": _("Imported a release"),
    "release.changed": _("Changed a release"),
    "release.removed": _("Removed a release"),
    "cluster.created": _("Created a cluster"),
    "cluster.imported": _("Imported a cluster"),
    "cluster.changed": _("Changed a cluster"),
    "cluster.repaired": _("Repaired a cluster"),
    "cluster.deleted": _("Deleted a cluster"),
    "cluster.nodes_added": _("Added nodes to a cluster"),
    "cluster.node_removed": _("Removed a node from a cluster"),
    "cluster.node_replaced": _("Replaced a node of a cluster"),
    "cluster.upgraded": _("Upgraded a cluster"),
    "cluster.certificates_renewed": _("Renewed a cluster's certificates"),
    "cluster.drilled": _("Rehearsed a failure of a cluster"),
    "host.cleaned_up": _("Cleaned up a host"),
    "host.cleanup_forgotten": _("Forgot what a cluster left on a host"),
    "cluster.kubeconfig_issued": _("Issued a kubeconfig"),
    "cluster.restored": _("Restored a cluster from a snapshot"),
    "snapshot.taken": _("Took a snapshot of a cluster"),
    "snapshot.downloaded": _("Downloaded a snapshot of a cluster"),
    "snapshot.removed": _("Removed a snapshot of a cluster"),
    "snapshot.schedule_changed": _("Changed when snapshots are taken"),
    "task.launched": _("Launched a task"),
    "task.canceled": _("Canceled a task"),
    "task.retried": _("Retried a task"),
    "task.ended": _("A task ended"),
    "secret.rotated": _("Re-encrypted the secrets"),
}
