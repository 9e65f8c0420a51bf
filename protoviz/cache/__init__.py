"""Token maps on disk: encode once, read many."""

from protoviz.cache.batch import TokenBatch

__all__ = ["TokenBatch"]
