"""What is sent to the API server."""

from __future__ import annotations

import json

import yaml
from hypothesis import given, strategies as st

from hallmark.cluster.transport import yaml_of

TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\x00"))


@given(text=TEXTS | st.just("\\ud83d\\ude00") | st.just("\\😀\\\\😀"))
def test_an_apply_document_is_json_without_pairs_of_surrogates(text: str) -> None:
    sent = yaml_of({"status": {"message": text}})

    assert json.loads(sent) == {"status": {"message": text}}
    assert not [pair for pair in ("\\ud83d\\ude00",) if pair.encode() in sent and pair not in text]


def test_an_emoji_is_sent_as_it_is() -> None:
    sent = yaml_of({"reason": "😀 é \u0081"})

    assert sent == '{"reason": "😀 \\u00e9 \\u0081"}'.encode()
    assert yaml.safe_load(sent) == {"reason": "😀 é \u0081"}
