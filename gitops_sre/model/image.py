"""Container image references: `name[:tag][@digest]`, where the name may begin with a registry and its port."""

from __future__ import annotations

import re
from dataclasses import dataclass

TAG = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"
DIGEST = r"sha256:[0-9a-f]{64}"
VERSION = rf"{TAG}|(?:{TAG}@)?{DIGEST}"
"""What may stand after the name, as text: `tag`, `sha256:...` or `tag@sha256:...` (the distribution specification's
grammar for tags and SHA-256 digests)."""

_REFERENCE = re.compile(rf"(?P<name>[a-z0-9](?:(?!//)[a-z0-9._:/-])*?)(?::(?P<tag>{TAG}))?(?:@(?P<digest>{DIGEST}))?")


@dataclass(frozen=True)
class Image:
    """One image reference. Any part may be empty: a tag or a digest that stands alone has no name."""

    name: str = ""
    tag: str = ""
    digest: str = ""

    @property
    def version(self) -> str:
        """`tag`, `digest` or `tag@digest`."""
        return "@".join(part for part in (self.tag, self.digest) if part)

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        digest = f"@{self.digest}" if self.digest else ""
        return f"{self.name}{tag}{digest}"

    @classmethod
    def read(cls, text: str) -> Image:
        """Take a reference apart, whatever its parts look like (a registry's port is no tag)."""
        reference, _, digest = text.partition("@")
        name, colon, tag = reference.rpartition(":")
        return cls(name, tag, digest) if colon and "/" not in tag else cls(reference, "", digest)

    @classmethod
    def read_version(cls, text: str) -> Image:
        """A version without a name: `tag`, `sha256:...` or `tag@sha256:...`."""
        if text.startswith("sha256:"):
            return cls(digest=text)
        tag, _, digest = text.partition("@")
        return cls(tag=tag, digest=digest)

    @classmethod
    def strict(cls, text: str) -> Image | None:
        """A reference by the grammar, with a version; None for anything else."""
        match = _REFERENCE.fullmatch(text)
        if match is None or not (match["tag"] or match["digest"]):
            return None
        return cls(match["name"], match["tag"] or "", match["digest"] or "")
