"""One cell of the matrix: a fault strikes a sidecar in a state of its gate, and heals."""

import json
import re
import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Final

from integration.faults.beside import Probes, Usage
from integration.faults.faults import FAULTS, ROTATED, Effect, Fault
from integration.faults.stage import (
    COUNTABLE,
    Place,
    Settled,
    Stage,
    State,
    World,
    stage,
    target_of,
)
from sidecar.core.reason import Reason
from support.postgres import PASSWORD
from support.process import until
from support.project import LEAF

Cell = tuple[Fault, State]

CELLS: Final[list[Cell]] = [(fault, state) for fault in FAULTS for state in State]

READS: Final = 3
"""Reads while a fault lasts, so that what leaks with each of them shows."""
SESSIONS: Final = 2
"""One that reads, and one that the server has not yet noticed to be gone."""

READINESS: Final = {
    Effect.OUTAGE: "200",
    Effect.NONE: "200",
    Effect.REGRESSION: "200→503→200",
    Effect.SILENCE: "200→none→200",
}
"""What an open gate's /readyz answers from the strike to the recovery."""
PHASES: Final = {
    Effect.OUTAGE: ["holding", "open"],
    Effect.REGRESSION: ["holding", "closed", "open"],
}
"""What an open gate's log shows."""


@dataclass(frozen=True)
class Outcome:
    """What a cell of the table shows; times in seconds."""

    reason: str
    detected: float
    recovered: float
    readiness: str


def play(fault: Fault, state: State, world: World) -> Outcome:
    """Play one cell; every requirement that is not met raises AssertionError."""
    with stage(fault.place, state, fault.first, world) as on:
        on.sidecar.status()  # What only people ask for is imported when the first one asks.
        before = on.sidecar.usage()
        lines_before = len(on.sidecar.log)
        with Probes(on.sidecar) as probes:
            outcome = _strike_and_heal(fault, on, probes)
            if fault.place is Place.PAIR:
                _await_reads(on, probes, 2)  # nobody may be read who is not the primary
            if state is State.WAITING:
                on.record(LEAF)
                _await_open(probes)
        _check_answers(fault, state, probes, outcome)
        _check_log(fault, on, lines_before)
        _check_leaks(on, before)
        return outcome


def _await_open(probes: Probes) -> None:
    """The last migration opens the gate."""
    probes.await_status(Settled(State.OPEN), "it opens", since=time.monotonic())
    until(lambda: probes.ready[-1].code == 200, "it is ready")


def _strike_and_heal(fault: Fault, on: Stage, probes: Probes) -> Outcome:
    if on.state is State.HOLDING:
        _hold(on, probes)
    until(lambda: bool(probes.ready and probes.live and probes.statuses), "it is asked")
    metrics, last = _metrics(on), probes.ready[-1].asked
    with ExitStack() as acting:
        struck = time.monotonic()
        acting.enter_context(fault.act(on))
        if fault.lifts:
            on.lift()
        reason, detected = _detect(fault, on, probes, struck)
        _let_last(fault, on, probes, struck)
        if fault.effect is not Effect.SILENCE:
            _check_metrics(fault, on, metrics)
        healed = time.monotonic()
        acting.close()
    on.lift()
    well = Settled(on.state, fault.healed)
    recovered = probes.await_status(
        lambda status: well(status) and not fault.seen(status, on), "it recovers", healed
    )
    well_at = healed + recovered
    until(lambda: probes.readiness(well_at).isdigit(), "readiness is answered")
    until(lambda: probes.live[-1].at > healed and probes.live[-1].code == 200, "it lives")
    return Outcome(reason, detected, recovered, probes.readiness(last))


def _hold(on: Stage, probes: Probes) -> None:
    began = time.monotonic()
    for proxy in on.proxies:
        proxy.mode = on.first
    probes.await_status(lambda status: status["phase"] == "holding", "it holds", began)


def _detect(fault: Fault, on: Stage, probes: Probes, struck: float) -> tuple[str, float]:
    """Return the reason that is reported for the fault, and how long that took."""
    if fault.effect is Effect.SILENCE:

        def unanswered() -> list[float]:
            return [sample.at - struck for sample in probes.live if sample.code is None]

        until(lambda: bool(unanswered()), "liveness is not answered")
        return "no answer", unanswered()[0]
    took = probes.await_status(lambda status: fault.seen(status, on), "it is reported", struck)
    return str(target_of(on.sidecar.status())["reason"]), took


