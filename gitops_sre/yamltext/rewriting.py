"""Edit a text by cuts alone, and prove after each that it says what it said before, but for what was meant.

Nothing is ever dumped: the text outside the cuts stays as its author left it, whatever its style, line ends or
comments.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from gitops_sre.model.change import FieldEdit
from gitops_sre.yamltext import lines, writing
from gitops_sre.yamltext.entries import Collection
from gitops_sre.yamltext.looking import differing, get, locate, reached, scalars
from gitops_sre.yamltext.nouns import OPENED, Cut, Entry, Leaves, Node, Path, Place, Scalar, YamlTextError, show
from gitops_sre.yamltext.quoting import quoted_like
from gitops_sre.yamltext.reading import Inner, Parsed, parse

_EMPTY = frozenset({("{}", ""), ("[]", ""), ("null", "")})


@dataclass(frozen=True)
class Rewritten:
    """A text after its edits, and the edits as they were made: sources and positions filled in."""

    text: str
    edits: tuple[FieldEdit, ...]


@dataclass(frozen=True)
class Removed:
    """An entry as it stands: its dedented source with its comments, and its place among its siblings."""

    raw: str
    position: int


def source(text: str, document: int, path: Path) -> Removed:
    """The entry at a place as its removal would record it, which is how it is put in again. Raises YamlTextError."""
    spot = _spot(text, parse(text), document, path)
    return Removed(spot.collection.removal(spot.index)[1], spot.index)


def splice(text: str, edits: Iterable[tuple[int, Path, str]]) -> str:
    """Replace values, keeping each scalar's quoting style; see `quoted_like`. Raises YamlTextError."""
    return splice_raw(
        text, [(number, path, quoted_like(locate(text, number, path).raw, value)) for number, path, value in edits]
    )


def splice_raw(text: str, edits: Iterable[tuple[int, Path, str]]) -> str:
    """Replace the source text of scalars and verify that nothing else says something new. Raises YamlTextError.

    An anchored scalar changes every place that `reached` names; two edits of one span must agree.
    """
    cuts: dict[tuple[int, int], Cut] = {}
    intended: dict[Place, str] = {}
    for number, path, raw in edits:
        scalar = locate(text, number, path)
        cut = _replacement(text, parse(text), number, path, raw)
        if cuts.setdefault((scalar.start, scalar.end), cut) != cut:
            raise YamlTextError(f"{_at(scalar)}: two edits give one scalar different values; edit its anchor once")
        intended.update(dict.fromkeys(reached(text, number, path) or (scalar.place,), raw))
    edited = text
    for cut in sorted(cuts.values(), key=lambda cut: cut.start, reverse=True):
        edited = cut.applied(edited)
    _verify(text, edited, intended)
    return edited


def rewrite(text: str, edits: Sequence[FieldEdit]) -> Rewritten:
    """Apply edits one after the other; each path is one of the text as the edits before it left it.

    - Both values given: the scalar is replaced. An empty `after_raw` means the quoting that stands there (and, for an
      empty `after`, no source at all).
    - `before` None: the entry comes. With `after_raw` it is that entry's source, dedented, at `position` (clamped;
      None: last). Without, `path` is that of the scalar, and what is missing above it is made.
    - `after` None: the entry goes, with the comments that are its own.

    Raises YamlTextError when a value is not what `before` says, or when anything else would change or could not be
    put back byte for byte.
    """
    made: list[FieldEdit] = []
    for replaces, group in groupby(edits, key=lambda edit: edit.before is not None and edit.after is not None):
        if replaces:
            text, done = _replaced(text, list(group))
            made += done
            continue
        for edit in group:
            text, one = _inserted(text, edit) if edit.before is None else _removed(text, edit)
            made.append(one)
    return Rewritten(text, tuple(made))


