"""A folder for a Django project."""

from pathlib import Path

import pytest

from integration.bake.projects import Project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """An empty project folder."""
    folder = tmp_path / "project"
    folder.mkdir()
    return Project(folder)
