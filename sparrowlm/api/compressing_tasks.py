"""A model with labels as something to compress: what can be chosen, written, measured.

What a choice costs is what the answers to the given texts lose; their labels are only asked for the
figures before and after.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

from sparrowlm.api.compressing_answers import ClassifierAnswers, MatcherAnswers, TaggerAnswers
from sparrowlm.api.compression_figures import TaskFigures
from sparrowlm.api.labels import read_examples
from sparrowlm.api.model import TAG_KINDS, Model
from sparrowlm.api.predictors import open_matcher, open_predictor, open_tagger
from sparrowlm.compression.choices import Choice
from sparrowlm.compression.code_ways import CodeWays
from sparrowlm.compression.encoders import Answers, EncoderFile, encoder_ways
from sparrowlm.compression.floors import PERCENT, SizeWays, size_ways
from sparrowlm.corpora.labelled import Example, TaskKind
from sparrowlm.export.gguf_file import GgufParts, write_gguf
from sparrowlm.export.gguf_model import listed, other_files
from sparrowlm.foundation import atomic
from sparrowlm.foundation.errors import DataError, ModelError
from sparrowlm.foundation.progress import Progress
from sparrowlm.models.array_file import write_arrays
from sparrowlm.models.sparse_linear import SparseLinear
from sparrowlm.runtime.directory import CRF_FILE, ENCODER_FILE, LINEAR_FILE, ModelFiles
from sparrowlm.runtime.encoder_files import KIND as ENCODER_KIND
from sparrowlm.runtime.encoder_files import encoder_parts
from sparrowlm.tasks.tag.floor import TagFloor

_SOME = 50


class TaskCompression:
    """Everything that can be chosen about a model with labels.

    Args:
        files: of the model.
        paths: labelled data of the kind that the model will meet.
        encoding: of text files; None finds it for each.
        progress: told about everything.

    Attributes:
        choices: for every part.
        measured_on: what figures are of.

    Raises:
        DataError: there is no labelled data.
    """

    measured_on = "given data"

    def __init__(
        self, files: ModelFiles, paths: Sequence[Path], encoding: str | None, progress: Progress
    ) -> None:
        self._files, self._paths, self._encoding = files, list(paths), encoding
        self._kind = str(files.manifest["kind"])
        if not paths:
            raise DataError("compression.needs-data", kind=self._kind)
        self._content = other_files(files, has_network=False)
        self._encoder_file: EncoderFile | None = None
        self._encoder: CodeWays | None = None
        self._floors: dict[str, SizeWays[Any]] = {}
        self._metadata: dict[str, Any] = {}
        with TemporaryDirectory() as folder:
            kind = cast("TaskKind", self._kind)
            examples = read_examples(self._paths, kind, Path(folder), encoding)
        self._find_ways(examples, progress)
        self.choices = self._all_choices()

    def write(self, path: Path, chosen: Mapping[str, Choice], facts: Mapping[str, Any]) -> None:
        """Write the model as one file; see TextCompression.write."""
        content = dict(self._content)
        for name, ways in self._floors.items():
            content[name] = self._floor_file(name, ways.parts[chosen[name].way])
        if self._encoder is not None and self._encoder_file is not None:
            arrays = self._encoder_file.replaced(self._encoder.chosen(chosen))
            metadata = {"orders": list(self._encoder_file.orders)}
            content[ENCODER_FILE] = atomic.saved_bytes(
                lambda place: write_arrays(place, ENCODER_KIND, metadata, arrays)
            )
        manifest = {**self._files.manifest, "files": listed(content), "compression": dict(facts)}
        write_gguf(path, GgufParts(files=content, manifest=manifest))

    def losses(self, path: Path | None = None) -> TaskFigures:
        """Measure the model, or a file that was written."""
        model = Model(self._files.path if path is None else path)
        return TaskFigures.of(model.evaluate(self._paths, self._encoding))

    def _all_choices(self) -> dict[str, Sequence[Choice]]:
        choices = {name: ways.choices for name, ways in self._floors.items()}
        return choices | dict(self._encoder.choices if self._encoder is not None else {})

    def _find_ways(self, examples: Sequence[Example], progress: Progress) -> None:
        files = self._files
        if self._kind == "classify":
            classifier = open_predictor(files)
            asked = ClassifierAnswers(classifier, examples)
            if classifier.linear is not None:
                self._linear_ways(classifier.linear.model, asked, progress)
            self._encoder_ways(asked.with_encoder, progress)
        elif self._kind in TAG_KINDS:
            tagger = open_tagger(files)
            answers = TaggerAnswers(tagger, examples)
            if len(tagger.floor.rows) > _SOME:
                self._crf_ways(tagger.floor, answers, progress)
            self._encoder_ways(answers.with_encoder, progress)
        else:
            self._encoder_ways(MatcherAnswers(open_matcher(files), examples).with_encoder, progress)

    def _linear_ways(
        self, model: SparseLinear, answers: ClassifierAnswers, progress: Progress
    ) -> None:
        _model, self._metadata = SparseLinear.load(self._files.mapped(LINEAR_FILE))
        count = len(model.vocabulary.keys_F)

        def maker(percent: int, bits: int) -> Callable[[], SparseLinear]:
            def make() -> SparseLinear:
                fewer = model.part(model.most_important(count * percent // 100))
                return fewer if bits == model.bits else fewer.halved()

            return make

        ways = [(percent, bits) for bits in (model.bits, 4) for percent in PERCENT]
        self._floors[LINEAR_FILE] = size_ways(
            {way: maker(*way) for way in ways},
            SparseLinear.size_bytes,
            answers.with_floor,
            progress,
        )

    def _crf_ways(self, floor: TagFloor, answers: TaggerAnswers, progress: Progress) -> None:
        whole = floor.size_bytes()

        def maker(percent: int) -> Callable[[], TagFloor | None]:
            def make() -> TagFloor | None:
                try:
                    return floor.shrunk(whole * percent // 100)
                except ModelError:
                    return None

            return make

        self._floors[CRF_FILE] = size_ways(
            {percent: maker(percent) for percent in PERCENT},
            TagFloor.size_bytes,
            answers.with_floor,
            progress,
        )

    def _encoder_ways(self, answers: Answers, progress: Progress) -> None:
        if not self._files.holds(ENCODER_FILE):
            return
        self._encoder_file = EncoderFile(*encoder_parts(self._files))
        self._encoder = encoder_ways(self._encoder_file, answers, progress)

    def _floor_file(self, name: str, part: Any) -> bytes:  # noqa: ANN401 - one of two kinds
        if name == LINEAR_FILE:
            return atomic.saved_bytes(lambda path: part.save(path, self._metadata))
        return atomic.saved_bytes(part.save)
