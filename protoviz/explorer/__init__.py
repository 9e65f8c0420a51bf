"""The explorer: what can be shown, what is chosen, the pictures, the player and the pages."""
