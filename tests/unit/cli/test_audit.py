import json

import pytest

from hallmark.cli.audit import acknowledgement_text
from hallmark.errors import ConfigurationError
from hallmark.policies.acknowledgement import read_acknowledgement

BREAK = "0123456789ab"


def test_the_text_is_canonical_and_reads_back() -> None:
    text = acknowledgement_text(BREAK, "audrey", "Ein Backup wurde zurückgespielt.")

    assert text == (
        f'{{"break":"{BREAK}","by":"audrey","reason":"Ein Backup wurde zurückgespielt."}}'
    )
    found = read_acknowledgement(text)
    assert found is not None
    assert (found.break_id, found.by) == (BREAK, "audrey")


@pytest.mark.parametrize(
    ("break_id", "user", "reason"),
    [
        ("all", "audrey", "x"),
        (BREAK.upper(), "audrey", "x"),
        (BREAK, "", "x"),
        (BREAK, 'au"drey', "x"),
        (BREAK, "audrey", ""),
        (BREAK, "audrey", "two\nlines"),
        (BREAK, "audrey", "x" * 513),
    ],
)
def test_what_admission_would_refuse_is_refused(break_id: str, user: str, reason: str) -> None:
    with pytest.raises(ConfigurationError):
        acknowledgement_text(break_id, user, reason)


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", "{", json.dumps({"break": 7})])
def test_what_is_none_acknowledges_nothing(text: str) -> None:
    assert read_acknowledgement(text) is None
