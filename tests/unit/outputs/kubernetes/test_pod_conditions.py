"""When the pod's condition is written, and when not."""

import asyncio
import logging
from collections.abc import Sequence
from pathlib import Path

import pytest

from sidecar.config.parse import condition_type
from sidecar.core.gate.machine import begin, step
from sidecar.core.gate.snapshot import Identity, Snapshot, Target
from sidecar.core.gate.state import Drain, Event, Look, Policy
from sidecar.core.migrations.compare import Outcome
from sidecar.core.reason import Reason
from sidecar.errors import KubernetesError
from sidecar.outputs.kubernetes.client import Condition, in_cluster
from sidecar.outputs.kubernetes.pod_conditions import Pace, PodCondition, told

KIND = "migration-sidecar/schema-current"
GOOD = Look(at=1.0, outcome=Outcome.CURRENT)
DOWN = Look(at=2.0, failure=Reason.DATABASE_UNREACHABLE)
DRAIN = Drain(at=3.0)
SLOW = Pace(words=1000, refresh=1000, retry=1000, farewell=0.05)


def snapshot(*events: Event) -> Snapshot:
    gate = begin(0.0)
    for event in events:
        gate = step(gate, event, Policy())
    targets = (Target(database="default"),)
    identity = Identity("1.0", "sha256:0", "5.2")
    return Snapshot(
        gate=gate, targets=targets, identity=identity, epoch=1_700_000_000.0, started_at=0.0
    )


class FakePod:
    """Keeps one condition; raises these errors first."""

    def __init__(self, errors: Sequence[Exception] = ()) -> None:
        self.condition: Condition | None = None
        self.errors = list(errors)
        self.writes: list[Condition] = []

    async def read(self, kind: str) -> Condition | None:
        assert kind == KIND
        if self.errors:
            raise self.errors.pop(0)
        return self.condition

    async def write(self, condition: Condition) -> None:
        self.condition = condition
        self.writes.append(condition)


def keep(pod: FakePod, pace: Pace = SLOW) -> PodCondition:
    return PodCondition(KIND, pod, chance=lambda: 0.0, pace=pace)


async def until_written(pod: FakePod, times: int) -> list[str | None]:
    async with asyncio.timeout(10):
        while len(pod.writes) < times:
            await asyncio.sleep(0.001)
    return [condition.reason for condition in pod.writes]


def test_the_condition_is_worded_as_kubernetes_words_them() -> None:
    """Status, a reason in one CamelCase word, a message, and when the status changed."""
    opened = told(KIND, snapshot(GOOD), None)
    assert opened == Condition(
        kind=KIND,
        status="True",
        reason="SchemaCurrent",
        message="schema_current: starting",
        last_transition_time="2023-11-14T22:13:21Z",
    )
    held = told(KIND, snapshot(GOOD, DOWN), opened)
    assert (held.status, held.reason) == ("True", "DatabaseUnreachable")
    assert held.last_transition_time == opened.last_transition_time, "it is as ready as before"
    drained = told(KIND, snapshot(GOOD, DRAIN), held)
    assert (drained.status, drained.last_transition_time) == ("False", "2023-11-14T22:13:23Z")


async def test_a_status_is_written_at_once_and_words_in_time() -> None:
    """A new status does not wait; new words for the same status wait until they may."""
    pod = FakePod()
    condition = keep(pod)
    condition.announce(snapshot())
    async with condition:
        assert await until_written(pod, 1) == ["Starting"]
        condition.announce(snapshot(GOOD))
        assert await until_written(pod, 2) == ["Starting", "SchemaCurrent"]
        condition.announce(snapshot(GOOD, DOWN))
        await asyncio.sleep(0.05)
        assert len(pod.writes) == 2
    assert pod.writes[-1].reason == "DatabaseUnreachable", "the last word is said on leaving"

    patient = keep(pod := FakePod(), Pace(words=0.01))
    patient.announce(snapshot(GOOD))
    async with patient:
        await until_written(pod, 1)
        patient.announce(snapshot(GOOD, DOWN))
        assert (await until_written(pod, 2))[-1] == "DatabaseUnreachable"


