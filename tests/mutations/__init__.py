"""Random single changes of an exported chain: the verifier must find every one of them."""
