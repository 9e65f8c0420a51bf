"""The pages of the explorer: a folder a page, with what it shows (view), chooses (state) and says (text).

The folder's name is the page's one name: in links, in `drawn_by`, in `ExplorerState.own`.
"""

from importlib import import_module

# Folder -> title, in the order of the header. Nothing of a page is loaded before it is asked for.
PAGES = {
    "listen": "Listen",
    "attention": "Attention",
    "prototypes": "Prototypes",
    "orthogonality": "Orthogonality",
    "ranks": "Ranks",
    "polyphony": "Polyphony",
}
SECTIONS = ("neighbours", "layers", "pruning", "gap")  # stand on a page, and have a folder like one


def declared(folder: str, file: str, kind: type) -> type:
    """Return the class of this kind that a file of a page's folder defines; raise LookupError without one."""
    found = import_module(f"{__name__}.{folder}.{file}")
    for one in vars(found).values():
        if isinstance(one, type) and issubclass(one, kind) and one.__module__ == found.__name__:
            return one
    raise LookupError(f"{found.__file__} defines no {kind.__name__}: a page needs one")
