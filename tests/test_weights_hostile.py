"""Hostile and damaged files of torch: nothing is called, no claim is believed, damage is noticed."""

import argparse
import collections
import functools
import io
import pickle
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from test_weights_archive import FORMATS, W, saved

from protoviz.encoders import WeightsError, load_encoder
from protoviz.encoders.contents import read_contents
from protoviz.encoders.pickles import Machine
from protoviz.encoders.stubs import ArchiveError


class Calls:
    """What a hostile pickle asks for: a call of something with arguments."""

    def __init__(self, called, *args, state=None):
        self.what = (called, args) if state is None else (called, args, state)

    def __reduce__(self):
        return self.what


def harmful(mark: str) -> list:
    import os

    return [
        Calls(os.system, f"touch {mark}"),
        Calls(eval, f"open({mark!r}, 'w')"),
        Calls(exec, f"open({mark!r}, 'w')"),
        Calls(getattr, Calls(__import__, "os"), "system"),
        Calls(functools.partial(open, mark), "w"),
        Calls(map, Calls(getattr, Path(mark), "touch"), [1]),
        Calls(open, mark, "w"),
        Calls(torch.load, mark, state={"a": Calls(open, mark, "w")}),
        Calls(collections.OrderedDict, [("a", Calls(open, mark, "w"))]),
        Calls(functools.reduce, Calls(open, mark, "w"), [1, 2]),
        Calls(type, "Made", (), {"__reduce__": 1}),
        Calls(
            torch._utils._rebuild_parameter, W, True, collections.OrderedDict(), state=Calls(open, mark, "w")
        ),
    ]


@FORMATS
@pytest.mark.parametrize("which", range(12))
def test_nothing_that_a_file_asks_for_is_called(tmp_path, which, new):
    mark = tmp_path / "harm"
    path = saved({"w": W, "harm": harmful(str(mark))[which]}, tmp_path / "h.pt", new)
    assert torch.equal(read_contents(path).root["w"], W)
    assert not mark.exists()


def test_nothing_is_imported_and_no_function_is_changed():
    assert "antigravity" not in sys.modules
    before = torch._utils._rebuild_tensor_v2.__defaults__
    name, function = (
        b"cantigravity\nfly\n(tR.",
        b"ctorch._utils\n_rebuild_tensor_v2\nN}X\x0c\x00\x00\x00__defaults__NsN\x86b.",
    )
    for program in (name, function.replace(b"NN\x86b", b"Nb")):
        Machine({}, None).run(io.BytesIO(b"\x80\x02" + program))
    assert "antigravity" not in sys.modules
    assert torch._utils._rebuild_tensor_v2.__defaults__ == before


def laughs(depth=60) -> bytes:
    """A list that holds one twice, that holds one twice, ...: a walk would take 2**60 steps."""
    return (
        b"\x80\x02]" + b"".join(b"q%c]q%c(h%ch%ce" % (i, i + 1, i, i) for i in range(0, 2 * depth, 2)) + b"."
    )


PROGRAMS = {
    "itself": b"\x80\x02}q\x00X\x01\x00\x00\x00ah\x00s.",
    "tuples as keys": b"\x80\x02}" + b")" + b"2\x86" * 60 + b"Ns.",
    "a set of tuples": b"\x80\x02cbuiltins\nset\n(" + b"](" + b")" + b"2\x86" * 60 + b"etR.",
    "a bytearray of 10**12": b"\x80\x02cbuiltins\nbytearray\n\x8a\x06\x00\x00\x00\x00\x00\x10\x85R.",
    "thousands of levels": b"\x80\x02}X\x01\x00\x00\x00a" + b"]" * 20_000 + b"a" * 19_999 + b"s.",
}


@pytest.mark.parametrize("program", PROGRAMS.values(), ids=list(PROGRAMS))
def test_knots_are_read_in_no_time_and_the_answer_is_a_line(tmp_path, program):
    with zipfile.ZipFile(tmp_path / "a.pt", "w") as file:
        file.writestr("a/data.pkl", program)
    with pytest.raises(WeightsError, match=r"a\.pt.*(holds no tensors|not a dict of tensors)"):
        load_encoder("eat", weights=tmp_path / "a.pt")


STORAGE = b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x04tQ"


KEY, BIG = b"X\x01\x00\x00\x000", b"\x8a\x06\x00\x00\x00\x00\x00\x10"  # the key, and 2**44


def rebuilt(size, stride, offset=0, storage=STORAGE) -> bytes:
    numbers = [pickle.dumps(value, 2)[2:-1] for value in (offset, size, stride, False)]
    build = b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + b"".join(numbers) + b"}tR"
    return b"\x80\x02}X\x01\x00\x00\x00w" + build.replace(b"q\x00", b"") + b"s."


