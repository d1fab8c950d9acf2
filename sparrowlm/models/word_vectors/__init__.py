"""Word vectors: skip-gram and CBOW with negative sampling, with or without parts of words."""

from sparrowlm.models.word_vectors.settings import WordVectorSettings
from sparrowlm.models.word_vectors.training import train_word_vectors
from sparrowlm.models.word_vectors.vectors import Neighbour, WordVectors

__all__ = ["Neighbour", "WordVectorSettings", "WordVectors", "train_word_vectors"]
