"""The manifest: what is read, and what is refused in which words."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.core.migrations import compare as graph
from sidecar.core.migrations.manifest import Key, Squashing, decode, format_key
from sidecar.errors import ManifestError
from support.manifests import chain, encode, manifest, node


def refusal(data: bytes) -> str:
    with pytest.raises(ManifestError) as caught:
        graph.check(decode(data))
    text = str(caught.value)
    assert "\n" not in text
    assert caught.value.exit_code == 65
    return text


def test_reads_what_was_written() -> None:
    """A manifest keeps its migrations in order, with everything that decides."""
    squash = node("shop.0001_squashed", replaces=["shop.0001", "shop.0002"])
    found = manifest(*chain("shop", "0001", "0002"), squash, squashing="recursive")
    assert list(found.nodes) == ["shop.0001", "shop.0002", "shop.0001_squashed"]
    assert found.squashing is Squashing.RECURSIVE
    assert found.release == "1.0"
    assert found.originals == {"shop.0001_squashed": {"shop.0001", "shop.0002"}}
    assert found.known == {"shop.0001", "shop.0002", "shop.0001_squashed"}


def test_originals_are_found_through_nested_squashes() -> None:
    """What a squash stands for is resolved down to originals, once each, cycles or not."""
    found = manifest(
        node("a.0001"),
        node("a.s1", replaces=["a.0001", "a.0002"]),
        node("a.s2", replaces=["a.s1", "a.s3", "a.s1"]),
        node("a.s3", replaces=["a.s2", "a.0003"]),
    )
    assert found.originals[Key("a.s2")] == {"a.0001", "a.0002", "a.0003"}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "the manifest is empty; bake it again"),
        (b"  \n", "the manifest is empty; bake it again"),
        (b"\x00\xff" * 50, "cannot be read"),
        (b"hello", "cannot be read"),
        (b"[1, 2]", "Expected `object`, got `array`"),
        (b"[" * 100_000, "cannot be read"),
        (encode(node("shop.0001"))[:-40], "cannot be read"),
        (
            encode(node("shop.0001"), head={"format": 2}),
            "has format 2, this sidecar reads format 1",
        ),
        (encode(node("shop.0001"), head={"colour": "red"}), "unknown field `colour`"),
        (encode(node("shop.0001", colour="red")), "`colour` - at `$.graph.migrations[0]`"),
        (encode(node("shop.0001")).replace(b"shop", b"shot", 1), "was changed after it was baked"),
        (encode(node("shop.0001"), node("shop.0001")), "shop.0001 stands in the manifest twice"),
        (encode(node("shop.0002", "shop.0001")), "depends on shop.0001, which is not in the man"),
        (encode(node("shop")), "'shop' is not the name of a migration"),
        (encode(node("shop.0001"), apps=["blog"]), "belongs to an app that the manifest does not"),
        (encode(node("shop.s", replaces=["shop.s"])), "shop.s replaces itself"),
        (encode(), "holds no migrations"),
        (
            encode(node("a.0001", "b.0001"), node("b.0001", "a.0001")),
            "in a cycle: a.0001 -> b.0001 -> a.0001",
        ),
        (encode(node("a.0001"), node("a.0002")), "conflicting migrations: a.0001, a.0002"),
        (
            encode(
                node("a.0002", "a.0001"), missing=[{"migration": "a.0001", "wanted_by": "a.0002"}]
            ),
            "a.0002 depends on a.0001, which no file defines",
        ),
    ],
)
def test_refuses_in_one_clear_line(data: bytes, message: str) -> None:
    """A manifest that cannot be trusted is refused with what is wrong and where."""
    assert message in refusal(data)


def test_refuses_nonsense_of_any_size_without_repeating_it() -> None:
    """Fifty megabytes of nonsense give one short line."""
    assert len(refusal(b"x" * 50_000_000)) < 200


def test_refuses_squashes_that_replace_each_other() -> None:
    """From Django 6.0 a cycle in `replaces` is an error, and the squash in it is named."""
    nodes = (node("a.s1", replaces=["a.s2"]), node("a.s2", replaces=["a.s1"]))
    assert "squashes replace each other" in refusal(encode(*nodes, squashing="recursive"))
    assert "a.s2 is itself replaced" in refusal(encode(*nodes))


def test_a_sound_manifest_passes_the_check() -> None:
    """Nothing is raised for migrations that Django would load."""
    graph.check(manifest(*chain("a", "0001", "0002")))


def test_accepts_any_layout_of_the_head() -> None:
    """Only the graph's bytes are under the digest; the release may be stamped on later."""
    data = json.loads(encode(node("a.0001")))
    assert decode(encode(node("a.0001"), head={"release": None})).digest == data["digest"]


TEXTS = st.text(st.sampled_from("ab.\\\n"), max_size=4)
PAIRS = st.lists(st.tuples(TEXTS, TEXTS), max_size=3)


@given(PAIRS, PAIRS)
def test_different_rows_never_have_the_same_keys(
    some: list[tuple[str, str]], others: list[tuple[str, str]]
) -> None:
    """Whatever the texts hold: not one by one, and not as the lines of one text."""
    lines = ["".join(f"{format_key(*pair)}\n" for pair in pairs) for pairs in (some, others)]
    assert (lines[0] == lines[1]) == (some == others)


def test_a_key_of_usual_names_is_both_of_them() -> None:
    """As it stands in the manifest."""
    assert format_key("shop", "0001_initial") == "shop.0001_initial"
