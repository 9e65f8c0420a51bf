"""HoloViews, loaded when the first figure is drawn."""


def holoviews():
    """Return the module; where no backend is loaded yet, Bokeh's is, so that a figure never lacks one."""
    import holoviews as hv

    if not hv.Store.loaded_backends():
        hv.extension("bokeh", logo=False)
    return hv
