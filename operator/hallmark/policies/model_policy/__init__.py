"""Whether a ModelPolicy can be used."""