HOSTILE = {
    "more values than there are": rebuilt((5,), (1,)),
    "strides past the end": rebuilt((2, 2), (1, 3)),
    "an offset past the end": rebuilt((2,), (1,), 3),
    "a negative offset": rebuilt((2,), (1,), -1),
    "negative strides": rebuilt((2,), (-1,), 3),
    "a shape of 2**80": rebuilt((1 << 40, 1 << 40), (1, 1)),
    "a spread of 10**12 values": rebuilt((10**12,), (0,)),
    "a shape of texts": rebuilt(("a",), (1,)),
    "a storage outside": rebuilt((1,), (1,), storage=STORAGE.replace(KEY, b"X\x06\x00\x00\x00../../")),
    "a storage that claims more": rebuilt((1,), (1,), storage=STORAGE.replace(b"K\x04", BIG)),
    "another persistent id": b"\x80\x02}X\x01\x00\x00\x00wX\x03\x00\x00\x00urlQs.",
    "text that is longer than the file": b"\x80\x02X\xff\xff\xff\x7fabc.",
    "bytes of 2**62": b"\x80\x04\x8e\x00\x00\x00\x00\x00\x00\x00\x40abc.",
    "no end": b"\x80\x02}",
    "an empty stack": b"\x80\x02.",
    "an unknown step": b"\x80\x02\xff.",
    "copies of copies": b"\x80\x02(X\x00\x00\x10\x00" + b"x" * (1 << 20) + b"q\x01"
    + b"c_codecs\nencode\nh\x01X\x06\x00\x00\x00latin1\x86R" * 400 + b"l.",
}  # fmt: skip


@pytest.mark.parametrize("program", HOSTILE.values(), ids=list(HOSTILE))
def test_what_a_file_claims_is_held_against_it(tmp_path, program):
    with zipfile.ZipFile(tmp_path / "a.pt", "w") as file:
        file.writestr("a/data.pkl", program)
        file.writestr("a/data/0", W[0, :4].numpy().tobytes())
    with pytest.raises(WeightsError, match=r"a\.pt.*fetch it again"):
        read_contents(tmp_path / "a.pt")


def test_zip_files_of_another_kind(tmp_path):
    def written(name, compression=zipfile.ZIP_STORED, **parts):
        with zipfile.ZipFile(tmp_path / name, "w", compression) as file:
            for part, data in parts.items():
                file.writestr(part, data)
        return tmp_path / name

    plain = pickle.dumps({}, 2)
    cases = [
        written("none.pt", readme="x"),
        written("deflated.pt", zipfile.ZIP_DEFLATED, **{"a/data.pkl": plain * 50}),
        written("two.pt", **{"a/data.pkl": plain, "b/data.pkl": plain}),
        written("deep.pt", **{"a/../../b/data.pkl": plain}),
        written("script.pt", **{"a/data.pkl": plain, "a/constants.pkl": plain}),
    ]
    np.savez(tmp_path / "arrays.npz", a=np.zeros(3))
    for path in [*cases, tmp_path / "arrays.npz"]:
        with pytest.raises(WeightsError, match=rf"{path.name}.*fetch it again"):
            read_contents(path)


@FORMATS
@settings(max_examples=150)
@given(data=st.data())
def test_a_changed_byte_is_noticed_or_harmless(tmp_path_factory, new, data):
    """Any byte changed or the file cut anywhere: the same tensors, others (only older files), or one line."""
    folder = tmp_path_factory.mktemp("changed")
    raw = bytearray(
        saved({"model": {"w": W}, "args": argparse.Namespace(a=1)}, folder / "w.pt", new).read_bytes()
    )
    place = data.draw(st.integers(0, len(raw) - 1))
    if data.draw(st.booleans()):
        raw[place] ^= data.draw(st.integers(1, 255))
    else:
        del raw[place:]
    (folder / "w.pt").write_bytes(raw)
    found, told = {}, ""
    try:
        contents = read_contents(folder / "w.pt")
        model = contents.root.get("model")
        held = model.items() if isinstance(model, dict) else ()
        found = {key: part for key, part in held if isinstance(part, torch.Tensor)}
        contents.check(found.values())
    except WeightsError as error:
        found, told = {}, str(error)
    assert not told or "w.pt" in told
    assert not new or all(torch.equal(tensor, W) for tensor in found.values())


@pytest.mark.parametrize("place", [0, 30, 79])
def test_a_flipped_bit_in_a_tensor_is_noticed(tmp_path, golden, place):
    root = torch.load(golden("eat/checkpoint_fairseq_pretrain.pt"), weights_only=True)
    raw = bytearray(saved({"model": root["model"]}, tmp_path / "w.pt").read_bytes())
    tensor = root["model"]["modality_encoders.IMAGE.context_encoder.norm.bias"].numpy().tobytes()
    raw[raw.index(tensor) + place] ^= 1
    (tmp_path / "w.pt").write_bytes(raw)
    with pytest.raises(WeightsError, match=r"w\.pt.*CRC"):
        load_encoder("eat", weights=tmp_path / "w.pt")


def test_a_walk_through_shared_lists_ends():
    with pytest.raises(ArchiveError):
        Machine({}, None).run(io.BytesIO(laughs()[:-1]))
    assert len(Machine({}, None).run(io.BytesIO(laughs()))) == 2
