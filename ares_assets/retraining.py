"""What step 13 asks for once its report stands: a training anew, where it shows drift.

Belongs here: from a report to a kept request.  Does not belong here: the rule
(``evidence/drift_response.py``), the files (``ares_resources/storage/retrain_requests.py``), and
when a request becomes a run (``ares_jobs/retrain.py``).
"""

from __future__ import annotations

from typing import Any

from ares_assets.engine import Work
from ares_resources.storage.artifacts import Artifact


def ask_for_retraining(work: Work, artifact: Artifact) -> dict[str, Any]:
    """Keep a request where the report shows drift that no earlier request has answered.

    Safe to repeat: the same request is kept once, and so is one for the same change.  What waits
    is settled by a training that comes to its end, not here (``ares_jobs/retrain.py``).
    """
    from ares_assets.evidence.drift_response import retrain_reason
    from ares_resources.storage.retrain_requests import RetrainRequest, RetrainRequests

    asked, settings = work.request, work.request.settings
    if not settings.retrain.enabled:
        return {"retrain": "switched off (retrain.enabled)"}
    drift = artifact.load()["report.json"]["drift"]
    requests = RetrainRequests(work.workspace.home)
    reason = retrain_reason(
        drift,
        feature_share=settings.retrain.feature_share,
        answered_ms=requests.answered_to((str(asked.symbol), asked.regime, settings.mode)),
    )
    if reason is None:
        return {"retrain": "no drift asks for it"}
    request = RetrainRequest(
        symbol=str(asked.symbol),
        regime=asked.regime,
        mode=settings.mode,
        settings=settings.model_dump(mode="json", exclude_unset=True),
        offline=asked.offline,
        kind=reason.kind,
        reason=reason.words,
        since_ms=reason.since_ms,
        window_end_ms=int(artifact.metadata["window_end_ms"]),
        wait_ms=round(settings.retrain.wait_days * 86_400_000),
        model_sha256=artifact.manifest["inputs"]["final_parameters"],
    )
    kept = requests.ask(request)
    return {"retrain": f"{'requested' if kept else 'already requested'}: {reason.words}"}
