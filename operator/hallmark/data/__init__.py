"""The data side of the assay: bytes in, rows checked, findings out.

Everything but ``sources`` is pure. A refusal is a ``Finding``; it tells type, length and row of
what was found and never the value, except numbers and declared categories of columns that are
neither sensitive nor flagged by the personal-data guard.
"""
