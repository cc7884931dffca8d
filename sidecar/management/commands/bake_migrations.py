"""`manage.py bake_migrations`: the same as `sidecar bake`, for projects that install the app."""

from argparse import ArgumentParser, Namespace
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from sidecar.baker.command_line import add_arguments, run
from sidecar.baker.django_setup import forbid_connections
from sidecar.baker.errors import Refusal
from sidecar.baker.tracebacks import refuse_unexpected


class Command(BaseCommand):
    """Write the manifest of this project's migrations."""

    help = "Write the migrations that this code expects, for migration-sidecar to compare with."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add what baking asks for."""
        add_arguments(parser)

    def handle(self, *_: str, **options: Any) -> None:
        """Bake; whatever goes wrong is one line and the exit code of `sidecar bake`."""
        try:
            with refuse_unexpected(), forbid_connections():
                run(Namespace(**options))
        except Refusal as refusal:
            raise CommandError(str(refusal), returncode=refusal.code) from None
