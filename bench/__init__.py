"""Benchmarks. Each figure is shown beside a peer or a physical limit that was measured in the same run."""
