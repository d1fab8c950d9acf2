"""Interpolated modified Kneser–Ney: counting, smoothing, a compact file, exact probabilities."""

from sparrowlm.models.ngram.model import NgramModel
from sparrowlm.models.ngram.scoring import NgramPrediction, NgramPredictions, NgramScores
from sparrowlm.models.ngram.training import recount_ngram, train_ngram

__all__ = [
    "NgramModel",
    "NgramPrediction",
    "NgramPredictions",
    "NgramScores",
    "recount_ngram",
    "train_ngram",
]
