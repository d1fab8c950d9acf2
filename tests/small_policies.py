"""Policies of models that nobody calibrated."""

from __future__ import annotations

from sparrowlm.cooperation.calibrators import Calibrator
from sparrowlm.cooperation.policy import Policy
from sparrowlm.cooperation.promise import Promise, PromiseSettings
from sparrowlm.cooperation.rankers import RawRanker
from sparrowlm.cooperation.scales import PlattScale


def policy_of(model, least=-1e9, **manners):
    """Make the policy of a model that is sure of everything, or of nothing."""
    promise = Promise("answered", 0.05, 0.9, least, 100, 50, 1, 0.04)
    policy = Policy(
        model_checksum=model.checksum(), kind=model.kind, settings=PromiseSettings(),
        calibrator=Calibrator(RawRanker(), PlattScale()), promise=promise,
    )  # fmt: skip
    return policy.with_manners(closeness=2.0, **manners)
