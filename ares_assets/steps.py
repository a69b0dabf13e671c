"""The sixteen steps in their order, as data.

Belongs here: the list.  Does not belong here: anything else.
"""

from __future__ import annotations

from ares_assets import (
    step01_data_collection,
    step02_market_regime_classification,
    step03_regime_data_splitting,
    step04_analyst_labeling_feature_engineering,
    step05_analyst_specialist_training,
    step06_analyst_enhancement,
    step07_analyst_ensemble_creation,
    step08_tactician_labeling,
    step09_tactician_specialist_training,
    step10_tactician_ensemble_creation,
    step11_confidence_calibration,
    step12_final_parameters_optimization,
    step13_walk_forward_validation,
    step14_monte_carlo_validation,
    step15_ab_testing,
    step16_saving,
)
from ares_assets.engine import StepSpec

STEPS: tuple[StepSpec, ...] = (
    step01_data_collection.SPEC,
    step02_market_regime_classification.SPEC,
    step03_regime_data_splitting.SPEC,
    step04_analyst_labeling_feature_engineering.SPEC,
    step05_analyst_specialist_training.SPEC,
    step06_analyst_enhancement.SPEC,
    step07_analyst_ensemble_creation.SPEC,
    step08_tactician_labeling.SPEC,
    step09_tactician_specialist_training.SPEC,
    step10_tactician_ensemble_creation.SPEC,
    step11_confidence_calibration.SPEC,
    step12_final_parameters_optimization.SPEC,
    step13_walk_forward_validation.SPEC,
    step14_monte_carlo_validation.SPEC,
    step15_ab_testing.SPEC,
    step16_saving.SPEC,
)
