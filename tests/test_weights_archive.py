"""Files of torch read without running them: foreign objects, hostile programs, damage, both formats."""

import argparse
import collections
import enum
import functools
import io
import pathlib
import pickle
import struct
import sys
import types
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from protoviz.encoders import WeightsError, load_encoder
from protoviz.encoders.archive import read_archive
from protoviz.encoders.contents import read_contents
from protoviz.encoders.pickles import Machine
from protoviz.encoders.stubs import ArchiveError


@pytest.fixture
def golden(shared):
    return lambda name: shared(f"golden/encoders/{name}")


FORMATS = pytest.mark.parametrize("new", [True, False], ids=["zip", "older"])
W = torch.arange(20.0).view(4, 5)
TENSORS = {
    "plain": W,
    "view": W[1:, 2:],
    "turned": W.T,
    "spread": W[:1].expand(3, 5),
    "bfloat16": W.bfloat16(),
    "half": W.half(),
    "double": W.double(),
    "bool": W > 3,
    "int8": torch.arange(3, dtype=torch.int8),
    "complex": torch.complex(W, -W),
    "number": torch.tensor(2.5),
    "empty": torch.zeros(0, 3),
    "parameter": torch.nn.Parameter(W),
}


def saved(root, path: Path, new: bool = True) -> Path:
    torch.save(root, path, _use_new_zipfile_serialization=new)
    return path


@FORMATS
def test_tensors_are_those_that_torch_reads(tmp_path, new):
    more = {"float8": W.to(torch.float8_e4m3fn), "uint16": W.to(torch.uint16)} if new else {}
    path = saved({**TENSORS, **more}, tmp_path / "a.pt", new)
    read, theirs = read_archive(path), torch.load(path, weights_only=True)
    assert list(read.root) == list(theirs)
    for key, value in theirs.items():
        ours = read.root[key]
        assert (ours.dtype, ours.shape, ours.stride()) == (value.dtype, value.shape, value.stride()), key
        assert torch.equal(
            ours.float() if key == "float8" else ours, value.float() if key == "float8" else value
        )
    places = {read.root[key].untyped_storage().data_ptr() for key in ("plain", "view", "turned", "parameter")}
    assert len(places) == 1, "tensors that share memory still do"
    read.check(read.root.values())


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary(max_size=9)
    | st.complex_numbers(allow_nan=False),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(
            st.text(max_size=4) | st.integers() | st.tuples(st.text(max_size=3)), inner, max_size=4
        )
        | st.dictionaries(st.text(max_size=4), inner, max_size=4).map(collections.OrderedDict)
        | st.sets(st.integers() | st.text(max_size=3), max_size=4)
        | st.frozensets(st.integers(), max_size=4)
    ),
    max_leaves=12,
)


@settings(deadline=None, max_examples=40)
@given(value=VALUES, protocol=st.integers(0, pickle.HIGHEST_PROTOCOL))
def test_plain_values_are_those_that_pickle_reads(value, protocol):
    assert Machine({}, None).run(io.BytesIO(pickle.dumps(value, protocol))) == value


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("kind", ["f8", ">f4", "f2", "i4", "?", "c8", "U3"])
def test_numpy_numbers_and_arrays(kind, protocol):
    array = np.array([[1, 0, 1], [0, 1, 1]], dtype=kind)
    made = {
        "c": array,
        "f": np.asfortranarray(array),
        "one": array[0, 0],
        "again": array.dtype,
        "d": array.dtype,
    }
    read = Machine({}, None).run(io.BytesIO(pickle.dumps(made, protocol)))
    for key in ("c", "f"):
        assert read[key].dtype == array.dtype
        assert (read[key] == array).all()
    assert read["one"] == array[0, 0]
    assert read["again"] == read["d"] == array.dtype


class Colour(enum.Enum):
    RED = 1


def foreign():
    """Objects of a module that is then gone, as fairseq, omegaconf and Lightning are for a reader."""
    module = types.ModuleType("gone")
    sys.modules["gone"] = module

    def kind(name, base=object, **more):
        made = type(name, (base,), {"__module__": "gone", "__qualname__": name, **more})
        setattr(module, name, made)
        return made

    def held(made, **attributes):
        made.__dict__.update(attributes)
        return made

    node = kind("AnyNode")
    config = held(kind("DictConfig")(), _metadata=None, _parent=None)
    config._content = {"num_heads": held(node(), _val=2, _parent=config), "name": held(node(), _val="x")}
    words = held(kind("Dictionary")(), symbols=["a", "b"], indices={"a": 0}, count=[1, 2])
    hparams = kind("AttributeDict", dict)(lr=1e-3)
    slots = kind("Slotted", __slots__=("a",))()
    slots.a = 1
    some = {
        "callbacks": {"ModelCheckpoint{'monitor': None}": {"best": np.float64(0.5), "w": kind("Stopper")()}}
    }
    some |= {"cfg": config, "dictionary": words, "hyper_parameters": hparams, "slots": slots}
    some |= {"list": kind("ListConfig", list)([1, 2]), "exception": kind("Odd", Exception)("x")}
    return some


