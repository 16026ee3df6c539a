"""The assay against the peers: each module has ``run() -> list[Figure]``."""
