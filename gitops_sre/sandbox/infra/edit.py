"""How a person changes an image tag: find the scalar, replace it, leave every other byte."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import yaml


class EditError(Exception):
    """The image is named nowhere, or more than once, in a file that should decide its tag."""


@dataclass(frozen=True)
class _Span:
    """A tag in a text: characters `start` up to `end`."""

    start: int
    end: int
    tag: str


def tag_in(content: bytes, image: str) -> str:
    """The tag that a file gives an image (a name without tag). Raises EditError."""
    return _only(content.decode(), image).tag


def with_tag(content: bytes, image: str, tag: str) -> bytes:
    """The same file with another tag for an image. Raises EditError."""
    text = content.decode()
    span = _only(text, image)
    return (text[: span.start] + tag + text[span.end :]).encode()


def _only(text: str, image: str) -> _Span:
    # JSON may be indented with tabs, which YAML refuses; a blank in place of each keeps every offset.
    roots = yaml.compose_all(text.replace("\t", " "), Loader=yaml.SafeLoader)
    spans = [span for root in roots for span in _spans(root, text, image)]
    if len(spans) != 1:
        raise EditError(f"{image} is named {len(spans)} times; expected once")
    return spans[0]


def _spans(node: yaml.Node | None, text: str, image: str) -> Iterator[_Span]:
    if isinstance(node, yaml.SequenceNode):
        for child in node.value:
            yield from _spans(child, text, image)
    if not isinstance(node, yaml.MappingNode):
        return
    scalars = {key.value: value for key, value in node.value if isinstance(value, yaml.ScalarNode)}
    if scalars.keys() >= {"name", "newTag"} and scalars["name"].value == image:
        yield _span(scalars["newTag"], text, scalars["newTag"].value)
    elif scalars.keys() >= {"repository", "tag"} and scalars["repository"].value == image:
        yield _span(scalars["tag"], text, scalars["tag"].value)
    elif "image" in scalars and scalars["image"].value.partition(":")[0] == image:
        yield _span(scalars["image"], text, scalars["image"].value.partition(":")[2])
    for _, child in node.value:
        yield from _spans(child, text, image)


def _span(node: yaml.ScalarNode, text: str, tag: str) -> _Span:
    """Where the tag stands inside the scalar's source text: at its end, before a closing quote."""
    start = text.rindex(tag, node.start_mark.index, node.end_mark.index)
    return _Span(start, start + len(tag), tag)
