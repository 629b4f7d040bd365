"""Files that a command leaves: the program, its inputs and goldens, and a manifest row."""

import json
from pathlib import Path

import numpy


class Artifacts:
    """Writes `NAME.pte`, `NAME.PART.bin` (raw little-endian float32) and `manifest.json`."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)

    def write(self, name, program, parts, row):
        """`parts` maps part names to tensors; `row` becomes the manifest's entry for `name`."""
        (self.folder / f"{name}.pte").write_bytes(program)
        for part, tensor in parts.items():
            values = tensor.detach().cpu().contiguous().numpy().astype("<f4")
            if not numpy.isfinite(values).all():
                raise ValueError(f"{name}: {part} has values that are not finite")
            (self.folder / f"{name}.{part}.bin").write_bytes(values.tobytes())
        self._add_row(name, row)
        print(f"{self.folder / name}.pte: {len(program)} bytes")

    def _add_row(self, name, row):
        path = self.folder / "manifest.json"
        rows = json.loads(path.read_text("utf8")) if path.exists() else {}
        rows[name] = row
        path.write_text(json.dumps(rows, indent=1) + "\n", "utf8")
