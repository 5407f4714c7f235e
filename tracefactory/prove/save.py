"""Save a small model so that transformers and vLLM load it as one more `LlamaForCausalLM`.

Written by hand, in the formats of Hugging Face, so that training needs no transformers.
"""

from pathlib import Path

import orjson
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from tokenizers import Tokenizer

from tracefactory.errors import SourceError
from tracefactory.prove.model import Size, SmallLlama
from tracefactory.prove.tokens import CHAT_TEMPLATE, END, PAD, UNKNOWN, Tokens
from tracefactory.store.files import write_atomic

WEIGHTS = "model.safetensors"


def save_model(folder: Path, model: SmallLlama, tokens: Tokens) -> None:
    """Write weights, config and tokeniser; the weights last, so that they say it is whole."""
    folder.mkdir(parents=True, exist_ok=True)
    size = model.size
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": size.vocabulary,
        "hidden_size": size.width,
        "intermediate_size": size.hidden,
        "num_hidden_layers": size.layers,
        "num_attention_heads": size.heads,
        "num_key_value_heads": size.heads,
        "head_dim": size.width // size.heads,
        "max_position_embeddings": size.positions,
        "hidden_act": "silu",
        "rms_norm_eps": 1e-6,
        "rope_theta": 10_000.0,
        "rope_parameters": {"rope_type": "default", "rope_theta": 10_000.0},
        "attention_bias": False,
        "mlp_bias": False,
        "tie_word_embeddings": True,
        "bos_token_id": None,
        "eos_token_id": tokens.end,
        "pad_token_id": tokens.pad,
        "dtype": "float32",
        "torch_dtype": "float32",
    }
    generation = {"eos_token_id": tokens.end, "pad_token_id": tokens.pad, "do_sample": False}
    tokenizer = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "eos_token": END,
        "pad_token": PAD,
        "unk_token": UNKNOWN,
        "clean_up_tokenization_spaces": False,
        "model_max_length": size.positions,
        "chat_template": CHAT_TEMPLATE,
    }
    for name, data in (
        ("config.json", config),
        ("generation_config.json", generation),
        ("tokenizer_config.json", tokenizer),
    ):
        write_atomic(folder / name, orjson.dumps(data, option=orjson.OPT_INDENT_2) + b"\n")
    write_atomic(folder / "tokenizer.json", tokens.tokenizer.to_str().encode())
    weights = {name: w.detach().cpu().contiguous() for name, w in model.named_parameters()}
    write_atomic(folder / WEIGHTS, save(weights, metadata={"format": "pt"}))


def load_model(folder: Path) -> tuple[SmallLlama, Tokens]:
    """Read back what `save_model` wrote.

    Raises:
        SourceError: there is no such model.
    """
    try:
        config = orjson.loads((folder / "config.json").read_bytes())
        tokens = Tokens(Tokenizer.from_file(str(folder / "tokenizer.json")))
        weights = load_file(folder / WEIGHTS)
        size = Size(
            config["vocab_size"],
            config["hidden_size"],
            config["num_hidden_layers"],
            config["num_attention_heads"],
            config["intermediate_size"],
            config["max_position_embeddings"],
        )
        model = SmallLlama(size, 0)
        model.load_state_dict(weights)
    except (OSError, KeyError, ValueError, RuntimeError, SafetensorError) as error:
        raise SourceError(f"{folder} holds no model that `prove` saved: {error}") from error
    return model.train(False), tokens


def choose_device(wanted: str | None) -> torch.device:
    """`cpu` unless asked for another.

    Raises:
        SourceError: that device is not there.
    """
    device = torch.device(wanted or "cpu")
    if device.type == "cuda" and not torch.cuda.is_available():
        raise SourceError("--device cuda: torch finds no GPU here; leave it out to train on cores")
    return device
