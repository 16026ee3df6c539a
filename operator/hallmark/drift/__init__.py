"""Drift: counting traffic into the signed baseline's bins, PSI from counts, and the decision.

Everything here is pure. ``counts`` and ``windows`` run in the predictor (numpy and the standard
library alone); ``psi`` and ``decision`` run in the operator, which trusts no number of a
predictor but recomputes each from the raw counts.
"""
