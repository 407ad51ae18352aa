"""YAML edited as text: exact spans, untouched surroundings, refusals with a place."""

from __future__ import annotations

import string
import time

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from gitops_sre import yamltext
from gitops_sre.yamltext import YamlTextError

MULTI = "# head\r\na:\r\n  b: one   # keep\r\n  c: 'it''s'\r\n---\r\n- x: \"two\"\r\n- {y: 3, z: [p, q]}"


def test_a_scalar_is_found_with_its_exact_source() -> None:
    scalar = yamltext.locate(MULTI, 1, (0, "x"))
    assert (scalar.value, scalar.raw, scalar.line, scalar.style) == ("two", '"two"', 6, "double")
    assert MULTI[scalar.start : scalar.end] == '"two"'
    assert yamltext.get(MULTI, 0, ("a", "c")) == "it's"
    assert yamltext.get(MULTI, 0, ("a", "nothing")) is None


@pytest.mark.parametrize(
    ("document", "path", "value", "old", "new"),
    [
        (0, ("a", "b"), "uno", "one ", "uno "),
        (0, ("a", "c"), "o'clock", "'it''s'", "'o''clock'"),
        (1, (0, "x"), 'say "hi" \\', '"two"', '"say \\"hi\\" \\\\"'),
        (1, (1, "y"), "-4", "y: 3", "y: -4"),
        (1, (1, "z", 1), "r", "[p, q]", "[p, r]"),
    ],
)
def test_only_the_scalar_changes(document: int, path: yamltext.Path, value: str, old: str, new: str) -> None:
    edited = yamltext.splice(MULTI, [(document, path, value)])
    assert edited == MULTI.replace(old, new)
    assert yamltext.differing(MULTI, edited) == ((document, path),)


@pytest.mark.parametrize(
    "value",
    [
        "553640e6", "0123456", "1.10", "123", "on", "NO", "y", "null", "~", "", "2024-01-31", "0x1F", "1:30", "1_000",
        "-x", "*a", "&a", "!x", "@x", "`x", "%x", "a: b", "a #b", "a:", "[x", "{{ x }}", "- a", "? a", ".inf", "=",
        "...", " a", "a ",
    ],
)  # fmt: skip
def test_quotes_are_added_where_a_reader_would_see_another_type(value: str) -> None:
    edited = yamltext.splice("tag: v1 # c\n", [(0, ("tag",), value)])
    assert edited == f'tag: "{value}" # c\n'
    assert yaml.safe_load(edited) == {"tag": value}


@pytest.mark.parametrize("value", ["v1.2.3", "1.2.3", "sha-0a1b", "name:tag", "r.io:5000/a/b:v1@sha256:00ff", "a_b~c"])
def test_no_quotes_are_added_without_need(value: str) -> None:
    assert yamltext.splice("tag: v1\n", [(0, ("tag",), value)]) == f"tag: {value}\n"


@pytest.mark.parametrize(
    ("old", "new", "raw"),
    [("3", "4", "4"), ("3", "04", '"04"'), ("3", "v4", '"v4"'), ("true", "false", "false"), ("true", "off", '"off"'),
     ("1.5", "1.25", "1.25"), ("1.5", "1.10", '"1.10"'), ("v1", "4", '"4"'), ("553640", "553640e6", '"553640e6"')],
)  # fmt: skip
def test_a_number_stays_plain_only_when_it_prints_as_written(old: str, new: str, raw: str) -> None:
    assert yamltext.splice(f"a: {old}\n", [(0, ("a",), new)]) == f"a: {raw}\n"


def test_json_files_keep_their_quotes_and_tabs() -> None:
    text = '{\n\t"image": "a:v1",\n\t"n": 1\n}\n'
    assert yamltext.splice(text, [(0, ("image",), "a:v2")]) == text.replace("v1", "v2")


def test_bom_and_missing_final_newline_stay() -> None:
    assert yamltext.splice("\ufeffa: 1\nb: x", [(0, ("b",), "z")]) == "\ufeffa: 1\nb: z"


def test_an_anchored_scalar_reports_every_place_it_reaches() -> None:
    text = "a: &tag v1\nb: *tag\nc: v1\n"
    assert yamltext.reached(text, 0, ("b",)) == ((0, ("a",)), (0, ("b",)))
    edited = yamltext.splice(text, [(0, ("a",), "v2")])
    assert edited == "a: &tag v2\nb: *tag\nc: v1\n"
    assert yamltext.differing(text, edited) == ((0, ("a",)), (0, ("b",)))


def test_anchor_and_tag_before_a_scalar_are_not_part_of_its_span() -> None:
    text = "a: &x !!str  'v1'\nb: &y\n  # why\n  plain\nc: &z\n"
    assert [scalar.raw for scalar in yamltext.scalars(text)] == ["'v1'", "plain", ""]


