"""`sparrow demo`: a model learns the story world before your eyes, and is checked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from sparrowlm.cli.output import JsonFlag, visible, write_json, write_line
from sparrowlm.foundation.errors import SettingError
from sparrowlm.foundation.messages import say

if TYPE_CHECKING:
    from sparrowlm import api

# Longer than any story, whatever the tokenizer: a story that ends does so by itself.
_MAX_TOKENS = 700
# The world has some hundreds of words: with whole words a minute teaches what letters take five.
_TOKENIZER = "word"
_PROMPTS = {
    "en": ("Mia was hungry, so", "Soon it was", "Otto gave the red kite to"),
    "zh": ("米亚饿了，于是", "转眼就到了", "奥托把那架红色的风筝送给了"),
}


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True, slots=True)
class DemoOptions:
    """The few dials of the demonstration."""

    minutes: Annotated[str, Parameter(help=say("cli.demo-minutes"))] = "4"
    language: Annotated[Literal["both", "zh", "en"], Parameter(help=say("cli.demo-language"))] = (
        "both"
    )
    num_stories: Annotated[int, Parameter(help=say("cli.demo-num-stories"))] = 20_000
    num_samples: Annotated[int, Parameter(help=say("cli.demo-num-samples"))] = 100
    temperature: Annotated[float, Parameter(help=say("cli.generate-temperature"))] = 1.0
    min_p: Annotated[float, Parameter(help=say("cli.generate-min-p"))] = 0.1
    seed: Annotated[int, Parameter(help=say("cli.train-seed"))] = 0

    def __post_init__(self) -> None:
        """Refuse counts that leave nothing to learn or to show."""
        for name, received in (
            ("--num-stories", self.num_stories),
            ("--num-samples", self.num_samples),
        ):
            if received < 1:
                raise SettingError(
                    "foundation.number-range", name=name, received=received, minimum=1
                )


@dataclass(frozen=True, kw_only=True, slots=True)
class SampleReport:
    """What the checker says about the stories one model wrote.

    Attributes:
        valid_sentence_share: sentences valid on their own, 0 to 1.
        consistent_sentence_share: sentences that also fit the story so far.
        valid_story_share: stories without a single fault.
        copied_sentence_share: sentences that stand word for word in the training text.
        copied_story_share: whole stories that do.
        longest_copied_characters: longest stretch of generated text found in the training text.
    """

    valid_sentence_share: float
    consistent_sentence_share: float
    valid_story_share: float
    copied_sentence_share: float
    copied_story_share: float
    longest_copied_characters: int


def demo_command(
    *,
    output: Annotated[Path, Parameter(name=("--output", "-o"), help=say("cli.demo-output"))] = Path(
        "sparrow-demo"
    ),
    options: DemoOptions = DemoOptions(),
    json: JsonFlag = False,
) -> None:
    """Generate stories, train on them live, then show and check what was learnt."""
    from dataclasses import asdict

    from sparrowlm import api
    from sparrowlm.corpora.story_world import generate_stories
    from sparrowlm.foundation.progress import watching_progress
    from sparrowlm.foundation.quantities import parse_duration

    minutes = parse_duration(options.minutes) / 60
    progress = watching_progress()
    stories = generate_stories(options.num_stories, options.language, options.seed)
    progress.note(say("cli.demo-stories", num_stories=len(stories), example=stories[0]))
    baseline = api.train(
        stories,
        output=output / "ngram",
        model="ngram",
        tokenizer=_TOKENIZER,
        seed=options.seed,
        progress=progress,
    )
    learnt = api.train(
        stories,
        output=output / "model",
        minutes=minutes,
        tokenizer=_TOKENIZER,
        seed=options.seed,
        progress=progress,
    )
    models = {"model": learnt, "ngram": baseline}
    reports = {
        name: _sample_report(model, stories, options, progress) for name, model in models.items()
    }
    if json:
        write_json({name: asdict(report) for name, report in reports.items()})
        return
    _show_next_words(models, options.language)
    _show_stories(models, options)
    _show_reports(reports, output, options)


def judge_samples(samples: list[str], training_stories: list[str]) -> SampleReport:
    """Let the checker of the story world judge generated stories.

    Args:
        samples: one generated story each.
        training_stories: what the model was trained on.

    Returns:
        Shares over all sentences, or over all stories.
    """
    from sparrowlm.corpora.story_world import check_story, copied_share

    reports = [check_story(sample) for sample in samples]
    sentences = [verdict.sentence for report in reports for verdict in report.verdicts]
    num_sentences = max(len(sentences), 1)
    num_stories = max(len(samples), 1)
    copied_sentences = copied_share(sentences, training_stories)
    copied_stories = copied_share(samples, training_stories)
    return SampleReport(
        valid_sentence_share=sum(r.num_valid_sentences for r in reports) / num_sentences,
        consistent_sentence_share=sum(r.num_consistent_sentences for r in reports) / num_sentences,
        valid_story_share=sum(report.is_valid for report in reports) / num_stories,
        copied_sentence_share=copied_sentences.copied_share,
        copied_story_share=copied_stories.copied_share,
        longest_copied_characters=copied_stories.longest_run_characters,
    )


def _sample_report(
    model: api.Model,
    stories: list[str],
    options: DemoOptions,
    progress: Any,  # noqa: ANN401
) -> SampleReport:
    progress.start(say("cli.demo-sampling"), options.num_samples, say("cli.demo-unit"))
    samples = model.generate(
        "",
        max_tokens=_MAX_TOKENS,
        num_samples=options.num_samples,
        temperature=options.temperature,
        min_p=options.min_p,
        seed=options.seed,
    )
    progress.advance(len(samples))
    progress.finish()
    return judge_samples(samples, stories)


def _show_next_words(models: dict[str, api.Model], language: str) -> None:
    for spoken in ("en", "zh"):
        if language not in (spoken, "both"):
            continue
        for prompt in _PROMPTS[spoken]:
            write_line(f"\n{prompt} …")
            for name, model in models.items():
                words = "  ".join(
                    f"{visible(found.word)} {found.probability:.2f}"
                    for found in model.next(prompt, k=5)
                )
                write_line(f"  {name:6} {words}")


def _show_stories(models: dict[str, api.Model], options: DemoOptions) -> None:
    for name, model in models.items():
        write_line("\n" + say("cli.demo-writes", name=name))
        for story in model.generate(
            "",
            max_tokens=_MAX_TOKENS,
            num_samples=2,
            temperature=options.temperature,
            min_p=options.min_p,
            seed=options.seed,
        ):
            write_line(f"  {story.strip()}")


def _show_reports(reports: dict[str, SampleReport], output: Path, options: DemoOptions) -> None:
    from sparrowlm.cli.help_page import aligned_rows

    labels = {
        "valid_sentence_share": say("cli.demo-valid-sentences"),
        "consistent_sentence_share": say("cli.demo-consistent-sentences"),
        "valid_story_share": say("cli.demo-valid-stories"),
        "copied_sentence_share": say("cli.demo-copied-sentences"),
        "copied_story_share": say("cli.demo-copied-stories"),
    }
    heading = "".join(f"{name:>10}" for name in reports)
    rows = [("", heading)]
    for field, label in labels.items():
        figures = "".join(f"{getattr(report, field):>10.1%}" for report in reports.values())
        rows.append((label, figures))
    write_line("")
    write_line(say("cli.demo-checked", temperature=options.temperature, min_p=options.min_p))
    for line in aligned_rows(rows, 100):
        write_line(line)
    write_line("\n" + say("cli.demo-done", path=output / "model"))
