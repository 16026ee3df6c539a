"""The environments of the servers and clients, made once under the cache."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "hallmark" / "bench-serve"
LOCK = Path(__file__).parents[3] / "requirements" / "predictor.txt"
PACKAGES = {
    "hallmark": ["-r", str(LOCK)],
    "mlserver": ["mlserver==1.7.1", "mlserver-sklearn==1.7.1", "scikit-learn==1.9.1"],
    "kserve": ["kserve==0.21.0", "scikit-learn==1.9.1", "joblib"],
    "clients": ["tritonclient[http]==2.73.0", "kserve==0.21.0"],
}
VEGETA = "github.com/tsenart/vegeta/v12@v12.13.0"


def folder(name: str) -> Path:
    """Return an environment's folder, with its packages."""
    found = CACHE / name
    done = found / ".done"
    wanted = "\n".join(PACKAGES[name]) + (LOCK.read_text() if name == "hallmark" else "")
    if done.exists() and done.read_text() == wanted:
        return found
    uv = str(Path(sys.executable).parent / "uv")
    subprocess.run([uv, "venv", "--clear", "-q", "--python", sys.executable, found], check=True)
    python = str(found / "bin/python")
    subprocess.run([uv, "pip", "install", "-q", "--python", python, *PACKAGES[name]], check=True)
    subprocess.run([python, "-m", "compileall", "-q", found / "lib"], check=False)
    done.write_text(wanted)
    return found


def vegeta() -> Path:
    """Return the open-loop load generator."""
    found = CACHE / "bin" / "vegeta"
    if not found.exists():
        subprocess.run(
            ["go", "install", VEGETA], check=True, env={**os.environ, "GOBIN": str(found.parent)}
        )
    return found
