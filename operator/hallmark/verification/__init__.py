"""The chain, checked by a third party: from files and public keys alone. Pure but for reading."""
