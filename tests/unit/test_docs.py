"""The pages repeat what the code holds, name what there is, and lead to one another."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from sidecar.config.settings import Settings
from support.project import REPOSITORY, environment

DOCS = REPOSITORY / "docs"
MAX_README_LINES = 130
PAGES = (
    *(REPOSITORY / name for name in ("README.md", "CHANGELOG.md", "tests/README.md")),
    *sorted(DOCS.glob("*.md")),
    *(REPOSITORY / folder / "README.md" for folder in ("compose", "compose/app", "k8s")),
    REPOSITORY / "k8s" / "components" / "monitoring" / "README.md",
)
TOP = "sidecar|tests|docs|k8s|compose|tools|requirements"
PACKAGES = "core|config|databases|outputs|commands|migrate"
PATH = re.compile(rf"`((?:{TOP}|{PACKAGES})/[^`\s:<>…{{}}]*)`")
BLOCK = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def page_name(page: Path) -> str:
    return str(page.relative_to(REPOSITORY))


every_page = pytest.mark.parametrize("page", PAGES, ids=page_name)


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    text = re.sub(BLOCK, "", page.read_text(encoding="utf-8"))
    headings = re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_generated_parts_are_up_to_date() -> None:
    """Settings, metrics, reasons, rules and dashboard are written from the code."""
    ended = subprocess.run(
        [sys.executable, DOCS / "generate.py", "--check"],
        check=False, env=environment(), capture_output=True, text=True,
    )  # fmt: skip
    assert (ended.returncode, ended.stderr) == (0, "")


@every_page
def test_every_link_leads_somewhere(page: Path) -> None:
    """A relative link is a file of this repository, and its anchor a heading there."""
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if "://" in link:
            continue
        file, _, anchor = link.partition("#")
        target = (page.parent / file).resolve() if file else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@every_page
def test_every_path_that_a_page_names_exists(page: Path) -> None:
    """A file or folder in backticks, by its path from the top or from `sidecar/`."""
    for path in PATH.findall(page.read_text(encoding="utf-8")):
        tops = (REPOSITORY, REPOSITORY / "sidecar")
        assert any(found for top in tops for found in top.glob(path.rstrip("/"))), path


@every_page
def test_every_make_target_that_a_page_names_exists(page: Path) -> None:
    """`make TARGET`, in a sentence or in a block."""
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    targets = {*re.findall(r"^([\w.-]+):", makefile, flags=re.MULTILINE)}
    text = page.read_text(encoding="utf-8")
    named = {*re.findall(r"`make ([a-z][\w.-]*)", text)}
    for block in BLOCK.findall(text):
        named |= {*re.findall(r"^make ([a-z][\w.-]*)", block, flags=re.MULTILINE)}
    assert named <= targets


@every_page
def test_every_variable_that_a_page_names_is_a_setting(page: Path) -> None:
    """`SIDECAR_...`, also of a further database, or of a file that holds the value."""
    text = page.read_text(encoding="utf-8")
    for name in re.findall(r"(?<!\$\{)\bSIDECAR_([A-Z_]*[A-Z])\b", text):
        setting = re.sub(r"^(DATABASE_URL|PASSWORD_FILE)_.+$", r"\1", name).lower()
        known = {setting, setting.removesuffix("_file")} & {*Settings.__annotations__, "config"}
        assert known, f"SIDECAR_{name}"


@pytest.mark.parametrize("page", sorted(DOCS.glob("*.md")), ids=page_name)
def test_a_page_names_its_readers_at_its_top(page: Path) -> None:
    """The first sentence below the title begins with For."""
    assert re.match(r"# [^\n]+\n\nFor \w", page.read_text(encoding="utf-8"))


def test_the_index_lists_every_page() -> None:
    """Each page of docs/ is reached from docs/index.md."""
    links = set(re.findall(r"\]\(([\w.-]+)\)", (DOCS / "index.md").read_text(encoding="utf-8")))
    assert links == {page.name for page in DOCS.glob("*.md")} - {"index.md"} | {"openapi.yaml"}


def test_the_readme_is_short() -> None:
    """What more there is to know has a page of its own."""
    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= MAX_README_LINES


def test_the_gate_page_has_every_phase_and_every_input() -> None:
    """The table written by hand has the rows and the columns of the code's."""
    from sidecar.core.gate.rules import Input  # noqa: PLC0415
    from sidecar.core.gate.state import Phase  # noqa: PLC0415

    text = (DOCS / "gate.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"<!-- phases and events -->\n(.+?)<!-- end -->", text, re.DOTALL)
    head, _, *rows = (
        [cell.strip() for cell in line.split("|")[1:-1]] for line in block.splitlines()
    )
    assert head == ["phase", *Input]
    assert [row[0] for row in rows] == [*Phase]
    assert all(len(row) == len(head) and all(row) for row in rows)
