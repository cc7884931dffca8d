"""Find words that this project does not use, with the word to use instead (docs/glossary.md).

    python tools/check_words.py [PATH...]

One word for one thing: a reader who knows Django, Kubernetes and Prometheus should need no
other. Exit code 1 if one is found.
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

FORBIDDEN: Final = {
    r"look(s|ed|ing)?|sights?": "read, poll",
    r"turns?": "migration lock (or: becomes, returns)",
    r"tells?|told|telling": "describe, report, log, show",
    r"says?|said|saying": "describe, report, log, show, print",
    r"doubt\w*": "unconfirmed",
    r"rails": "statement timeouts",
    r"bury|buried|buries|orphans?": "reap zombies",
    r"spare[ds]?": "optional",
    r"guards?|guarded|hurry": "connection limiter, deadline",
    r"measures|meaning": "definitions, help",
    r"(the )?gate's state|state of (the|this pod's) gate": "phase",
    r"mend(s|ed|ing)?": "fix",
    r"shut": "not ready",
    r"stand(s|ing)? beside": "run alongside",
    r"the desk": "local development",
    r"pooler of transactions": "transaction pooling",
    r"outlets?": "outputs",
    r"front": "(name it: the application, the first connection)",
}
"""By pattern; a whole word each, also as a part of an identifier such as `last_look`."""

SKIPPED: Final = re.compile(
    r"(^|/)(LICENSE|.*\.lock|requirements/.*|requirements\.txt|dashboard\.json|check_words\.py)$"
)
KNOWN: Final = re.compile(r"return|look-?ups?|look_?up|front-?end|SHUT (WR|RDWR)")
"""Words that merely contain one, or that another program gave its name.

SHUT_WR and SHUT_RDWR are arguments of `socket.shutdown`.
"""


def forbidden_words(text: str) -> Iterator[tuple[int, str, str]]:
    """Yield line number, word and what to use instead, for each forbidden word of a text."""
    for number, line in enumerate(text.splitlines(), 1):
        # Parts of identifiers are words of their own.
        plain = KNOWN.sub(" ", line.replace("_", " "))
        plain = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", plain)
        for pattern, better in FORBIDDEN.items():
            for found in re.finditer(rf"(?i)\b({pattern})\b", plain):
                yield number, found[0], better


def main(arguments: list[str]) -> int:
    """Check the files under these paths, or all that git knows; return the exit code."""
    listed = subprocess.run(  # noqa: S603 - git, with paths of ours
        ["git", "ls-files", "--", *arguments],  # noqa: S607
        check=True,
        capture_output=True,
        text=True,
    ).stdout.splitlines()
    count = 0
    for name in listed:
        if SKIPPED.search(name):
            continue
        try:
            text = Path(name).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            continue
        for number, word, better in forbidden_words(f"{text}"):
            print(f"{name}:{number}: {word!r}: use {better}")
            count += 1
    print(f"{count} forbidden words in {len(listed)} files")
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
