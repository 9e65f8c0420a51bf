"""The page "Ranks"."""