def _replaced(text: str, edits: Sequence[FieldEdit]) -> tuple[str, list[FieldEdit]]:
    done = []
    for edit in edits:
        _expect(text, edit)
        raw = locate(text, edit.document, edit.path).raw
        done.append(replace(edit, before_raw=raw, after_raw=_wanted(text, edit, raw)))
    after = splice_raw(text, [(edit.document, edit.path, edit.after_raw) for edit in done])
    _changes_all(text, after, done)
    for edit in done:
        if get(after, edit.document, edit.path) != edit.after:
            raise YamlTextError(f"{edit.after_raw} does not read as {edit.after!r}; plan again")
    if splice_raw(after, [(edit.document, edit.path, edit.before_raw) for edit in done]) != text:
        raise YamlTextError(f"{show(edits[0].document, edits[0].path)}: could not be put back byte for byte")
    return after, done


def _changes_all(before: str, after: str, edits: Sequence[FieldEdit]) -> None:
    """Every place that changes is one that was asked for, aliases too, and every one that was asked for changes."""
    changed = differing(before, after)
    asked = {(edit.document, edit.path): "" for edit in edits}
    if others := [show(*place) for place in changed if not _meant(place, asked)]:
        raise YamlTextError(f"an anchor is shared: the edit would also change {', '.join(others)}; edit it by hand")
    same = next((show(*place) for place in asked if not any(_meant(each, {place: ""}) for each in changed)), None)
    if same is not None:
        raise YamlTextError(f"{same} says so already; there is nothing to change")


def _wanted(text: str, edit: FieldEdit, raw: str) -> str:
    """The source of a replacement. Outside YAML quotes are part of what a reader gets, so they stay as they were."""
    after = edit.after or ""
    language = parse(text).language
    if language == "yaml" or raw[:1] in ("'", '"'):
        return edit.after_raw or (quoted_like(raw, after) if after else "")
    if edit.after_raw and edit.after_raw[:1] not in ("'", '"'):
        return edit.after_raw
    return after if language == "token" else writing.setting("", after)[1:]


def _expect(text: str, edit: FieldEdit) -> None:
    now = get(text, edit.document, edit.path)
    if now != edit.before:
        said = "is gone" if now is None else f"holds {now!r} now"
        raise YamlTextError(f"{show(edit.document, edit.path)} {said}, expected {edit.before!r}; plan again")


def _replacement(text: str, parsed: Parsed, number: int, path: Path, raw: str) -> Cut:
    """The cut that gives a scalar another source."""
    inner = _inner(parsed, number, path)
    if inner is not None:
        return inner[0].outward(_replacement(inner[0].text, inner[0].parsed, inner[1], inner[2], raw))
    chain = _chain(parsed, number, path)
    node, holder = (chain[-1].node, _holder(parsed, number, chain)) if chain else (parsed.roots[number], None)
    column = lines.column(text, holder.start) if holder is not None and not holder.flow else 0
    if node.type.startswith("!"):
        raise YamlTextError(f"line {node.line} ({show(number, path)}): tagged {node.type}, whose meaning is unknown; "
                            "edit it by hand")  # fmt: skip
    written = lines.indented(raw, " " * column)
    if "\n" in written and lines.newline(text) == "\r\n" and "\r" not in written:
        written = written.replace("\n", "\r\n")
    if node.style == "empty":
        return _fill(text, node, written, show(number, path), parsed.language)
    if not raw:
        start = len(text[: node.start].rstrip(" \t"))
        if node.anchored or (text[start - 1 : start] not in (":", "-") and parsed.language != "env"):
            raise YamlTextError(f"line {node.line} ({show(number, path)}): cannot be left empty; edit it by hand")
        return Cut(start, node.end, "")
    return Cut(node.start, node.end, written)


def _fill(text: str, node: Node, written: str, where: str, language: str) -> Cut:
    if language == "env" or not written:
        return Cut(node.start, node.start, written)
    if node.anchored or text[node.start - 1 : node.start] not in (":", "-") or node.type != "null":
        raise YamlTextError(f"line {node.line} ({where}): nothing stands there that could be filled; edit it by hand")
    return Cut(node.start, node.start, f" {written}")


@dataclass(frozen=True)
class _Spot:
    collection: Collection
    index: int


