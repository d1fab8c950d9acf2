"""What is counted, for Prometheus: requests, tokens, times. Never a word of what was asked."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import generate_latest

from sparrowlm.serving.shelf import Shelf

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """The counters of one server.

    Attributes:
        requests: by endpoint and status.
        seconds: from the end of a request to the end of its answer, by endpoint.
        first_token_seconds: from the end of a request to the first piece of text, by model.
        tokens_read: of prompts, by model.
        tokens_written: of answers, by model.
        dropped: requests whose client had gone.
        decisions: of cascades, by model, action and who answered.
        large_cost: of calls to large models, by model.
    """

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self.requests = self._counter("requests", "Requests answered", "endpoint", "status")
        self.seconds = Histogram(
            "sparrow_request_seconds", "Time from request to end of answer", ("endpoint",),
            buckets=_SECONDS, registry=self._registry,
        )  # fmt: skip
        self.first_token_seconds = Histogram(
            "sparrow_first_token_seconds", "Time from request to first text", ("model",),
            buckets=_SECONDS, registry=self._registry,
        )  # fmt: skip
        self.tokens_read = self._counter("prompt_tokens", "Tokens of prompts", "model")
        self.tokens_written = self._counter("output_tokens", "Tokens of answers", "model")
        self.dropped = self._counter("dropped_requests", "Requests whose client had gone")
        self.decisions = self._counter(
            "decisions", "Decisions of cascades", "model", "action", "answered_by"
        )
        self.large_cost = self._counter("large_cost", "Cost of large models", "model")
        self._waiting = self._gauge("waiting_requests", "Requests that wait", "model")
        self._writing = self._gauge("texts_writing", "Texts being written", "model")
        self._loaded = self._gauge("model_bytes", "Size of models in memory", "model")

    def page(self, shelf: Shelf) -> bytes:
        """Return everything in Prometheus's text format.

        Args:
            shelf: whose models are described as they are now.
        """
        for gauge in (self._waiting, self._writing, self._loaded):
            gauge.clear()
        for served in shelf.loaded:
            self._waiting.labels(served.name).set(served.worker.num_waiting)
            self._writing.labels(served.name).set(served.worker.num_writing)
            self._loaded.labels(served.name).set(served.model.num_bytes())
        return generate_latest(self._registry)

    def _counter(self, name: str, meaning: str, *labels: str) -> Counter:
        return Counter(f"sparrow_{name}", meaning, labels, registry=self._registry)

    def _gauge(self, name: str, meaning: str, *labels: str) -> Gauge:
        return Gauge(f"sparrow_{name}", meaning, labels, registry=self._registry)
