import pytest

from hallmark.cli import main

REFUSALS = {
    "no kubeconfig": (["approve", "loan-v1", "--reason=Read."], "error: Expected a kubeconfig"),
    "a group without a user": (
        ["approve", "loan-v1", "--reason=Read.", "--as-group=x"],
        "error: Expected --as beside --as-group",
    ),
    "a file that is not there": (
        ["audit", "verify", "log", "--public-key=nowhere.pem"],
        "error: [Errno 2] No such file or directory: 'nowhere.pem'",
    ),
    "two places for keys": (
        ["keys", "init", "--apply", "--output=x"],
        "error: Expected --apply",
    ),
}


@pytest.mark.parametrize(("arguments", "expected"), REFUSALS.values(), ids=REFUSALS.keys())
def test_an_error_is_a_sentence_on_standard_error(
    monkeypatch: pytest.MonkeyPatch, arguments: list[str], expected: str
) -> None:
    monkeypatch.setattr("sys.argv", ["hallmark", *arguments])
    monkeypatch.setenv("KUBECONFIG", "/nowhere")

    with pytest.raises(SystemExit) as ended:
        main()
    assert str(ended.value.code).startswith(expected)
    assert "\n" not in str(ended.value.code)


def test_an_audit_log_that_is_not_there_does_not_verify(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["hallmark", "audit", "verify", "/nowhere/secure_mlops.log"])

    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    assert "0 records, does not verify" in capsys.readouterr().out
