"""Stage 2: fits a byte trigram model to the tokens of stage 1.

Reads the mounted shards one by one in a random order, as a data loader does, counts which byte follows which two, and
measures the loss on the held-out modules as it goes. Artifacts: weights.npy (64 MiB of float32), metrics.json; in the
output directory plots/ the loss as a picture.
"""

from __future__ import annotations

import json
import os
import random
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

DATA = Path("/data/preprocessed/artifacts")
ARTIFACTS = Path(os.environ["C3_ARTIFACTS_DIR"])
SEED = 20
STEPS = 20
MEASURED = (1, 2, 4, 8, 14, STEPS)
"""Steps after which the loss is measured."""
SMOOTHING = 0.05


def count(counts: NDArray[np.float32], data: NDArray[np.uint8]) -> None:
    """Add every (two bytes, next byte) of `data`."""
    wide = data.astype(np.int64)
    triples = (wide[:-2] << 16) | (wide[1:-1] << 8) | wide[2:]
    counts.ravel()[:] += np.bincount(triples, minlength=counts.size).astype(np.float32)


def weights(counts: NDArray[np.float32]) -> NDArray[np.float32]:
    """log2 P(next byte | two bytes before), smoothed by what follows the one byte before, and by chance."""
    pairs = counts.reshape(256, 256, 256).sum(axis=0) + SMOOTHING
    pairs /= pairs.sum(axis=1, keepdims=True)
    prior = np.tile(pairs, (256, 1))
    found = counts + 4.0 * prior
    found /= found.sum(axis=1, keepdims=True)
    return np.log2(found, dtype=np.float32)


def bits_per_byte(model: NDArray[np.float32], data: NDArray[np.uint8]) -> float:
    wide = data.astype(np.int64)
    return float(-model[(wide[:-2] << 8) | wide[1:-1], wide[2:]].mean())


def plot(losses: dict[int, float], path: Path) -> None:
    """The loss over the steps; the axes say what and how much."""
    width, height, margin = 640, 400, 48
    low, high = min(losses.values()), max(losses.values())
    points = [
        (
            margin + (width - 2 * margin) * step / STEPS,
            height - margin - (height - 2 * margin) * (loss - low) / (high - low),
        )
        for step, loss in losses.items()
    ]
    image = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(image)
    draw.line([(margin, margin), (margin, height - margin), (width - margin, height - margin)], fill="gray")
    draw.line(points, fill="navy", width=3)
    draw.text((margin, 16), "loss on held-out modules, bits per byte", fill="black")
    draw.text((8, margin - 6), f"{high:.2f}", fill="black")
    draw.text((8, height - margin - 6), f"{low:.2f}", fill="black")
    draw.text((width // 2 - 40, height - 32), f"{STEPS} training steps", fill="black")
    path.parent.mkdir(exist_ok=True)
    image.save(path)


def main() -> None:
    held_out = np.load(DATA / "held-out.npy", mmap_mode="r")
    modules: dict[str, str] = json.loads((DATA / "index.json").read_text())["modules"]
    folders = [DATA / "shards" / name for name, use in modules.items() if use == "train"]
    shards = sorted(shard for folder in folders for shard in folder.iterdir())
    random.Random(SEED).shuffle(shards)
    counts = np.zeros((1 << 16, 256), dtype=np.float32)
    losses: dict[int, float] = {}
    for step in range(1, STEPS + 1):
        batch = b"".join(shard.read_bytes() for shard in shards[step - 1 :: STEPS])
        count(counts, np.frombuffer(batch, dtype=np.uint8))
        if step in MEASURED:
            losses[step] = bits_per_byte(weights(counts), held_out)
            print(f"step {step:2d} of {STEPS}: {losses[step]:.3f} bits per byte", flush=True)
    np.save(ARTIFACTS / "weights.npy", weights(counts))
    metrics = {"shards": len(shards), "loss": losses, "bits_per_byte": losses[STEPS]}
    (ARTIFACTS / "metrics.json").write_text(json.dumps(metrics, indent=1) + "\n")
    plot(losses, Path("plots/loss.png"))


main()
