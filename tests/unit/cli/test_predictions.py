"""What comes back from an address that should be a predictor's: predictions, or a sentence."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler

import pytest
from typer.testing import CliRunner

from hallmark.cli.app import app
from hallmark.errors import ConfigurationError

GOOD = {
    "predictions": [{"label": "yes", "probabilities": {"no": 0.25, "yes": 0.75}}],
    "modelVersion": "loan-v1",
}


@contextmanager
def answering(status: int, body: bytes) -> Iterator[str]:
    """Yield the address of a server that answers everything so."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            del format, args

    with socketserver.TCPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def predict(url: str, *options: str) -> tuple[int, str, str]:
    arguments = ["predict", "loan", "-n", "credit", "-d", "{}", "--url", url, *options]
    done = CliRunner().invoke(app, arguments)
    return done.exit_code, done.stdout, done.stderr or str(done.exception)


@pytest.mark.parametrize("options", [(), ("-o", "yaml"), ("-o", "table")])
def test_predictions_are_shown(options: tuple[str, ...]) -> None:
    with answering(200, json.dumps(GOOD).encode()) as url:
        code, out, err = predict(url, *options)

    assert code == 0, err
    assert "yes" in out
    assert "0.75" in out


@pytest.mark.parametrize("status", [400, 413, 415, 422])
def test_a_refusal_is_told_in_the_predictors_words(status: int) -> None:
    said = "'income' in row 0: expected a number, found text of 4 characters."
    with answering(status, json.dumps({"error": said, "details": []}).encode()) as url:
        code, _, err = predict(url)

    assert code == 10
    assert said in " ".join(err.split())


@pytest.mark.parametrize(
    ("status", "body"),
    [
        pytest.param(200, b"", id="nothing"),
        pytest.param(200, b"<html>", id="a page"),
        pytest.param(200, b"[1]", id="a list"),
        pytest.param(200, b"[" * 100_000, id="lists in lists"),
        pytest.param(200, b'{"predictions": 1}', id="a number for the predictions"),
        pytest.param(200, b'{"predictions": [1]}', id="numbers for predictions"),
        pytest.param(200, b'{"predictions": [{"label": "a"}]}', id="no probabilities"),
        pytest.param(
            200,
            b'{"predictions": [{"label": "a", "probabilities": {"a": "much"}}]}',
            id="texts for probabilities",
        ),
        pytest.param(200, b"\xff\x00", id="bytes"),
        pytest.param(404, b"not here", id="not there"),
        pytest.param(500, json.dumps(GOOD).encode(), id="an error that looks good"),
        pytest.param(204, b"", id="no content"),
    ],
)
@pytest.mark.parametrize("form", ["json", "table"])
def test_what_is_no_prediction_is_an_error_of_one_sentence(
    status: int, body: bytes, form: str
) -> None:
    with answering(status, body) as url:
        code, out, err = predict(url, "-o", form)

    assert (code, out) == (1, "")
    assert f"found an answer with status {status}" in " ".join(err.split())
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("[" * 100_000, "expected rows, found JSON nested too deeply"),
        ("1", "expected an object (a row) or a list of rows"),
        ("{", "expected JSON"),
        ("@/no/such", "/no/such cannot be read"),
        ("@/dev/zero", "/dev/zero cannot be read"),
    ],
    ids=["lists in lists", "a number", "half an object", "no file", "a file without an end"],
)
def test_what_is_no_row_is_said(data: str, said: str) -> None:
    done = CliRunner().invoke(app, ["predict", "loan", "--url", "http://127.0.0.1:9", "-d", data])
    assert isinstance(done.exception, ConfigurationError)
    assert f"--data: {said}" in str(done.exception)