def everything():
    optimizer = torch.optim.AdamW([torch.nn.Parameter(W.clone())])
    optimizer.param_groups[0]["params"][0].grad = W
    optimizer.step()
    return foreign() | {
        "args": argparse.Namespace(lr=1e-3, data_mean=-4.0, out=pathlib.PurePosixPath("/x")),
        "enum": Colour.RED,
        "part": functools.partial(print, 3),
        "path": pathlib.Path("a"),
        "optimizer": optimizer.state_dict(),
        "device": torch.device("cuda", 1),
        "dtype": torch.bfloat16,
        "size": W.shape,
        "objects": np.array([{}, None], dtype=object),
        "default": collections.defaultdict(list, {"a": [1]}),
        "counter": collections.Counter("aab"),
        "class": argparse.Namespace,
        "bytes": bytearray(b"ab"),
        "generator": torch.Generator().get_state(),
        "rng": np.random.default_rng(0).bit_generator.state,
        "loss": np.float32(0.5),
        "best": np.int64(3),
    }


@FORMATS
@pytest.mark.parametrize("protocol", [2, 4])
def test_files_with_objects_of_foreign_classes_load_as_they_are(tmp_path, golden, new, protocol):
    root = torch.load(golden("eat/checkpoint_fairseq_pretrain.pt"), weights_only=True)
    plain = load_encoder("eat", weights=saved({"model": root["model"]}, tmp_path / "plain.pt"), heads=2)
    path = tmp_path / "foreign.pt"
    torch.save(
        {**everything(), "model": root["model"]},
        path,
        pickle_protocol=protocol,
        _use_new_zipfile_serialization=new,
    )
    del sys.modules["gone"]
    read = load_encoder("eat", weights=path)
    assert read.config.heads == 2, "what omegaconf held is read"
    assert read.fingerprint() == plain.fingerprint()


def test_a_lightning_file_and_a_whole_module_load(tmp_path, golden):
    tensors = torch.load(golden("audiomae/pretrained.pth"), weights_only=False)["model"]
    lightning = {f"model._orig_mod.{key}": value for key, value in tensors.items()}
    saved({**foreign(), "cfg": None, "state_dict": lightning, "epoch": 3}, tmp_path / "last.ckpt")
    theirs = load_encoder("a-mae", weights=golden("audiomae/pretrained.pth"))
    del sys.modules["gone"]
    assert load_encoder("a-mae", weights=tmp_path).fingerprint() == theirs.fingerprint()
    saved(theirs, tmp_path / "whole.pt")
    state = read_contents(tmp_path / "whole.pt").root
    assert {key: value.tolist() for key, value in state.items()} == {
        key: value.tolist() for key, value in theirs.state_dict().items()
    }


# Hostile files


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
@settings(deadline=None, max_examples=150)
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


def test_files_without_checksums_and_of_the_other_order_of_bytes(tmp_path):
    path = saved(TENSORS, tmp_path / "w.pt")
    with zipfile.ZipFile(path) as file:
        parts = {entry.filename: file.read(entry) for entry in file.infolist()}
    swapped = {torch.float32: 4, torch.float16: 2, torch.bfloat16: 2, torch.float64: 8, torch.complex64: 4}
    kinds: dict = {}
    for tensor in read_archive(path).root.values():
        raw = bytes(tensor.untyped_storage())
        kinds |= {name: swapped.get(tensor.dtype, 1) for name, data in parts.items() if data == raw and raw}
    with zipfile.ZipFile(tmp_path / "other.pt", "w") as file:
        for name, data in parts.items():
            step = kinds.get(name, 1)
            other = {"little": b"big", "big": b"little"}[sys.byteorder]
            turned = np.frombuffer(data, f"u{step}").byteswap().tobytes()
            file.writestr(name, other if name.endswith("byteorder") else turned)
    for key, value in read_archive(tmp_path / "other.pt").root.items():
        assert torch.equal(value, TENSORS[key]), key
    raw = bytearray(path.read_bytes())
    for mark, at in ((b"PK\x01\x02", 16), (b"PK\x03\x04", 14), (b"PK\x07\x08", 4)):
        place = raw.find(mark)
        while place >= 0:
            raw[place + at : place + at + 4] = struct.pack("<I", 0)
            place = raw.find(mark, place + 4)
    path.write_bytes(raw)
    read = read_archive(path)
    read.check(read.root.values())


def test_a_walk_through_shared_lists_ends():
    with pytest.raises(ArchiveError):
        Machine({}, None).run(io.BytesIO(laughs()[:-1]))
    assert len(Machine({}, None).run(io.BytesIO(laughs()))) == 2
