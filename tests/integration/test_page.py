"""The status page in a real browser, through every state of a gate.

Pictures of each state are left in .screenshots/.
"""

import json
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from playwright.sync_api import Browser

from sidecar.databases.postgres.migrate_runs import LOCK_CLASS
from sidecar.outputs.http import page as shipped
from support import project
from support.browser import Visit, chromium
from support.database import Database
from support.process import PATIENCE, Sidecar, until
from support.proxy import Mode, Proxy

pytestmark = pytest.mark.chromium

TOKEN = "s3cret-token"  # noqa: S105 - a test's own
QUICK = ("--interval=200ms", "--connect-timeout=500ms", "--read-timeout=500ms")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for all tests of the page."""
    with chromium() as running:
        yield running


@pytest.fixture
def visit(browser: Browser) -> Iterator[Visit]:
    """A window of a test's own."""
    window = Visit(browser)
    yield window
    window.context.close()


@pytest.fixture
def away(database: Database) -> Iterator[tuple[Proxy, str]]:
    """A proxy before the server, and the URL of the database through it."""
    with Proxy(database.server.port) as proxy:
        yield proxy, database.reader.replace(f":{database.server.port}/", f":{proxy.port}/")


def test_every_phase_shows_on_one_page(
    visit: Visit, database: Database, manifest: Path, away: tuple[Proxy, str]
) -> None:
    """Waiting, open, holding, closed and draining show without a reload, and are accessible."""
    proxy, url = away
    with Sidecar(manifest, *QUICK, "--drain-delay=60s", url=url) as sidecar:
        visit.page.goto(sidecar.url)
        visit.headline("Not ready")
        shown = visit.text()
        assert "schema_behind: migrations are missing" in shown
        assert "Next: apply the migrations: python manage.py migrate" in shown
        assert "Pending: 45 migrations, in the order in which migrate runs them" in shown
        assert "contenttypes.0001_initial CreateModel ContentType" in shown
        visit.check_appearance("waiting")

        database.migrate()
        visit.headline("Ready")
        assert "schema_current: every required migration is applied" in visit.text()
        assert "45 of 45 applied" in visit.text()
        visit.check_appearance("open")

        proxy.mode = Mode.REFUSE
        visit.headline("Ready, but held open")
        assert "held open against database_unreachable" in visit.text()
        visit.check_appearance("holding")
        proxy.mode = Mode.PASS
        visit.headline("Ready")

        database.migrate("orders", "0010")
        visit.headline("Not ready any more")
        shown = visit.text()
        assert "Pending: 2 migrations" in shown
        assert "risk changes data, for as long as that takes" in shown
        assert "risk adds the column orders.order.archived, NOT NULL without" in shown
        visit.check_appearance("closed")

        sidecar.process.terminate()
        visit.headline("Going away")
        visit.check_appearance("draining")
    assert visit.complaints == []
    assert {address.removeprefix(sidecar.url) for address in visit.asked} == {"/", "/status"}


def test_before_the_first_read_the_page_is_there(visit: Visit, manifest: Path) -> None:
    """With a database that never answers the page shows that the sidecar is starting."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgres://u:p@127.0.0.1:{silent.getsockname()[1]}/db"
        with Sidecar(manifest, "--connect-timeout=60s", url=url) as sidecar:
            visit.page.goto(sidecar.url)
            visit.headline("Starting")
            visit.check_appearance("starting")


def test_lost_contact_is_shown_and_ends_by_itself(
    visit: Visit, migrated: Database, manifest: Path
) -> None:
    """A page without answers shows that, and what it last knew, until the sidecar answers again."""
    with Sidecar(manifest, url=migrated.reader) as sidecar:
        until(sidecar.ready, "the gate opens")
        with Proxy(int(sidecar.url.rpartition(":")[2])) as between:
            visit.page.goto(f"http://127.0.0.1:{between.port}/")
            visit.headline("Ready")
            between.mode = Mode.REFUSE
            visit.headline("Lost contact")
            alert = visit.page.get_by_role("alert").inner_text()
            assert alert.startswith("The sidecar does not answer. Last known: Ready. What stands")
            visit.check_appearance("lost-contact")
            between.mode = Mode.PASS
            visit.headline("Ready")
            assert visit.page.get_by_role("alert").count() == 0
            between.mode = Mode.SILENT
            visit.headline("Lost contact")
            between.mode = Mode.PASS
            visit.headline("Ready")


def test_a_blocked_run_and_its_durations_are_shown(
    visit: Visit, migrated: Database, manifest: Path
) -> None:
    """The page shows who holds the lock that migrate waits for; then each migration's duration."""
    migrated.migrate("orders", "0009")
    command = (project.sidecar(), "migrate", f"--manifest={manifest}", "--")
    environment = project.environment(DATABASE_URL=migrated.migrator, EXAMPLE_SLOW_SECONDS="2")
    with Sidecar(manifest, *QUICK, url=migrated.reader) as sidecar:
        visit.page.goto(sidecar.url)
        visit.headline("Not ready")
        with migrated.server.connect(migrated.name) as report:
            report.execute("SET application_name = 'nightly report'")
            report.execute("BEGIN")
            report.execute("LOCK TABLE orders_order IN ACCESS SHARE MODE")
            run = subprocess.Popen(
                [*command, sys.executable, "manage.py", "migrate", "--verbosity=0"],
                cwd=project.APP, env=environment, stderr=subprocess.DEVNULL,
            )  # fmt: skip
            visit.page.get_by_text("blocked by a lock, since").wait_for()
            assert f"held by process {report.info.backend_pid}, nightly report" in visit.text()
            assert "Next: end what blocks the running migrate" in visit.text()
            visit.check_appearance("blocked")
            report.execute("ROLLBACK")
        assert run.wait(20 * PATIENCE) == 0
        visit.headline("Ready")
        shown = visit.text()
        assert "The last batch: 3 migrations in" in shown
        seconds = re.search(r"orders.0011_fill_order_totals took ([\d.]+) s", shown)
        assert seconds
        assert float(seconds[1]) == pytest.approx(2.0, rel=0.2)
        visit.check_appearance("migrated")


