"""A tagger ready to answer: floor, network, or both, and the blend that weighs them.

The floor is always there, for it holds scheme, units and gazetteer; where it has no say it knows no
features. Nothing here needs torch. Shape letters: N units, L labels, B texts, K intents, S chains.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple

import numpy as np

from sparrowlm.corpora.labelled.examples import Span
from sparrowlm.foundation.array_types import Float64, Int32
from sparrowlm.foundation.errors import DamagedFileError
from sparrowlm.models.crf.lattice import best_labels, marginals
from sparrowlm.runtime.directory import CRF_FILE, ENCODER_FILE, MANIFEST_FILE, ModelFiles
from sparrowlm.runtime.encoder_files import COLUMN_TABLE, load_encoder
from sparrowlm.tasks.tag.blending import FLOOR, NETWORK, ChainScores, TagBlend
from sparrowlm.tasks.tag.decoding import FoundSpan, blocks, found_spans, words_of
from sparrowlm.tasks.tag.dictionary import UserDictionary, penalties
from sparrowlm.tasks.tag.features import UnitColumns
from sparrowlm.tasks.tag.floor import TagFloor
from sparrowlm.tasks.tag.inputs import InputMaker
from sparrowlm.tasks.tag.network import NetworkPart, check_head
from sparrowlm.tasks.tag.schemes import LabelSet, UnitSpan
from sparrowlm.tasks.tag.units import Tokens, Units
from sparrowlm.text.tokenizers.codec import TokenCodec

_BLOCK_CHARACTERS = 20_000
_BATCH_TEXTS = 512


class SpanPrediction(NamedTuple):
    """A span that was found.

    Attributes:
        start: first character.
        end: the character after the last.
        label: what it is.
        text: the characters.
        probability: that it is right, 0 to 1; 1 for entries of the user's dictionary.
    """

    start: int
    end: int
    label: str
    text: str
    probability: float


class IntentPrediction(NamedTuple):
    """What a text wants.

    Attributes:
        label: the likeliest intent.
        probability: its probability.
        probabilities: of every intent, likeliest first.
    """

    label: str
    probability: float
    probabilities: dict[str, float]


class TaggedPrediction(NamedTuple):
    """Everything about one text.

    Attributes:
        spans: in order.
        intent: None where the tagger knows none.
    """

    spans: list[SpanPrediction]
    intent: IntentPrediction | None


class Answer(NamedTuple):
    """What was found in a block of texts.

    Attributes:
        spans: of every text.
        labels_N: of all units.
        intents_BK: scores of the intents; no columns where there are none.
    """

    spans: list[list[FoundSpan]]
    labels_N: Int32[np.ndarray, " units"]
    intents_BK: Float64[np.ndarray, "texts intents"]


@dataclass(frozen=True, kw_only=True)
class TaggerSettings:
    """What a tagger was trained for, as it stands in sparrow.json.

    Attributes:
        blend: of the parts.
        intents: in the order of their scores; () where texts have none.
    """

    blend: TagBlend
    intents: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return JSON values."""
        return {"blend": self.blend.as_json(), "intents": list(self.intents)}

    @staticmethod
    def from_json(values: Mapping[str, Any]) -> TaggerSettings:
        """Rebuild from as_json."""
        return TaggerSettings(
            blend=TagBlend.from_json(values["blend"]), intents=tuple(values["intents"])
        )


