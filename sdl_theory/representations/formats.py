"""Matrices in files, mapped where the format allows: .npy, .npz, .safetensors and what they hold.

Nothing here reads more of a matrix than its header.
"""

from __future__ import annotations

import json
import mmap
import struct
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..checks import refuse
from ..machine import check_fits

SUFFIXES = (".npy", ".npz", ".safetensors", ".parquet")
LABELS = ("labels", "label")
# safetensors' names of dtypes; bfloat16 is none of NumPy's and is kept as its 16 bits
DTYPES = dict(
    F64="<f8", F32="<f4", F16="<f2", BF16="<u2", I64="<i8", I32="<i4", I16="<i2", I8="i1", U8="u1"
)
DTYPES |= dict(U16="<u2", U32="<u4", U64="<u8", BOOL="?")


class BFloat16:
    """A matrix of bfloat16 numbers in a file, mapped as their bits; its parts are tensors."""

    dtype = torch.bfloat16

    def __init__(self, bits: np.memmap):
        self.bits, self.shape, self.ndim = bits, bits.shape, bits.ndim

    def __len__(self) -> int:
        return len(self.bits)

    def __getitem__(self, which):
        return torch.from_numpy(np.array(self.bits[which]).view(np.int16)).view(torch.bfloat16)

    def read(self, start: int, stop: int):
        return torch.from_numpy(read(self.bits, start, stop).view(np.int16)).view(torch.bfloat16)


@dataclass(frozen=True)
class Arrays:
    """What a file holds, by name; a .npy file's one array has the name "x".

    Arrays are mapped, or for a compressed .npz or text read when asked for.
    """

    path: Path
    shapes: dict[str, tuple]
    get: Any  # name -> array

    def matrix(self, key: str | None) -> str:
        """The name of the matrix meant: `key`, "x", or the only array with two axes."""
        if key is None:
            flat = [n for n, shape in self.shapes.items() if len(shape) >= 2]
            others = [n for n in self.shapes if n not in (*LABELS, "names")]
            found = [n for n in ("x",) if n in self.shapes] or flat or others
            key = found[0] if len(found) == 1 else None
        if key not in self.shapes:
            held = ", ".join(f"{n} {tuple(shape)}" for n, shape in self.shapes.items())
            raise ValueError(
                f"{self.path} holds {held or 'nothing'}; pass key= with the name of a matrix"
                + (f", not {key!r}" if key is not None else "")
            )
        return key

    def side(self, *names: str):
        """The first of these arrays that is there, or None."""
        return next((self.get(n) for n in names if n in self.shapes), None)


def read(mapped: np.memmap, start: int, stop: int) -> np.ndarray:
    """Rows start to stop of a mapped matrix by an ordinary read, so that no page of it stays."""
    row = mapped.dtype.itemsize * mapped.shape[1]
    part = np.fromfile(
        mapped.filename,  # type: ignore[arg-type]
        dtype=mapped.dtype,
        count=(stop - start) * mapped.shape[1],
        offset=mapped.offset + start * row,
    )
    if part.size < (stop - start) * mapped.shape[1]:
        raise ValueError(f"{mapped.filename} has become shorter since it was opened: open it anew")
    return part.reshape(-1, mapped.shape[1])


def is_whole_map(x) -> bool:
    """Whether an array is a mapped file from first row to last, row by row."""
    return isinstance(x, np.memmap) and isinstance(x.base, mmap.mmap) and x.flags.c_contiguous


def arrays_of(path: Path) -> Arrays:
    """The arrays of a .npy, .npz or .safetensors file; ValueError that names it otherwise."""
    if not path.is_file():
        raise ValueError(f"no file at {path}" + (": it is a folder" if path.is_dir() else ""))
    if path.suffix not in SUFFIXES:
        refuse("path", f"a file of one of the kinds {', '.join(SUFFIXES)}", path.name)
    try:
        if path.suffix == ".npy":
            x = np.load(path, mmap_mode="r", allow_pickle=False)
            return Arrays(path, {"x": x.shape}, lambda name: x)
        return _npz(path) if path.suffix == ".npz" else _safetensors(path)
    except Exception as error:
        # headers are read as Python text, or lead anywhere: they may fail in any way
        why = str(error).splitlines()[0] if str(error) else type(error).__name__
        why += "; object arrays hold no numbers: store floats" if "bject" in why else ""
        raise ValueError(f"{path} is damaged or no {path.suffix} file: {why}") from None


def _header(file) -> tuple[tuple, bool, np.dtype]:
    """Shape, order and dtype that a .npy header tells; the file then stands at the numbers."""
    version = np.lib.format.read_magic(file)
    if version == (1, 0):
        return np.lib.format.read_array_header_1_0(file)
    return np.lib.format.read_array_header_2_0(file)


def _npz(path: Path) -> Arrays:
    with zipfile.ZipFile(path) as archive:
        members = {i.filename[:-4]: i for i in archive.infolist() if i.filename.endswith(".npy")}
        headers = {}
        for name, info in members.items():
            with archive.open(info) as file:
                headers[name] = (*_header(file), file.tell())

    def get(name):
        info, (shape, fortran, dtype, skip) = members[name], headers[name]
        if dtype.hasobject:
            raise ValueError(f"{path}: {name} holds Python objects; store numbers or texts")
        if info.compress_type == zipfile.ZIP_STORED and len(shape) == 2:
            with open(path, "rb") as file:  # 30 bytes, a name and extras: then the member itself
                file.seek(info.header_offset + 26)
                start = info.header_offset + 30 + sum(struct.unpack("<HH", file.read(4)))
            order = "F" if fortran else "C"
            return np.memmap(path, dtype, "r", start + skip, shape, order)
        size = int(np.prod(shape)) * dtype.itemsize
        check_fits(f"{name}'s size", size, size, device="cpu", what="a compressed array")
        try:
            with np.load(path, allow_pickle=False) as file:
                return file[name]
        except Exception as error:
            raise ValueError(f"{path} is damaged: {name} cannot be read ({error})") from None

    return Arrays(path, {name: header[0] for name, header in headers.items()}, get)


def _safetensors(path: Path) -> Arrays:
    from safetensors import safe_open

    with safe_open(path, "np") as file:  # checks the header against the file's length
        names = list(file.keys())
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))

    def get(name):
        told = header[name]
        if told["dtype"] not in DTYPES:
            raise ValueError(f"{path}: {name} is {told['dtype']}; convert it to float16 or float32")
        start = 8 + length + told["data_offsets"][0]
        if 0 in told["shape"]:
            return np.empty(told["shape"], DTYPES[told["dtype"]])
        mapped = np.memmap(path, DTYPES[told["dtype"]], "r", start, tuple(told["shape"]))
        return BFloat16(mapped) if told["dtype"] == "BF16" else mapped

    return Arrays(path, {name: tuple(header[name]["shape"]) for name in names}, get)
