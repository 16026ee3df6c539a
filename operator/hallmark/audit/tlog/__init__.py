"""The log as a C2SP tlog-tiles tree: short proofs of single records, and other people's witness."""
