"""Asking a large model behind any OpenAI-style address, within limits of time, money and size."""

from sparrowlm.cooperation.large.answers import Answer, TokenChance, Usage, Vectors
from sparrowlm.cooperation.large.budget import Budget, Caps, Ledger, Prices, Spending
from sparrowlm.cooperation.large.cache import AnswerCache
from sparrowlm.cooperation.large.client import AsyncLargeModel
from sparrowlm.cooperation.large.door import LargeModel
from sparrowlm.cooperation.large.failures import FAILURE_KINDS, FailureKind, LargeFailure
from sparrowlm.cooperation.large.key import Key, key_from_environment, key_from_file
from sparrowlm.cooperation.large.masked import (
    AsyncMaskedLarge,
    MaskedLarge,
    masked_request,
    restored_answer,
)
from sparrowlm.cooperation.large.requests import (
    ChatRequest,
    CompletionRequest,
    EmbeddingRequest,
    Message,
)
from sparrowlm.cooperation.large.settings import LargeSettings, Patience, Persistence

__all__ = [
    "FAILURE_KINDS",
    "Answer",
    "AnswerCache",
    "AsyncLargeModel",
    "AsyncMaskedLarge",
    "Budget",
    "Caps",
    "ChatRequest",
    "CompletionRequest",
    "EmbeddingRequest",
    "FailureKind",
    "Key",
    "LargeFailure",
    "LargeModel",
    "LargeSettings",
    "Ledger",
    "MaskedLarge",
    "Message",
    "Patience",
    "Persistence",
    "Prices",
    "Spending",
    "TokenChance",
    "Usage",
    "Vectors",
    "key_from_environment",
    "key_from_file",
    "masked_request",
    "restored_answer",
]
