"""Texts within a grammar that is no regular language, followed by the optional package llguidance.

Our own automata know a pattern's states by number and forget how they came there. Brackets within
brackets and schemas that hold themselves need a stack: a parser (Earley 1970) that llguidance
moves along with every text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sparrowlm.foundation.array_types import Bool
from sparrowlm.foundation.errors import DependencyError, SettingError
from sparrowlm.runtime.guides import UNLIMITED, Mask, StepwiseFollower
from sparrowlm.text.tokenizers import SEPARATOR_ID, TokenCodec

if TYPE_CHECKING:
    from llguidance import LLMatcher, LLTokenizer

# Otherwise only the tokenizer's own cut of bytes that must come is allowed; our automata allow
# every cut, and so the two agree. It stands at the end: numbers of lines in errors stay right.
_EVERY_CUT = '\n%llguidance {"no_forcing": true}'
# How the package's error begins where nothing can follow.
_DEAD_END = "NoExtensionBias"
# What a reason shows of the grammar: "   3 | start: (" and the sign below it.
_EXCERPT = re.compile(r"\s*(\d+ \|.*|\^+)?")


@dataclass(frozen=True, slots=True)
class Grammar:
    """What a text may look like, in llguidance's kind of Lark.

    Attributes:
        lark: rules; "start" is where every text begins.
    """

    lark: str

    def __post_init__(self) -> None:
        """Refuse what is no grammar.

        Raises:
            DependencyError: llguidance is not installed.
            SettingError: "runtime.grammar", with llguidance's reason.
        """
        try:
            from llguidance import LLMatcher
        except ImportError as error:
            raise DependencyError.for_extra("llguidance", "llguidance") from error
        try:
            grammar = LLMatcher.grammar_from_lark(self.lark + _EVERY_CUT)
        except UnicodeEncodeError as error:
            raise SettingError("runtime.grammar", reason=error) from error
        is_wrong, messages = LLMatcher.validate_grammar_with_warnings(grammar)
        if is_wrong:
            raise SettingError("runtime.grammar", reason=_reason(messages[0]))


def schema_grammar(schema: Mapping[str, Any]) -> Grammar:
    """Return the grammar of all JSON of a schema, written without needless white space.

    Args:
        schema: may refer to parts of itself.

    Raises:
        DependencyError: llguidance is not installed.
        SettingError: "runtime.grammar-of-schema", with llguidance's reason.
    """
    closely = {**schema, "x-guidance": {"whitespace_flexible": False}}
    try:
        return Grammar("start: %json " + json.dumps(closely))
    except SettingError as error:
        reason = str(error.fields["reason"]).rpartition("JSON schema: ")[2]
        raise SettingError("runtime.grammar-of-schema", reason=reason) from error


class GrammarGuide:
    """Keeps texts within a grammar.

    Args:
        grammar: of whole texts.
        codec: gives the bytes of every token.

    Raises:
        SettingError: the grammar allows no text, or names tokens.
    """

    def __init__(self, grammar: Grammar, codec: TokenCodec) -> None:
        from llguidance import LLMatcher

        vocabulary = Vocabulary(codec)
        self._vocabulary = vocabulary
        written = LLMatcher.grammar_from_lark(grammar.lark + _EVERY_CUT)
        self._matcher = LLMatcher(vocabulary.as_tokenizer(), written, log_level=0)
        _check(self._matcher)
        begun = self._matcher.deep_copy()
        begun.compute_logit_bias()
        _check(begun)
        if begun.is_error():
            raise SettingError("runtime.grammar-without-texts")

    def follow(self) -> GrammarFollower:
        """Begin a text."""
        return GrammarFollower(self._matcher.deep_copy(), self._vocabulary)


class GrammarFollower(StepwiseFollower):
    """Follows one text; see guides.Follower.

    Args:
        matcher: at the beginning, of this text alone.
        vocabulary: the bytes of all tokens.
    """

    def __init__(self, matcher: LLMatcher, vocabulary: Vocabulary) -> None:
        self._matcher = matcher
        self._vocabulary = vocabulary

    def first(
        self,
        begun: bytes,
        allowed_V: Bool[np.ndarray, " vocab"],
        num_tokens: int = UNLIMITED,
    ) -> Mask:
        """Return which tokens the text may begin with; see guides.Follower."""
        del num_tokens  # how far a grammar is from its end is not known
        if not begun:
            return self.allowed()
        mask = np.zeros(len(allowed_V), dtype=np.bool_)
        for token_id in np.flatnonzero(allowed_V).tolist():
            # A token that only repeats the prompt says nothing yet, but may be all there is.
            rest = self._vocabulary.ids(self._vocabulary.tokens[token_id][len(begun) :])
            mask[token_id] = self._may_follow(rest)
        mask[SEPARATOR_ID] = False
        return mask

    def allowed(self, num_tokens: int = UNLIMITED) -> Bool[np.ndarray, " vocab"]:
        """Return which tokens may follow; the separator where the text may end."""
        del num_tokens
        bias = np.frombuffer(self._matcher.compute_logit_bias(), dtype=np.uint8)
        _check(self._matcher)
        # Where the grammar has a dead end, nothing follows.
        mask: Mask = (bias[: self._vocabulary.size] > 0) & (not self._matcher.is_error())
        return mask

    def take(self, piece: bytes) -> None:
        """Go on by the bytes of an allowed token."""
        self._matcher.consume_tokens(self._vocabulary.ids(piece))
        _check(self._matcher)

    def is_over(self) -> bool:
        """Say whether the text can only end."""
        return self._matcher.is_stopped()

    def _may_follow(self, ids: list[int]) -> bool:
        # The quick test does not count a rule's max_tokens; the copy does.
        is_likely = self._matcher.validate_tokens(ids) == len(ids)
        return is_likely and self._matcher.deep_copy().consume_tokens(ids)


class Vocabulary:
    """A codec's tokens as llguidance wants them, and behind them all single bytes.

    The first token may repeat some of the prompt, and what is left of it need not be a token.

    Args:
        codec: gives the bytes of every token.
    """

    bos_token_id = None
    eos_token_id = SEPARATOR_ID
    special_token_ids = (SEPARATOR_ID,)

    def __init__(self, codec: TokenCodec) -> None:
        tokens = [codec.token_bytes(token_id) for token_id in range(codec.vocab_size)]
        self.size = len(tokens)
        self.tokens = tokens + [bytes([byte]) for byte in range(256)]
        self._ids = {piece: token_id for token_id, piece in enumerate(tokens) if piece}

    def ids(self, piece: bytes) -> list[int]:
        """Return the token with some bytes, or single bytes where none has them."""
        if piece in self._ids:
            return [self._ids[piece]]
        return [self.size + byte for byte in piece]

    def __call__(self, content: bytes) -> list[int]:
        """Cut some bytes into tokens."""
        return self.ids(content)

    def as_tokenizer(self) -> LLTokenizer:
        """Return the tree of all tokens."""
        from llguidance import LLTokenizer, TokenizerWrapper

        # Slices prepare masks for vocabularies a hundred times as large as ours.
        return LLTokenizer(TokenizerWrapper(self), slices=[])


def _check(matcher: LLMatcher) -> None:
    """Refuse a grammar that the package gave up on; a dead end only ends the text."""
    if matcher.is_error() and not matcher.get_error().startswith(_DEAD_END):
        raise SettingError("runtime.grammar", reason=_reason(matcher.get_error()))


def _reason(message: str) -> str:
    """Return a message of the package in one line, without its excerpts of the grammar."""
    lines = re.split(r"\n<(?:state|backtrace)>", message)[0].splitlines()
    said = " ".join(line.strip() for line in lines if not _EXCERPT.fullmatch(line))
    return said.rstrip(".")
