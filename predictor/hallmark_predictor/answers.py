"""The texts of answers, made from templates: what is the same in each is encoded once."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from hallmark_predictor.protocol import LABEL, RECEIPT, Output, with_binary

_encode = msgspec.json.encode


class Answers:
    """Answers of one version of a model."""

    def __init__(
        self,
        model: str,
        version: str,
        classes: Sequence[str],
        version_name: str,
        digest: str,
        *,
        receipts: bool = False,
    ) -> None:
        """Make the templates.

        Args:
            model: The model's name.
            version: Its number, as the protocol's version.
            classes: Labels in the order of the probabilities.
            version_name: The ModelVersion's name.
            digest: The manifest digest.
            receipts: Whether each row's answer has a receipt.
        """
        self._names = [_encode(name) for name in classes]
        texts = [name.encode() for name in classes]
        self._binary_names = [len(text).to_bytes(4, "little") + text for text in texts]
        numbers = b",".join([b"%a"] * len(classes))
        named = b",".join(_literal(name) + b":%a" for name in self._names)
        self._predictions = [
            b'{"label":' + _literal(name) + b',"probabilities":{' + named + b"}"
            + (b',"receipt":"%b"}' if receipts else b"}")
            for name in self._names
        ]  # fmt: skip
        self._predictions_end = (
            b'],"modelVersion":' + _encode(version_name)
            + b',"manifestDigest":' + _encode(digest) + b"}"
        )  # fmt: skip
        self._head = (
            b'{"model_name":' + _encode(model) + b',"model_version":' + _encode(version)
            + b',"outputs":['
        )  # fmt: skip
        self._one_row = [
            _literal(self._head)
            + b'{"name":"label","datatype":"BYTES","shape":[1],"data":['
            + _literal(name)
            + b']},{"name":"probabilities","datatype":"FP32","shape":[1,%d],"data":[' % len(classes)
            + numbers
            + (_RECEIPT_OF_ONE if receipts else b"]}]")
            for name in self._names
        ]

    def predictions(
        self,
        labels: Sequence[int],
        rows: Sequence[Sequence[float]],
        receipts: Sequence[bytes] | None = None,
    ) -> bytes:
        """Return the answer of ``/predict``.

        Args:
            labels: The decided class of each row.
            rows: The probabilities of each row.
            receipts: Of each row, where answers have them.
        """
        texts = self._predictions
        if receipts is None:
            parts = [texts[label] % tuple(row) for label, row in zip(labels, rows, strict=True)]
        else:
            found = zip(labels, rows, receipts, strict=True)
            parts = [texts[label] % (*row, receipt) for label, row, receipt in found]
        return b'{"predictions":[' + b",".join(parts) + self._predictions_end

    def tensors_of_one(
        self,
        label: int,
        row: tuple[float, ...],
        identity: str | None,
        receipt: bytes | None = None,
    ) -> bytes:
        """Return the protocol's answer to one row, with all outputs."""
        text = self._one_row[label] % (row if receipt is None else (*row, receipt))
        return text + (b"}" if identity is None else _end(identity))

    def tensors(
        self,
        labels: NDArray[np.int64],
        probabilities: NDArray[np.float32],
        outputs: Sequence[Output],
        identity: str | None,
        receipts: Sequence[bytes] | None = None,
    ) -> tuple[bytes, int | None]:
        """Return the protocol's answer, and how long its JSON is where bytes follow it.

        Args:
            labels: The decided class of each row.
            probabilities: Shape (rows, classes).
            outputs: What is wanted, and in which form.
            identity: The request's ``id``.
            receipts: Of each row, where answers have them.
        """
        texts, tails = [], []
        for output in outputs:
            if output.name == RECEIPT:
                text, tail = _receipts(output, receipts or [])
            else:
                text, tail = self._tensor(output, labels, probabilities)
            texts.append(text)
            tails.append(tail)
        end = b"]}" if identity is None else b"]" + _end(identity)
        return with_binary(self._head + b",".join(texts) + end, tails)

    def _tensor(
        self, output: Output, labels: NDArray[np.int64], probabilities: NDArray[np.float32]
    ) -> tuple[bytes, bytes]:
        is_label = output.name == LABEL
        shape = labels.shape if is_label else probabilities.shape
        head = b'{"name":"%b","datatype":"%b","shape":%b,' % (
            output.name.encode(),
            b"BYTES" if is_label else b"FP32",
            _encode(list(shape)),
        )
        if output.binary:
            tail = self._label_bytes(labels) if is_label else probabilities.astype("<f4").tobytes()
            return head + b'"parameters":{"binary_data_size":%d}}' % len(tail), tail
        if is_label:
            data = b",".join(map(self._names.__getitem__, labels.tolist()))
            return head + b'"data":[' + data + b"]}", b""
        return head + b'"data":' + _encode(probabilities.ravel().tolist()) + b"}", b""

    def _label_bytes(self, labels: NDArray[np.int64]) -> bytes:
        return b"".join(map(self._binary_names.__getitem__, labels.tolist()))


_RECEIPT_OF_ONE = b']},{"name":"receipt","datatype":"BYTES","shape":[1],"data":["%b"]}]'


def _receipts(output: Output, receipts: Sequence[bytes]) -> tuple[bytes, bytes]:
    """Return the tensor of receipts, and its bytes where they are wanted."""
    head = b'{"name":"receipt","datatype":"BYTES","shape":[%d],' % len(receipts)
    if output.binary:
        tail = b"".join(len(text).to_bytes(4, "little") + text for text in receipts)
        return head + b'"parameters":{"binary_data_size":%d}}' % len(tail), tail
    data = b",".join(b'"' + text + b'"' for text in receipts)
    return head + b'"data":[' + data + b"]}", b""


def _end(identity: str) -> bytes:
    return b',"id":' + _encode(identity) + b"}"


def _literal(text: bytes) -> bytes:
    """Return a text that stands for itself in a template."""
    return text.replace(b"%", b"%%")
