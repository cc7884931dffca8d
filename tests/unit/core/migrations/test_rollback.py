"""The way back from one release to the one before."""

from sidecar.core.migrations.rollback import rollback
from support.manifests import chain, manifest, node

OLD = manifest(*chain("a", "0001"), node("b.0001", "a.0001"))


def test_goes_back_in_each_app_to_what_the_old_release_had() -> None:
    """The last app of the plan first; a new app goes back to zero."""
    new = manifest(
        *chain("a", "0001", "0002", "0003"),
        node("b.0001", "a.0001"),
        node("b.0002", "b.0001", "a.0002"),
        node("c.0001", "b.0002", reversible=False),
    )
    found = rollback(new, OLD)
    assert found.commands == (("c", "zero"), ("b", "0001"), ("a", "0001"))
    assert found.irreversible == ("c.0001",)


def test_nothing_to_undo_is_no_command() -> None:
    """The same release needs no way back."""
    assert rollback(OLD, OLD).commands == ()


def test_goes_back_to_the_squash_that_stands_for_the_old_ones() -> None:
    """Where the new release has squashed, the squash is what stays."""
    new = manifest(
        node("a.s", replaces=["a.0001"]),
        node("a.0002", "a.s"),
        node("b.0001", "a.s"),
    )
    assert rollback(new, OLD).commands == (("a", "s"),)
