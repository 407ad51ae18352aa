"""YAML as text: find a scalar's exact span, replace its bytes, put entries in or take them out, compare what two texts
say. Also files of `KEY=value` lines and files that hold one token, which are told by their content.

`rewrite` edits, `scalars`, `locate` and `get` read for editing, `leaves` reads fast for looking. A literal block scalar
that is YAML itself is opened: what is in it has a path of its own (see `Place`).
"""

from __future__ import annotations

from gitops_sre.yamltext.looking import differing, get, locate, reached, scalars
from gitops_sre.yamltext.nouns import (
    MAX_DEPTH,
    MAX_LEAVES,
    MAX_SIZE,
    OPENED,
    Path,
    Place,
    Scalar,
    Style,
    YamlTextError,
    show,
)
from gitops_sre.yamltext.quoting import plain_type, quoted_like
from gitops_sre.yamltext.reading import leaves
from gitops_sre.yamltext.rewriting import Removed, Rewritten, rewrite, source, splice, splice_raw

__all__ = [
    "MAX_DEPTH", "MAX_LEAVES", "MAX_SIZE", "OPENED", "Path", "Place", "Removed", "Rewritten", "Scalar", "Style",
    "YamlTextError", "differing", "get", "leaves", "locate", "plain_type", "quoted_like", "reached", "rewrite",
    "scalars", "show", "source", "splice", "splice_raw",
]  # fmt: skip
