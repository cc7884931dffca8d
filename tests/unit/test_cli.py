"""The command line: one clear line, the right exit code, and never a traceback."""

import os
import shlex
import socket
import subprocess
import sys
from pathlib import Path

import pytest

import sidecar
from support.manifests import chain, encode, node
from support.process import PATIENCE
from support.project import REPOSITORY, environment
from support.project import sidecar as installed


def run(*arguments: str, cwd: Path, **variables: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [installed(), *arguments],
        check=False,
        cwd=cwd,
        env=environment(**variables),
        capture_output=True,
        text=True,
        timeout=30 * PATIENCE,
    )


URL = {"DATABASE_URL": "postgres://u:hunter2@127.0.0.1:1/db"}


@pytest.mark.parametrize(
    ("arguments", "variables", "code", "message"),
    [
        (["chek"], {}, 64, "unknown command 'chek'; did you mean check? (see sidecar --help)"),
        (["--chek"], {}, 64, "unknown argument '--chek'; did you mean --help? (see"),
        (["postgres://u:hunter2@h/d"], {}, 64, "unknown command (not repeated: it may be"),
        (["check", "--jason"], {}, 64, "check: unknown argument '--jason'; did you mean --json?"),
        (["check", "--jason=hunter2"], {}, 64, "unknown argument '--jason'; did you mean --json?"),
        (["check", "--postgres://u:hunter2@h"], {}, 64, "check: unknown argument (not repeated"),
        (["check", "--json=hunter2"], {}, 64, "check: option '--json' does not take a value"),
        (["check", "--manifest"], {}, 64, "check: option '--manifest' requires an argument (see "),
        (["check", "extra"], {}, 64, "check: unknown argument 'extra' (see sidecar check --help)"),
        (["check", "postgres://u:hunter2@h/d"], {}, 64, "check: unknown argument (not repeated"),
        (["check", "--", "ls"], {}, 64, "check: takes no command after --"),
        (["wait", "gunicorn", "-b", ":80"], {}, 64, "wait: unknown argument '-b' (see sidecar"),
        (["wait", "gunicorn"], {}, 64, "'gunicorn'; write -- before the command"),
        (["diff", "old.json"], {}, 64, "diff: missing argument 'NEW' (see sidecar diff --help)"),
        (["migrate", "--statement-timeout", "5000"], {}, 64, "'5000' needs a unit: 5000ms, 5000s"),
        (["check", "--read-timeout=x://u:hunter2@h"], {}, 64, "--read-timeout: (not repeated"),
        (["check"], {"SIDECAR_ON_AHED": "x"}, 64, "AHED; did you mean SIDECAR_ON_AHEAD?"),
        (["serve", "--settle", "soon"], {}, 64, "--settle: 'soon' is no duration"),
        (["serve", "--on-ahead", "x"], {}, 64, "--on-ahead: 'x' is none of ready, not_ready"),
        (["check", "--config", "no.toml"], {}, 64, "no.toml: No such file or directory"),
        (["check"], {}, 65, "manifest.json: no manifest there; bake one"),
        (["check", "--manifest", "."], {}, 64, "--manifest: '.' is a folder; name a regular file"),
        (["check", "--manifest", "bad.json"], {}, 65, "bad.json: the manifest cannot be read"),
        (["serve", "--manifest", "cycle.json"], {}, 65, "cycle.json: migrations depend on each"),
        (["wait", "--manifest", "empty.json"], {}, 65, "empty.json: the manifest is empty"),
        (["check", "--manifest", "good.json"], {}, 64, "no database is named; set DATABASE_URL"),
        (["check", "--manifest", "good.json"], {"DATABASE_URL": "oracle://h/d"}, 64, "'oracle'"),
        (["serve", "--manifest", "good.json", "--listen", "nowhere"], URL, 64, "is no port"),
        (["serve", "--manifest", "good.json", "--listen", "::1:x"], URL, 64, "'x' is no port"),
        (["wait", "--manifest", "good.json", "--", "nosuchcommand"], URL, 127, "command not found"),
        (["wait", "--manifest", "good.json", "--", "./good.json"], URL, 126, "cannot be run"),
        (["wait", "--manifest", "good.json", "--timeout", "0.3s"], URL, 124, "ready after 0.3 s"),
        (["bake", "--nonsense"], {}, 64, "unrecognized arguments: --nonsense"),
        (["bake"], {}, 64, "which settings?"),
    ],
)  # fmt: skip
def test_bad_input_gives_one_line_and_its_exit_code(
    tmp_path: Path, arguments: list[str], variables: dict[str, str], code: int, message: str
) -> None:
    """Bad input gives its exit code and one line, without a traceback and without a secret."""
    (tmp_path / "good.json").write_bytes(encode(*chain("shop", "0001")))
    (tmp_path / "bad.json").write_text("nonsense")
    (tmp_path / "empty.json").write_text("")
    (tmp_path / "cycle.json").write_bytes(encode(node("a.1", "b.1"), node("b.1", "a.1")))
    ended = run(*arguments, cwd=tmp_path, **variables)
    assert message in ended.stderr
    assert ended.returncode == code
    assert "Traceback" not in ended.stderr
    assert "hunter2" not in ended.stderr
    last = ended.stderr.strip().splitlines()[-1]
    assert message in last


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    """Two sidecars on one port: the second names it and exits with 64."""
    (tmp_path / "good.json").write_bytes(encode(*chain("shop", "0001")))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        ended = run("serve", "--manifest=good.json", f"--listen={address}", cwd=tmp_path, **URL)
    assert ended.returncode == 64
    assert f"cannot listen on {address}: " in ended.stderr
    assert "in use" in ended.stderr


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["--help"], "Usage: sidecar"),
        (["-h"], "Usage: sidecar"),
        ([], "Usage: sidecar"),
        (["help"], "readiness probes"),
        (["help", "check"], "Usage: sidecar check [OPTIONS]"),
        (["--help"], "12 inconsistent"),
        (["--version"], f"migration-sidecar {sidecar.__version__}"),
        (["serve", "--help"], "--on-regression [close|hold]"),
        (["serve", "--help"], "--close-after-outage [never|DURATION]"),
        (["check", "--help"], "(such as 30s; default: 3s)"),
        (["serve", "--help"], "HTTP server:\n  --listen LIST"),
        (["migrate", "--help"], "Usage: sidecar migrate [OPTIONS] [-- COMMAND...]"),
        (["check", "--help"], "10 behind"),
        (["wait", "--help"], "then become a command"),
        (["healthcheck", "--help"], "SIDECAR_LISTEN"),
        (["bake", "--help"], "--project-apps"),
    ],
)
def test_every_command_has_help(tmp_path: Path, arguments: list[str], part: str) -> None:
    """Every command describes itself on standard output and exits with 0."""
    ended = run(*arguments, cwd=tmp_path)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert part in ended.stdout


