"""The five kinds of ``hallmark.dev/v1alpha1`` and the documents they exchange, as frozen models.

This package is the one source of the CRDs (``crd.py``), of the names everybody uses
(``names.py``), and of the files in a sealed bundle (``artifacts.py``). What a predictor needs has
files of its own (``trust.py``, ``served.py``, ``drift.py``), so that it reads no others. It does
no I/O.
"""
