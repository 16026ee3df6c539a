"""How fast a chain is verified: one version, a gigabyte, and an export of a thousand versions."""
