"""Everything that is no text: vectors, labels, spans, matches, next words, tokens."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

import numpy as np

from sparrowlm.api.model import TAG_KINDS
from sparrowlm.cooperation.asking import Question
from sparrowlm.cooperation.cascade import Cascade, Decided
from sparrowlm.runtime.next_words import NextWord
from sparrowlm.serving.access import Caller
from sparrowlm.serving.answers.cooperation import decision_json, ended_answers
from sparrowlm.serving.answers.service import Json, Service
from sparrowlm.serving.complaints import Refusal
from sparrowlm.serving.shelf import WRITERS, ServedModel
from sparrowlm.serving.wire.choices import TokenTexts
from sparrowlm.serving.wire.tasks import (
    ClassifyRequest,
    DetokenizeRequest,
    EmbeddingsRequest,
    MatchRequest,
    NextRequest,
    TagRequest,
    TokenizeRequest,
)
from sparrowlm.serving.writing import check_prompt, encoded
from sparrowlm.text.tokenizers.codec import SEPARATOR, SEPARATOR_ID

_Result = TypeVar("_Result")
_REASONS = 8
_LONGEST_EXPLAINED = 2000


@dataclass(frozen=True)
class _Asked:
    """What a model is to judge.

    Attributes:
        items: texts or pairs.
        questions: the same for a cascade.
        cooperate: whether a policy may pass them on.
    """

    items: Sequence[Any]
    questions: Sequence[Question]
    cooperate: bool


async def answer_embeddings(service: Service, caller: Caller, request: EmbeddingsRequest) -> Json:
    """Turn texts into vectors of length one.

    Args:
        service: models and limits.
        caller: who asks.
        request: checked for types.

    Raises:
        Refusal, SparrowError: it cannot be answered.
    """
    inputs = request.inputs()
    async with service.shelf.use(request.model, ("encoder",)) as served:
        if not served.model.can_embed:
            raise _wrong_kind(served, "model")
        texts = [_as_text(one, served) for one in inputs]
        vectors_BW = await served.worker.call(lambda: served.model.embed(texts))
        if request.dimensions is not None:
            vectors_BW = vectors_BW[:, : request.dimensions]
            lengths_B1 = np.linalg.norm(vectors_BW, axis=1, keepdims=True)
            vectors_BW = vectors_BW / np.maximum(lengths_B1, 1e-12)
        count = sum(map(len, texts))
        service.count_tokens(caller, served.name, count, 0)
    data = [
        {"object": "embedding", "index": index, "embedding": _numbers(row_W, request)}
        for index, row_W in enumerate(vectors_BW)
    ]
    usage = {"prompt_tokens": count, "total_tokens": count}
    return {"object": "list", "data": data, "model": served.name, "usage": usage}


def _numbers(row_W: np.ndarray, request: EmbeddingsRequest) -> list[float] | str:
    if request.encoding_format == "base64":
        return base64.b64encode(row_W.astype("<f4").tobytes()).decode()
    found: list[float] = row_W.tolist()
    return found


def _as_text(given: str | list[int], served: ServedModel) -> str:
    if isinstance(given, str):
        return given
    codec = served.model.codec
    _check_ids(given, codec.vocab_size, "input")
    return codec.decode(given)


def _check_ids(ids: Sequence[int], vocab_size: int, param: str) -> None:
    for token_id in ids:
        if not 0 <= token_id < vocab_size:
            raise Refusal(
                400, "serving.unknown-id", param=param, received=token_id, most=vocab_size - 1
            )


async def answer_classify(service: Service, caller: Caller, request: ClassifyRequest) -> Json:
    """Give texts their labels; see answer_embeddings."""
    texts = _several(request.input)
    longest = max(map(len, texts))
    if request.explain and longest > _LONGEST_EXPLAINED:
        # Every word is hidden in turn: twice as long takes four times as long.
        raise Refusal(
            400, "serving.too-long", param="explain", received=longest, most=_LONGEST_EXPLAINED
        )
    async with service.shelf.use(request.model, ("classify",)) as served:
        _check_kind(served, ("classify",))
        model = served.model

        def fields_of(text: str, one: Any) -> Json:  # noqa: ANN401 - a Prediction
            likeliest = list(one.probabilities.items())[: request.k]
            fields: Json = {
                "label": one.label,
                "probability": one.probability,
                "labels": list(one.labels),
                "probabilities": [
                    {"label": label, "probability": share} for label, share in likeliest
                ],
            }
            if request.explain:
                fields["reasons"] = [reason._asdict() for reason in model.explain(text)[:_REASONS]]
            floor = model.floor_labels if request.floor else None
            if floor is not None:
                label, share = floor([text])[0]
                fields["floor"] = {"label": label, "probability": share}
            return fields

        asked = _Asked(texts, list(map(Question, texts)), cooperate=request.cooperate)
        return await _judged(
            service, caller, served, asked, lambda: model.predict(texts), fields_of
        )


async def answer_tag(service: Service, caller: Caller, request: TagRequest) -> Json:
    """Find spans and intents in texts; see answer_embeddings."""
    texts = _several(request.input)
    async with service.shelf.use(request.model, TAG_KINDS) as served:
        _check_kind(served, TAG_KINDS)
        model = served.model

        def fields_of(text: str, one: Any) -> Json:  # noqa: ANN401 - a tagged text
            fields: Json = {"text": text, "spans": [span._asdict() for span in one.spans]}
            if one.intent is not None:
                fields["intent"] = one.intent.label
                fields["intent_probability"] = one.intent.probability
            floor = model.floor_spans if request.floor else None
            if floor is not None:
                [spans] = floor([text])
                fields["floor"] = {"spans": [span._asdict() for span in spans]}
            return fields

        asked = _Asked(texts, list(map(Question, texts)), cooperate=request.cooperate)
        return await _judged(
            service, caller, served, asked, lambda: model.predict(texts), fields_of
        )


def _put_spans(fields: Json, given: Json | None) -> None:
    """Replace a tagger's answer by the large model's, or by none."""
    spans = [] if given is None else given["spans"]
    fields["spans"] = [
        {"start": start, "end": end, "label": label, "text": fields["text"][start:end]}
        for start, end, label in spans
    ]
    if "intent" in fields:
        fields["intent"] = None if given is None else given["intent"]
        del fields["intent_probability"]


async def answer_match(service: Service, caller: Caller, request: MatchRequest) -> Json:
    """Say whether texts mean the same, or find answers; see answer_embeddings."""
    async with service.shelf.use(request.model, ("match",)) as served:
        _check_kind(served, ("match",))
        if request.question is not None:
            question = request.question

            def search() -> list[Json]:
                found = served.model.search(question, request.k)
                answers = [asdict(answer) for answer in found.answers]
                return [{"answers": answers, "is_known": found.is_known}]

            data = await _done(service, caller, served, search, [question])
            return _listed(served, data)
        pairs = request.texts()
        model = served.model

        def fields_of(_pair: object, one: Any) -> Json:  # noqa: ANN401 - a Match
            return {"label": one.label, "is_same": one.is_same, "probability": one.probability}

        questions = [Question(*pair) for pair in pairs]
        asked = _Asked(pairs, questions, cooperate=request.cooperate)
        return await _judged(
            service, caller, served, asked, lambda: list(model.match_stream(pairs)), fields_of
        )


async def answer_next(service: Service, caller: Caller, request: NextRequest) -> Json:
    """Name the likeliest next words; see answer_embeddings."""
    async with service.shelf.use(request.model, WRITERS) as served:
        if not served.writes:
            raise _wrong_kind(served, "model")
        await check_prompt(service.limits, served, request.input, "input")

        def words() -> tuple[list[Json], list[Json] | None]:
            floor = served.model.floor_words if request.floor else None
            own = _words(served.model.next(request.input, request.k))
            return own, None if floor is None else _words(floor(request.input, request.k))

        data, beside = await _done(service, caller, served, words, [request.input])
    answer = _listed(served, data)
    return answer if beside is None else {**answer, "floor": beside}


def _words(found: Sequence[NextWord]) -> list[Json]:
    return [{"word": one.word, "probability": one.probability} for one in found]


async def answer_tokenize(service: Service, _caller: Caller, request: TokenizeRequest) -> Json:
    """Return the ids of a text; see answer_embeddings."""
    text = request.prompt if request.prompt is not None else request.content
    if request.messages:
        text = service.chat.prompt(request.messages)
    if text is None:
        raise Refusal(400, "serving.field-missing", param="prompt")
    async with service.shelf.use(request.model, WRITERS) as served:
        if not served.writes:
            raise _wrong_kind(served, "model")
        codec = served.model.codec
        # Clients ask for the id of the separator by its name, which a text can never have.
        ids = [SEPARATOR_ID]
        if text != SEPARATOR:
            ids = await encoded(served, text)
        if request.add_special_tokens and text != SEPARATOR:
            ids = [SEPARATOR_ID, *ids]
    found: Json = {"tokens": ids, "count": len(ids), "max_model_len": _context(served, service)}
    if request.with_pieces:
        texts = TokenTexts(codec)
        found["pieces"] = [texts.name(token_id) for token_id in ids]
    return found


async def answer_detokenize(service: Service, _caller: Caller, request: DetokenizeRequest) -> Json:
    """Return the text of ids; see answer_embeddings."""
    async with service.shelf.use(request.model, WRITERS) as served:
        if not served.writes:
            raise _wrong_kind(served, "model")
        codec = served.model.codec
        _check_ids(request.tokens, codec.vocab_size, "tokens")
        text = await asyncio.to_thread(codec.decode, request.tokens)
    return {"prompt": text, "content": text}


async def answer_tokenizer_info(service: Service, wanted: str) -> Json:
    """Describe the tokenizer of a model.

    Args:
        service: models and limits.
        wanted: name of the model; "" where there is one.
    """
    async with service.shelf.use(wanted, WRITERS) as served:
        if not served.writes:
            raise _wrong_kind(served, "model")
        codec = served.model.codec
        return {
            "tokenizer_class": f"sparrow-{codec.kind}",
            "bos_token": SEPARATOR,
            "eos_token": SEPARATOR,
            "pad_token": SEPARATOR,
            "add_bos_token": True,
            "vocab_size": codec.vocab_size,
            "model_max_length": _context(served, service),
            "chat_template": None,
        }


def _context(served: ServedModel, service: Service) -> int:
    """Return how many tokens a prompt may have: what is behind the model's window counts too."""
    engine = served.model.engine
    window = getattr(engine, "context_tokens", None)
    return int(window or service.limits.prompt_tokens)


