"""Stored questions and answers, found by the n-grams that a new question shares with them.

    score of an entry = bias of the entry + sum over shared n-grams of the n-gram's weight

An n-gram of a stored question and the same n-gram of an answer are two things with two weights;
the bias says how much of the entry's question a new one can leave unsaid. Postings are one array of
entries, n-gram after n-gram: a search adds up the lists of its own n-grams and touches no other.

Shape letters: N entries, F n-grams, P postings, Q n-grams of one question.

Source: Zobel and Moffat 2006, "Inverted files for text search engines", section 3; the form of the
score is that of Robertson and Zaragoza 2009, "The probabilistic relevance framework", equation
3.1, with learnt weights.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from sparrowlm.foundation.array_types import Float32, Int64, Integer, UInt32
from sparrowlm.foundation.errors import DamagedFileError
from sparrowlm.foundation.mapped_bytes import FileSource, path_of
from sparrowlm.models.array_file import file_bytes, read_arrays, write_arrays
from sparrowlm.tasks.logistic import sigmoid
from sparrowlm.text.ngram_features import NgramFeatures
from sparrowlm.text.segmentation import WordSegmenter

KIND = "answer-index"
_ANSWER_SALT = np.uint32(0x5BD1E995)
NUM_RIVALS = 10
_LARGEST_LEAD = 10.0
_MOST_ASKED_CHARACTERS = 2000

Array = np.ndarray[Any, np.dtype[Any]]
Matrix = np.ndarray[Any, np.dtype[np.float32]]
Numbers = np.ndarray[Any, np.dtype[np.int64]]
Keys = np.ndarray[Any, np.dtype[np.uint32]]


class TextBlob(NamedTuple):
    """Many texts in one array of bytes.

    Attributes:
        bytes_Z: UTF-8, one text behind the other.
        borders_N1: where every text begins, and the end.
    """

    bytes_Z: Array
    borders_N1: Array

    @staticmethod
    def of(texts: Sequence[str]) -> TextBlob:
        """Join texts; half characters stay what they are."""
        encoded = [text.encode("utf-8", "surrogatepass") for text in texts]
        borders = np.cumsum([0, *map(len, encoded)], dtype=np.int64)
        return TextBlob(np.frombuffer(b"".join(encoded), dtype=np.uint8), borders)

    def text(self, number: int) -> str:
        """Return one text."""
        start, end = (int(border) for border in self.borders_N1[number : number + 2])
        return self.bytes_Z[start:end].tobytes().decode("utf-8", "surrogatepass")


@dataclass(frozen=True)
class Postings:
    """Which entries hold which n-gram.

    Attributes:
        keys_F: ascending.
        weights_F: added to the score of an entry that holds it.
        starts_F1: where the list of every n-gram begins, and the end.
        entries_P: numbers of entries.
        twins_N: number of the first entry with the same question, of every entry.
        bias_N: score of an entry before anything is shared.
        unknown_weight: what an n-gram that stands nowhere might have been worth.
        values_P: by what the weight counts in an entry, for the floors; None: as it is.
    """

    keys_F: UInt32[np.ndarray, " ngrams"]
    weights_F: Float32[np.ndarray, " ngrams"]
    starts_F1: Int64[np.ndarray, " ngrams_and_end"]
    entries_P: Array
    twins_N: Array
    bias_N: Float32[np.ndarray, " entries"]
    unknown_weight: float
    values_P: Array | None = None


class Hit(NamedTuple):
    """One entry found.

    Attributes:
        entry: its number.
        score: logarithm of its share among all entries, up to a constant.
        probability: that it is the right one, 0 to 1.
    """

    entry: int
    score: float
    probability: float


@dataclass(frozen=True)
class Confidence:
    """How much a best hit is believed: logistic regression over signs of a good one.

    Attributes:
        weights_5: see AnswerIndex.evidence.
        offset: added.
    """

    weights_5: tuple[float, ...]
    offset: float

    def probability(self, evidence_5: Matrix) -> float:
        """Return the probability that the best hit is right."""
        logit = self.offset + float(np.array(self.weights_5) @ evidence_5)
        return float(sigmoid(np.array([logit]))[0])


class AnswerIndex:
    """Finds entries.

    Args:
        postings: n-grams of the stored questions and answers.
        questions: stored questions.
        answers: as many.
        confidence: None before it is learnt.
        features: n-grams of questions, and of answers.
    """

    def __init__(
        self,
        postings: Postings,
        questions: TextBlob,
        answers: TextBlob,
        confidence: Confidence | None,
        features: tuple[NgramFeatures, NgramFeatures],
    ) -> None:
        self.postings = postings
        self.questions = questions
        self.answers = answers
        self.confidence = confidence
        self.features = features

    def __len__(self) -> int:
        return len(self.postings.bias_N)

    def search(self, question: str, most: int) -> list[Hit]:
        """Return the best entries, best first.

        Args:
            question: any string; of a very long one both ends are read.
            most: how many, >= 1.
        """
        if not len(self):
            return []
        keys_Q = question_keys(self.features, [question])[1]
        scores_N, most_possible = self.scores(keys_Q)
        entries = largest(scores_N, max(most, NUM_RIVALS))
        twins = self.postings.twins_N[entries[:NUM_RIVALS]]
        best = scores_N[entries[:NUM_RIVALS]]
        evidence_5 = evidence(best, twins, most_possible, len(question))
        sure = 0.5 if self.confidence is None else self.confidence.probability(evidence_5)
        entries = entries[:most]
        # The others are believed in proportion, and no more than the best one leaves over.
        shares = np.exp(scores_N[entries] - scores_N[entries[0]])
        probabilities = np.minimum(sure * shares, 1 - sure)
        probabilities[0] = sure
        columns = entries.tolist(), scores_N[entries].tolist(), probabilities.tolist()
        return [Hit(*row) for row in zip(*columns, strict=True)]

    def scores(self, keys_Q: UInt32[np.ndarray, " ngrams"]) -> tuple[Matrix, float]:
        """Score all entries.

        Args:
            keys_Q: n-grams of a question, see question_keys.

        Returns:
            Scores of the entries; what an entry that holds all n-grams would get beside its bias.
        """
        postings = self.postings
        places = np.searchsorted(postings.keys_F, keys_Q)
        places = np.minimum(places, max(len(postings.keys_F) - 1, 0))
        is_known = postings.keys_F[places] == keys_Q if len(postings.keys_F) else places < 0
        places = places[is_known]
        weights = postings.weights_F[places]
        scores_N = postings.bias_N.copy()
        starts, ends = postings.starts_F1[places], postings.starts_F1[places + 1]
        for start, end, weight in zip(starts.tolist(), ends.tolist(), weights, strict=True):
            # Every entry stands in a list once.
            values = 1.0 if postings.values_P is None else postings.values_P[start:end]
            scores_N[postings.entries_P[start:end]] += weight * values
        num_unknown = int((~is_known).sum()) / 2  # as question and as answer
        most = float(np.maximum(weights, 0).sum()) + num_unknown * postings.unknown_weight
        return scores_N, most

    def save(self, path: Path) -> None:
        """Write the index.

        Raises:
            ResourceError: disk full or not writable.
        """
        write_arrays(path, KIND, *self._contents())

    def size_bytes(self) -> int:
        """Return the length of the file."""
        return file_bytes(KIND, *self._contents())

    def _contents(self) -> tuple[dict[str, Any], dict[str, Array]]:
        postings, confidence = self.postings, self.confidence
        metadata = {
            "features": [one.settings.as_json() for one in self.features],
            "unknown_weight": postings.unknown_weight,
            "confidence": None if confidence is None else list(confidence.weights_5),
            "offset": 0.0 if confidence is None else confidence.offset,
        }
        arrays = {
            "keys": postings.keys_F,
            "weights": postings.weights_F.astype(
                np.float16 if postings.values_P is None else np.float32
            ),
            "starts": postings.starts_F1.astype(np.uint32),
            "entries": postings.entries_P,
            "twins": postings.twins_N,
            "bias": postings.bias_N.astype(np.float16),
            "questions": self.questions.bytes_Z,
            "question_borders": self.questions.borders_N1.astype(np.uint32),
            "answers": self.answers.bytes_Z,
            "answer_borders": self.answers.borders_N1.astype(np.uint32),
        }
        if postings.values_P is not None:
            arrays["values"] = postings.values_P
        return metadata, arrays

    @staticmethod
    def load(source: FileSource, segmenter: WordSegmenter) -> AnswerIndex:
        """Open an index; postings and texts stay on disk until a search touches them.

        Raises:
            DamagedFileError: the file fails its checks.
        """
        file = read_arrays(source, KIND)
        try:
            return _restored(file.metadata, file.arrays, segmenter)
        except KeyError as error:
            raise DamagedFileError(
                "foundation.file-damaged", path=path_of(source), reason=error
            ) from error


def _restored(
    metadata: Mapping[str, Any], arrays: Mapping[str, Array], segmenter: WordSegmenter
) -> AnswerIndex:
    postings = Postings(
        arrays["keys"],
        arrays["weights"].astype(np.float32),
        arrays["starts"].astype(np.int64),
        arrays["entries"],
        arrays["twins"],
        arrays["bias"].astype(np.float32),
        float(metadata["unknown_weight"]),
        arrays.get("values"),
    )
    weights = metadata["confidence"]
    confidence = None if weights is None else Confidence(tuple(weights), metadata["offset"])
    of_questions, of_answers = (
        NgramFeatures.from_json(values, segmenter) for values in metadata["features"]
    )
    questions = TextBlob(arrays["questions"], arrays["question_borders"])
    answers = TextBlob(arrays["answers"], arrays["answer_borders"])
    return AnswerIndex(postings, questions, answers, confidence, (of_questions, of_answers))


def question_keys(
    features: tuple[NgramFeatures, NgramFeatures], questions: Sequence[str]
) -> tuple[Numbers, Keys]:
    """Return the distinct n-grams of new questions, as they stand in questions and in answers.

    Returns:
        Number of the question of every n-gram, ascending; its key.
    """
    texts = [_ends(text) for text in questions]
    of_questions, of_answers = (some.counts(texts) for some in features)
    rows = np.concatenate([of_questions.rows_N, of_answers.rows_N])
    keys = np.concatenate([of_questions.keys_N, answer_keys(of_answers.keys_N)])
    order = np.argsort(rows, kind="stable")
    return rows[order], keys[order]


def answer_keys(keys_N: UInt32[np.ndarray, " n"]) -> UInt32[np.ndarray, " n"]:
    """Return other keys for n-grams that stand in answers."""
    other: Keys = (keys_N ^ _ANSWER_SALT) * np.uint32(0x9E3779B1)
    return other


def largest(scores_N: Float32[np.ndarray, " entries"], most: int) -> Int64[np.ndarray, " best"]:
    """Return the numbers of the largest scores, largest first; of equal ones the first entry."""
    if most < len(scores_N):
        # All that are as large as the last one wanted, so that equal scores keep their order.
        least = np.partition(scores_N, len(scores_N) - most)[len(scores_N) - most]
        candidates = np.flatnonzero(scores_N >= least)
    else:
        candidates = np.arange(len(scores_N))
    order = np.argsort(-scores_N[candidates], kind="stable")[:most]
    return candidates[order]


def evidence(
    scores_K: Float32[np.ndarray, " best"],
    twins_K: Integer[np.ndarray, " best"],
    most_possible: float,
    num_characters: int,
) -> Float32[np.ndarray, 5]:
    """Return what speaks for the best entry: its score, what of the question it covers, its lead.

    Args:
        scores_K: of the best entries, best first.
        twins_K: equal for entries with the same question, which are no rivals.
        most_possible: see AnswerIndex.scores.
        num_characters: length of the question.
    """
    best = float(scores_K[0])
    rivals = scores_K[twins_K != twins_K[0]] - best
    lead = _LARGEST_LEAD if not len(rivals) else min(-float(rivals[0]), _LARGEST_LEAD)
    share = 1.0 / (1.0 + float(np.exp(rivals).sum()))
    covered = best / max(most_possible, 1e-3)
    found: Matrix = np.array(
        [best, covered, lead, share, np.log1p(num_characters)], dtype=np.float32
    )
    return found


def _ends(text: str) -> str:
    if len(text) <= _MOST_ASKED_CHARACTERS:
        return text
    half = _MOST_ASKED_CHARACTERS // 2
    return text[:half] + " " + text[-half:]
