"""The section "In which layer can a class be read?", which stands on the page "Attention"."""