async def _done(
    service: Service,
    caller: Caller,
    served: ServedModel,
    function: Callable[[], _Result],
    texts: list[str],
) -> _Result:
    """Work in the model's thread; what is read counts by the character."""
    result = await served.worker.call(function)
    service.count_tokens(caller, served.name, sum(map(len, texts)), 0)
    return result


async def _judged(
    service: Service,
    caller: Caller,
    served: ServedModel,
    asked: _Asked,
    judge: Callable[[], Sequence[Any]],
    fields_of: Callable[[Any, Any], Json],
) -> Json:
    """Answer in the model's thread, and by whom the policy says where it is asked together.

    Args:
        service: models and limits.
        caller: who asks.
        served: the small model.
        asked: by the caller.
        judge: what the model says, one for each question.
        fields_of: that and what was asked as JSON values.
    """
    cascade = served.cascade if asked.cooperate else None

    def work() -> tuple[list[Json], list[Decided]]:
        began = time.perf_counter()
        found = judge()
        took = time.perf_counter() - began
        data = [fields_of(*pair) for pair in zip(asked.items, found, strict=True)]
        if cascade is None:
            return data, []
        return data, cascade.begin(asked.questions, found, 1000 * took)

    texts = [text for one in asked.questions for text in (one.text, one.second or "")]
    data, decided = await _done(service, caller, served, work, texts)
    if cascade is not None:
        await _put_decisions(service, served, cascade, decided, data)
    return _listed(served, data)


