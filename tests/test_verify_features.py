"""`verify` for every encoder, and the files of features that it reads: each form, what is wrong with it."""

import io
import pickle
import zipfile

import numpy as np
import pytest
import soundfile
import torch
from golden_names import ENCODER_FILES
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from small_encoders import FILES
from typer.testing import CliRunner

from protoviz.cli import app
from protoviz.encoders import ENCODERS, EncoderError, load_encoder
from protoviz.encoders.catalogue import PUBLISHED
from protoviz.encoders.feature_files import read_features
from protoviz.encoders.verify import resample, verify

RATE = 16000
SOUND = (0.1 * np.random.default_rng(0).standard_normal(round(0.6 * RATE))).astype(np.float32)


@pytest.mark.parametrize("name", [*FILES, *(name for name in ENCODERS if name not in PUBLISHED)])
def test_every_encoder_agrees_with_its_own_tokens(name, tmp_path):
    weights = ENCODER_FILES / FILES[name] if name in FILES else None
    encoder = load_encoder(name, weights)
    soundfile.write(tmp_path / "clip.wav", SOUND, RATE, subtype="FLOAT")
    sound = resample(torch.from_numpy(SOUND), RATE, encoder.sample_rate)
    if weights:
        with torch.inference_mode():
            made = encoder(encoder.features(sound))
        tokens = made.tokens[0]
        rows = [tokens]
    else:
        made = encoder.encode(sound)
        tokens = made.tokens[0]
        rows = [tokens, tokens[made.mask[0]]]
    for part in rows:
        for features in [part] + ([torch.cat([made.cls, part])] if encoder.cls_kind == "cls" else []):
            np.save(tmp_path / "f.npy", features.numpy())
            found = verify(name, weights, tmp_path / "clip.wav", tmp_path / "f.npy")
            assert found.same
            assert found.cosine_worst > 0.999
            assert found.tokens == len(part)
            assert (found.cls_worst is None) == (len(features) == len(part))
    np.save(tmp_path / "f.npy", np.zeros((encoder.grid[0] * encoder.grid[1] * 9 + 3, encoder.dim)))
    with pytest.raises(EncoderError, match=r"f\.npy"):
        verify(name, weights, tmp_path / "clip.wav", tmp_path / "f.npy")


FEATURES = np.random.default_rng(0).standard_normal((6, 4))
TENSOR = torch.from_numpy(FEATURES)


def _saved(path, write):
    with path.open("wb") as file:
        write(file)
    return path


FORMS = {
    "a.npy": lambda path: np.save(path, FEATURES),
    "float32.npy": lambda path: np.save(path, FEATURES.astype("f4")),
    "half.npy": lambda path: np.save(path, FEATURES.astype("f2")),
    "big.npy": lambda path: np.save(path, FEATURES.astype(">f8")),
    "fortran.npy": lambda path: np.save(path, np.asfortranarray(FEATURES)),
    "batch.npy": lambda path: np.save(path, FEATURES[None]),
    "two.npy": lambda path: _saved(path, lambda file: np.lib.format.write_array(file, FEATURES, (2, 0))),
    "a.npz": lambda path: np.savez(path, features=FEATURES, labels=np.zeros(3), words=np.array(["a"])),
    "packed.npz": lambda path: np.savez_compressed(path, features=FEATURES),
    "a.pt": lambda path: torch.save(TENSOR, path),
    "old.pt": lambda path: torch.save(TENSOR, path, _use_new_zipfile_serialization=False),
    "dict.pt": lambda path: torch.save({"features": TENSOR, "clip": "x.wav", "cls": TENSOR[0]}, path),
    "pooled.pt": lambda path: torch.save(
        {"last_hidden_state": TENSOR[None], "pooler_output": TENSOR[:1]}, path
    ),
    "tuple.pt": lambda path: torch.save((TENSOR[None], TENSOR[:1]), path),
    "list.pt": lambda path: torch.save([TENSOR[None].bfloat16()], path),
    "array.pt": lambda path: torch.save({"features": FEATURES}, path),
    "a.safetensors": lambda path: save_file({"x": TENSOR, "y": torch.zeros(3)}, str(path)),
}


@pytest.mark.parametrize("form", FORMS)
def test_features_are_read_from_each_form(form, tmp_path):
    FORMS[form](tmp_path / form)
    read = read_features(tmp_path / form, 4)
    assert read.dtype == np.float64
    np.testing.assert_allclose(read, FEATURES, rtol=0.02 if form in ("list.pt", "half.npy") else 1e-6)


