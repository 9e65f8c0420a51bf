"""The section "How much of the gap to fine-tuning is pooling?", which stands on the page "Ranks"."""
