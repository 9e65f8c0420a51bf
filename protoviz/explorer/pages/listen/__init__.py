"""The page "Listen"."""
