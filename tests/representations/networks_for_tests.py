"""Tiny networks with random weights, and a tokenizer of twelve words."""

from importlib.util import find_spec

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (
    BertConfig,
    BertModel,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
)

WORDS = "[PAD] [CLS] [SEP] [UNK] a cat dog sat on the red mat".split()
TEXTS = ["a cat sat", "the dog", "a red cat sat on the red mat", "mat", "dog on a mat on a mat"]


def tokenizer(special=True):
    """Word by word; with `special`, as BERT has it, between [CLS] and [SEP]."""
    core = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, "[UNK]"))
    core.pre_tokenizer = pre_tokenizers.Whitespace()
    if special:
        core.post_processor = processors.TemplateProcessing(
            single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
        )
    return PreTrainedTokenizerFast(tokenizer_object=core, pad_token="[PAD]", unk_token="[UNK]")


def bert(layers=3):
    torch.manual_seed(0)
    sizes = dict(hidden_size=8, intermediate_size=16, num_attention_heads=2, vocab_size=len(WORDS))
    config = BertConfig(num_hidden_layers=layers, max_position_embeddings=64, **sizes)
    return BertModel(config).eval().requires_grad_(False)


def llama(layers=3):
    torch.manual_seed(0)
    sizes = dict(hidden_size=8, intermediate_size=16, vocab_size=len(WORDS))
    heads = dict(num_attention_heads=2, num_key_value_heads=1)
    config = LlamaConfig(num_hidden_layers=layers, max_position_embeddings=64, **sizes, **heads)
    return LlamaForCausalLM(config).eval().requires_grad_(False)


NETWORKS = dict(bert=(bert, tokenizer), llama=(llama, lambda: tokenizer(special=False)))


def needs(package):
    """Skips where a network's package is not installed."""
    return pytest.mark.skipif(find_spec(package) is None, reason=f"{package} is not installed")