def test_python_m_sidecar_is_the_same_command(tmp_path: Path) -> None:
    """`python -m sidecar` works where the script is not on the path."""
    ended = subprocess.run(
        [sys.executable, "-m", "sidecar", "--version"],
        check=True, cwd=tmp_path, env=environment(), capture_output=True, text=True,
    )  # fmt: skip
    assert ended.stdout.startswith("migration-sidecar ")


def test_the_tests_run_against_the_tree() -> None:
    """What is tested is what is being edited; tests/wheel tries what is shipped."""
    assert Path(sidecar.__file__).parent == REPOSITORY / "sidecar"


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_closed_pipe_gives_no_traceback(tmp_path: Path, unbuffered: str) -> None:
    """`sidecar --help | head -1` ends quietly."""
    read, write = os.pipe()
    os.close(read)
    ended = subprocess.run(
        [installed(), "--help"],
        check=False, cwd=tmp_path, env=environment(PYTHONUNBUFFERED=unbuffered), stdout=write,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    os.close(write)
    assert (ended.returncode, ended.stderr) == (1, "")


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_output_that_cannot_be_written_is_an_error(tmp_path: Path, unbuffered: str) -> None:
    """A full disk under `sidecar check --json > FILE` must not pass for an answer."""
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            [installed(), "--help"],
            check=False, cwd=tmp_path, env=environment(PYTHONUNBUFFERED=unbuffered), stdout=full,
            stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
    line = "sidecar: the output could not be written: No space left on device\n"
    assert (ended.returncode, ended.stderr) == (1, line)


@pytest.mark.parametrize("streams", ["2>/dev/full", "2>&-", "2>&1 | true", ">&- 2>&-"])
def test_the_exit_code_is_right_where_nothing_can_be_printed(tmp_path: Path, streams: str) -> None:
    """A usage error is 64 also when nobody can read why."""
    line = f"set -o pipefail; {shlex.quote(installed())} nosuch {streams}"
    ended = subprocess.run(
        ["bash", "-c", line], check=False, cwd=tmp_path, env=environment(PYTHONUNBUFFERED="")
    )
    assert ended.returncode == 64


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("sidecar ch", {"check"}),
        ("sidecar serve --on-re", {"--on-regression"}),
        ("sidecar serve --on-regression ", {"close", "hold"}),
        ("sidecar --ver", {"--version"}),
    ],
)
def test_a_shell_can_complete_the_line(tmp_path: Path, words: str, found: set[str]) -> None:
    """Commands, flags and allowed values can be completed in bash."""
    count = len(words.split(" ")) - 1
    asked = {"_SIDECAR_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(count)}
    ended = run(cwd=tmp_path, **asked)
    assert {line.partition(",")[2] for line in ended.stdout.splitlines()} == found
    assert (ended.returncode, ended.stderr) == (0, "")


@pytest.mark.parametrize("command", ["check", "serve"])
def test_an_unknown_variable_is_warned_of_once(tmp_path: Path, command: str) -> None:
    """SIDECAR_PASSWORD is compose's own; its value is not repeated, and nothing stops."""
    given = {"SIDECAR_PASSWORD": "hunter2", "SIDECAR_LOG_FORMAT": "text"}
    ended = run(command, cwd=tmp_path, **given)
    assert (ended.returncode, ended.stdout) == (65, "")
    assert ended.stderr.count("SIDECAR_PASSWORD is no setting, and ignored\n") == 1
    assert "hunter2" not in ended.stderr
