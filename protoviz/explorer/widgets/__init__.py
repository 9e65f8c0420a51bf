"""What pages are made of: pictures, charts, the player, and one look for all."""
