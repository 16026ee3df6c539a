"""Drift: counting traffic into the signed baseline's bins, PSI from counts, and the decision.

Everything here is pure. ``counts``, ``windows`` and ``psi`` run in the predictor (numpy and the
models alone); the operator trusts no number of a predictor but recomputes each from the raw
counts: ``reports`` says what is believed, ``votes`` what one Pod says, ``decision`` what all say,
``room`` whose report makes room for another's, ``shown`` what is worth a write.
"""
