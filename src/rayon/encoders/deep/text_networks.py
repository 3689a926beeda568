"""Networks that turn tokens into vectors: pretrained ones, and one that is trained from scratch."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import torch
from torch import Tensor, nn

from rayon.encoders.deep.flaubert_tokenizer import KIND as FLAUBERT
from rayon.encoders.deep.flaubert_tokenizer import flaubert_tokenizer
from rayon.encoders.deep.loading import blank_dimension, load_backbone
from rayon.encoders.onnx_session import first_line
from rayon.errors import ModelError

VOCABULARY = 30_000
"""Pieces of words that a network from scratch knows at the most."""

_UNBOUNDED = 10**6
_UNKNOWN = "[UNK]"
_TOKENIZERS = ("tokenizer.json", "vocab.txt", "vocab.json", "*.model")
_TOKENIZER_HINT = "It takes a tokenizer.json; transformers writes one with AutoTokenizer(...).save_pretrained"


class PretrainedText(nn.Module):
    """A transformer whose last layer is averaged over the tokens.

    Parameters
    ----------
    folder
        An ordinary Hugging Face checkpoint: ``config.json`` and weights as safetensors.

    Raises
    ------
    ModelError
        When the folder holds no text encoder that transformers can make.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.backbone, _ = load_backbone(folder, "text", {})
        if not hasattr(self.backbone.config, "vocab_size"):
            raise ModelError(
                f"{folder} holds a {self.backbone.config.model_type} model, which reads no text", ""
            )
        self.longest = _positions(self.backbone)
        some = torch.ones((1, 4), dtype=torch.int64)
        self.dimension = blank_dimension(self, folder, "text", some, some)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Vectors `[n, d]` of tokens `[n, t]`."""
        states = self.backbone(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        weight = attention_mask.unsqueeze(-1).to(states.dtype)
        return (states * weight).sum(dim=1) / weight.sum(dim=1).clamp(min=1)


def _positions(backbone: nn.Module) -> int:
    """Tokens that a transformer has positions for."""
    for name, module in backbone.named_modules():
        if name.endswith("position_embeddings") and isinstance(module, nn.Embedding):
            # RoBERTa and its kin count positions from behind the padding's number on.
            offset = 0 if module.padding_idx is None else module.padding_idx + 1
            return int(module.num_embeddings) - offset
    return int(getattr(backbone.config, "max_position_embeddings", None) or _UNBOUNDED)


class Conv1dText(nn.Module):
    """Embedded tokens through convolutions of several widths; the strongest answer of each filter is kept.

    The shape of Kim (2014), on pieces of words instead of words, with the mean embedding beside it.

    Parameters
    ----------
    vocabulary
        Number of tokens.
    embedding, filters
        Sizes of the embedding, and of each convolution.
    widths
        Tokens that a filter sees.
    dropout
        Of embeddings and vectors, while training.
    """

    longest = 512

    def __init__(
        self,
        vocabulary: int,
        embedding: int = 256,
        filters: int = 256,
        widths: tuple[int, ...] = (1, 2, 3, 5),
        dropout: float = 0.3,
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, embedding, padding_idx=0)
        nn.init.normal_(self.embedding.weight, std=0.1)
        self.convolutions = nn.ModuleList(
            nn.Conv1d(embedding, filters, width, padding=width // 2) for width in widths
        )
        self.dropout = nn.Dropout(dropout)
        self.dimension = filters * len(widths) + embedding

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Vectors `[n, d]` of tokens `[n, t]`."""
        weight = attention_mask.unsqueeze(1).to(self.embedding.weight.dtype)
        tokens = self.dropout(self.embedding(input_ids)).transpose(1, 2) * weight
        found = [tokens.sum(dim=2) / weight.sum(dim=2).clamp(min=1)]
        for convolution in self.convolutions:
            answers = torch.relu(convolution(tokens))[:, :, : tokens.shape[2]] * weight
            found.append(answers.amax(dim=2))
        return self.dropout(torch.cat(found, dim=1))


def pretrained_tokenizer(folder: Path, network: PretrainedText) -> str:
    """The tokenizer of a checkpoint, as the JSON of the tokenizers library.

    Raises
    ------
    ModelError
        When there is none, it is of a kind that only Python code can run, or it is of another network.
    """
    flaubert = network.backbone.config.model_type == FLAUBERT
    tokenizer = flaubert_tokenizer(folder) if flaubert else _tokenizer(folder)
    known = network.backbone.get_input_embeddings().num_embeddings
    if vocabulary_size(tokenizer) > known:
        raise ModelError(
            f"The tokenizer of {folder} gives {vocabulary_size(tokenizer)} kinds of tokens, "
            f"and its network knows {known}",
            "They are of different networks; copy the weights again",
        )
    return tokenizer


def _tokenizer(folder: Path) -> str:
    path = folder / "tokenizer.json"
    if not any(next(folder.glob(pattern), None) for pattern in _TOKENIZERS):
        # transformers would make one up that knows no word
        raise ModelError(f"{folder} has no tokenizer", _TOKENIZER_HINT)
    try:
        if path.is_file():
            from tokenizers import Tokenizer

            return str(Tokenizer.from_file(str(path)).to_str())
        from transformers import AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
        backend = tokenizer.backend_tokenizer
    except Exception as error:  # both libraries raise bare exceptions
        raise ModelError(
            f"{folder} has no tokenizer that can be used ({first_line(error)})",
            _TOKENIZER_HINT,
        ) from None
    return str(backend.to_str())


def train_tokenizer(texts: Iterable[str], size: int = VOCABULARY) -> str:
    """Learn pieces of words by byte-pair encoding, case and accents left out; the JSON of a tokenizer."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE(unk_token=_UNKNOWN))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFKD(), normalizers.StripAccents(), normalizers.Lowercase()]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.BpeTrainer(
        vocab_size=size, min_frequency=2, special_tokens=["[PAD]", _UNKNOWN], show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    return str(tokenizer.to_str())


def vocabulary_size(tokenizer: str) -> int:
    """One more than the largest number that a tokenizer gives a token."""
    from tokenizers import Tokenizer

    return 1 + max(map(int, Tokenizer.from_str(tokenizer).get_vocab(with_added_tokens=True).values()))
