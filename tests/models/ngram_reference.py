"""A second, slow writing of interpolated modified Kneser–Ney in dictionaries, to compare with."""

from __future__ import annotations

from collections import Counter, defaultdict

import numpy as np


def events_of(ids):
    """Every predicted id with its longest context, which begins with a separator."""
    text = list(ids) if ids[0] == 0 else [0, *ids]
    events = []
    for t in range(1, len(text)):
        start = t - 1
        while text[start] != 0:
            start -= 1
        events.append((tuple(text[start:t]), text[t]))
    return events


class Reference:
    def __init__(self, events, vocab_size, order, discounts):  # noqa: C901
        self.vocab_size, self.order, self.discounts = vocab_size, order, discounts
        self.counts = [Counter() for _ in range(order + 1)]
        for context, word in events:
            for n in range(1, order + 1):
                if n - 1 <= len(context):
                    self.counts[n][(*context[len(context) - n + 1 :], word)] += 1
        self.adjusted = [Counter() for _ in range(order + 1)]
        for n in range(1, order + 1):
            if n == order:
                self.adjusted[n] = self.counts[n]
                continue
            fronts = defaultdict(set)
            for longer in self.counts[n + 1]:
                fronts[longer[1:]].add(longer[0])
            for ngram, count in self.counts[n].items():
                separated = n > 1 and ngram[0] == 0
                value = count if separated else len(fronts[ngram])
                if value:
                    self.adjusted[n][ngram] = value
        self.following = [defaultdict(dict) for _ in range(order + 1)]
        for n in range(1, order + 1):
            for ngram, value in self.adjusted[n].items():
                self.following[n][ngram[:-1]][ngram[-1]] = value

    def probabilities(self, context, word):
        """One probability per order."""
        start = len(context)
        while start > 0 and context[start - 1] != 0:
            start -= 1
        context = tuple(context[max(start - 1, 0) :])
        lower, rows = 1 / self.vocab_size, []
        for n in range(1, self.order + 1):
            following = self.following[n].get(context[len(context) - n + 1 :])
            if n - 1 <= len(context) and following:
                mass = sum(following.values())
                discounts = self.discounts[n - 1]
                free = sum(discounts[min(value, 3) - 1] for value in following.values())
                value = following.get(word, 0)
                own = value - discounts[min(value, 3) - 1] if value else 0.0
                lower = own / mass + free / mass * lower
            rows.append(lower)
        return rows

    def context_statistics(self, context, n):
        """Occurrences and distinct continuations of the last n - 1 ids."""
        following = self.counts[n]
        pairs = {g[-1]: c for g, c in following.items() if g[:-1] == tuple(context)}
        return sum(pairs.values()), len(pairs)


def random_text(generator, vocab_size, length):
    """Ids with repetitions, separators in front, between and at the end."""
    weights = 1 / np.arange(1, vocab_size + 1)
    ids = generator.choice(vocab_size, size=length, p=weights / weights.sum())
    return np.concatenate([[0], ids, [0]]).astype(np.uint16)
