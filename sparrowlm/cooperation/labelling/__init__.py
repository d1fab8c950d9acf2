"""Training data from a large model: labels for texts, and texts for labels."""

from sparrowlm.cooperation.labelling.jobs import GenerateJob, LabelJob, Line, Work
from sparrowlm.cooperation.labelling.running import LabellingReport, label
from sparrowlm.cooperation.labelling.state import LabellingState

__all__ = [
    "GenerateJob",
    "LabelJob",
    "LabellingReport",
    "LabellingState",
    "Line",
    "Work",
    "label",
]
