"""Sealed bundles in the artifact store, as the operator reads them."""