def test_merged_maps_report_the_path_through_the_merge() -> None:
    text = "base: &b {tag: v1}\nuse: {<<: *b, x: y}\n"
    assert yamltext.differing(text, yamltext.splice(text, [(0, ("base", "tag"), "v2")])) == (
        (0, ("base", "tag")),
        (0, ("use", "<<", "tag")),
    )


def test_two_edits_of_one_anchored_scalar_must_agree() -> None:
    text = "a: &t v1\nb: *t\n"
    assert yamltext.splice(text, [(0, ("a",), "v2"), (0, ("b",), "v2")]) == "a: &t v2\nb: *t\n"
    with pytest.raises(YamlTextError, match=r"line 1 \(b\): two edits"):
        yamltext.splice(text, [(0, ("a",), "v2"), (0, ("b",), "v3")])


def test_raw_text_is_restored_exactly() -> None:
    text = "a: 1.10 # odd but ours\n"
    edited = yamltext.splice(text, [(0, ("a",), "v2")])
    assert yamltext.splice_raw(edited, [(0, ("a",), "1.10")]) == text


@pytest.mark.parametrize("raw", ["a: b", "x\nb: y", "x # c", "[x]", '"x" y', "&a x", "|\nx"])
def test_raw_text_that_is_no_scalar_is_refused(raw: str) -> None:
    with pytest.raises(YamlTextError):
        yamltext.splice_raw("a: 1\n", [(0, ("a",), raw)])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: 1\nb:\n  c: 2\n  c: 3\n", "line 4, column 3: the key 'c' stands twice"),
        ("a:\n\t- b\n", "line 2, column 1: not valid YAML"),
        ("a: [b\n", "not valid YAML"),
        ("a: &a [*a]\n", "line 1: an alias leads to itself"),
        ("a: *nowhere\n", "undefined alias"),
        ("? [a]\n: b\n", "line 1, column 3: a key that is no scalar"),
        ("a: {{ .Values.x }}\n", "templates are edited where they are filled in"),
        ("a: x-{{ if .Values.x }}y{{ end }}\n", "line 1: template braces"),
        ("{{- if .x }}\na: 1\n{{- end }}\n", "template"),
        ("a: \x01\n", "not valid YAML"),
        ("[" * 5000, "nested deeper than 64"),
        ("a: " + "x" * yamltext.MAX_SIZE, "split the file"),
        ("%YAML 9.9.9\n---\na: 1\n", "not valid YAML"),
    ],
)
def test_texts_that_cannot_be_edited_safely_are_refused(text: str, says: str) -> None:
    with pytest.raises(YamlTextError, match=says.replace("(", r"\(")):
        yamltext.scalars(text)


