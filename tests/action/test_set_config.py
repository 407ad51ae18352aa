"""A setting gets another value in the type and style that stands, or a refusal says why not."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops_sre.model.change import Draft, Field, FieldEdit
from gitops_sre.model.outcome import Refused
from gitops_sre.yamltext import quoted_like
from tests.action.settings_place import Located, at, draft

LITERAL = ("configMapGenerator", 0, "literals", 2)


def written(field: Field, value: str, key: str = "LOG") -> FieldEdit:
    answer = draft("set_config", Located([field]), key=key, value=value)
    assert isinstance(answer, Draft), answer
    assert len(answer.edits) == 1
    return answer.edits[0]


def refused(field: Field, value: str, key: str = "LOG") -> str:
    answer = draft("set_config", Located([field]), key=key, value=value)
    assert isinstance(answer, Refused), answer
    return answer.reason


@pytest.mark.parametrize(
    ("raw", "value", "expected"),
    [
        ("info", "debug", "debug"),
        ("'info'", "it's", "'it''s'"),
        ('"5"', "10", '"10"'),
        ("info", "5", '"5"'),
        ("info", "no", '"no"'),
        ("5", "10", "10"),
        ("5", "0.5", "0.5"),
        ("-1", "30", "30"),
        ("true", "false", "false"),
        ('""', "x", '"x"'),
    ],
)
def test_type_and_style_stay(raw: str, value: str, expected: str) -> None:
    edit = written(at("data", "LOG", value=raw.strip("'\""), raw=raw), value)
    assert (edit.before_raw, edit.after_raw, edit.after) == (raw, expected, value)
    assert edit.inverted().after_raw == raw


@pytest.mark.parametrize(
    ("raw", "value", "says"),
    [
        ("5", "many", "5 is a number, and 'many' is none"),
        ("5", "true", "is a number"),
        ("true", "5", "true is true or false"),
        ("true", "on", "not every reader takes on for true or false"),
        ("5", "010", "not every reader takes 010 for a number"),
        ("~", "x", "nothing stands at LOG that tells the type"),
        ("info", "info", "already says info"),
    ],
)
def test_a_value_of_another_type_is_refused(raw: str, value: str, says: str) -> None:
    assert says in refused(at("LOG", value=raw, raw=raw), value)


def test_a_configmap_and_a_variable_hold_text_even_where_nothing_stands() -> None:
    assert written(at("data", "LOG", value="", raw="~"), "5").after_raw == '"5"'
    assert written(at("spec", "env", 0, "value", value="", raw="null"), "a").after_raw == '"a"'


@pytest.mark.parametrize(
    ("stands", "value", "after"),
    [
        ("LOG=info", "debug", "LOG=debug"),
        ("LOG=", "a=b", "LOG=a=b"),
        ("LOG='a b'", "c d", "LOG='c d'"),
        ('LOG="x"', "y", 'LOG="y"'),
    ],
)
def test_of_a_literal_only_the_part_after_the_sign_changes(stands: str, value: str, after: str) -> None:
    edit = written(at(*LITERAL, value=stands), value)
    assert edit.after == after
    assert edit.after_raw == quoted_like(stands, after)


def test_a_line_of_an_env_file_is_not_quoted() -> None:
    assert written(at("LOG", value="info", file="web.env"), "5").after_raw == "5"
    assert written(at("LOG", value="a b", raw='"a b"', file="web.env"), "5").after_raw == '"5"'


TEXT = "# pool\npool.size = 5  \npool.size.max=50\nlog: a\n"


def test_one_line_of_a_text_changes_and_nothing_else() -> None:
    raw = "|\n  " + TEXT.replace("\n", "\n  ").rstrip()
    block = at("data", "app.properties", value=TEXT, raw=raw)
    edit = written(block, "7", "app.properties.pool.size")
    assert edit.after == TEXT.replace("size = 5 ", "size = 7 ")
    assert edit.after_raw == raw.replace("size = 5", "size = 7")
    assert "name a key that has one line in it" in refused(block, "7", "size")
    assert "has no line of its own" in refused(replace(block, raw=">-" + raw[1:]), "7", "pool.size")


def test_a_whole_file_is_not_a_value() -> None:
    block = at("data", "app.yaml", value="a: 1\na: 2\n", raw="|\n  a: 1\n  a: 2\n")
    assert "a whole text stands at data.app.yaml" in refused(block, "3", "app.yaml")
    assert "a whole text stands at data.app.yaml" in refused(block, "3", "a")


@pytest.mark.parametrize("key", ["DB_PASSWORD", "apiKey", "GITHUB_TOKEN", "client-secret", "PRIVATE_KEY", "passphrase"])
def test_keys_that_are_named_like_secrets_are_refused_before_anything_is_looked_up(key: str) -> None:
    located = Located([at("data", key, value="a")])
    answer = draft("set_config", located, key=key, value="b")
    assert isinstance(answer, Refused)
    assert "secret" in answer.reason
    assert located.asked == []


@pytest.mark.parametrize(
    "value",
    [
        "-----BEGIN RSA PRIVATE KEY-----",
        "AKIA" + "A" * 16,
        "ghp_" + "a" * 36,
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln",
        "postgres://app:hunter2@db.example.com/shop",
    ],
)
def test_values_that_look_like_secrets_are_refused_and_not_repeated(value: str) -> None:
    reason = refused(at("data", "LOG", value="a"), value)
    assert "looks like a secret" in reason
    assert value not in reason


@pytest.mark.parametrize("value", ["", "a\nb", "a\x00", "a" * 1025, "\x1b[31m", "\x85"])
def test_values_out_of_bounds_are_refused(value: str) -> None:
    assert "is not a value of 1 to 1024 printable characters" in refused(at("data", "LOG", value="a"), value)


def test_invisible_characters_are_refused() -> None:
    assert "formatting characters" in refused(at("data", "LOG", value="a"), "a\u202eb")


def test_the_locators_refusal_is_passed_on_and_a_flags_definition_is_not_one_value() -> None:
    answer = draft("set_config", Located(Refused("two places")), key="LOG", value="b")
    assert answer == Refused("two places")
    parts = [at("flags", "x", "state", value="ENABLED"), at("flags", "x", "defaultVariant", value="on")]
    answer = draft("set_config", Located(parts), key="x", value="b")
    assert isinstance(answer, Refused)
    assert "use set_flag" in answer.reason


KEEPS = "ConfigMap c in c.yaml; running pods keep the old value until they restart"
MAY_KEEP = "ConfigMap c in c.yaml; programs that do not watch the file keep the old value until they restart"


def test_pods_that_would_keep_the_old_value_are_made_new_by_a_checksum() -> None:
    annotations = ("spec", "template", "metadata", "annotations", "gitops-sre.dev/config-checksum")
    there = Field("w.yaml", 0, annotations, "value", "0123456789abcdef", "'0123456789abcdef'", "Deployment web")
    setting = at("data", "LOG", value="info", reason=KEEPS)
    made = [draft("set_config", Located([setting], [there]), key="LOG", value=value) for value in ("a", "b", "a")]
    assert all(isinstance(each, Draft) and [edit.part for edit in each.edits] == ["target", "coupled"] for each in made)
    checksums = [each.edits[1].after for each in made if isinstance(each, Draft)]
    assert checksums[0] == checksums[2] != checksums[1]


def test_where_no_template_is_found_a_person_is_told() -> None:
    setting = at("data", "LOG", value="info", reason=KEEPS)
    for template, why in ((Refused("made by a chart"), "made by a chart"), ((), "is made elsewhere")):
        answer = draft("set_config", Located([setting], template), key="LOG", value="b")
        assert isinstance(answer, Draft)
        assert len(answer.edits) == 1
        assert answer.notes[0].startswith("restart needed: ")
        assert why in answer.notes[0]


def test_a_mounted_file_is_only_noted_and_everything_else_needs_no_restart() -> None:
    answer = draft("set_config", Located([at("data", "LOG", value="a", reason=MAY_KEEP)]), key="LOG", value="b")
    assert isinstance(answer, Draft)
    assert answer.notes == (f"restart needed: {MAY_KEEP}",)
    answer = draft("set_config", Located([at("data", "LOG", value="a")]), key="LOG", value="b")
    assert isinstance(answer, Draft)
    assert answer.notes == ()


NAMES, HELD = (st.from_regex(text, fullmatch=True) for text in (r"[a-z][a-z.]{0,6}", r"[a-z0-9]{1,5}"))


@given(
    st.lists(st.tuples(NAMES, HELD), min_size=1, max_size=6),
    st.from_regex(r"[a-z0-9/:]{1,8}", fullmatch=True),
    st.sampled_from(["=", " = ", ": "]),
)  # fmt: skip
def test_a_line_that_was_edited_says_the_new_value_and_the_inverse_restores_it(
    lines: list[tuple[str, str]], value: str, sign: str
) -> None:
    text = "".join(f"{name}{sign}{held}\n" for name, held in lines)
    block = at("data", "a.properties", value=text, raw="|\n" + "".join(f"  {line}\n" for line in text.splitlines()))
    key = lines[0][0]
    answer = draft("set_config", Located([block]), key=key, value=value)
    names = [name for name, _ in lines]
    if isinstance(answer, Refused):
        assert names.count(key) > 1 or lines[0][1] == value or "secret" in answer.reason
        return
    edit = answer.edits[0]
    assert edit.after == "".join(f"{name}{sign}{value if name == key else held}\n" for name, held in lines)
    assert edit.after_raw.replace("  ", "") == edit.before_raw.replace("  ", "").replace(
        f"\n{key}{sign}{lines[0][1]}\n", f"\n{key}{sign}{value}\n"
    )


def test_what_was_changed_again_since_is_left_alone() -> None:
    field = at("data", "LOG", value="debug")
    assert isinstance(draft("set_config", Located([field]), key="LOG", value="info", was="debug"), Draft)
    answer = draft("set_config", Located([field]), key="LOG", value="info", was="trace")
    assert isinstance(answer, Refused)
    assert "LOG is 'debug' and no longer 'trace': it was changed again since" in answer.reason