async def _put_decisions(
    service: Service,
    served: ServedModel,
    cascade: Cascade,
    decided: Sequence[Decided],
    data: list[Json],
) -> None:
    """Add what was decided to the small model's answers, and put the large one's in their place.

    How sure the large one is nobody knows: its answers have no probability.
    """
    answers = await ended_answers(service, served, cascade, decided)
    for fields, one, answer in zip(data, decided, answers, strict=True):
        fields["decision"] = decision_json(cascade, one, answer)
        if answer.answered_by == "small":
            continue
        if "spans" in fields:
            _put_spans(fields, answer.answer)
        elif "is_same" in fields:
            is_same = answer.answer == served.model.labels[1]
            fields |= {
                "label": answer.answer,
                "is_same": None if answer.answer is None else is_same,
                "probability": None,
            }
        else:
            several = answer.answer if isinstance(answer.answer, list) else [answer.answer]
            labels = [] if answer.answer is None else several
            first = labels[0] if labels else None
            fields |= {"label": first, "labels": labels, "probability": None}


def _several(given: str | list[str]) -> list[str]:
    return [given] if isinstance(given, str) else given


def _listed(served: ServedModel, data: list[Json]) -> Json:
    indexed = [{"index": index, **one} for index, one in enumerate(data)]
    return {"object": "list", "model": served.name, "data": indexed}


def _check_kind(served: ServedModel, kinds: tuple[str, ...]) -> None:
    if served.model.kind not in kinds:
        raise _wrong_kind(served, "model")


def _wrong_kind(served: ServedModel, param: str) -> Refusal:
    kind = served.model.kind
    can = _ENDPOINTS.get(kind, "/v1/chat/completions, /v1/completions, /v1/responses, /v1/next")
    return Refusal(400, "serving.wrong-kind", param=param, name=served.name, kind=kind, can=can)


_ENDPOINTS = {
    "classify": "/v1/classify",
    "match": "/v1/match",
    **dict.fromkeys(TAG_KINDS, "/v1/tag"),
    "encoder": "/v1/embeddings",
}
