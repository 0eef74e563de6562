"""Signed checkpoints, the Merkle tree of the ledger, and inclusion proofs."""
