"""Files of torch read without running them: tensors, plain values, foreign objects, both formats."""

import argparse
import collections
import enum
import functools
import gc
import io
import pathlib
import pickle
import struct
import sys
import types
import weakref
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from protoviz.encoders import load_encoder
from protoviz.encoders.archive import read_archive
from protoviz.encoders.contents import read_contents
from protoviz.encoders.pickles import Machine

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


@FORMATS
@pytest.mark.filterwarnings("ignore")  # torch's, of what it will drop
@pytest.mark.parametrize("kind", ["sparse", "quantised", "by channel", "dynamic", "conjugate", "meta"])
def test_other_kinds_of_tensors_stop_nothing_else(tmp_path, new, kind):
    linear = torch.nn.Sequential(torch.nn.Linear(4, 4))
    other = {
        "sparse": lambda: W.to_sparse(),
        "quantised": lambda: torch.quantize_per_tensor(W, 0.1, 0, torch.quint8),
        "by channel": lambda: torch.quantize_per_channel(W, W[:, 1], W[:, 0] * 0, 0, torch.qint8),
        "dynamic": lambda: torch.ao.quantization.quantize_dynamic(linear, dtype=torch.qint8).state_dict(),
        "conjugate": lambda: TENSORS["complex"].conj(),
        "meta": lambda: W.to("meta"),
    }[kind]()
    read = read_archive(saved({"other": other, "w": W}, tmp_path / "a.pt", new))
    assert torch.equal(read.root["w"], W)
    assert not isinstance(read.root["other"], torch.Tensor)


@FORMATS
def test_what_was_read_goes_with_its_last_user(tmp_path, new):
    """Without waiting for the collector: the copies of an older file may be gigabytes."""
    read = read_archive(saved({"w": W, "p": torch.nn.Parameter(W)}, tmp_path / "a.pt", new))
    kept = weakref.ref(read.root["w"])
    gc.disable()
    try:
        del read
        assert kept() is None
    finally:
        gc.enable()


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


@settings(max_examples=40)
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
    theirs.register_buffer("made_when_loaded", W, persistent=False)
    saved(theirs, tmp_path / "whole.pt")
    state = read_contents(tmp_path / "whole.pt").root
    assert {key: value.tolist() for key, value in state.items()} == {
        key: value.tolist() for key, value in theirs.state_dict().items()
    }


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
