"""`manage.py bake_migrations`: the same as `sidecar bake`, for projects that install the app."""

from argparse import ArgumentParser, Namespace
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from sidecar import baker


class Command(BaseCommand):
    """Write the manifest of this project's migrations."""

    help = "Write the migrations that this code expects, for migration-sidecar to compare with."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add what baking asks for."""
        baker.add_arguments(parser)

    def handle(self, *_: str, **options: Any) -> None:
        """Bake; whatever goes wrong is one line and the exit code of `sidecar bake`."""
        try:
            with baker.guarded(), baker.offline():
                baker.run(Namespace(**options))
        except baker.Refusal as refusal:
            raise CommandError(str(refusal), returncode=refusal.code) from None