def test_a_stranger_with_the_migration_lock_is_named(
    visit: Visit, database: Database, manifest: Path
) -> None:
    """With what ends its session; the reader may write nothing, so it is no migrate run either."""
    with (
        Sidecar(manifest, *QUICK, url=database.reader) as sidecar,
        psycopg.connect(database.reader, autocommit=True) as stranger,
    ):
        visit.page.goto(sidecar.url)
        key = f"({LOCK_CLASS}::bigint << 32) | 'public'::regnamespace::oid::bigint"
        stranger.execute(f"SELECT pg_advisory_lock({key})")
        end = f"SELECT pg_terminate_backend({stranger.info.backend_pid})"
        visit.page.get_by_text(end).wait_for()
        assert "role sidecar_reader, who may not migrate, since" in visit.text()
        assert "A migrate run is under way" not in visit.text()
        visit.check_appearance("locked")


def test_a_hidden_page_asks_nothing(visit: Visit, migrated: Database, manifest: Path) -> None:
    """A forgotten tab costs nothing; shown again, it is up to date at once."""
    with Sidecar(manifest, *QUICK, url=migrated.reader) as sidecar:
        until(sidecar.ready, "the gate opens")
        visit.page.goto(sidecar.url)
        visit.headline("Ready")
        show = """hidden => {
            Object.defineProperty(document, "hidden", {value: hidden, configurable: true});
            document.dispatchEvent(new Event("visibilitychange"));
        }"""
        visit.page.evaluate(show, arg=True)
        before = len(visit.asked)
        visit.page.wait_for_timeout(2500)
        assert len(visit.asked) == before
        sidecar.process.send_signal(signal.SIGTERM)
        visit.page.evaluate(show, arg=False)
        visit.headline("Going away", within=2)


def test_the_keyboard_opens_what_is_folded_and_it_stays_open(
    visit: Visit, database: Database, manifest: Path
) -> None:
    """Tab and Enter reach the rest of a long list; a change of the data does not close it."""
    with Sidecar(manifest, *QUICK, url=database.reader) as sidecar:
        visit.page.goto(sidecar.url)
        visit.headline("Not ready")
        visit.page.keyboard.press("Tab")
        visit.page.keyboard.press("Enter")
        assert visit.page.locator("details[open] li").count() == 25
        database.migrate("contenttypes")
        visit.page.get_by_text("Pending: 43 migrations").wait_for()
        assert visit.page.locator("details[open] li").count() == 23
        assert visit.page.evaluate("document.activeElement.tagName") == "SUMMARY"


def test_a_screen_reader_hears_states_and_not_seconds(
    visit: Visit, migrated: Database, manifest: Path
) -> None:
    """The headline is a live region, ages are not, and everything has its place and its name."""
    with Sidecar(manifest, *QUICK, url=migrated.reader) as sidecar:
        visit.page.goto(sidecar.url)
        visit.headline("Ready")
        tree = visit.page.locator("body").aria_snapshot()
        for part in ("- banner:", "- main:", "- contentinfo:", 'progressbar "applied, default'):
            assert part in tree
        assert visit.page.get_by_role("status").inner_text() == "Ready"
        assert visit.page.locator("[role=status] time, [role=alert] time").count() == 0


