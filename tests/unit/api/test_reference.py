"""The reference page says what the models say."""

from hallmark.api import reference


def test_the_page_is_generated_from_the_models_of_today() -> None:
    assert reference.PAGE.read_text(encoding="utf-8") == reference.page()


def test_every_reason_has_a_sentence() -> None:
    for enum in reference.REASONS.values():
        assert [name for name, text in reference.reasons(enum) if not text] == []
        assert len(reference.reasons(enum)) == len(enum)