async def test_a_lost_condition_is_noticed() -> None:
    """What was written is believed for a while only; until then nobody is asked."""
    pod = FakePod()
    condition = keep(pod, Pace(words=0.01, refresh=0.02))
    condition.announce(snapshot(GOOD))
    async with condition:
        await until_written(pod, 1)
        pod.condition = None
        await until_written(pod, 2)
    assert pod.writes[0] == pod.writes[1]


async def test_failures_are_told_once_and_a_bug_ends_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The same failure is one line, a bug is logged as one, and both are tried again."""
    refused = KubernetesError("api says 403 Forbidden")
    pod = FakePod([refused, refused, RuntimeError("a bug"), refused])
    condition = keep(pod, Pace(retry=0.001))
    condition.announce(snapshot(GOOD))
    with caplog.at_level(logging.INFO, logger="sidecar.pod"):
        async with condition:
            await until_written(pod, 1)
    assert [record.getMessage().removeprefix("pod condition ") for record in caplog.records] == [
        f"{KIND} is not written: api says 403 Forbidden",
        "the pod's condition failed; please report it",
        f"{KIND} is not written: RuntimeError",
        f"{KIND} is not written: api says 403 Forbidden",
        f"{KIND} is written again",
    ]


async def test_leaving_takes_no_longer_than_it_may() -> None:
    """An API server that refuses, or wants to be left alone, does not hold up the end."""
    pod = FakePod([KubernetesError("busy", retry_after=20.0)] * 3)
    condition = keep(pod)
    condition.announce(snapshot(GOOD, DRAIN))
    async with asyncio.timeout(5), condition:
        await asyncio.sleep(0.01)
    assert pod.writes == []
    assert len(pod.errors) == 1, "one attempt before, one on leaving"


async def test_the_pause_grows_and_respects_the_server() -> None:
    """Pauses double up to a limit, spread over half of it, and are what the server asks for."""
    condition = keep(FakePod(), Pace(retry=1, longest_retry=8))
    assert [condition._failed("x", None) for _ in range(6)] == [0.5, 1, 2, 4, 4, 4]
    assert condition._failed("x", 7.0) == 7
    assert condition._failed("x", 3600.0) == 8, "but not for hours"


def test_who_the_pod_is_can_be_read_off_its_surroundings(tmp_path: Path) -> None:
    """Without a downward API the host's name and the account's namespace have to do."""
    (tmp_path / "token").write_text("t")
    (tmp_path / "namespace").write_text("shop\n")
    surroundings = {"KUBERNETES_SERVICE_HOST": "fd00::1", "HOSTNAME": "shop-x2x"}
    pod = in_cluster(surroundings, tmp_path)
    assert pod._url == "https://[fd00::1]:443/api/v1/namespaces/shop/pods/shop-x2x/status"
    named = {"POD_NAME": "web-0", "POD_NAMESPACE": "prod", "KUBERNETES_SERVICE_PORT": "6443"}
    pod = in_cluster(surroundings | named, tmp_path)
    assert pod._url == "https://[fd00::1]:6443/api/v1/namespaces/prod/pods/web-0/status"


@pytest.mark.parametrize("text", ["ready", "a.b/Ready_1", "migration-sidecar/schema-current"])
def test_a_condition_type_is_a_qualified_name(text: str) -> None:
    """A name, with or without a DNS name before it."""
    assert condition_type(text) == text


@pytest.mark.parametrize("text", ["", "/x", "x/", "a b", "A/x", "x/y/z", "-x", "x" * 64])
def test_what_kubernetes_would_refuse_is_refused(text: str) -> None:
    """A type that no readinessGate could name is no type."""
    with pytest.raises(ValueError, match="is no condition type"):
        condition_type(text)
