"""What a tagger learns where that is not just the truth: the spans of another tagger.

    text that nobody tagged     all that the other tagger finds in it
    text whose tags say nothing the other tagger's spans of those labels, where they do not
    of some labels              touch the truth

Sources: Kim and Rush 2016, "Sequence-level knowledge distillation", arXiv:1606.07947, section 3.2:
the best sequence of the teacher stands for its distribution; Monaikul et al. 2021, "Continual
learning for named entity recognition using knowledge distillation", AAAI: old labels in new texts.
"""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace

from sparrowlm.corpora.labelled.examples import Span, TaggedText
from sparrowlm.tasks.tag.model import Tagger


def answered(tagger: Tagger, texts: Sequence[str]) -> list[TaggedText]:
    """Return texts as a tagger sees them, with its intents where it knows any."""
    found = []
    for text, one in zip(texts, tagger.predict_all(texts), strict=True):
        spans = tuple(Span(*span[:3]) for span in one.spans)
        intent = None if one.intent is None else one.intent.label
        found.append(TaggedText(text, spans, intent=intent))
    return found


def with_kept_answers(
    tagger: Tagger, examples: Sequence[TaggedText], labels: AbstractSet[str]
) -> tuple[list[TaggedText], int]:
    """Add what a tagger finds where nothing else is said.

    Args:
        tagger: knows the labels.
        examples: tagged texts whose tags leave those labels out.
        labels: of the spans to add.

    Returns:
        The examples in the same order, with intents where the tagger knows any and they had none;
        and how many spans were added.
    """
    texts, tokens = [one.text for one in examples], [one.tokens for one in examples]
    found, num_added = [], 0
    answers = tagger.predict_all(texts, tokens=tokens)
    for example, answer in zip(examples, answers, strict=True):
        spans = [Span(*one[:3]) for one in answer.spans if one.label in labels]
        free = [one for one in spans if not _touches(one, example.spans)]
        num_added += len(free)
        known = None if answer.intent is None else answer.intent.label
        all_spans = tuple(sorted((*example.spans, *free)))
        found.append(replace(example, spans=all_spans, intent=example.intent or known))
    return found, num_added


def _touches(span: Span, others: Sequence[Span]) -> bool:
    return any(span.start < other.end and other.start < span.end for other in others)