class Tagger:
    """Finds spans in texts, and what the texts want.

    Args:
        settings: blend and intents.
        floor: with its features where it has a say.
        network: where it has a say, or where there are intents.
        dictionary: entries that outrank the models, for every call that brings no other.
    """

    def __init__(
        self,
        settings: TaggerSettings,
        floor: TagFloor,
        network: NetworkPart | None,
        dictionary: UserDictionary | None = None,
    ) -> None:
        self.settings = settings
        self.floor = floor
        self.network = network
        self.dictionary = dictionary

    @property
    def labels(self) -> LabelSet:
        """Scheme and types."""
        return self.floor.labels

    @property
    def types(self) -> tuple[str, ...]:
        """The labels of spans."""
        return self.labels.types

    @property
    def is_segmenter(self) -> bool:
        """Whether everything belongs to a word."""
        return self.labels.scheme == "BMES"

    def predict(
        self,
        texts: Sequence[str],
        dictionary: UserDictionary | None = None,
        tokens: Sequence[Tokens] | None = None,
    ) -> list[list[SpanPrediction]]:
        """Return the spans of every text.

        Args:
            texts: any texts.
            dictionary: entries that outrank the models; None takes the tagger's own.
            tokens: per text its tokens, where they are known.
        """
        return [one.spans for one in self.predict_all(texts, dictionary, tokens)]

    def predict_all(
        self,
        texts: Sequence[str],
        dictionary: UserDictionary | None = None,
        tokens: Sequence[Tokens] | None = None,
    ) -> list[TaggedPrediction]:
        """Return the spans and the intent of every text; arguments as in predict."""
        found: list[TaggedPrediction] = []
        for _units, answer in self._answers(texts, dictionary, tokens, with_confidence=True):
            intents = self._intents(answer)
            for text, spans, intent in zip(
                texts[len(found) : len(found) + len(answer.spans)],
                answer.spans,
                intents,
                strict=True,
            ):
                several = [
                    SpanPrediction(*one[:3], text[one.start : one.end], one.confidence)
                    for one in spans
                ]
                found.append(TaggedPrediction(several, intent))
        return found

    def tag(
        self,
        texts: Sequence[str],
        dictionary: UserDictionary | None = None,
        tokens: Sequence[Tokens] | None = None,
    ) -> list[list[Span]]:
        """Return the spans of every text without probabilities: faster; arguments as in predict."""
        return [
            [Span(*one[:3]) for one in spans]
            for _units, answer in self._answers(texts, dictionary, tokens, with_confidence=False)
            for spans in answer.spans
        ]

    def words(
        self, texts: Sequence[str], dictionary: UserDictionary | None = None
    ) -> list[list[str]]:
        """Cut texts into words with a model of segmentation; white space belongs to none."""
        found: list[list[str]] = []
        for units, answer in self._answers(texts, dictionary, None, with_confidence=False):
            found += words_of(self.labels, units, answer.labels_N)
        return found

    def stream(
        self, texts: Iterable[str], dictionary: UserDictionary | None = None
    ) -> Iterator[TaggedPrediction]:
        """Yield predictions of any number of texts, holding only some of them at a time."""
        waiting = iter(texts)
        while batch := list(islice(waiting, _BATCH_TEXTS)):
            yield from self.predict_all(batch, dictionary)

    def parts(self, units: Units) -> tuple[dict[str, ChainScores], Float64[np.ndarray, "texts _"]]:
        """Return the scores of every part that has a say, and those of the intents of every text.

        Args:
            units: of some texts, cut as the floor's joins_runs says.
        """
        columns = UnitColumns(units)
        found: dict[str, ChainScores] = {}
        weights = self.settings.blend.weights
        if FLOOR in weights:
            scores_NL = self.floor.scores(units, columns)
            found[FLOOR] = ChainScores(scores_NL, self.floor.weights.edges)
        intents_BK = np.zeros((len(units.text_starts), len(self.settings.intents)))
        if self.network is not None:
            scores = self.network.scores(units, columns)
            if NETWORK in weights:
                found[NETWORK] = ChainScores(scores.labels_NL, self.network.edges)
            if self.settings.intents:
                intents_BK = of_texts(units, scores.intents_SK)
        return found, intents_BK

    def _answers(
        self,
        texts: Sequence[str],
        dictionary: UserDictionary | None,
        tokens: Sequence[Tokens] | None,
        *,
        with_confidence: bool,
    ) -> Iterator[tuple[Units, Answer]]:
        size = {} if self.network is None else {"most_characters": _BLOCK_CHARACTERS}
        chosen = self.dictionary if dictionary is None else dictionary
        joins_runs = self.floor.joins_runs
        for units, own in blocks(texts, tokens, chosen, joins_runs=joins_runs, **size):
            yield units, self._answer(units, own, with_confidence=with_confidence)

    def _answer(self, units: Units, own: list[UnitSpan], *, with_confidence: bool) -> Answer:
        parts, intents_BK = self.parts(units)
        blend = self.settings.blend
        scores_NL, edges = blend.blended(parts, self.labels)
        extra = penalties(units, own, self.labels) if own else None
        labels_N = best_labels(scores_NL, units.chains, edges, extra)
        sure_NL = None
        if with_confidence:
            # Calibration keeps the order: the least stays the least, and the user's own stay at 1.
            certain_NL = marginals(scores_NL, units.chains, edges, extra)
            sure_NL = blend.confidence(certain_NL).astype(np.float32)
        spans = found_spans(self.labels, units, labels_N, own, sure_NL)
        return Answer(spans, labels_N, intents_BK)

    def _intents(self, answer: Answer) -> list[IntentPrediction | None]:
        names = self.settings.intents
        if not names:
            return [None] * len(answer.spans)
        found: list[IntentPrediction | None] = []
        for row_K in self.settings.blend.intent_probabilities(answer.intents_BK):
            order = np.argsort(-row_K, kind="stable").tolist()
            shares = {names[index]: float(row_K[index]) for index in order}
            found.append(IntentPrediction(names[order[0]], float(row_K[order[0]]), shares))
        return found


def of_texts(
    units: Units, chains_SK: np.ndarray[Any, np.dtype[np.float32]]
) -> Float64[np.ndarray, "texts intents"]:
    """Return the mean of the scores of each text's chains; zeros for a text without units."""
    owners_S = np.searchsorted(units.unit_starts, units.chains[:-1], side="right") - 1
    num_texts = len(units.text_starts)
    sums_BK = np.zeros((num_texts, chains_SK.shape[1]))
    np.add.at(sums_BK, owners_S, chains_SK)
    counts_B = np.bincount(owners_S, minlength=num_texts)
    means_BK: Float64[np.ndarray, "texts intents"] = sums_BK / np.maximum(counts_B, 1)[:, None]
    return means_BK


def load_tagger(directory: ModelFiles, codec: TokenCodec | None) -> Tagger:
    """Open the tagger of a model directory.

    Args:
        directory: its files.
        codec: the tokenizer, where the directory has a network.

    Raises:
        DamagedFileError: a file is missing or is not what was written.
    """
    settings = directory.task_settings(TaggerSettings.from_json)
    floor = TagFloor.load(directory.mapped(CRF_FILE))
    network = None
    if directory.holds(ENCODER_FILE) and codec is not None:
        encoder = load_encoder(directory)
        sizes = len(floor.labels), len(settings.intents)
        path = directory.path / ENCODER_FILE
        check_head(encoder.head, encoder.engine.shape.width, sizes, path)
        network = NetworkPart(
            encoder,
            InputMaker(
                codec,
                floor.features.profile,
                floor.features.gazetteer,
                len(encoder.head[COLUMN_TABLE]),
            ),
        )
    if NETWORK in settings.blend.weights and network is None:
        path = directory.path / MANIFEST_FILE
        raise DamagedFileError("foundation.file-damaged", path=path, reason=ENCODER_FILE)
    return Tagger(settings, floor, network, UserDictionary.load(directory))
