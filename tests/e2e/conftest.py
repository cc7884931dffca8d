"""Images that are built once, compose projects that leave nothing, and a line for each story."""

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from e2e.compose import Project
from e2e.docker import Image, docker
from e2e.standins import PREFIX, build
from support import needs
from support.project import REPOSITORY

TOOLS = REPOSITORY / ".e2e" / "tools" / "bin"
"""hadolint, Compose v2 and the SBOM's validator, pinned in requirements/e2e.txt."""
LINES: list[str] = []


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the lines that the tests reported."""
    terminalreporter.section("stories")
    for line in LINES:
        terminalreporter.write_line(line)


@pytest.fixture
def report(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Add a line to the summary, with the time since the test began."""
    began = time.monotonic()

    def add(text: str) -> None:
        name = request.node.name.removeprefix("test_").replace("_", " ")
        LINES.append(f"{time.monotonic() - began:6.1f} s  {name}: {text}")

    return add


@pytest.fixture(scope="session")
def python() -> list[str]:
    """Return the build arguments that name the Python base."""
    needs.declare("docker")
    if subprocess.run(["docker", "info"], check=False, capture_output=True).returncode:
        needs.missing("docker")
    image = os.environ.get("PYTHON_IMAGE")
    return ["--build-arg", f"PYTHON_IMAGE={image}"] if image else []


@pytest.fixture(scope="session")
def image(python: list[str]) -> Image:
    """Build the sidecar's image, which compose then finds by MIGRATION_SIDECAR_IMAGE."""
    return _build_image("sidecar", REPOSITORY, "MIGRATION_SIDECAR_IMAGE", *python)


@pytest.fixture(scope="session")
def shop(python: list[str], image: Image) -> Image:
    """Build the example shop, with the sidecar's command in it."""
    given = [*python, f"--build-arg=MIGRATION_SIDECAR_IMAGE={image.name}"]
    return _build_image("shop", REPOSITORY / "compose" / "app", "SHOP_IMAGE", *given)


@pytest.fixture(scope="session")
def next_shop(shop: Image) -> Image:
    """Build the shop's next release."""
    given = f"--build-arg=SHOP_IMAGE={shop.name}"
    return _build_image("shop-2", Path(__file__).parent / "release-2", "GREEN_IMAGE", given)


@pytest.fixture(scope="session")
def shop_sidecar(shop: Image, image: Image) -> Image:
    """Build the sidecar of the shop's release: the image, and the manifest."""
    given = [
        f"--build-arg=SHOP_IMAGE={shop.name}",
        f"--build-arg=MIGRATION_SIDECAR_IMAGE={image.name}",
    ]
    return _build_image(
        "shop-sidecar", REPOSITORY / "compose" / "sidecar", "SHOP_SIDECAR_IMAGE", *given
    )


def _build_image(name: str, context: Path, variable: str, *arguments: str) -> Image:
    """Build an image by a name of ours: whoever runs this may have a shop."""
    image = Image(f"{PREFIX}/{name}:latest")
    build(image.name, context, *arguments)
    os.environ[variable] = image.name
    return image


@pytest.fixture(params=["docker-compose 1.29", "Compose v2"])
def program(request: pytest.FixtureRequest) -> str:
    """Return a Compose program: Debian's, and the newest."""
    return str(TOOLS / "docker-compose") if request.param == "Compose v2" else "docker-compose"


@pytest.fixture
def network() -> Iterator[str]:
    """Return a network of the test's own."""
    name = f"e2e-{os.getpid()}"
    docker("network", "create", name)
    yield name
    docker("network", "rm", name)


@pytest.fixture
def projects(program: str, tmp_path: Path) -> Iterator[Callable[..., Project]]:
    """Make projects of the shipped files and overlays; none is left."""
    made: list[Project] = []

    def make(*overlays: str, **variables: str) -> Project:
        project = Project(program, tmp_path, *overlays, **variables)
        made.append(project.__enter__())
        return project

    yield make
    for project in made:
        project.__exit__()
