"""What the pages say: one file a page."""
