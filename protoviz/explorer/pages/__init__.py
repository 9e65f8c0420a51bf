"""The pages of the explorer: a folder a page, with what it shows (view), chooses (state) and says (text)."""

# Folder -> title, in the order of the header. Nothing of a page is loaded before it is asked for.
PAGES = {
    "listen": "Listen",
    "attention": "Attention",
    "prototypes": "Prototypes",
    "orthogonality": "Orthogonality",
    "ranks": "Ranks",
    "polyphony": "Polyphony",
}
