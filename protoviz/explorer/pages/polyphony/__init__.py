"""The page "Polyphony"."""
