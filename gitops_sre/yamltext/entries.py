"""Where the entries of a collection begin and end with their comments, and how one is taken out or put in.

Between two siblings of a block collection, blank lines and comments belong to the entry below them, except comments
that stand deeper than the entries: those belong to the entry above. Above the first key of a document only the
comments that touch it belong to it, since the others are about the file. One rule for cutting and for putting in is
what makes them each other's inverse.
"""

from __future__ import annotations

from dataclasses import dataclass

from gitops_sre.yamltext import lines
from gitops_sre.yamltext.nouns import Cut, Node, YamlTextError
from gitops_sre.yamltext.tree import dash


@dataclass(frozen=True)
class Collection:
    """A mapping or list in its text. `root` when it is a document's own."""

    text: str
    node: Node
    root: bool

    def removal(self, index: int) -> tuple[Cut, str]:
        """What takes an entry out, and its dedented source. Raises YamlTextError."""
        if self.node.flow:
            return self._flow_removal(index)
        if len(self.node.entries) == 1:
            return self._last_one()
        start, end = self._region(index)
        if index == 0 and self._starts_midline():
            return self._cut(start, self._start(1))
        return self._cut(self._unended(start, end), end)

    def insertion(self, position: int | None, source: str) -> Cut:
        """What puts an entry's source in as number `position` (None, or beyond the end: last)."""
        count = len(self.node.entries)
        at = count if position is None else min(max(position, 0), count)
        if self.node.flow:
            return self._flow_insertion(at, source)
        end = lines.newline(self.text)
        margin = lines.margin(source)
        body = self._indented(lines.dedented(f"\n{source}", margin)[1:] if margin else source, end)
        if at == 0 and self._starts_midline():
            start = self._start(0)
            return Cut(start, start, body.removeprefix(self.indent) + end + self.indent)
        place = self._region(0)[0] if at == 0 else self._end(at - 1)
        if place and self.text[place - 1] != "\n":
            return Cut(place, place, end + body)
        return Cut(place, place, body + end)

    def deepened(self, source: str, above: Node) -> str:
        """An entry's source indented by as much as its collection stands deeper than what holds it."""
        deeper = len(self.indent) - lines.column(self.text, above.start)
        return source if self.node.flow or deeper < 1 else lines.indented(f"\n{source}", " " * deeper)[1:]

    @property
    def indent(self) -> str:
        """The blanks before a block collection's entries."""
        return " " * lines.column(self.text, self.node.start)

    def _unended(self, start: int, end: int) -> int:
        """Where to cut: with the line end before it, when the last line of the text has none of its own."""
        if start == 0 or end < len(self.text) or self.text.endswith("\n"):
            return start
        return start - (2 if self.text[start - 2 : start] == "\r\n" else 1)

    def _cut(self, start: int, end: int) -> tuple[Cut, str]:
        source = self.text[start:end]
        source = source.rstrip(" ") if source.rpartition("\n")[2].isspace() else source
        if end == len(self.text) and not self.text.endswith("\n"):
            source = source[2:] if source.startswith("\r\n") else source[1:] if source.startswith("\n") else source
        elif source.endswith("\n"):
            source = source[:-2] if source.endswith("\r\n") else source[:-1]
        midline = start == self.node.start and lines.column(self.text, start) > 0 and self._starts_midline()
        dedented = lines.dedented(source if midline else "\n" + source, self.indent)
        return Cut(start, end, ""), dedented if midline else dedented[1:]

    def _indented(self, source: str, end: str) -> str:
        if "\r" not in source and end == "\r\n":
            source = source.replace("\n", end)
        elif end == "\n" and "\n" in self.text:
            source = source.replace("\r\n", end)
        return lines.indented("\n" + source, self.indent)[1:]

    def _last_one(self) -> tuple[Cut, str]:
        if self.root or self._starts_midline():
            raise YamlTextError(f"line {self.node.line}: nothing would be left of what holds it; remove that instead")
        first, end = self._region(0)
        return self._cut(self._unended(first, end), end)

    def _start(self, index: int) -> int:
        """Where an entry's key or dash stands."""
        entry = self.node.entries[index]
        if self.node.kind == "map":
            return entry.start
        return dash(self.text, self.node.start if index == 0 else self.node.entries[index - 1].end, entry.start)

    def _starts_midline(self) -> bool:
        return bool(self.text[lines.begin(self.text, self.node.start) : self.node.start].strip(" \ufeff"))

    def _region(self, index: int) -> tuple[int, int]:
        """Where an entry begins and ends with the blank lines and comments that are its own."""
        end = self._end(index)
        if index:
            return self._end(index - 1), end
        start = self._start(0)
        if self._starts_midline():
            return start, end
        begin = lines.begin(self.text, start)
        while begin and self._belongs(lines.begin(self.text, begin - 1), begin):
            begin = lines.begin(self.text, begin - 1)
        if self.root and len(self.node.entries) > 1:
            limit = lines.begin(self.text, self._start(1))
            while end < limit and not self.text[end : lines.after(self.text, end)].strip():
                end = lines.after(self.text, end)
        return (1 if begin == 0 and self.text.startswith("\ufeff") else begin), end

    def _belongs(self, begin: int, end: int) -> bool:
        """Whether the line above a collection's first entry is that entry's."""
        line = self.text[begin : end - 1]
        if not self.root:
            return lines.is_gap(line)
        return line.startswith(f"{self.indent}#") and not line.startswith("#!")

    def _end(self, index: int) -> int:
        """Where the line after an entry begins, its deeper comments included."""
        end = at = lines.after(self.text, self.node.entries[index].end)
        while at < len(self.text):
            after = lines.after(self.text, at)
            line = self.text[at:after].rstrip("\r\n")
            if not lines.is_gap(line):
                break
            at = after
            if line.strip() and len(line) - len(line.lstrip(" ")) > len(self.indent):
                end = after
        return end

    # Flow collections: `{a: 1, b: 2}`, and JSON.

    def _flow_removal(self, index: int) -> tuple[Cut, str]:
        entries, text = self.node.entries, self.text
        self._bracketed()
        start, end = entries[index].start, entries[index].end
        source = lines.dedented(text[start:end], self._margin(start))
        if len(entries) == 1:
            return Cut(self.node.start + 1, end, ""), source
        cut = (
            Cut(entries[index - 1].end, end, "")
            if index == len(entries) - 1
            else Cut(start, entries[index + 1].start, "")
        )
        again = Collection(cut.applied(text), self._shrunk(index, cut), self.root)
        if again._flow_insertion(index, source).applied(again.text) != text:
            source = lines.dedented(text[cut.start : cut.end], self._margin(start))
        return cut, source

    def _shrunk(self, index: int, cut: Cut) -> Node:
        """The collection without an entry, as far as putting one in asks."""
        node = Node(self.node.kind, self.node.start, self.node.end - (cut.end - cut.start), self.node.line, flow=True)
        gone = cut.end - cut.start
        for at, entry in enumerate(self.node.entries):
            if at != index:
                shift = gone if entry.start >= cut.end else 0
                node.entries.append(type(entry)(entry.key, entry.start - shift, entry.end - shift, entry.node))
        return node

    def _flow_insertion(self, at: int, source: str) -> Cut:
        entries = self.node.entries
        self._bracketed()
        if not entries:
            return self._first_in_flow(source)
        where = entries[at].start if at < len(entries) else entries[-1].end
        body = lines.indented(source, self._margin(entries[min(at, len(entries) - 1)].start))
        if body.lstrip().startswith(",") or body.rstrip().endswith(","):
            return Cut(where, where, body)
        between = self._separator()
        return Cut(where, where, body + between if at < len(entries) else between + body)

    def _first_in_flow(self, source: str) -> Cut:
        start, end = self.node.start + 1, self.node.end - 1
        blank = self.text[start:end]
        if blank.strip():
            raise YamlTextError(f"line {self.node.line}: a comment stands where the entry would go; edit it by hand")
        if "\n" not in blank:
            return Cut(start, start, blank + source)
        margin = self._margin(self.node.start)
        margin += "\t" if "\n\t" in self.text else "  "
        return Cut(start, start, lines.newline(self.text) + margin + lines.indented(source, margin))

    def _separator(self) -> str:
        entries = self.node.entries
        if len(entries) > 1:
            between = self.text[entries[0].end : entries[1].start]
        else:
            lead = self.text[self.node.start + 1 : entries[0].start]
            between = f",{lead}" if "\n" in lead else ", "
        if between.strip() != ",":
            raise YamlTextError(f"line {self.node.line}: comments stand between its entries; edit it by hand")
        return between

    def _margin(self, index: int) -> str:
        line = self.text[lines.begin(self.text, index) : index]
        return line[: len(line) - len(line.lstrip(" \t"))]

    def _bracketed(self) -> None:
        if self.text[self.node.start : self.node.start + 1] not in ("{", "["):
            raise YamlTextError(f"line {self.node.line}: a mapping without its braces; edit it by hand")
