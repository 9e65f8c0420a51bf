"""The section "How many prototypes does a class need?", which stands on the page "Orthogonality"."""
