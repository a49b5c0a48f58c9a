"""Run the code of the guides and save the picture of each; `make pictures` calls this script.

With names of pages, as in `python docs/make_pictures.py holes`, only these are run.
"""

import contextlib
import re
import shutil
import sys
import tempfile
from pathlib import Path

import matplotlib
import torch

DOCS = Path(__file__).parent
PICTURES = DOCS / "images" / "guides"
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def draw(page):
    """Run the blocks of a page in an empty folder, and save the picture named after the page."""
    source = "\n".join(BLOCK.findall(page.read_text(encoding="utf8")))
    picture = f"{page.stem}.png"
    with tempfile.TemporaryDirectory() as folder:
        with contextlib.chdir(folder):
            exec(compile(source, str(page), "exec"), {"__name__": page.stem})
        shutil.copy(Path(folder) / picture, PICTURES / picture)


def main(names):
    matplotlib.use("Agg")
    torch.set_num_threads(1)
    PICTURES.mkdir(parents=True, exist_ok=True)
    for page in sorted((DOCS / "guides").glob("*.md")):
        if not names or page.stem in names:
            print(page.stem, flush=True)
            draw(page)


if __name__ == "__main__":
    main(sys.argv[1:])