def _let_last(fault: Fault, on: Stage, probes: Probes, struck: float) -> None:
    """Let the fault last until it has done all that it can."""
    if fault.effect is Effect.SILENCE:
        until(lambda: probes.ready[-1].code is None, "readiness is not answered")
    elif fault.effect is Effect.REGRESSION and on.state is not State.WAITING:
        probes.await_status(lambda status: status["phase"] == "closed", "the gate closes", struck)
    else:
        most = _await_reads(on, probes, READS, count=fault.place in COUNTABLE)
        assert most <= SESSIONS, f"{most} sessions of ours pile up"


def _await_reads(on: Stage, probes: Probes, reads: int, *, count: bool = False) -> int:
    """Let it read so many times more; return how many sessions it had at most."""
    start, most = len(probes.statuses), 0

    def has_read() -> bool:
        nonlocal most
        most = max(most, on.sessions() if count else 0)
        answered = [sample.document for sample in probes.statuses[start:] if sample.code == 200]
        return len({target_of(document)["read_at"] for document in answered}) > reads

    until(has_read, f"{reads} reads")
    return most


def _check_answers(fault: Fault, state: State, probes: Probes, outcome: Outcome) -> None:
    """Readiness was throughout what the state promises; liveness never depended on a database."""
    expected = READINESS[fault.effect]
    if state is State.WAITING:
        expected = "503→none→503" if fault.effect is Effect.SILENCE else "503"
        throughout = probes.readiness()
        assert throughout == f"{expected}→200", f"it opens once, at the end: {throughout}"
    assert outcome.readiness == expected, outcome.readiness
    codes = {sample.code for sample in probes.live}
    assert codes == ({200, None} if fault.effect is Effect.SILENCE else {200}), f"/livez: {codes}"


def _metrics(on: Stage) -> dict[str, float]:
    text = on.sidecar.get("/metrics")[1]
    found = re.findall(r"^django_schema_(\S+) (\S+)$", text, re.MULTILINE)
    return {name: float(value) for name, value in found}


def _check_metrics(fault: Fault, on: Stage, before: dict[str, float]) -> None:
    """The metrics agree with the gate, and count the reads that failed."""
    status, metrics = on.sidecar.status(), _metrics(on)
    reason = target_of(status)["reason"]
    assert metrics["ready"] == status["ready"]
    assert [name for name, value in metrics.items() if name.startswith("phase{") and value] == [
        f'phase{{phase="{status["phase"]}"}}'
    ]
    failing = reason in {
        Reason.DATABASE_UNREACHABLE,
        Reason.DATABASE_TIMEOUT,
        Reason.DATABASE_DENIED,
    }
    assert metrics['up{database="default"}'] == (not failing)
    if fault.effect is Effect.OUTAGE:
        assert failing
        failures = _failures(metrics) - _failures(before)
        assert failures >= READS, f"{failures} failed reads are counted"


def _failures(metrics: dict[str, float]) -> float:
    return sum(
        value
        for name, value in metrics.items()
        if name.startswith("reads_total{") and 'result="ok"' not in name
    )


def _check_log(fault: Fault, on: Stage, start: int) -> None:
    """One line for each change, no phase that the fault may not cause, no secret."""
    phases = on.sidecar.phases(start)
    expected = [PHASES.get(fault.effect, [])]
    if on.state is State.WAITING:
        expected = [["open"], ["waiting", "open"]]
    elif fault.effect not in (Effect.OUTAGE, Effect.REGRESSION):
        # Newer rows are logged; so is what held the gate open before the fault.
        expected = [["holding", "open"]] if on.state is State.HOLDING else [[], ["open"]]
    assert phases in expected, f"the gate went through {phases}"
    if "closed" in phases:
        unconfirmed = [
            line for line in on.sidecar.log[start:] if line.get("holding") == Reason.SCHEMA_BEHIND
        ]
        assert unconfirmed, "it closed before a second read agreed"
    closings = _metrics(on)['gate_transitions_total{to="closed"}']
    assert closings == phases.count("closed")
    for line in on.sidecar.text.splitlines():
        assert json.loads(line)["level"] in {"info", "warning"}, line
    for secret in (PASSWORD, ROTATED):
        assert secret not in on.sidecar.text


def _check_leaks(on: Stage, before: Usage) -> None:
    """Nothing is left: descriptors, threads, tasks and connections are no more than before."""
    seen = [before]

    def is_settled() -> bool:
        seen.append(on.sidecar.usage())
        return seen[-1].within(before)

    try:
        until(is_settled, "it holds no more than before", 5)
    except AssertionError:
        raise AssertionError(f"it held {before}, and now {seen[-1]}") from None
    limit = 0 if on.state is State.OPEN else 1
    until(lambda: on.sessions() <= limit, f"{limit} sessions at most", within=2)
    until(lambda: sum(p.connections for p in on.proxies) <= limit, f"{limit} connections", 2)
    assert on.sidecar.stop() == 0
    until(lambda: on.sessions() == 0, "no session is left", within=2)
