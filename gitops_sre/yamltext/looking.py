"""What a text says at a place, and where two texts differ."""

from __future__ import annotations

from gitops_sre.yamltext.nouns import Path, Place, Scalar, YamlTextError, show
from gitops_sre.yamltext.reading import glance, parse


def scalars(text: str, *, opened: bool = False, fast: bool = False) -> tuple[Scalar, ...]:
    """Every scalar value in the order of its document. A block scalar that is YAML itself is replaced by the scalars
    in it; `opened` adds it in front. `fast` is for looking, by the faster parser. Raises YamlTextError."""
    parsed = glance(text) if fast else parse(text)
    return (*(scalar for scalar, _ in parsed.opened.values()), *parsed.scalars) if opened else parsed.scalars


def locate(text: str, document: int, path: Path) -> Scalar:
    """The scalar at a place, an opened block scalar too. Raises YamlTextError when there is none."""
    found = next((scalar for scalar in scalars(text, opened=True) if scalar.place == (document, path)), None)
    if found is None:
        raise YamlTextError(f"{show(document, path)}: no scalar stands there; look the field up again")
    return found


def get(text: str, document: int, path: Path) -> str | None:
    """The value at a place as text, or None; empty for an empty collection."""
    parsed = parse(text)
    if (document, path) in parsed.opened:
        return parsed.opened[document, path][0].value
    leaf = parsed.leaves.get((document, path))
    return None if leaf is None else leaf[1]


def reached(text: str, document: int, path: Path) -> tuple[Place, ...]:
    """All places that the scalar's bytes decide: itself, and one more for each alias of its anchor."""
    span = locate(text, document, path).start
    return tuple(
        scalar.place for scalar in scalars(text, opened=True) if scalar.start == span and scalar.style != "empty"
    )


def differing(before: str, after: str) -> tuple[Place, ...]:
    """Places whose value or type differs, or that only one text has, in order."""
    one, two = parse(before).leaves, parse(after).leaves
    return tuple(place for place in {**one, **two} if one.get(place) != two.get(place))
