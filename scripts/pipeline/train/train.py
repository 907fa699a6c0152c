"""Stage 2: fits a byte trigram model to the tokens of stage 1.

Reads the mounted shards one by one, as a data loader does, counts which byte follows which two, and measures the loss
on held-out modules as it goes. Artifacts: weights.npy (64 MiB of float32), metrics.json; in the output directory
plots/ the loss as a picture.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

DATA = Path("/data/preprocessed/artifacts")
ARTIFACTS = Path(os.environ["C3_ARTIFACTS_DIR"])
STEPS = 20
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


def plot(losses: list[float], path: Path) -> None:
    """A curve is a line between points; the axes say what and how much."""
    width, height, margin = 640, 400, 48
    image = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(image)
    low, high = min(losses) * 0.95, max(losses) * 1.02
    points = [
        (
            margin + at * (width - 2 * margin) / (len(losses) - 1),
            height - margin - (loss - low) / (high - low) * (height - 2 * margin),
        )
        for at, loss in enumerate(losses)
    ]
    draw.line([(margin, margin), (margin, height - margin), (width - margin, height - margin)], fill="gray")
    draw.line(points, fill="navy", width=3)
    draw.text((margin, 16), "held-out loss, bits per byte", fill="black")
    draw.text((4, margin), f"{high:.2f}", fill="black")
    draw.text((4, height - margin - 8), f"{low:.2f}", fill="black")
    draw.text((width // 2 - 60, height - 32), f"{len(losses)} steps of training data", fill="black")
    path.parent.mkdir(exist_ok=True)
    image.save(path)


def main() -> None:
    held_out = np.load(DATA / "held-out.npy", mmap_mode="r")[:500_000]
    shards = sorted((DATA / "shards").rglob("*.txt"))
    modules = sorted({shard.parent.name for shard in shards})
    training = {name for number, name in enumerate(modules) if number % 10 != 7}
    wanted = [shard for shard in shards if shard.parent.name in training]
    counts = np.zeros((1 << 16, 256), dtype=np.float32)
    losses: list[float] = []
    per_step = -(-len(wanted) // STEPS)
    for at in range(0, len(wanted), per_step):
        data = b"".join(shard.read_bytes() for shard in wanted[at : at + per_step])
        count(counts, np.frombuffer(data, dtype=np.uint8))
        if at // per_step in (0, 1, 3, 7, 13, STEPS - 1):
            losses.append(bits_per_byte(weights(counts), held_out))
            print(f"step {at // per_step + 1:2d}: {losses[-1]:.3f} bits per byte", flush=True)
    model = weights(counts)
    np.save(ARTIFACTS / "weights.npy", model)
    metrics = {"shards": len(wanted), "loss": losses, "bits_per_byte": losses[-1]}
    (ARTIFACTS / "metrics.json").write_text(json.dumps(metrics, indent=1) + "\n")
    plot(losses, Path("plots/loss.png"))


main()
