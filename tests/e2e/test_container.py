"""One container of the image: as process 1, with few rights, no network, an unknown uid."""

import os
from collections.abc import Iterator

import pytest

from e2e.docker import Container, Image, docker, parse_time
from support.process import until

pytestmark = pytest.mark.docker

RESTRICTED = ("--read-only", "--user=12345:0", "--cap-drop=ALL", "--network=none")
UNREACHABLE = "--env=DATABASE_URL=postgres://sidecar:x@127.0.0.1/shop"
LEAVE_CHILD = "(sleep 0.1 & echo $!)"
WAIT_FOR_SIGTERM = "trap 'echo got SIGTERM; exit 7' TERM; echo began; while :; do sleep 0.1; done"


@pytest.fixture
def database(network: str, shop: Image) -> Iterator[str]:
    """Return the address of a migrated database on the test's network."""
    server = Image(os.environ.get("POSTGRES_IMAGE", "postgres:18"))
    given = ("--env=POSTGRES_PASSWORD=x", "--env=POSTGRES_DB=shop", f"--network={network}")
    url = "postgres://postgres:x@db/shop"
    with server.start(*given, "--network-alias=db") as running:
        until(lambda: "accepting" in running.run("pg_isready", "-h127.0.0.1", check=False), "db")
        flags = (f"--network={network}", f"--env=DATABASE_URL={url}", "--entrypoint=sidecar")
        code, output = shop.run(*flags, command=("migrate",))
        assert code == 0, output
        yield url


@pytest.mark.parametrize(
    ("command", "code", "words"),
    [
        (("healthcheck",), 1, "Connection refused"),
        (("--version",), 0, "migration-sidecar"),
        (("check",), 20, "127.0.0.1/shop: connection refused"),
        (("serve", "--listen=1.2.3.4:1"), 64, "1.2.3.4:1"),
        (("wait", "--timeout=1s", "--", "true"), 124, "not ready after 1 s"),
    ],
)
def test_without_rights_files_or_network(
    shop_sidecar: Image, command: tuple[str, ...], code: int, words: str
) -> None:
    """Read-only, without capabilities, network or a known uid, every command ends as it should."""
    got, output = shop_sidecar.run(*RESTRICTED, UNREACHABLE, command=command)
    assert (got, words in output, "Traceback" in output) == (code, True, False), output


def test_without_a_home_or_a_name(shop_sidecar: Image) -> None:
    """Without HOME, and without a user in the URL, one line names what to set."""
    flags = (*RESTRICTED, "--entrypoint=env", "--env=DATABASE_URL=postgres://127.0.0.1/shop")
    code, output = shop_sidecar.run(*flags, command=("-u", "HOME", "sidecar", "check"))
    assert code == 20
    assert "no user is named" in output


def test_serves_and_stops_as_first_process(shop_sidecar: Image) -> None:
    """As process 1 it reaps zombies, answers its healthcheck, and exits with 0 after SIGTERM."""
    with shop_sidecar.start(
        *RESTRICTED, UNREACHABLE, command=("serve", "--drain-delay=1s")
    ) as sidecar:
        until(lambda: "listening" in sidecar.log, "it listens")
        assert "ok" in sidecar.run("sidecar", "healthcheck", "--live").lower()
        assert "database_unreachable" in sidecar.run("sidecar", "healthcheck", check=False)
        check_reaping(sidecar)
        assert sidecar.stop() == 0
        assert "draining" in sidecar.log
        assert docker("diff", sidecar.id) == ""


def check_reaping(container: Container) -> None:
    """Leave a child process to process 1, and wait until it is reaped."""
    child = container.run("sh", "-c", LEAVE_CHILD).strip()
    gone = f"test ! -e /proc/{child} && echo gone"
    until(lambda: "gone" in container.run("sh", "-c", gone, check=False), "no zombie stays", 5)


def test_sigterm_right_after_the_start_is_not_lost(shop_sidecar: Image) -> None:
    """SIGTERM in the first moments, before anything listens, is not lost on process 1."""
    for pause in (0.1, 0.3):
        with shop_sidecar.start(
            *RESTRICTED, UNREACHABLE, command=("serve", "--drain-delay=0s")
        ) as sidecar:
            began = sidecar.started
            docker("exec", sidecar.id, "sleep", str(pause))
            assert sidecar.stop() in {0, 143}
            ended = parse_time(sidecar.state["FinishedAt"])
            assert (ended - began).total_seconds() < 5


def test_waits_as_first_process(shop_sidecar: Image) -> None:
    """A waiting process 1 reaps zombies, and SIGTERM ends it as it would end any process."""
    with shop_sidecar.start(*RESTRICTED, UNREACHABLE, command=("wait",)) as waiting:
        until(lambda: "wait: database_unreachable" in waiting.log, "it waits")
        check_reaping(waiting)
        assert waiting.stop() == 143


def test_becomes_the_first_process(shop_sidecar: Image, network: str, database: str) -> None:
    """After `wait --` the command is process 1, with signals of its own and none ignored."""
    flags = ("--read-only", "--user=12345:0", "--cap-drop=ALL", f"--network={network}")
    address = f"--env=DATABASE_URL={database}"
    with shop_sidecar.start(
        *flags, address, command=("wait", "--", "sh", "-c", WAIT_FOR_SIGTERM)
    ) as shell:
        until(lambda: "began" in shell.log, "the command runs")
        assert shell.run("cat", "/proc/1/comm").strip() == "sh"
        (ignored,) = shell.run("grep", "SigIgn", "/proc/1/status").split()[1:]
        assert not int(ignored, 16) & 1 << 16, "SIGCHLD is ignored"
        assert shell.stop() == 7
        assert "got SIGTERM" in shell.log


def test_migrates_as_first_process(shop: Image, network: str, database: str) -> None:
    """After SIGTERM in the middle of a migration, `migrate` ends its command and logs it."""
    undo = ("python", "manage.py", "migrate", "orders", "0010", "--verbosity=0")
    flags = (f"--network={network}", f"--env=DATABASE_URL={database}")
    code, output = shop.run(*flags, "--entrypoint=", command=undo)
    assert code == 0, output
    slow = ("--env=EXAMPLE_SLOW_SECONDS=60", "--entrypoint=sidecar")
    with shop.start(*flags, *slow, command=("migrate",)) as migrating:
        until(lambda: "manage.py" in docker("top", migrating.id), "the command runs")
        assert migrating.stop() == 143
        assert "interrupted" in migrating.log


def test_the_images_own_healthcheck_follows_the_address(
    shop_sidecar: Image, network: str, database: str
) -> None:
    """Docker calls the container healthy once the schema is current, wherever it listens."""
    flags = (f"--network={network}", f"--env=DATABASE_URL={database}", "--read-only")
    with shop_sidecar.start(*flags, "--env=SIDECAR_LISTEN=127.0.0.1:9000") as sidecar:
        until(lambda: sidecar.health == "healthy", "healthy")
