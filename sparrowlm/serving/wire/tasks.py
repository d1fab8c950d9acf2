"""Requests that are answered with something other than text."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from sparrowlm.serving.complaints import Refusal
from sparrowlm.serving.wire.texts import Message, texts_or_ids

_MOST_TEXTS = 2048
Texts = str | Annotated[list[str], Meta(min_length=1, max_length=_MOST_TEXTS)]


class EmbeddingsRequest(Struct, kw_only=True):
    """POST /v1/embeddings.

    Attributes:
        model: its name.
        input: a text, token ids, or several of either.
        encoding_format: numbers, or the bytes of float32 in base64.
        dimensions: keep only the first so many numbers, made of length one again.
        user: not used.
    """

    input: str | list[str | int | list[int]]
    model: str = ""
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: Annotated[int, Meta(ge=1, le=2**31)] | None = None
    user: str | None = None

    def inputs(self) -> list[str | list[int]]:
        """Return what is to be embedded, each a text or ids."""
        return texts_or_ids(self.input, "input")


class ClassifyRequest(Struct, kw_only=True):
    """POST /v1/classify.

    Attributes:
        model: its name.
        input: one text or several.
        explain: whether the telling words come with each label.
        k: how many probabilities come with each text.
        floor: whether the answer of the n-grams alone comes beside each, where there is one.
        cooperate: whether what the model is not sure of goes on to the large one, where the server
            has a policy for this model.
    """

    input: Texts
    model: str = ""
    explain: bool = False
    floor: bool = False
    k: Annotated[int, Meta(ge=1, le=1000)] = 5
    cooperate: bool = True


class TagRequest(Struct, kw_only=True):
    """POST /v1/tag.

    Attributes:
        model: its name.
        input: one text or several.
        floor: whether the spans of the random field alone come beside, where there is one.
        cooperate: whether what the model is not sure of goes on to the large one, where the server
            has a policy for this model.
    """

    input: Texts
    model: str = ""
    floor: bool = False
    cooperate: bool = True


class MatchRequest(Struct, kw_only=True):
    """POST /v1/match: two texts, pairs of them, or a question to stored answers.

    Attributes:
        model: its name.
        first: a text.
        second: another.
        pairs: instead of these: pairs of texts.
        question: instead of all these: what is searched for.
        k: answers to a question.
        cooperate: whether what the model is not sure of goes on to the large one, where the server
            has a policy for this model.
    """

    model: str = ""
    first: str | None = None
    second: str | None = None
    pairs: Annotated[list[tuple[str, str]], Meta(min_length=1, max_length=_MOST_TEXTS)] | None = (
        None
    )
    question: str | None = None
    k: Annotated[int, Meta(ge=1, le=100)] = 3
    cooperate: bool = True

    def texts(self) -> list[tuple[str, str]]:
        """Return the pairs.

        Raises:
            Refusal: there are none, or both forms.
        """
        if self.pairs is not None and self.first is None and self.second is None:
            return self.pairs
        if self.pairs is None and self.first is not None and self.second is not None:
            return [(self.first, self.second)]
        raise Refusal(400, "serving.match-what", param="pairs")


class NextRequest(Struct, kw_only=True):
    """POST /v1/next.

    Attributes:
        model: its name.
        input: what stands before.
        k: how many words.
        floor: whether the words of the counts alone come beside them, where there are counts.
    """

    input: str
    model: str = ""
    floor: bool = False
    k: Annotated[int, Meta(ge=1, le=50)] = 5


class TokenizeRequest(Struct, kw_only=True):
    """POST /tokenize.

    Attributes:
        model: its name.
        prompt: a text.
        content: the same under llama.cpp's name.
        messages: instead: what was said, in the model's chat format.
        add_special_tokens: whether the separator comes first, which begins every text.
        with_pieces: whether the text of every token comes too.
    """

    model: str = ""
    prompt: str | None = None
    content: str | None = None
    messages: list[Message] | None = None
    add_special_tokens: bool = True
    with_pieces: bool = False


class DetokenizeRequest(Struct, kw_only=True):
    """POST /detokenize.

    Attributes:
        model: its name.
        tokens: ids.
    """

    tokens: list[int]
    model: str = ""
