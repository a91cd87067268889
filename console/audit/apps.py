from django.apps import AppConfig


class AuditConfig(AppConfig):
    """The append-only record of who did what."""

    name = "console.audit"
    label = "audit"

    def ready(self) -> None:
        """The watcher gives events their places, signs checkpoints and archives old events."""
        from console.audit import archiving, sealing, verifications
        from console.audit.streams import lag, sending
        from console.notices import rounds

        rounds.register(sealing.round_of_sealing, sealing.SECONDS)
        rounds.register(archiving.round_of_archiving, archiving.SECONDS)
        archiving.register_need("streams", sending.needed_from)
        rounds.register(lag.look, lag.LOOK_SECONDS)
        rounds.register(verifications.look, verifications.LOOK_SECONDS)
