import errno
import os
from pathlib import Path
from typing import Any

import pytest

from hallmark.cli import main, unusable

REFUSALS = {
    "no kubeconfig": (["approve", "loan-v1", "--reason=Read."], "error: Expected a kubeconfig"),
    "a group without a user": (
        ["approve", "loan-v1", "--reason=Read.", "--as-group=x"],
        "error: Expected --as beside --as-group",
    ),
    "a file that is not there": (
        ["audit", "verify", "log", "--public-key=nowhere.pem"],
        "error: nowhere.pem cannot be used (No such file or directory); name one that is there",
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


@pytest.mark.parametrize("names", [(), ("a",), (b"a\xff",), ("a", None, "b")], ids=str)
def test_what_the_system_refuses_is_a_sentence(names: tuple[Any, ...]) -> None:
    for number in errno.errorcode:
        sentence = unusable(OSError(number, os.strerror(number), *names))
        assert os.strerror(number) in sentence
        assert "Errno" not in sentence
        assert all(os.fsdecode(name) in sentence for name in names if name)


@pytest.mark.parametrize("error", [OSError(), OSError("No host."), TimeoutError()], ids=repr)
def test_so_is_what_has_no_number(error: OSError) -> None:
    assert unusable(error).endswith("; put that right, and run it again.")
    assert "None" not in unusable(error)


HOSTILE = ["\x1b[2J", "\x1b]0;title\x07", "\r\n", "\u202e", "\x85", "\udcff"]


@pytest.mark.parametrize("sign", HOSTILE, ids=ascii)
@pytest.mark.parametrize(
    "arguments",
    [["local", "no{}.yaml"], ["init", "no{}.csv"], ["local", "diff", "no{}", "x", "--state=no"]],
    ids=lambda arguments: " ".join(arguments[:2]),
)
def test_an_error_prints_nothing_that_controls_a_terminal(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, arguments: list[str], sign: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["hallmark", *(text.format(sign) for text in arguments)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert str(ended.value.code).startswith("error: ")
    assert str(ended.value.code).isprintable()
    assert "unexpected" not in str(ended.value.code)


def test_a_manifests_words_control_no_terminal_either(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "run.yaml"
    file.write_text('kind: TrainingRun\n"\\e[2Jspec": 1\n')
    monkeypatch.setattr("sys.argv", ["hallmark", "local", str(file)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert "?[2Jspec" in str(ended.value.code)