def _header(text: str) -> bytes:
    raw = text.encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + len(raw).to_bytes(2, "little") + raw


def _claims(shape, kind="<f8") -> bytes:
    return _header(f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}}}") + bytes(100)


class Harm:
    def __reduce__(self):
        return open, ("harm", "w")


def _objects():
    file = io.BytesIO()
    np.save(file, np.array([Harm()], dtype=object), allow_pickle=True)
    return file.getvalue()


def _packed(data: bytes, name="x.npy") -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr(name, data)
    return file.getvalue()


def _npy(array) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


HOSTILE = {
    "nothing": b"",
    "text": b"no array",
    "objects": _objects(),
    "a pickle": pickle.dumps(Harm()),
    "a pickled array": pickle.dumps(FEATURES),
    "a claim of 10**12 values": _claims((250_000_000_000, 4)),
    "a claim past 2**64": _claims((1 << 70, 4)),
    "a negative shape": _claims((-1, 4)),
    "packed, a claim": _packed(_claims((250_000_000_000, 4))),
    "packed objects": _packed(_objects()),
    "no header": b"\x93NUMPY",
    "a header of code": _header("__import__('os').system('touch harm')"),
    "a deep header": _header("(" * 5000),
    "a long header": b"\x93NUMPY\x02\x00\xff\xff\xff\x7f" + b" " * 50,
    "another format": b"\x93NUMPY\x09\x00" + bytes(50),
    "cut": _npy(FEATURES)[:-9],
    "whole numbers": _npy(np.zeros((6, 4), np.int64)),
    "words": _npy(np.full((6, 4), "a")),
    "complex": _npy(np.zeros((6, 4), complex)),
    "records": _npy(np.zeros((6, 4), [("a", "f8")])),
    "another width": _npy(np.zeros((6, 5))),
    "one row of numbers": _npy(np.zeros(4)),
    "two clips": _npy(np.zeros((2, 6, 4))),
    "no rows": _npy(np.zeros((0, 4))),
    "NaN": _npy(np.full((6, 4), np.nan)),
    "no arrays": _packed(b"x", "readme.txt"),
    "safetensors": (10**15).to_bytes(8, "little") + b"{",
}


@pytest.mark.parametrize("raw", HOSTILE.values(), ids=list(HOSTILE))
def test_what_is_wrong_with_features_is_a_line_that_names_the_file(raw, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "f.npy").write_bytes(raw)
    with pytest.raises(EncoderError, match=r"f\.npy"):
        read_features(tmp_path / "f.npy", 4)
    assert not (tmp_path / "harm").exists()


def test_several_arrays_are_named(tmp_path):
    np.savez(tmp_path / "f.npz", early=FEATURES, late=FEATURES)
    with pytest.raises(EncoderError, match=r"early \(6, 4\), late \(6, 4\)"):
        read_features(tmp_path / "f.npz", 4)
    torch.save({"early": TENSOR[:, :3], "note": "x"}, tmp_path / "f.pt")
    with pytest.raises(EncoderError, match=r"\(6, 3\), a str"):
        read_features(tmp_path / "f.pt", 4)


@settings(max_examples=150)
@given(form=st.sampled_from(sorted(FORMS)), data=st.data())
def test_a_changed_byte_gives_features_or_a_line(tmp_path_factory, form, data):
    path = tmp_path_factory.mktemp("changed") / form
    FORMS[form](path)
    raw = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(raw) - 1))
    if data.draw(st.booleans()):
        raw[place] ^= data.draw(st.integers(1, 255))
    else:
        del raw[place:]
    path.write_bytes(raw)
    try:
        told = str(read_features(path, 4).shape)
    except EncoderError as error:
        told = str(error)
    assert form in told or told.startswith("(")


@pytest.mark.parametrize("raw", [b"", HOSTILE["a claim of 10**12 values"], HOSTILE["objects"]])
def test_the_command_says_so_in_one_line(raw, tmp_path):
    soundfile.write(tmp_path / "clip.wav", SOUND, RATE)
    (tmp_path / "f.npy").write_bytes(raw)
    said = CliRunner().invoke(
        app, ["verify", "mini-random", str(tmp_path / "clip.wav"), str(tmp_path / "f.npy")]
    )
    assert said.exit_code == 1
    assert "f.npy" in said.output
    assert "Aborted" not in said.output
