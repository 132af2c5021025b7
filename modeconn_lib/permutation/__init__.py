"""Permutation symmetry: found in any network's graph, held as data, applied and verified."""