def test_a_browser_sends_the_token_as_a_password(
    browser: Browser, migrated: Database, manifest: Path
) -> None:
    """With token_file the browser asks its user; a rotated token is reported, and a reload asks."""
    file = manifest.with_name("token")
    file.write_text(TOKEN)
    credentials = {"username": "anyone", "password": TOKEN}
    with Sidecar(manifest, f"--token-file={file}", url=migrated.reader) as sidecar:
        assert sidecar.get("/")[0] == 401
        assert sidecar.get("/", Authorization=f"Bearer {TOKEN}")[0] == 200
        visit = Visit(browser, http_credentials=credentials)
        visit.page.goto(sidecar.url)
        visit.headline("Ready")
        file.write_text("rotated")
        visit.headline("Lost contact")
        assert "wants its token again" in visit.page.get_by_role("alert").inner_text()
        visit.context.close()
        assert TOKEN not in sidecar.text


def test_hostile_names_are_text(visit: Visit, migrated: Database, manifest: Path) -> None:
    """What a database holds is shown, and never becomes part of the page."""
    migrated.execute(
        "INSERT INTO django_migrations (app, name, applied) VALUES "
        "('orders', '<img src=x onerror=alert(1)>', now())"
    )
    with Sidecar(manifest, url=migrated.reader) as sidecar:
        visit.page.goto(sidecar.url)
        visit.headline("Ready")
        visit.page.get_by_text("Newer: applied by a release").click()
        assert "orders.<img src=x onerror=alert(1)>" in visit.text()
        assert visit.page.locator("img").count() == 0
        assert visit.complaints == []


def test_thousands_of_schemas_are_summarised(
    visit: Visit, migrated: Database, manifest: Path
) -> None:
    """The worst few are shown in full, those that are well are counted."""
    with Sidecar(manifest, url=migrated.reader) as sidecar:
        until(sidecar.ready, "the gate opens")
        status = sidecar.status()
        (good,) = status["targets"]
        broken = {
            **good,
            "verdict": "inconsistent",
            "reason": "history_inconsistent",
            "inconsistent": [["shop.0003_x", "shop.0002_y"]],
            "conflicts": [["shop.0004_a", "shop.0004_b"]],
            **{name: ["shop.0009_z"] for name in ("hidden", "lost", "leftover", "foreign")},
            "duplicates": 2,
        }
        away = {
            "database": "archive",
            "schema": None,
            "verdict": "unknown",
            "reason": "database_denied",
            "message": "password authentication failed",
            "read_at": good["read_at"],
            "succeeded_at": None,
        }
        names = [f"tenant_{n}" for n in range(20)]
        behind = {
            **good,
            "schema": None,
            "count": 1200,
            "schemas": names,
            "verdict": "behind",
            "reason": "schema_behind",
            "pending": ["shop.0005_z"],
            "required": False,
        }
        many = [{**good, "schema": f"own_{n}", "timeline": []} for n in range(3000)]
        status["targets"] = [*many, behind, {**broken, "schema": "bad"}, away]
        visit.page.route("**/status", lambda route: route.fulfill(json=status))
        visit.page.goto(sidecar.url)
        visit.headline("Ready")
        titles = visit.page.locator("article h2").all_inner_texts()
        assert titles == [
            "default, schema bad inconsistent",
            "default, 1200 schemas behind the gate does not depend on it",
            "archive unknown",
        ]
        visit.page.get_by_text("Which schemas").click()
        shown = visit.text()
        assert "1200 of 4202 schemas have migrations pending" in shown
        assert "tenant_19 and 1180 more" in shown
        assert "and 3000 more: 3000 current" in shown
        assert "shop.0003_x is applied before shop.0002_y" in shown
        assert "conflict between shop.0004_a and shop.0004_b" in shown
        assert "database refuses the sidecar: password authentication failed" in shown
        assert "Rows recorded twice: 2" in shown
        visit.check_appearance("many")


def test_the_policy_lets_in_nothing_from_elsewhere(
    visit: Visit, migrated: Database, manifest: Path
) -> None:
    """Script, style, images, frames and requests from anywhere else are refused by the browser."""
    with (
        Sidecar(manifest, url=migrated.reader) as sidecar,
        Sidecar(manifest, url=migrated.reader) as other,
    ):
        visit.page.goto(sidecar.url)
        visit.headline("Ready")
        assert visit.complaints == []
        visit.page.evaluate(
            """async elsewhere => {
                for (const [tag, name] of [["script", "src"], ["img", "src"], ["iframe", "src"]]) {
                    const element = document.createElement(tag);
                    element.setAttribute(name, elsewhere);
                    document.body.append(element);
                }
                document.body.append(Object.assign(document.createElement("style"),
                    {textContent: "body { color: red }"}));
                await fetch(elsewhere).catch(() => {});
            }""",
            arg=other.url + "/status",
        )
        visit.page.wait_for_timeout(200)
        refused = [text for text in visit.complaints if "Content Security Policy" in text]
        assert len(refused) >= 5, json.dumps(visit.complaints)


def test_the_page_needs_nothing_but_itself() -> None:
    """No address of elsewhere stands in it, and its policy names each of its own parts."""
    page = shipped.load()
    assert page.body.count(b"http") == page.body.count(b"http://www.w3.org/2000/svg")
    policy = page.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in policy