def _inner(parsed: Parsed, number: int, path: Path) -> tuple[Inner, int, Path] | None:
    """The opened block scalar that a path leads into, and the place in it."""
    for at, part in enumerate(path):
        found = parsed.opened.get((number, path[:at])) if part == OPENED else None
        if found is not None and isinstance(path[at + 1], int):
            return found[1], int(path[at + 1]), path[at + 2 :]
    return None


def _chain(parsed: Parsed, number: int, path: Path) -> list[Entry]:
    """The entries along a path, as far as it exists."""
    if number >= len(parsed.roots):
        raise YamlTextError(f"document {number + 1}: there is none; look the field up again")
    node, found = parsed.roots[number], list[Entry]()
    for part in path:
        entry = next((each for each in node.entries if each.key == part and type(each.key) is type(part)), None)
        if entry is None:
            break
        found.append(entry)
        node = entry.node
    return found


def _holder(parsed: Parsed, number: int, chain: Sequence[Entry]) -> Node:
    return chain[-2].node if len(chain) > 1 else parsed.roots[number]


def _spot(text: str, parsed: Parsed, number: int, path: Path) -> _Spot:
    """An existing entry in its collection. Raises YamlTextError."""
    inner = _inner(parsed, number, path)
    if inner is not None:
        return _spot(inner[0].text, inner[0].parsed, inner[1], inner[2])
    chain = _chain(parsed, number, path)
    if len(chain) < len(path) or not path:
        raise YamlTextError(f"{show(number, path)} is gone; plan again")
    if alias := next((entry for entry in chain[:-1] if entry.alias), None):
        raise YamlTextError(f"{show(number, path)} stands behind an alias of line {alias.node.line}; edit it there")
    holder = _holder(parsed, number, chain)
    return _Spot(Collection(text, holder, len(chain) == 1), holder.entries.index(chain[-1]))


def _removed(text: str, edit: FieldEdit) -> tuple[str, FieldEdit]:
    parsed = parse(text)
    spot = _spot(text, parsed, edit.document, edit.path)
    if get(text, edit.document, edit.path) is not None:
        _expect(text, edit)
    cut, raw = spot.collection.removal(spot.index)
    _expect_entry(text, edit, raw)
    after = _outward(parsed, edit.document, edit.path, cut).applied(text)
    _same_but(text, after, edit.document, edit.path)
    made = replace(edit, before_raw=raw, after_raw="", position=spot.index)
    made = replace(made, before_raw=_recorded(after, text, parsed, made, spot, raw))
    if _put(after, made.document, made.path, made.before_raw, spot.index) != text:
        raise YamlTextError(f"{show(edit.document, edit.path)}: could not be put back byte for byte; edit it by hand")
    return after, made


def _recorded(less: str, more: str, parsed: Parsed, edit: FieldEdit, spot: _Spot, raw: str) -> str:
    """An entry's source, so that putting it in again gives the same bytes: an only entry takes its depth along."""
    if _put(less, edit.document, edit.path, raw, spot.index) == more:
        return raw
    return spot.collection.deepened(raw, _above(parsed, edit.document, edit.path))


def _above(parsed: Parsed, number: int, path: Path) -> Node:
    """The collection that holds the one of an entry."""
    inner = _inner(parsed, number, path)
    if inner is not None:
        return _above(inner[0].parsed, inner[1], inner[2])
    return _holder(parsed, number, _chain(parsed, number, path)[:-1])


def _expect_entry(text: str, edit: FieldEdit, raw: str) -> None:
    """Every leaf of a collection that goes must be what the edit says."""
    known = get(text, edit.document, edit.path) is not None
    if not known and (not edit.before_raw or _said(edit.before_raw) != _said(raw)):
        raise YamlTextError(f"{show(edit.document, edit.path)} holds something else now; plan again")


def _said(raw: str) -> Leaves:
    """What an entry's source says by itself; one of a flow mapping may need its braces."""
    bare = raw.strip().strip(",")
    try:
        return parse(bare).leaves
    except YamlTextError:
        return parse(f"{{{bare}}}").leaves


