"""How long the steps take that everything else waits for, against what they cannot beat."""
