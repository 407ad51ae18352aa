"""YAML that hypothesis writes: mappings and lists in block and flow style, every scalar style, comments, blank lines,
both line ends, byte order marks, YAML within block scalars."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st

Tree = str | dict[str, "Tree"] | list["Tree"]

KEYS = st.sampled_from(["a", "b", "image", "x.y", "k8s_1", "app.kubernetes.io-name", "z-", "true", "1"])
WORDS = st.sampled_from(["a", "v1.2", "word", "a: b", "a #b", "x -y", "sha-0a1b", "q"])
SCALARS = st.one_of(
    WORDS.map(lambda word: word.split(" ")[0].strip(":")),
    st.integers(0, 999).map(str),
    WORDS.map(lambda word: f"'{word}'"),
    WORDS.map(lambda word: f'"{word}\\t"'),
    st.sampled_from(["", "~", "true", "1.10", '"{{ x }}"', "''", "é☃", "2024-01-31", "!!str 1", "a:b"]),
)
TREES: st.SearchStrategy[Tree] = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.dictionaries(KEYS, inner, max_size=4), st.lists(inner, max_size=4)),
    max_leaves=8,
)
COMMENTS = st.sampled_from(["", "", "", " # note", "  #x: y", " # {{ x }}"])
GAPS = st.sampled_from(
    ["", "", "", "", "\n", "# about\n", "# one\n\n# two\n", "\n\n# x: y\n", "      # deep\n", "  \n"]
)


@dataclass
class Writer:
    """Writes one tree with styles as they are drawn."""

    draw: st.DrawFn
    step: int
    dash: int

    def block(self, tree: Tree, column: int) -> list[str]:
        """The lines of a collection that is not empty, at a column."""
        lines: list[str] = []
        entries = list(tree.items()) if isinstance(tree, dict) else [(None, each) for each in tree]
        for key, child in entries:
            lines += [line and " " * column * (line.strip() != "") + line for line in self.gap()]
            lines += self.entry("-" if key is None else f"{key}:", child, column, key is None)
        return lines

    def gap(self) -> list[str]:
        """Blank lines and comments."""
        return self.draw(GAPS).split("\n")[:-1]

    def entry(self, head: str, child: Tree, column: int, item: bool) -> list[str]:
        """One key or item with its value."""
        start = " " * column + head
        if isinstance(child, str):
            if child.isalpha() and self.draw(st.integers(0, 3)) == 0:
                return [start + " " + self.draw(st.sampled_from(["|", "|-", ">", "|+"])), *self.text(child, column)]
            return [
                f"{start} {child}{self.draw(COMMENTS)}".rstrip(" ")
                if not child
                else f"{start} {child}{self.draw(COMMENTS)}"
            ]
        if not child or self.draw(st.integers(0, 3)) == 0:
            return [f"{start} {self.flow(child)}{self.draw(COMMENTS)}"]
        if isinstance(child, dict) and item and self.draw(st.booleans()):
            inside = self.compact(child, column + 2)
            return [f"{start} {inside[0].lstrip()}", *inside[1:]]
        if self.draw(st.integers(0, 4)) == 0:
            inner = Writer(self.draw, 2, 0).block(child, 0)
            deeper = " " * (column + self.step)
            return [f"{start} |", *(deeper + line if line else "" for line in inner)]
        offset = self.dash if isinstance(child, list) and not item else self.step
        return [f"{start}{self.draw(COMMENTS)}", *self.block(child, column + offset)]

    def compact(self, child: dict[str, Tree], column: int) -> list[str]:
        """A mapping that begins on the line of its dash."""
        (key, first), *rest = child.items()
        return [*self.entry(f"{key}:", first, column, item=False), *self.block(dict(rest), column)]

    def text(self, word: str, column: int) -> list[str]:
        """The lines of a block scalar."""
        return [
            " " * (column + self.step) + line if line else ""
            for line in self.draw(st.sampled_from([[word], [word, "", f"  {word}"]]))
        ]

    def flow(self, tree: Tree) -> str:
        """A tree on one line."""
        between = self.draw(st.sampled_from([", ", ",", " , ", ",\n        "]))
        if isinstance(tree, dict):
            pad = self.draw(st.sampled_from(["", " "]))
            return (
                "{"
                + pad
                + between.join(f"{self.flowkey(key)}: {self.flow(child)}" for key, child in tree.items())
                + pad
                + "}"
            )
        if isinstance(tree, list):
            return "[" + between.join(self.flow(child) for child in tree) + "]"
        return tree or "''"

    def flowkey(self, key: str) -> str:
        """A key, quoted or not."""
        return self.draw(st.sampled_from([key, f'"{key}"']))


@st.composite
def texts(draw: st.DrawFn) -> str:
    """A file of one to three documents."""
    parts = []
    for _ in range(draw(st.integers(1, 2))):
        tree = draw(
            st.one_of(st.dictionaries(KEYS, TREES, min_size=1, max_size=4), st.lists(TREES, min_size=1, max_size=4))
        )
        writer = Writer(draw, draw(st.sampled_from([2, 4])), draw(st.sampled_from([0, 2])))
        parts.append("\n".join(writer.gap() + writer.block(tree, 0)))
    text = "\n---\n".join(parts) + draw(st.sampled_from(["\n", "\n", "\n\n", "", "\n# end\n"]))
    text = text.replace("\n", draw(st.sampled_from(["\n", "\n", "\r\n"])))
    return draw(st.sampled_from(["", "", "", "\ufeff"])) + text
