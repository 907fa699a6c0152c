"""Stage 3: scores the weights of stage 2 on the held-out tokens of stage 1, both read by mmap."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np

MODEL = Path("/data/model/artifacts")
DATA = Path("/data/preprocessed/artifacts")


def main() -> None:
    weights = np.load(MODEL / "weights.npy", mmap_mode="r")
    train = np.load(DATA / "train.npy", mmap_mode="r")
    held_out = np.load(DATA / "held-out.npy", mmap_mode="r").astype(np.int64)
    score = float(-weights[(held_out[:-2] << 8) | held_out[1:-1], held_out[2:]].mean())
    frequencies = (np.bincount(train, minlength=256) + 1) / (len(train) + 256)
    baseline = float(-np.log2(frequencies)[held_out].mean())
    print(f"score:    {score:.3f} bits per byte on {len(held_out):,} held-out bytes")
    print(f"baseline: {baseline:.3f} bits per byte, with each byte by its frequency alone")
    result = {"bits_per_byte": score, "baseline": baseline}
    Path(os.environ["C3_ARTIFACTS_DIR"], "score.json").write_text(json.dumps(result) + "\n")
    promised = json.loads((MODEL / "metrics.json").read_text())["bits_per_byte"]
    if abs(score - promised) > 1e-3:
        raise SystemExit(f"stage 2 had measured {promised:.3f} with these weights")
    if score >= baseline:
        raise SystemExit("the model has learned nothing")


main()