def test_an_alias_bomb_is_bounded() -> None:
    levels = [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    began = time.monotonic()
    with pytest.raises(YamlTextError, match="once aliases are followed"):
        yamltext.scalars("\n".join(["a0: &a0 x", *levels]))
    assert time.monotonic() - began < 5


def test_python_tags_are_inert_and_not_edited() -> None:
    text = "a: !!python/object/apply:os.system [id]\nb: !secret x\n"
    assert yamltext.get(text, 0, ("a", 0)) == "id"
    with pytest.raises(YamlTextError, match=r"line 2 \(b\): tagged !secret"):
        yamltext.splice(text, [(0, ("b",), "y")])


@pytest.mark.parametrize(
    ("text", "value", "edited"),
    [
        ("a: |\n  x\nb: 1\n", "y\n\n z\n", "a: |\n  y\n\n   z\nb: 1\n"),
        ("a: >-\r\n    x\r\nb: 1\r\n", "y\nz", "a: |-\r\n    y\r\n    z\r\nb: 1\r\n"),
        ("- a:\n    |+\n    x\n\n- b", "y\n", "- a:\n    |\n    y\n- b"),
        ("a:\nb: 1\n", "y z", 'a: "y z"\nb: 1\n'),
        ("a:   # why\nb: 1\n", "v1", "a: v1   # why\nb: 1\n"),
        ("-\n- b\n", "v1", "- v1\n- b\n"),
    ],
)
def test_block_and_empty_scalars_are_replaced(text: str, value: str, edited: str) -> None:
    place = next(scalar.place for scalar in yamltext.scalars(text))
    before = yamltext.locate(text, *place).raw
    assert yamltext.splice(text, [(*place, value)]) == edited
    assert yamltext.get(edited, *place) == value
    assert yamltext.splice_raw(edited, [(*place, before)]) == text


@pytest.mark.parametrize("text", ['a: "{{ x }}"\n', "a: 1 # {{ x }}\n", "# {{ x }}\na: 1\n", "a: |\n  {{ x }}\n"])
def test_braces_in_quotes_blocks_and_comments_are_only_text(text: str) -> None:
    assert yamltext.scalars(text)


def test_a_missing_place_and_an_invisible_character_are_refused() -> None:
    with pytest.raises(YamlTextError, match=r"document 2: spec\.c\[0\]\.image: no scalar"):
        yamltext.locate("a: 1\n", 1, ("spec", "c", 0, "image"))
    for value in ("a\nb", "a\u202eb", "a\x00", "\ufeffa"):
        with pytest.raises(YamlTextError, match="control or formatting"):
            yamltext.splice("a: v1\n", [(0, ("a",), value)])


def test_empty_collections_and_types_count_as_differences() -> None:
    assert yamltext.differing("a: {}\nb: 1\n", "a: []\nb: '1'\n") == ((0, ("a",)), (0, ("b",)))
    assert yamltext.differing("a: x\n", "a: 'x' # same\n") == ()


WORDS = st.text(string.ascii_letters + string.digits + "._-/:@ '\"#", max_size=12)
PLAIN = st.from_regex(r"[a-z][a-z0-9.]{0,8}", fullmatch=True)
SOURCES = st.one_of(PLAIN, st.integers(0, 999).map(str), PLAIN.map(lambda w: f"'{w}'"), PLAIN.map(lambda w: f'"{w}"'))


@st.composite
def documents(draw: st.DrawFn) -> tuple[str, list[yamltext.Place]]:
    """A file of nested maps, lists and flow maps with comments and chosen line ends, and its scalars' places."""
    end, comment = draw(st.sampled_from(["\n", "\r\n"])), st.sampled_from(["", " # note", "  #x: y"])
    lines: list[str] = []
    places: list[yamltext.Place] = []
    for number in range(draw(st.integers(1, 3))):
        lines += ["---"] if number else []
        for key in draw(st.lists(PLAIN.map(lambda word: f"k{word}"), min_size=1, max_size=4, unique=True)):
            a, b = draw(SOURCES), draw(SOURCES)
            shape = draw(st.sampled_from(["scalar", "map", "list", "flow"]))
            if shape == "scalar":
                lines.append(f"{key}:  {a}{draw(comment)}")
                places.append((number, (key,)))
            elif shape == "flow":
                lines.append(f"{key}: {{p: {a},  q: [ {b} ]}}{draw(comment)}")
                places += [(number, (key, "p")), (number, (key, "q", 0))]
            elif shape == "map":
                lines += [f"{key}:{draw(comment)}", f"  p: {a}", f"  q: {b}"]
                places += [(number, (key, "p")), (number, (key, "q"))]
            else:
                lines += [f"{key}:", f"- {a}{draw(comment)}", f"- {b}"]
                places += [(number, (key, 0)), (number, (key, 1))]
    return end.join(lines) + draw(st.sampled_from(["", end])), places


@given(documents(), st.data())
def test_any_edit_changes_its_span_and_nothing_else(
    built: tuple[str, list[yamltext.Place]], data: st.DataObject
) -> None:
    text, places = built
    chosen = data.draw(st.lists(st.sampled_from(places), min_size=1, max_size=3, unique=True))
    values = [data.draw(WORDS) for _ in chosen]
    before = [yamltext.locate(text, *place) for place in chosen]
    edited = yamltext.splice(text, [(*place, value) for place, value in zip(chosen, values, strict=True)])
    changed = {scalar.place for scalar, value in zip(before, values, strict=True) if scalar.value != value}
    assert set(yamltext.differing(text, edited)) >= changed
    assert set(yamltext.differing(text, edited)) <= set(chosen)
    assert [yamltext.get(edited, *place) for place in chosen] == values
    assert outside(text, before) == outside(edited, [yamltext.locate(edited, *place) for place in chosen])
    inverse = [(*scalar.place, scalar.raw) for scalar in before]
    assert yamltext.splice_raw(edited, inverse) == text


def outside(text: str, spans: list[yamltext.Scalar]) -> list[str]:
    """The text between the spans."""
    edges = [
        0,
        *(edge for scalar in sorted(spans, key=lambda s: s.start) for edge in (scalar.start, scalar.end)),
        len(text),
    ]
    return [text[start:end] for start, end in zip(edges[::2], edges[1::2], strict=True)]


@given(st.text(string.printable + "\ufeff\u2028é", max_size=60))
def test_no_text_breaks_the_reader(text: str) -> None:
    try:
        found = yamltext.scalars(text)
    except YamlTextError:
        return
    assert all(text[scalar.start : scalar.end] == scalar.raw or "\n" in scalar.raw for scalar in found)


PRINTABLE = st.characters(exclude_categories=("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Zs")) | st.just(" ")


@given(st.text(PRINTABLE, max_size=20))
def test_a_quoted_value_reads_back_as_itself(value: str) -> None:
    for raw in ("v1", "'v1'", '"v1"'):
        assert yaml.safe_load(yamltext.quoted_like(raw, value)) == value
