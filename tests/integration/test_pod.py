"""The pod's condition: a real sidecar, a real database, and a server like Kubernetes' own."""

import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import kubernetes_validate
import pytest

from support import project
from support.database import Database
from support.kubernetes import READY, ApiServer
from support.process import Sidecar, until

KIND = "migration-sidecar/schema-current"
FLAGS = (f"--pod-condition={KIND}", "--interval=200ms", "--drain-delay=0s")


@pytest.fixture
def api(tmp_path: Path) -> Iterator[ApiServer]:
    with ApiServer(tmp_path / "account") as server:
        yield server


def status(api: ApiServer) -> str:
    return str(api.condition(KIND).get("status"))


def count_looks(sidecar: Sidecar) -> float:
    found = re.search(r"checks_total{.*} (\S+)", sidecar.get("/metrics")[1])
    return float(found[1]) if found else 0.0


def test_the_condition_follows_the_gate(database: Database, manifest: Path, api: ApiServer) -> None:
    """False while behind, True once current, False again on the way out; others' are left alone."""
    with Sidecar(manifest, *FLAGS, url=database.reader, **api.variables) as sidecar:
        until(lambda: status(api) == "False", "it is written")
        database.migrate()
        until(lambda: status(api) == "True", "the gate's opening is written", within=10)
        opened = api.condition(KIND)
        assert opened["reason"] == "SchemaCurrent"
        assert opened["message"] == "schema_current"
        assert datetime.fromisoformat(opened["lastTransitionTime"]).tzinfo is not None
        assert READY in api.pod["status"]["conditions"]
        kubernetes_validate.validate(api.pod, "1.37", strict=True)

        database.migrate("orders", project.BEFORE_LEAF.partition(".")[2])
        until(lambda: status(api) == "False", "the closing is written", within=10)
        assert api.condition(KIND)["reason"] == "SchemaBehind"
        assert "1 pending" in api.condition(KIND)["message"]
        database.migrate()
        until(lambda: status(api) == "True", "it opens again", within=10)
        assert sidecar.stop() == 0
    assert (status(api), api.condition(KIND)["reason"]) == ("False", "Draining")
    assert "first" not in sidecar.text, "the token is in no log"


def test_nothing_is_written_while_nothing_changes(
    migrated: Database, manifest: Path, api: ApiServer
) -> None:
    """A sidecar that is restarted finds what it would write, and leaves the time as it was."""
    with Sidecar(manifest, *FLAGS, url=migrated.reader, **api.variables) as sidecar:
        until(lambda: status(api) == "True", "it is written")
        before = list(api.requests)
        looks = count_looks(sidecar)
        until(lambda: count_looks(sidecar) > looks + 5, "it looks on")
        assert api.requests == before
        sidecar.stop()
    ended = api.condition(KIND)
    ended["lastTransitionTime"] = "2026-01-01T00:00:00Z"
    nowhere = "postgres://u:p@127.0.0.1:1/x"
    with Sidecar(manifest, *FLAGS, url=nowhere, **api.variables):
        until(lambda: api.condition(KIND)["reason"] != "Draining", "it is written")
        assert api.condition(KIND)["lastTransitionTime"] == "2026-01-01T00:00:00Z"


def test_every_refusal_is_outlasted(migrated: Database, manifest: Path, api: ApiServer) -> None:
    """Conflicts, throttling, errors and an absent server are tried again, and told once each."""
    api.refusals = [
        (409, "the object has been modified", {}),
        (429, "too many requests", {"Retry-After": "1"}),
        (500, "etcdserver: leader changed", {}),
        (503, "", {"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}),
    ]
    with Sidecar(manifest, *FLAGS, url=migrated.reader, **api.variables) as sidecar:
        until(lambda: "is written again" in sidecar.text, "it is written, and said to be")
        assert status(api) == "True"
        said = [line["message"] for line in sidecar.log if "pod condition" in line["message"]]
        assert [text.partition(" says ")[2] for text in said[:-1]] == [
            "409 Conflict: the object has been modified",
            "429 Too Many Requests: too many requests",
            "500 Internal Server Error: etcdserver: leader changed",
            "503 Service Unavailable",
        ]
        assert said[-1] == f"pod condition {KIND} is written again"


def test_the_api_server_may_restart_with_another_token_and_ca(
    database: Database, manifest: Path, api: ApiServer
) -> None:
    """What happened while it was away is written when it is back, with the newest token and CA."""
    with Sidecar(manifest, *FLAGS, url=database.reader, **api.variables) as sidecar:
        until(lambda: status(api) == "False", "it is written")
        api.stop()
        database.migrate()
        until(sidecar.ready, "the gate opens, with nobody to tell")
        until(lambda: "cannot be asked" in sidecar.text, "it is told")
        api.rotate("second")
        api.change_ca()
        api.start()
        until(lambda: status(api) == "True", "it is written")


def test_an_api_server_that_hangs_is_in_nobodys_way(
    migrated: Database, manifest: Path, api: ApiServer
) -> None:
    """Probes answer and SIGTERM ends it in time, whatever the API server does."""
    with (
        api.hanging(),
        Sidecar(manifest, *FLAGS, url=migrated.reader, **api.variables) as sidecar,
    ):
        until(sidecar.ready, "the gate opens")
        assert sidecar.get("/livez")[0] == 200
        assert sidecar.stop(within=8) == 0


def test_a_pod_of_the_same_name_is_not_ours(
    database: Database, manifest: Path, api: ApiServer
) -> None:
    """Once the name belongs to another pod, as in a StatefulSet, that one is left alone."""
    with Sidecar(manifest, *FLAGS, url=database.reader, **api.variables) as sidecar:
        until(lambda: status(api) == "False", "it is written")
        api.pod["metadata"]["uid"] = "u-2"
        database.migrate()
        until(sidecar.ready, "the gate opens")
        until(lambda: ("PATCH", 409) in api.requests, "it is refused")
        assert status(api) == "False"


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_stranger_never_sees_the_token(
    migrated: Database, manifest: Path, tmp_path: Path, host: str
) -> None:
    """A server that the cluster's CA does not vouch for is not talked to; IPv6 is spoken."""
    with ApiServer(tmp_path / "account", host) as api:
        mine = (api.account / "ca.crt").read_bytes()
        api.change_ca()
        with Sidecar(manifest, *FLAGS, url=migrated.reader, **api.variables) as sidecar:
            until(lambda: "CERTIFICATE_VERIFY_FAILED" in sidecar.text, "it is refused")
            assert api.requests == []
            until(sidecar.ready, "the gate opens")
            (api.account / "ca.crt").write_bytes(mine)
            until(lambda: status(api) == "True", "it is written")


@pytest.mark.parametrize(
    ("flag", "lacking", "said"),
    [
        ("--pod-condition=schema current", "", "is no condition type"),
        ("--pod-condition=x", "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_HOST is not set"),
        ("--pod-condition=x", "POD_NAME", "POD_NAME is not set"),
        ("--pod-condition=x", "SIDECAR_POD_ACCOUNT", "token of a service account"),
    ],
)
def test_without_a_pod_there_is_no_condition(
    manifest: Path, api: ApiServer, flag: str, lacking: str, said: str
) -> None:
    """What cannot be written stops the start, with one line that says what is missing."""
    variables = {name: value for name, value in api.variables.items() if name != lacking}
    url = "postgres://u:p@127.0.0.1:1/db"
    with pytest.raises(AssertionError) as ended, Sidecar(manifest, flag, url=url, **variables):
        pass
    assert said in str(ended.value)
    assert "Traceback" not in str(ended.value)
