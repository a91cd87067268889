"""One host while a task runs: a kept connection, one script over one channel for each step."""

from __future__ import annotations

import json
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _

from provisioning.facts import Facts, FactsError, facts_script, parse_facts
from provisioning.hints import hint
from provisioning.lease import LeaseLost
from provisioning.models import Host, HostState
from provisioning.releases_store import unpacked
from provisioning.remote import FENCED, LOCKED, Mark, framed, stop_script
from provisioning.run import OUTPUT_LINES, Canceled, Failure, TaskRun
from provisioning.ssh import Link, connect
from provisioning.ssh_types import Payload, RunResult, SSHError
from provisioning.steps.compile import CompiledScript, read_event
from provisioning.targets import failure_of, note_error, set_state, target_of

FACTS_SECONDS = 60


@dataclass
class Outcome:
    """What a script did: how many resources it changed, and what was there before."""

    changes: int = 0
    priors: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)


class HostRunner:
    """Runs scripts on one host for one task. Not for several threads at once."""

    def __init__(self, run: TaskRun, host: Host, uploads: threading.Semaphore) -> None:
        self.run, self.host = run, host
        self._uploads = uploads
        self._link: Link | None = None
        self._number = 0
        self.channels = 0

    def close(self) -> None:
        """Close the connection."""
        if self._link is not None:
            self._link.close()

    def link(self) -> Link:
        """The kept connection; made again when it broke. Raises Failure."""
        if self._link is not None and self._link.alive:
            return self._link
        self.close()
        target = target_of(self.host)
        self.run.writer.mask.add([target.sudo_password, target.password])
        try:
            self._link = connect(target, settings.SSH_CONNECT_SECONDS)
        except SSHError as error:
            note_error(self.host, error)
            raise failure_of(error, self.host.name) from error
        return self._link

    def facts(self, vip: str = "") -> Facts:
        """Read the host's facts and keep them on its row. Raises Failure.

        vip: a virtual IP that the host asks its network about as well.
        """
        output: list[str] = []
        said: list[str] = []
        received = 0.0

        def on_line(stream: str, text: str) -> None:
            nonlocal received
            received = received or time.time()
            if stream == "stdout":
                output.append(text)
            else:
                said.append(text)
                self.run.log(text, host=self.host.name, stream=stream)

        link = self.link()
        sent = time.time()
        try:
            result = link.run(
                facts_script(vip), on_line, seconds=FACTS_SECONDS, stop=self.run.lease.stop
            )
        except SSHError as error:
            note_error(self.host, error)
            raise failure_of(error, self.host.name) from error
        self._unless_stopped(result)
        try:
            facts = parse_facts("\n".join(output), sent, received or time.time())
        except FactsError as error:
            raise self._no_facts(result, output, said, error) from error
        set_state(
            self.host,
            HostState.READY,
            facts=json.loads(facts.to_json()),
            facts_at=timezone.now(),
            clock_skew=facts.skew,
            offered_key="",
        )
        return facts

    def script(self, compiled: CompiledScript, nonce: str, step: str, seconds: float) -> Outcome:
        """Run one step's script and follow its events.

        Raises Failure with host and cause, Canceled after the remote process was
        stopped, or LeaseLost when a later claim was on the host before us.
        """
        conversation = _Conversation(self, compiled, nonce, step)
        self._number += 1
        mark = Mark(self.run.lease.task_id, self.run.lease.fence, self._number)
        self.run.writer.mask.add(compiled.secrets)
        try:
            result = self.link().run(
                framed(compiled.text, mark),
                conversation.on_line,
                seconds=seconds,
                nonce=conversation.nonce,
                mark=str(mark),
                stop=self.run.lease.stop,
            )
        except SSHError as error:
            note_error(self.host, error)
            failure = failure_of(error, self.host.name)
            failure.output = list(conversation.tail)
            raise failure from error
        finally:
            conversation.release()
        self._judge(result, conversation, seconds)
        return conversation.outcome

    def fetch(
        self, script: str, sink: Callable[[bytes], object], step: str, seconds: float
    ) -> list[str]:
        """Run a script as root and hand its stdout to sink, as bytes.

        Lines of stderr are logged under `step`. Those that begin with "#" are for the caller
        and returned without it (at most 100); "#failed CODE TEXT" says why the script gives
        up. Fenced, locked and stopped as script(). Raises Failure, Canceled, LeaseLost, or an
        OSError of sink as it is.
        """
        said: deque[str] = deque(maxlen=OUTPUT_LINES)
        told: deque[str] = deque(maxlen=100)

        def on_line(text: str) -> None:
            if text.startswith("#"):
                told.append(text[1:])
                return
            said.append(self.run.writer.mask(text))
            self.run.log(text, host=self.host.name, step=step, stream="stderr")

        self._number += 1
        mark = Mark(self.run.lease.task_id, self.run.lease.fence, self._number)
        try:
            result = self.link().fetch(
                framed(script, mark),
                sink,
                on_line,
                seconds=seconds,
                mark=str(mark),
                stop=self.run.lease.stop,
            )
        except SSHError as error:
            note_error(self.host, error)
            failure = failure_of(error, self.host.name)
            failure.output = list(said)
            raise failure from error
        except OSError:
            self.stop_remote()
            raise
        failed = next((line for line in told if line.startswith("failed ")), "")
        gave_up = self._gave_up(failed, list(said)) if failed else None
        self._judge_end(result, seconds, _("its script"), list(said), gave_up)
        if result.status != 0:
            raise self._broken_off(result, list(said), "")
        return list(told)

    def _gave_up(self, line: str, tail: list[str]) -> Failure:
        _word, code, found = [*line.split(" ", 2), "", ""][:3]
        return Failure(
            host=self.host.name,
            code=code,
            found=self.run.writer.mask(found),
            hint=hint(code),
            output=tail,
        )

    def _judge(self, result: RunResult, conversation: _Conversation, seconds: float) -> None:
        at = conversation.key or _("its start")
        self._judge_end(result, seconds, at, list(conversation.tail), conversation.failure)
        if result.status != 0 or not conversation.done:
            raise self._broken_off(result, list(conversation.tail), conversation.key)

    def _judge_end(
        self,
        result: RunResult,
        seconds: float,
        at: str,
        tail: list[str],
        told: Failure | None = None,
    ) -> None:
        """Raise what cut a script short; `told` is the failure that it told itself."""
        if result.timed_out:
            self.stop_remote()
            raise Failure(
                host=self.host.name,
                code="timeout",
                expected=_("The step ends within %d seconds.") % seconds,
                found=_("It was still busy with %s.") % at,
                hint=_("Look at the last lines of its output, then retry."),
                output=tail,
            )
        self._unless_stopped(result)
        if told is not None:
            raise told
        if result.status == FENCED:
            self.run.lease.mark_lost()
            raise LeaseLost

    def _unless_stopped(self, result: RunResult) -> None:
        if not result.stopped:
            return
        if self.run.lease.lost.is_set():
            raise LeaseLost
        self.stop_remote()
        raise Canceled

    def stop_remote(self) -> None:
        """End what this claim left running on the host: TERM, then KILL after 30 seconds."""
        lease = self.run.lease
        try:
            result = self.link().run(
                stop_script(lease.task_id, lease.fence), lambda _s, _t: None, seconds=45
            )
        except (SSHError, Failure) as error:
            self.run.log(
                _("Could not reach %(host)s to stop the remote process: %(error)s")
                % {"host": self.host.name, "error": error},
                host=self.host.name,
            )
            return
        if result.status != 0:
            self.run.log(_("A remote process does not end, even by KILL."), host=self.host.name)

    def _broken_off(self, result: RunResult, tail: list[str], key: str) -> Failure:
        if (refusal := _sudo_refusal(tail)) and not key:
            return self._no_root(refusal)
        if result.status == LOCKED:
            return Failure(
                host=self.host.name,
                code="locked",
                found=_("Another task is working on this host."),
                hint=_("Wait until it has ended, then retry."),
                output=tail,
            )
        return Failure(
            host=self.host.name,
            code="killed",
            expected=_("The step's script runs to its end."),
            found=_("It broke off (exit status %(status)d) at %(key)s.")
            % {"status": result.status, "key": key or _("its start")},
            hint=_("The host may have been restarted, or run out of memory: look, then retry."),
            output=tail,
        )

    def _no_facts(
        self, result: RunResult, output: list[str], said: list[str], error: FactsError
    ) -> Failure:
        if result.status != 0 and self.link().target.username != "root":
            return self._no_root(_sudo_refusal(said) or _("exit status %d") % result.status)
        if result.timed_out:
            return Failure(
                host=self.host.name,
                code="timeout",
                expected=_("It tells about itself within %d seconds.") % FACTS_SECONDS,
                found=_("It had not ended by then."),
                hint=_("The host may be overloaded: look at its load and disks, then retry."),
                output=output[-OUTPUT_LINES:],
            )
        return Failure(
            host=self.host.name,
            code="facts",
            found=_("The host's answer makes no sense: %(error)s (exit status %(status)d).")
            % {"error": error, "status": result.status},
            hint=_("Flotilla needs a Linux with a POSIX shell and systemd."),
            output=output[-OUTPUT_LINES:],
        )

    def _no_root(self, refusal: str) -> Failure:
        return Failure(
            host=self.host.name,
            code="no_sudo",
            expected=_("The user becomes root by sudo."),
            found=_("sudo refused: %s") % refusal,
            hint=_(
                "Allow the user sudo without a password, or give the sudo password on the "
                "host's page."
            ),
        )


