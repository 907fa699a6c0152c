#!/usr/bin/env bash
set -euo pipefail
echo "files from stage 1: $(find /data/preprocessed -type f | wc -l); from stage 2:"
ls -l /data/model/artifacts /data/model/plots
python3 evaluate.py
