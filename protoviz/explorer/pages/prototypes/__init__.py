"""The page "Prototypes"."""