def _sudo_refusal(lines: list[str]) -> str:
    return next((line for line in reversed(lines) if line.startswith("sudo:")), "")


class _Conversation:
    """The lines of one script: events are acted on, everything else is logged."""

    def __init__(self, runner: HostRunner, compiled: CompiledScript, nonce: str, step: str) -> None:
        self.runner, self.compiled, self.step = runner, compiled, step
        self.nonce = nonce
        self.outcome = Outcome()
        self.failure: Failure | None = None
        self.done = False
        self.key = ""
        self.tail: deque[str] = deque(maxlen=OUTPUT_LINES)
        self._uploading = False

    def on_line(self, stream: str, text: str) -> Payload | None:
        event = read_event(text, self.nonce) if stream == "stdout" else None
        if event is None:
            self.tail.append(self.runner.run.writer.mask(text))
            self._log(text, stream)
            return None
        self.release()
        data: dict[str, Any] = event.data
        if event.verb == "want":
            return self._upload(int(data["payload"]), packed=data.get("packed") is not False)
        if event.verb == "resource":
            self.key = str(data["key"])
            if data.get("state") in ("changed", "undone"):
                self._log(f"{data['state']}  {self.key}", "console")
        elif event.verb == "prior":
            self.outcome.priors.append((str(data["key"]), data))
        elif event.verb == "done":
            self.outcome.changes = int(data["changed"])
            self.done = True
        elif event.verb == "failed":
            self._failed(data)
        return None

    def release(self) -> None:
        """Let another host upload."""
        if self._uploading:
            self._uploading = False
            self.runner._uploads.release()

    def _upload(self, number: int, *, packed: bool) -> Payload | None:
        payload = self.compiled.payloads.get(number)
        if payload is None:
            return None
        while not self.runner._uploads.acquire(timeout=0.5):
            if self.runner.run.lease.stop.is_set():
                return None
        self._uploading = True
        size, how = (payload.size, "packed") if packed else (payload.plain_size, "as it is")
        self._log(f"upload  {payload.path.stem}  {size / 2**20:.1f} MiB {how}", "console")
        if packed:
            return Payload(str(payload.path), size, payload.source)
        return Payload(str(payload.path), size, partial(unpacked, payload.path))

    def _failed(self, data: dict[str, Any]) -> None:
        mask = self.runner.run.writer.mask
        code = str(data.get("hint_code", ""))
        expected, found = str(data.get("expected", "")), str(data.get("found", ""))
        # What it was about (a file, a unit, a command), where the texts do not say so.
        about = str(data["key"]).partition(":")[2]
        if about and about not in expected + found:
            found = f"{about}: {found}"
        self.failure = Failure(
            host=self.runner.host.name,
            code=code,
            expected=mask(expected),
            found=mask(found),
            hint=hint(code),
            output=list(self.tail),
        )

    def _log(self, text: str, stream: str) -> None:
        self.runner.run.log(text, host=self.runner.host.name, step=self.step, stream=stream)


def new_nonce() -> str:
    """Random text that a host cannot guess before the script runs."""
    return secrets.token_hex(8)
