"""KServe's SDK with the joblib model, as upstream's sklearnserver serves it with predict_proba.

Run with the Python of KServe's environment: upstream's own server package is not on PyPI.
"""

import sys
import uuid

import joblib
import numpy as np
from kserve import InferOutput, InferResponse, Model, ModelServer
from kserve.utils.utils import get_predict_input


class Served(Model):
    """The model, loaded once."""

    def __init__(self, path: str) -> None:
        super().__init__("credit")
        self.model = joblib.load(path)
        self.ready = True

    def predict(self, payload, headers=None, response_headers=None):  # noqa: ANN001, ANN201
        """Answer with the probabilities."""
        rows = get_predict_input(payload)
        found = self.model.predict_proba(rows).astype(np.float32)
        output = InferOutput("probabilities", list(found.shape), "FP32")
        binary = bool(getattr(payload, "use_binary_outputs", False))
        output.set_data_from_numpy(found, binary_data=binary)
        return InferResponse(payload.id or uuid.uuid4().hex, "credit", [output])


if __name__ == "__main__":
    path, port = sys.argv[1:]
    sys.argv = sys.argv[:1]
    ModelServer(http_port=int(port), enable_grpc=False, workers=1, access_log_format=None).start(
        [Served(path)]
    )
