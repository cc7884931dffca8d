"""Django's own apps, on the Django that is installed here: the small one of the real projects."""

import sys
from pathlib import Path

from real.journey import run_journey
from real.projects import CONTRIB_ALONE
from support.postgres import Server


def test_check_agrees_with_django_at_ten_points_of_a_real_migration(
    server: Server, tmp_path: Path
) -> None:
    """At ten points of migrating Django's own apps, `check` agrees with `migrate --plan`."""
    report = run_journey(CONTRIB_ALONE, sys.executable, tmp_path, server)
    assert report.disagreements == []
    assert (report.cuts, report.migrations >= 20) == (10, True)
