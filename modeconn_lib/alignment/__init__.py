"""Choose a representative of network B modulo permutation: the one most like network A."""
