"""The token cache in any order of writes, kills, damage and repairs, against a plain model of it."""

import os
import tempfile
from contextlib import ExitStack, suppress
from pathlib import Path

import numpy as np
import pytest
from cache_fakes import FakeEncoder, fake_clips
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from test_cache_damage import BROKEN, change, make, tree

from protoviz.cache import CacheError, TokenCache, check_cache, repair_cache

pytestmark = pytest.mark.filterwarnings("ignore:.*clips were skipped")

ENCODER, CLIPS = FakeEncoder(), fake_clips(broken=BROKEN | {"fakes-0009": np.ones(7, np.float32)})
OTHERS = [
    {"encoder": FakeEncoder(seed=1)},
    {"clips": fake_clips(samples=20)},  # other masks
    {"clips": fake_clips(21)},
    {"dtype": "float32"},
]


def model() -> dict[str, list[bytes]]:
    """Clip -> its tokens, cls, mask and targets, without a cache."""
    found = {}
    for begin in range(0, 20, 4):
        rows = [row for row in range(begin, begin + 4) if row != 2]
        encoding = ENCODER.encode([CLIPS.read(row) for row in rows])
        parts = encoding.tokens.half(), encoding.cls, encoding.mask, CLIPS.targets()[rows]
        for place, row in enumerate(rows):
            found[f"fakes-{row:04d}"] = [np.asarray(part[place]).tobytes() for part in parts]
    return found


class Cache(RuleBasedStateMachine):
    """What is read equals the model, or an error of the cache is raised; mended, all equals the model."""

    wanted = model()

    def __init__(self):
        super().__init__()
        self.open = ExitStack()
        place = self.open.enter_context(tempfile.TemporaryDirectory())
        patch = self.open.enter_context(pytest.MonkeyPatch.context())
        patch.setattr(os, "fsync", lambda _: None)  # no power fails here
        self.folder, self.ages, self.reader = Path(place) / "cache", 0, None

    @property
    def files(self) -> list[Path]:
        return sorted(p for p in self.folder.glob("**/*.*") if p.is_file() and "damaged" not in p.parts)

    def create(self, **options) -> TokenCache:
        return make(self.folder, ENCODER, CLIPS, **options)

    def equal(self, cache: TokenCache, row: int) -> None:
        parts = [part[0].numpy().tobytes() for part in cache.read(row)]
        assert parts == self.wanted[cache.table["clip"][row]]

    def mended(self) -> None:
        try:
            report = repair_cache(self.folder)
        except CacheError:
            report = None  # nothing was begun
        if report is None or not report.whole:
            self.create()
        self.reader = TokenCache.open(self.folder)
        assert self.reader.table["clip"].tolist() == list(self.wanted)
        for row in range(19):
            self.equal(self.reader, row)
        report = check_cache(self.folder)
        assert report.whole

    @invariant()
    def what_is_read_is_right(self):
        with suppress(CacheError):
            fresh = TokenCache.open(self.folder)
            assert len(fresh) == 19
            self.reader = self.reader or fresh
            for row in range(0, 19, 3):
                with suppress(CacheError):
                    self.equal(fresh, row)
        for row in range(19 if self.reader else 0):
            with suppress(CacheError):
                self.equal(self.reader, row)

    @rule(lanes=st.integers(1, 2), batch=st.sampled_from([4, 4, 5]))
    def write(self, lanes, batch):
        with suppress(CacheError):  # both meta files are lost, or it was begun with another batch
            self.create(lanes=lanes, **({"batch": batch} if (self.folder / "meta.json").exists() else {}))

    @rule(step=st.integers(0, 30), repair=st.booleans())
    def killed(self, step, repair):
        steps = iter(range(step))

        def counted(call):
            def one(*arguments):
                lock = str(arguments[0]).endswith(".lock")  # the system lets go of it
                if not lock and next(steps, None) is None:
                    raise KeyboardInterrupt
                return call(*arguments)

            return one

        with pytest.MonkeyPatch.context() as patch, suppress(CacheError, KeyboardInterrupt):
            for name in ("replace", "fsync", "unlink", "rename"):
                patch.setattr(os, name, counted(getattr(os, name)))
            repair_cache(self.folder) if repair else self.create()

    @precondition(lambda self: (self.folder / "meta.json").exists())
    @rule(other=st.sampled_from(OTHERS))
    def written_with_something_else(self, other):
        (self.folder / ".lock").unlink(missing_ok=True)  # of one that was killed
        before = tree(self.folder)
        with pytest.raises(CacheError):
            make(self.folder, **{"encoder": ENCODER, "clips": CLIPS} | other)
        assert tree(self.folder) == before

    @precondition(lambda self: self.files)
    @rule(data=st.data(), place=st.integers(0, 5000), by=st.integers(1, 255))
    def changed(self, data, place, by):
        path = data.draw(st.sampled_from(self.files))
        if path.stat().st_size:
            change(path, place, by)

    @precondition(lambda self: self.files)
    @rule(data=st.data(), size=st.integers(-1, 2000))
    def cut(self, data, size):
        path = data.draw(st.sampled_from(self.files))
        path.unlink() if size < 0 else path.write_bytes(path.read_bytes()[:size])

    @precondition(lambda self: self.files)
    @rule()
    def aged(self):
        """Files may be of any age; one written just now is trusted less."""
        self.ages += 1
        for path in self.files:
            os.utime(path, (self.ages, self.ages))

    @rule()
    def repaired(self):
        self.mended()

    def teardown(self):
        with self.open:
            self.mended()


TestCache = Cache.TestCase
TestCache.settings = settings(max_examples=15, stateful_step_count=10)
