"""Why a container cannot be made or started: configuration, command, user, mounts."""

from __future__ import annotations

import re
from collections.abc import Mapping

from clusters.diagnosis.reading import Cause, Container, make, text

WAITING = frozenset(
    {
        "CreateContainerConfigError",
        "CreateContainerError",
        "RunContainerError",
        "PreCreateHookError",
        "PreStartHookError",
        "PostStartHookError",
    }
)
# How runtimes call a container whose process never ran: containerd and Docker.
NEVER_RAN = frozenset({"StartError", "ContainerCannotRun"})

_NAME = r"[A-Za-z0-9][-A-Za-z0-9._]{0,252}"
_MISSING = re.compile(rf'\b(configmap|secret)s? "({_NAME})" not found', re.IGNORECASE)
_NO_KEY = re.compile(
    rf"couldn't find key (\S{{1,253}}) in (ConfigMap|Secret) (?:{_NAME}/)?({_NAME})", re.IGNORECASE
)
_NO_KEY_IN_VOLUME = re.compile(
    r"references non-existent (config|secret) key: ([^\s,;]{1,253})", re.IGNORECASE
)
_SERVICE_ACCOUNT = re.compile(rf'serviceaccounts? "({_NAME})" not found', re.IGNORECASE)
_EXEC = re.compile(r'exec: \\?"([^"\\]{1,200})\\?": (.{1,200})')
_EXEC_PLAIN = re.compile(r"exec (/[^\s:]{1,200}): (.{1,200})")
_NOT_THERE = re.compile(r"not found in \$PATH|no such file or directory", re.IGNORECASE)
_NOT_ALLOWED = re.compile(r"permission denied|operation not permitted", re.IGNORECASE)
_WRONG_FORMAT = re.compile(r"exec format error", re.IGNORECASE)
_ROOT = re.compile(
    r"runAsNonRoot|image will run as root|non-numeric user|breaks non-root policy", re.IGNORECASE
)
_MOUNT = re.compile(
    r'error mounting \\?"([^"\\]{1,200})\\?" to rootfs(?: at \\?"([^"\\]{1,200})\\?")?'
)
_SUB_PATH = re.compile(r"failed to (?:prepare|create) subPath", re.IGNORECASE)
_OOM = re.compile(r"container init was OOM-killed|memory limit too low", re.IGNORECASE)
_NO_COMMAND = re.compile(r"no command specified", re.IGNORECASE)
_RESERVED = re.compile(r"name \"[^\"]{1,300}\" is reserved for", re.IGNORECASE)
_SLOW = re.compile(r"context deadline exceeded|DeadlineExceeded", re.IGNORECASE)
_WORKDIR = re.compile(r"(?:mkdir|chdir to cwd) \(?\\?\"?([^\s\"\\)]{1,200})", re.IGNORECASE)
_PREFIX = re.compile(
    r"^(?:rpc error: code = \w+ desc = |Error: |failed to (?:create|start) "
    r"(?:containerd task|containerd container|shim task|shim)[^:]{0,120}: "
    r"|OCI runtime create failed: |runc create failed: |container_linux\.go:\d+: "
    r"|unable to start container process: |starting container process caused: )"
)
_SIMPLE = (
    ("run_as_root", _ROOT),
    ("sub_path", _SUB_PATH),
    ("command_not_given", _NO_COMMAND),
    ("start_slow", _RESERVED),
    ("start_slow", _SLOW),
)


def of_container(container: Container) -> Cause:
    """What keeps a container from running its process at all."""
    if container.state == "waiting" and container.reason in WAITING:
        return _of_words(container, container.message, container.reason)
    for ended in (container.ended, container.last):
        waits = container.state == "waiting" and ended is container.ended
        if not waits and ended.reason in NEVER_RAN:
            return _of_words(container, text(ended.message, 4000), ended.reason)
    return {}


def missing(said: str) -> Mapping[str, str]:
    """The config map or secret, and the key, that a message misses; empty for another message."""
    if match := _NO_KEY.search(said):
        return {"what": _kind(match[2]), "name": match[3], "key": match[1]}
    if match := _MISSING.search(said):
        return {"what": _kind(match[1]), "name": match[2]}
    if match := _NO_KEY_IN_VOLUME.search(said):
        kind = "ConfigMap" if match[1].lower() == "config" else "Secret"
        return {"what": kind, "key": match[2]}
    return {}


def missing_code(found: Mapping[str, str]) -> str:
    """The code of a cause about what missing() found."""
    if "key" not in found:
        return "config_missing"
    return "config_key_missing" if "name" in found else "config_volume_key_missing"


def service_account(said: str) -> str:
    """The service account that a message misses, or ""."""
    match = _SERVICE_ACCOUNT.search(said)
    return match[1] if match else ""


def _kind(word: str) -> str:
    return "ConfigMap" if word.lower() == "configmap" else "Secret"


def _of_words(container: Container, said: str, reason: str) -> Cause:
    code, values = _judge(said, reason)
    if code == "oom_killed":
        values = {"limit": container.memory_limit}
        code = code if container.memory_limit else "oom_node"
    return make(
        code, container.evidence, **container.who, **values, restarts=container.restarts or None
    )


def _judge(said: str, reason: str) -> tuple[str, dict[str, str]]:
    if found := missing(said):
        return missing_code(found), dict(found)
    code = "config_refused" if reason == "CreateContainerConfigError" else "start_failed"
    values = {"said": _words(said)}
    if name := service_account(said):
        code, values = "service_account_missing", {"name": name}
    elif _OOM.search(said):
        code, values = "oom_killed", {}
    elif match := _MOUNT.search(said):
        values = {"path": match[2] or match[1], "said": _words(said[match.end() :])}
        code = "start_mount"
    elif match := _EXEC.search(said) or _EXEC_PLAIN.search(said):
        code, values = _command(match[1], match[2])
    elif simple := next((one for one, pattern in _SIMPLE if pattern.search(said)), ""):
        code = simple
    elif "Hook" in reason:
        code, values["hook"] = "start_hook", reason
    elif match := _WORKDIR.search(said):
        code, values["path"] = "work_folder", match[1]
    return code, values


def _command(command: str, said: str) -> tuple[str, dict[str, str]]:
    for code, pattern in (
        ("command_not_found", _NOT_THERE),
        ("command_not_allowed", _NOT_ALLOWED),
        ("command_format", _WRONG_FORMAT),
    ):
        if pattern.search(said):
            return code, {"command": text(command, 200)}
    return "start_failed", {"command": text(command, 200), "said": _words(said)}


def _words(said: str) -> str:
    for _ in range(10):
        shorter = _PREFIX.sub("", said, count=1)
        if shorter == said:
            break
        said = shorter
    return text(said.strip(" :,"))
