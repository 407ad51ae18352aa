"""Image references: names with registries and ports, tags, digests, and both."""

from __future__ import annotations

import pytest

from gitops_sre.model.image import Image

DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("text", "image"),
    [
        ("web", Image("web")),
        ("web:v1", Image("web", "v1")),
        ("registry:5000/web", Image("registry:5000/web")),
        ("registry:5000/team/web:v1", Image("registry:5000/team/web", "v1")),
        (f"web@{DIGEST}", Image("web", "", DIGEST)),
        (f"registry:5000/web:v1@{DIGEST}", Image("registry:5000/web", "v1", DIGEST)),
    ],
)
def test_a_reference_is_taken_apart_and_put_together_again(text: str, image: Image) -> None:
    assert Image.read(text) == image
    assert str(image) == text


@pytest.mark.parametrize("text", ["v1", DIGEST, f"v1@{DIGEST}"])
def test_a_version_alone_has_no_name(text: str) -> None:
    assert Image.read_version(text).version == text
    assert Image.read_version(text).name == ""


@pytest.mark.parametrize("text", ["", "web", "Web:v1", "web:", "web:v 1", "a//b:v1", "web@sha256:short", "-web:v1"])
def test_what_is_no_reference_with_a_version_is_none(text: str) -> None:
    assert Image.strict(text) is None


def test_a_strict_reference_reads_as_a_loose_one() -> None:
    text = f"registry:5000/team/web:v1@{DIGEST}"
    assert Image.strict(text) == Image.read(text)
