"""Words that mean alike: neighbours, similarity and analogies of a model of word vectors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sparrowlm.foundation.errors import DataError, ModelError

if TYPE_CHECKING:
    from sparrowlm.models.word_vectors import Neighbour, WordVectors
    from sparrowlm.runtime.loading import LoadedModel
    from sparrowlm.text.tokenizers import TokenCodec


@dataclass(frozen=True, slots=True)
class SimilarWord:
    """A word and how alike it is.

    Attributes:
        word: without the space that may stand before it.
        similarity: cosine of the vectors, -1 to 1.
    """

    word: str
    similarity: float


class WordSimilarity:
    """Answers about words instead of ids.

    Args:
        model: of kind "vectors".

    Raises:
        ModelError: the model has no word vectors.
    """

    def __init__(self, model: LoadedModel) -> None:
        vectors: WordVectors | None = getattr(model.engine, "vectors", None)
        if vectors is None:
            raise ModelError("api.no-vectors", path=model.path, kind=model.kind)
        self._vectors = vectors
        self._codec: TokenCodec = model.codec

    def neighbours(self, word: str, k: int) -> list[SimilarWord]:
        """Return the k most similar words, best first."""
        # A word may stand twice in the vocabulary, with and without a space in front.
        return self._words(self._vectors.neighbours(self._id(word), 2 * k), (word,), k)

    def similarity(self, a: str, b: str) -> float:
        """Return how alike two words are, -1 to 1."""
        return self._vectors.similarity(self._id(a), self._id(b))

    def analogy(self, a: str, b: str, c: str, k: int) -> list[SimilarWord]:
        """Return the words that are to c what b is to a, best first."""
        found = self._vectors.analogy(self._id(a), self._id(b), self._id(c), 2 * k)
        return self._words(found, (a, b, c), k)

    def _words(
        self, found: list[Neighbour], left_out: tuple[str, ...], k: int
    ) -> list[SimilarWord]:
        best: dict[str, float] = {}
        for neighbour in found:
            word = self._codec.token_bytes(neighbour.id).decode("utf-8", "replace").strip()
            if word and word not in left_out:
                best.setdefault(word, neighbour.similarity)
        return [SimilarWord(word, value) for word, value in list(best.items())[:k]]

    def _id(self, word: str) -> int:
        """Find the one id of a word, with the space it usually has in front.

        Raises:
            DataError: the word is not in the vocabulary.
        """
        for spelling in (" " + word.strip(), word.strip()):
            ids = self._codec.encode(spelling)
            if len(ids) == 1:
                return ids[0]
        raise DataError("api.unknown-word", received=word)