def _inserted(text: str, edit: FieldEdit) -> tuple[str, FieldEdit]:
    parsed = parse(text)
    number, path = edit.document, edit.path
    if edit.after is None or get(text, number, path) is not None:
        _expect_free(text, edit)
    if edit.after_raw:
        raw, at, position = edit.after_raw, path, edit.position
    else:
        raw, at = _new_entry(text, parsed, number, path, edit.after or "")
        position = edit.position
    after = _put(text, number, at, raw, position)
    at = _landed(parse(after), number, at, position)
    _same_but(after, text, number, at)
    spot = _spot(after, parse(after), number, at)
    cut, stands = spot.collection.removal(spot.index)
    if _outward(parse(after), number, at, cut).applied(after) != text:
        raise YamlTextError(f"{show(number, path)}: could not be taken out again byte for byte; edit it by hand")
    if not edit.after_raw and get(after, number, (*at, *path[len(at) :])) != edit.after:
        raise YamlTextError(f"{show(number, path)}: what was written does not read as {edit.after!r}; edit it by hand")
    made = replace(edit, path=at, before_raw="", position=spot.index)
    return after, replace(made, after_raw=_recorded(text, after, parse(after), made, spot, stands))


def _expect_free(text: str, edit: FieldEdit) -> None:
    last = edit.path[-1] if edit.path else None
    if edit.after is None:
        raise YamlTextError(f"{show(edit.document, edit.path)}: neither a value before nor one after; plan again")
    if not (isinstance(last, int) and edit.after_raw):
        now = get(text, edit.document, edit.path)
        raise YamlTextError(f"{show(edit.document, edit.path)} holds {now!r} now, expected nothing; plan again")


def _landed(parsed: Parsed, number: int, path: Path, position: int | None) -> Path:
    """The path of what was put in: in a list its place says which item it is."""
    if not isinstance(path[-1], int):
        return path
    inner = _inner(parsed, number, path)
    if inner is not None:
        deeper = _landed(inner[0].parsed, inner[1], inner[2], position)
        return (*path[: len(path) - len(deeper)], *deeper)
    chain = _chain(parsed, number, path[:-1])
    count = len((chain[-1].node if chain else parsed.roots[number]).entries)
    return (*path[:-1], count - 1 if position is None else min(max(position, 0), count - 1))


def _put(text: str, number: int, path: Path, raw: str, position: int | None) -> str:
    """The text with an entry's source put in where `path` says."""
    return _putting(text, parse(text), number, path, raw, position).applied(text)


def _putting(text: str, parsed: Parsed, number: int, path: Path, raw: str, position: int | None) -> Cut:
    inner = _inner(parsed, number, path)
    if inner is not None:
        return inner[0].outward(_putting(inner[0].text, inner[0].parsed, inner[1], inner[2], raw, position))
    chain = _chain(parsed, number, path[:-1])
    if len(chain) < len(path) - 1:
        raise YamlTextError(f"{show(number, path[:-1])} is gone; put that back first")
    if alias := next((entry for entry in chain if entry.alias), None):
        raise YamlTextError(f"{show(number, path)} stands behind an alias of line {alias.node.line}; edit it there")
    node = chain[-1].node if chain else parsed.roots[number]
    kind = "list" if isinstance(path[-1], int) else "map"
    if node.kind == kind:
        return Collection(text, node, not chain).insertion(position, raw)
    if node.kind == "scalar" and node.style == "empty" and chain and not node.anchored:
        return _first_in_block(text, parsed, _holder(parsed, number, chain), node, raw, kind)
    raise YamlTextError(f"{show(number, path[:-1])} is no {'list' if kind == 'list' else 'mapping'}; edit it by hand")


def _first_in_block(text: str, parsed: Parsed, holder: Node, node: Node, raw: str, kind: str) -> Cut:
    """The first entry below a key that has nothing."""
    if holder.flow or holder.kind != "map" or text[node.start - 1] != ":":
        raise YamlTextError(f"line {node.line}: nothing stands there that could be filled; edit it by hand")
    deeper = 0 if kind == "list" or lines.margin(raw) else writing.steps(text, parsed.roots)[0]
    indent = " " * (lines.column(text, holder.start) + deeper)
    at, end = lines.after(text, node.end), lines.newline(text)
    body = lines.indented("\n" + raw, indent)[1:]
    body = body.replace("\n", end) if "\r" not in body else body
    return Cut(at, at, body + end if text[at - 1] == "\n" else end + body)


