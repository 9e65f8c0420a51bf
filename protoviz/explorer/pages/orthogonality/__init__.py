"""The page "Orthogonality"."""
