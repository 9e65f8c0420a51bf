"""What the page "Prototypes" shows across clips: nearest clips, maps of prototypes and of tokens."""
