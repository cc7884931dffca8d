"""Each sensible combination of k8s/'s components, and each example, rendered once."""

from pathlib import Path

import pytest

from support.kustomize import COMBINATIONS, K8S, Object, combine, render

EXAMPLES = sorted(path.parent for path in K8S.glob("examples/**/kustomization.yaml"))


def name_of(wanted: Path | tuple[str, ...]) -> str:
    return wanted.name if isinstance(wanted, Path) else "+".join(("base", *wanted))


@pytest.fixture(scope="module", params=[*COMBINATIONS, *EXAMPLES], ids=name_of)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A kustomization's folder."""
    wanted = request.param
    if isinstance(wanted, Path):
        return wanted
    return combine(tmp_path_factory.mktemp("kustomize"), wanted)


@pytest.fixture
def objects(folder: Path) -> tuple[Object, ...]:
    """What it renders to."""
    return render(folder)
