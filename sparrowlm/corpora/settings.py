"""Every choice of corpus preparation, with its default and its rule."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from sparrowlm.foundation.errors import SettingError
from sparrowlm.text.encodings import named_encoding
from sparrowlm.text.tokenizers import TokenizerKind

TokenizerChoice = Literal["auto", "character", "bpe", "word"]
Cleaning = Literal["standard", "minimal", "off"]
DocumentUnit = Literal["auto", "file", "blank-line", "line"]
Purpose = Literal["generation", "understanding"]

# "auto" takes words below this many characters: of a few sentences, whole words are the only thing
# that can be learnt; above it, characters serve the mixture of n-gram and neural model best.
WORDS_BELOW_CHARACTERS = 2_000


@dataclass(frozen=True)
class PreparationSettings:
    """How a corpus is prepared; equal settings and inputs give equal bytes.

    Args:
        tokenizer: "character", "bpe", "word", or "auto" (see choose_tokenizer).
        purpose: what "auto" chooses the tokenizer for: a model that writes, or one that reads (see
            kind_for_reading in text/tokenizers).
        vocabulary_size: ids in all, at least 257; None derives it from the corpus.
        most_ids: a derived vocabulary is cut to this size, at least 257; None leaves it.
        cleaning: "standard" removes control and zero-width characters, repairs mojibake, drops
            HTML tags and boilerplate; "minimal" only line ends and control characters; "off"
            changes nothing.
        exact_duplicates: drop texts seen before: whole documents, lines of 200 characters and more
            inside documents, and lines repeated four times and more at once.
        near_duplicates: drop texts that share most of their wording with one seen before; only
            together with exact_duplicates, and only whole documents of 64 characters and more.
        held_out_share: share of the characters kept for evaluation, 0 to 0.5; None derives it.
        seed: chooses which documents are held out.
        user_dictionary: text file, one word per line, that outranks the segmentation.
        user_words: further words of the same kind.
        document_unit: what one document of a plain text file is: the "file", every "line", every
            "blank-line" paragraph; "auto" is the file, unless lines of a separator or runs of
            three and more empty lines divide it.
        text_field: name or 0-based number of the column or key that holds the text; None finds it.
        encoding: of text files, where it is named; None finds it for each.
        tokenizer_sample_characters: the tokenizer is learnt from at most this much text.
        memory_limit_documents: digests for the search of duplicates kept in memory (about 90
            bytes each, twice); older ones are looked up on disk. The result does not depend on it.
    """

    tokenizer: TokenizerChoice = "auto"
    purpose: Purpose = "generation"
    vocabulary_size: int | None = None
    most_ids: int | None = None
    cleaning: Cleaning = "standard"
    exact_duplicates: bool = True
    near_duplicates: bool = True
    held_out_share: float | int | None = None
    seed: int = 0
    user_dictionary: Path | None = None
    user_words: tuple[str, ...] = ()
    document_unit: DocumentUnit = "auto"
    text_field: str | None = None
    encoding: str | None = None
    tokenizer_sample_characters: int = 20_000_000
    memory_limit_documents: int = 1_000_000

    def __post_init__(self) -> None:
        """Refuse values outside their range.

        Raises:
            SettingError: names the setting, what was received and what is allowed.
        """
        for name, allowed in (
            ("tokenizer", get_args(TokenizerChoice)),
            ("purpose", get_args(Purpose)),
            ("cleaning", get_args(Cleaning)),
            ("document_unit", get_args(DocumentUnit)),
        ):
            if getattr(self, name) not in allowed:
                self._refuse(name, ", ".join(allowed))
        if self.encoding is not None:
            named_encoding(self.encoding)
        if self.held_out_share is not None and not 0 <= self.held_out_share <= 0.5:
            self._refuse("held_out_share", "0 … 0.5")
        if self.vocabulary_size is not None and not 257 <= self.vocabulary_size <= 1 << 20:
            self._refuse("vocabulary_size", "257 … 1048576")
        if self.most_ids is not None and self.most_ids < 257:
            self._refuse("most_ids", ">= 257")
        if self.tokenizer_sample_characters < 1:
            self._refuse("tokenizer_sample_characters", ">= 1")
        if self.memory_limit_documents < 1_000:
            self._refuse("memory_limit_documents", ">= 1000")

    def _refuse(self, name: str, allowed: str) -> None:
        received = getattr(self, name)
        raise SettingError("corpora.setting", name=name, received=received, allowed=allowed)

    def as_json(self) -> dict[str, Any]:
        """Return the settings as JSON values."""
        values = dataclasses.asdict(self)
        values["user_dictionary"] = str(self.user_dictionary) if self.user_dictionary else None
        values["user_words"] = list(self.user_words)
        return values

    def canonical(self) -> str:
        """Return one line that is equal exactly for equal settings, for fingerprints."""
        return json.dumps(self.as_json(), ensure_ascii=False, sort_keys=True)


def choose_tokenizer(choice: TokenizerChoice, num_characters: int) -> TokenizerKind:
    """Decide "auto": words for a few sentences, characters otherwise.

    >>> choose_tokenizer("auto", 30), choose_tokenizer("auto", 10**6), choose_tokenizer("bpe", 1)
    ('word', 'character', 'bpe')
    """
    if choice != "auto":
        return choice
    return "word" if num_characters < WORDS_BELOW_CHARACTERS else "character"
