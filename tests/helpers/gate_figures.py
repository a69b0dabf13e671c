"""Figures of a challenger that every requirement of the release gate lets through.

Belongs here: the good figures, from which tests spoil one at a time.
"""

from ares_assets.evidence.gate_evidence import Comparison, GateEvidence


def good_figures(against: str) -> GateEvidence:
    """Of a challenger that is better than this rival."""
    return GateEvidence(
        deflated_development=0.98,
        trials=200,
        deflated_holdout=0.97,
        looks=3,
        overfitting=0.1,
        loss_probability=0.3,
        distinct_sets=40,
        ruin_share=0.0,
        return_costs_stressed=0.05,
        return_latency_stressed=0.07,
        trades=120,
        days=73.0,
        annual_sharpe=4.0,
        track_record_days=60.0,
        comparisons=(Comparison(against, "better", 0.001, 4.0),),
        drift_alarms=0,
        drift_level=0.05,
        drift_unjudged=None,
    )