def _new_entry(text: str, parsed: Parsed, number: int, path: Path, value: str) -> tuple[str, Path]:
    """The source of what is missing for a value, and the path of its highest entry."""
    inner = _inner(parsed, number, path)
    if inner is not None:
        raw, at = _new_entry(inner[0].text, inner[0].parsed, inner[1], inner[2], value)
        return raw, (*path[: len(path) - len(inner[2])], *at)
    size = len(_chain(parsed, number, path))
    chain = _chain(parsed, number, path)
    if size == len(path):
        raise YamlTextError(f"{show(number, path)} is there already; plan again")
    node = chain[-1].node if chain else parsed.roots[number]
    if parsed.language == "env":
        if len(path) > 1 or not isinstance(path[0], str):
            raise YamlTextError(f"{show(number, path)}: a file of KEY=value lines has no nested keys")
        return writing.setting(path[0], value), path
    if node.flow:
        raw = writing.flow_entry(path, size, value, json_style=writing.json_like(text, node))
    else:
        raw = writing.block_entry(text, parsed.roots, path, size, value)
        if node.kind == "scalar" and isinstance(path[size], int):
            raw = lines.indented(f"\n{raw}", " " * writing.steps(text, parsed.roots)[1])[1:]
    return raw, path[: size + 1]


def _outward(parsed: Parsed, number: int, path: Path, cut: Cut) -> Cut:
    """A cut of the innermost text that a path leads into, as one of the outermost."""
    inner = _inner(parsed, number, path)
    return cut if inner is None else inner[0].outward(_outward(inner[0].parsed, inner[1], inner[2], cut))


def _same_but(more: str, less: str, number: int, path: Path) -> None:
    """One text says what the other does and one entry more, and nothing else. Raises YamlTextError."""
    above = (number, path[:-1])
    rest = _without(parse(more).leaves, number, path)
    kept = dict(parse(less).leaves)
    if kept.get(above) in _EMPTY:
        del kept[above]
    strangers = [place for place in {**rest, **kept} if rest.get(place) != kept.get(place)]
    if strangers:
        named = ", ".join(show(*place) for place in strangers[:5])
        raise YamlTextError(f"{show(number, path)}: the edit would also change {named}; edit it by hand")


def _without(leaves: Leaves, number: int, path: Path) -> dict[Place, tuple[str, str]]:
    """What leaves say without an entry: later items of its list move up."""
    size, last, kept = len(path) - 1, path[-1], dict[Place, tuple[str, str]]()
    for (document, at), leaf in leaves.items():
        if document != number or at[:size] != path[:-1] or len(at) <= size:
            kept[document, at] = leaf
            continue
        part = at[size]
        if part == last and type(part) is type(last):
            continue
        if isinstance(part, int) and isinstance(last, int) and part > last:
            part -= 1
        kept[document, (*at[:size], part, *at[size + 1 :])] = leaf
    return kept


def _verify(before: str, after: str, intended: Mapping[Place, str]) -> None:
    """An edit may only change the intended values, and each must stand as the scalar that was written."""
    stranger = next((place for place in differing(before, after) if not _meant(place, intended)), None)
    if stranger is not None:
        raise YamlTextError(f"the edit would also change {show(*stranger)}; edit it by hand")
    written = {scalar.place: scalar.raw.replace("\r\n", "\n") for scalar in scalars(after, opened=True)}
    if any(written.get(place) != raw.replace("\r\n", "\n") for place, raw in intended.items()):
        raise YamlTextError("the new text does not read as one scalar; quote it")


def _meant(place: Place, intended: Mapping[Place, str]) -> bool:
    """Whether a place is intended, or stands in a block scalar that is."""
    number, path = place
    return place in intended or any(part == OPENED and (number, path[:at]) in intended for at, part in enumerate(path))


def _at(scalar: Scalar) -> str:
    return f"line {scalar.line} ({show(scalar.document, scalar.path)})"
