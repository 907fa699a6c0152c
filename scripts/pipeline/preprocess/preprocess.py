"""Stage 1: tokenises the Python standard library's own sources.

Artifacts: shards/<module>/<number>.txt, thousands of small files of tokens; train.npy and held-out.npy, the same
bytes end to end, for reading at speed; index.json, which modules are for training and which are held out.
"""

from __future__ import annotations

import io
import json
import os
import sysconfig
import tokenize
from pathlib import Path

import numpy as np

ARTIFACTS = Path(os.environ["C3_ARTIFACTS_DIR"])
SHARD = 2048
LEFT_OUT = {"test", "tests", "idlelib", "lib2to3", "site-packages", "__pycache__", "pydoc_data", "encodings"}


def tokens(source: str) -> bytes:
    """The program without comments and layout: one token a word, one statement a line."""
    words: list[str] = []
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type in (tokenize.NEWLINE, tokenize.NL):
            words.append("\n")
        elif token.type not in (tokenize.COMMENT, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER):
            words.append(token.string + " ")
    return "".join(words).encode("utf-8", "replace")


def main() -> None:
    library = Path(sysconfig.get_path("stdlib"))
    streams: dict[str, list[bytes]] = {"train": [], "held-out": []}
    uses: dict[str, str] = {}
    shards = 0
    modules = [path for path in sorted(library.rglob("*.py")) if not LEFT_OUT & set(path.relative_to(library).parts)]
    for number, path in enumerate(modules):
        data = tokens(path.read_text("utf-8", "replace"))
        name = ".".join(path.relative_to(library).with_suffix("").parts)
        folder = ARTIFACTS / "shards" / name
        folder.mkdir(parents=True)
        for at in range(0, len(data), SHARD):
            (folder / f"{at // SHARD:04d}.txt").write_bytes(data[at : at + SHARD])
            shards += 1
        uses[name] = "held-out" if number % 10 == 7 else "train"
        streams[uses[name]].append(data)
    for use, parts in streams.items():
        np.save(ARTIFACTS / f"{use}.npy", np.frombuffer(b"".join(parts), dtype=np.uint8))
    (ARTIFACTS / "index.json").write_text(json.dumps({"shards": shards, "modules": uses}, indent=1))
    size = sum(len(part) for parts in streams.values() for part in parts)
    print(f"{len(modules)} modules, {size:,} bytes of tokens, {shards:,} shards")


main()
