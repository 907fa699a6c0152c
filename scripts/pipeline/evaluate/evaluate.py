"""Stage 3: loads the weights of stage 2 by mmap and scores them on the held-out tokens of stage 1."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np

MODEL = Path("/data/model/artifacts")
DATA = Path("/data/preprocessed/artifacts")


def main() -> None:
    weights = np.load(MODEL / "weights.npy", mmap_mode="r")
    data = np.load(DATA / "held-out.npy", mmap_mode="r")
    wide = data.astype(np.int64)
    score = float(-weights[(wide[:-2] << 8) | wide[1:-1], wide[2:]].mean())
    frequencies = np.bincount(wide, minlength=256) / len(wide)
    baseline = float(-(frequencies[frequencies > 0] * np.log2(frequencies[frequencies > 0])).sum())
    print(f"score: {score:.3f} bits per byte on {len(wide):,} held-out bytes")
    print(f"baseline: {baseline:.3f} bits per byte (each byte by its frequency); 8 by chance")
    result = {"bits_per_byte": score, "baseline": baseline}
    Path(os.environ["C3_ARTIFACTS_DIR"], "score.json").write_text(json.dumps(result) + "\n")
    if score >= baseline:
        raise SystemExit("the model has learned nothing")


main()
