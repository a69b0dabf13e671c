"""The configuration tree: every knob with its default, unit and a sentence.

Belongs here: the typed tree, merging of overrides, and the error for an unknown key.
Does not belong here: reading files, run tags or environment variables.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from ares_resources.errors import BadInput
from ares_resources.settings_trees import checked_kind, merge_trees, shown
from ares_resources.timeframes import (
    TIMEFRAMES,
    slower_timeframes,
    timeframe_ms,
    timeframes_left_out,
)

Mode = Literal["full", "blank"]


def _usable_timeframe(name: str) -> str:
    try:
        timeframe_ms(name)
    except BadInput as error:
        raise ValueError(str(error)) from error
    return name


Timeframe = Annotated[str, AfterValidator(_usable_timeframe)]


class _Group(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, validate_default=True, allow_inf_nan=False
    )

    @field_validator("*", mode="before")
    @classmethod
    def _of_its_kind(cls, value: Any, info: ValidationInfo) -> Any:
        return checked_kind(value, cls.model_fields[str(info.field_name)].annotation)


def _ascending(pair: tuple[float, float]) -> tuple[float, float]:
    if pair[0] > pair[1]:
        raise ValueError("the first number must not be above the second")
    return pair


def _above_zero(pair: tuple[float, float]) -> tuple[float, float]:
    if pair[0] <= 0:
        raise ValueError("both numbers must be above 0")
    if pair[0] < NARROWEST or pair[1] > WIDEST:
        raise ValueError(f"both numbers must be from {NARROWEST:g} to {WIDEST:g}")
    return pair


def _none_or_a_bar(bars: float) -> float:
    if 0 < bars < 1:
        raise ValueError("allowed: 0, or from 1 on")
    return bars


def _a_margin(pair: tuple[float, float]) -> tuple[float, float]:
    if pair[0] < 0 or pair[1] > 0.5:
        raise ValueError("both numbers must be from 0 to 0.5")
    if pair[0] == 0.5:
        raise ValueError("the first number must be below 0.5: at 0.5 nothing is ever entered")
    return pair


def _each_once(names: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(names)) < len(names):
        raise ValueError("each may be named once")
    return names


# Barriers, stops and targets, as multiples of volatility: beyond them none is ever, or always, met.
NARROWEST, WIDEST = 0.01, 1000
Range: TypeAlias = Annotated[tuple[float, float], AfterValidator(_ascending)]
Widths: TypeAlias = Annotated[Range, AfterValidator(_above_zero)]
Margins: TypeAlias = Annotated[Range, AfterValidator(_a_margin)]
# Bars of a hundred years of minutes: beyond it nothing is meant, and arithmetic overflows.
MOST_BARS = 52_560_000
# Beyond them a search takes years, or its returns more memory than there is.
MOST_TRIALS = 100_000
MOST_ROUNDS = 10_000
# Entries, files, batches: a number above it is a slip, and arithmetic may overflow.
MOST_COUNT = 1_000_000_000
# Seconds: thirty days, for what one call or one collection may take.
LONGEST_WAIT = 2_592_000
# A hundred years.
LONGEST_WINDOW_DAYS = 36_500
# Events that step 8 needs at least; ``ares_assets.tactician.specialists`` has the reason.
LEAST_EVENTS = 60
# Basis points of a whole price: what acting costs stays below it.
WHOLE_BP = 10_000


class BlankMode(_Group):
    """What blank mode uses in place of the full mode's three budgets."""

    max_trials: int = Field(
        3, ge=1, le=MOST_TRIALS, description="Budget of step 12 in blank mode, trials."
    )
    n_trials: int = Field(
        5, ge=1, le=MOST_TRIALS, description="Budget of the study of step 6, trials."
    )
    lookback_days: float = Field(
        30, gt=0, le=LONGEST_WINDOW_DAYS, description="Window of blank mode, days."
    )


class EnhancedTrainingManagerSettings(_Group):
    """The seeds' top group: modes and budgets."""

    enhanced_training_interval: int = Field(
        3600, ge=1, le=MOST_COUNT, description="Least time between scheduled trainings, seconds."
    )
    max_enhanced_training_history: int = Field(
        100, ge=1, le=MOST_COUNT, description="Entries kept in the training history."
    )
    blank_training_mode: bool = Field(False, description="Light training for trying things out.")
    max_trials: int = Field(
        200, ge=1, le=MOST_TRIALS, description="Budget of step 12 in full mode, trials."
    )
    n_trials: int = Field(
        100, ge=1, le=MOST_TRIALS, description="Budget of the study of step 6, trials."
    )
    lookback_days: float = Field(
        365,
        gt=0,
        le=LONGEST_WINDOW_DAYS,
        description="Window of full mode, days up to the last closed bar.",
    )
    blank: BlankMode = BlankMode()
    enable_caching: bool = Field(True, description="Answer repeated backtests from the cache.")
    enable_parallelization: bool = Field(True, description="Spread backtests over the cores.")
    enable_early_stopping: bool = Field(True, description="Stop unpromising trials early.")
    enable_memory_management: bool = Field(True, description="Watch memory in every step.")


class CachingSettings(_Group):
    enabled: bool = Field(True, description="Keep backtest results on disk.")
    max_cache_size: int = Field(
        1000, ge=1, le=MOST_COUNT, description="Backtest results kept, entries."
    )


class ParallelizationSettings(_Group):
    enabled: bool = Field(True, description="Backtest parameter sets on several threads.")
    max_workers: int = Field(
        8, ge=1, le=MOST_COUNT, description="Threads; never more than the machine has."
    )


class EarlyStoppingSettings(_Group):
    enabled: bool = Field(True, description="Let step 12 end when its front stands still.")
    patience: int = Field(
        10,
        ge=1,
        le=MOST_COUNT,
        description="Batches of step 12 without a better front before it stops.",
    )


class MemoryManagementSettings(_Group):
    enabled: bool = Field(True, description="Free caches, then stop, at the threshold.")
    memory_threshold: float = Field(
        0.8, ge=0.001, le=1, description="Share of the machine's memory at which caches are freed."
    )


class ComputationalOptimizationSettings(_Group):
    """The seeds' second group: caches, cores, early stopping, memory."""

    caching: CachingSettings = CachingSettings()
    parallelization: ParallelizationSettings = ParallelizationSettings()
    early_stopping: EarlyStoppingSettings = EarlyStoppingSettings()
    memory_management: MemoryManagementSettings = MemoryManagementSettings()


class DataSettings(_Group):
    """Step 1: which bars, and how hard to try for them."""

    timeframe: Timeframe = Field(
        "1m", description="Length of a bar: 1w, 1d, or hours, minutes, seconds that divide a day."
    )
    warmup_bars: int = Field(
        14_400,
        ge=0,
        le=MOST_BARS,
        description="Bars read before the window so that indicators settle, bars.",
    )
    request_timeout_seconds: float = Field(
        10, ge=0.1, le=LONGEST_WAIT, description="One request, seconds."
    )
    deadline_seconds: float = Field(
        900, ge=1, le=LONGEST_WAIT, description="The whole collection, seconds."
    )
    max_retries: int = Field(
        5, ge=0, le=10_000, description="Tries after a transient failure, per request."
    )


class WindowSettings(_Group):
    """The roles of time; what remains is holdout."""

    development: float = Field(
        0.7, ge=0.01, lt=1, description="Share that steps 4-10, 12 may fit on."
    )
    calibration: float = Field(0.1, ge=0.01, lt=1, description="Share that step 11 fits on.")

    @model_validator(mode="after")
    def _leaves_holdout(self) -> WindowSettings:
        if self.development + self.calibration > 0.99:
            raise ValueError("development + calibration must leave a holdout (be at most 0.99)")
        return self


class RegimeSettings(_Group):
    """Step 2 and 3."""

    algorithm: Literal["filtered_hmm", "gaussian_mixture", "jump_model", "rule_based"] = Field(
        "filtered_hmm", description="How regimes are told apart."
    )
    volatility_halflife_bars: float = Field(
        60, ge=1, le=MOST_BARS, description="Half-life of the realised-volatility average, bars."
    )
    baseline_halflife_bars: Annotated[float, AfterValidator(_none_or_a_bar)] = Field(
        10_080,
        ge=0,
        le=MOST_BARS,
        description="Half-life of the slow baseline that volatility is measured against where the "
        "development bars call for one, bars; 0: never.",
    )
    trend_halflife_bars: float = Field(
        720, ge=1, le=MOST_BARS, description="Half-life of the trend, bars."
    )
    enter_probability: float = Field(
        0.75, gt=0.34, lt=1, description="Posterior above which a new regime is entered."
    )
    minimum_dwell_bars: int = Field(
        60, ge=0, le=MOST_BARS, description="Least stay in a regime, bars."
    )
    shortest_mean_dwell_bars: float = Field(
        1080,
        ge=8,
        le=MOST_BARS,
        description="Mean stay in a regime that filtered_hmm must find at least, bars; "
        "else it believes each bar less.",
    )
    jump_penalty: float = Field(
        3.5,
        ge=1e-6,
        le=10_000,
        description="Cost of a switch in jump_model, halves of squared deviations.",
    )
    minimum_events: int = Field(
        150,
        ge=20,
        le=MOST_BARS,
        description="Fewest labelled development events a partition trains on, 60 or more: step 8 "
        "refuses a tactician fewer signals than that, and experts need 30 events in each fold.",
    )
    when_too_few: Literal["skip", "pool"] = Field(
        "skip", description="Skip a partition with too few events, or train it on all regimes."
    )


class LabelSettings(_Group):
    """Step 4: triple-barrier labels."""

    horizon_bars: int = Field(
        60, ge=2, le=MOST_BARS, description="Vertical barrier, bars after the decision."
    )
    event_every_bars: int = Field(
        10, ge=1, le=MOST_BARS, description="Distance between decisions, bars."
    )
    upper_width: float = Field(
        1.5,
        ge=NARROWEST,
        le=WIDEST,
        description="Upper barrier, multiples of the horizon's expected volatility.",
    )
    lower_width: float = Field(
        1.5,
        ge=NARROWEST,
        le=WIDEST,
        description="Lower barrier, multiples of the horizon's expected volatility.",
    )
    volatility_halflife_bars: float = Field(
        240,
        ge=1,
        le=MOST_BARS,
        description="Half-life of the volatility that scales the barriers, bars.",
    )


class FeatureSettings(_Group):
    """Step 4: features."""

    timeframes: Annotated[tuple[Timeframe, ...], AfterValidator(_each_once)] = Field(
        ("15m", "1h"), description="Slower timeframes joined backward to the base one."
    )
    maximum_nan_share: float = Field(
        0.2, ge=0, lt=1, description="A feature with more missing development values is dropped."
    )


ExpertKind: TypeAlias = Literal["catboost", "gradient_boosting", "linear", "forest", "multilevel"]


def _with_linear(kinds: tuple[ExpertKind, ...]) -> tuple[ExpertKind, ...]:
    if "linear" not in kinds:
        raise ValueError("linear must be among them: it is a candidate of every ensemble")
    return kinds


class AnalystSettings(_Group):
    """Steps 5-7.

    Whether the multilevel expert weighs regimes by their probabilities (soft routing) or takes
    the likeliest alone (hard) cannot be set: step 5 compares both out of fold and keeps the
    better one.
    """

    experts: Annotated[
        tuple[ExpertKind, ...], AfterValidator(_each_once), AfterValidator(_with_linear)
    ] = Field(
        ("catboost", "gradient_boosting", "linear", "forest", "multilevel"),
        min_length=1,
        description="Experts of step 5, linear always among them.",
    )
    folds: int = Field(5, ge=2, le=50, description="Purged cross-validation folds.")
    embargo_bars: int = Field(
        60, ge=0, le=MOST_BARS, description="Bars dropped after each test fold."
    )
    search_share: float = Field(
        0.6, gt=0.2, lt=0.9, description="First share of development that step 6 searches on."
    )
    gain_confidence: float = Field(
        0.9, gt=0.5, lt=1, description="One-sided confidence a paired gain must reach to be kept."
    )
    ensemble_rounds: int = Field(
        25, ge=1, le=MOST_ROUNDS, description="Draws of the greedy ensemble selection."
    )
    maximum_q_statistic: float = Field(
        0.98, gt=0, le=1, description="Diversity floor: members more alike than this are refused."
    )


class TacticianSettings(_Group):
    """Steps 8-10."""

    delay_bars: int = Field(
        5, ge=1, le=MOST_BARS, description="The wait that the timing label compares, bars."
    )
    timeframes: Annotated[tuple[Timeframe, ...], AfterValidator(_each_once)] = Field(
        ("5m", "1h"), description="Timeframes a tactician is trained at, besides the base one."
    )
    kelly_fraction: float = Field(
        0.25, ge=0.0001, le=1, description="Share of the Kelly size taken."
    )
    target_volatility: float = Field(
        0.2, ge=0.0001, le=1000, description="Annual volatility aimed at."
    )
    maximum_position: float = Field(
        1.0, ge=0.0001, le=10, description="Largest size, share of equity."
    )
    drawdown_brake: float = Field(
        0.2, ge=0.001, lt=1, description="Drawdown at which size has shrunk to nothing."
    )


class CostSettings(_Group):
    """What acting costs; every label, backtest and report is net of it."""

    fee_bp: float = Field(4.0, ge=0, lt=WHOLE_BP, description="Taker fee a side, basis points.")
    slippage_bp: float = Field(1.0, ge=0, lt=WHOLE_BP, description="Slippage a side, basis points.")
    latency_bars: int = Field(
        1, ge=1, le=MOST_BARS, description="Bars from decision to fill, at the open."
    )


class CalibrationSettings(_Group):
    """Step 11."""

    methods: tuple[
        Literal["identity", "platt", "temperature", "beta", "isotonic", "venn_abers"], ...
    ] = Field(
        ("identity", "platt", "temperature", "beta", "isotonic", "venn_abers"),
        min_length=1,
        description="Calibrators compared.",
    )
    bins: int = Field(10, ge=2, le=10_000, description="Equal-mass bins of the calibration error.")
    coverage: float = Field(0.9, gt=0.5, lt=1, description="Wanted coverage of prediction sets.")


class SearchSettings(_Group):
    """Step 12: what is searched and what must hold."""

    batch: int = Field(
        10, ge=1, le=MOST_TRIALS, description="Trials asked for and evaluated at once."
    )
    enter_margin: Margins = Field(
        (0.0, 0.12), description="Range of |probability - 1/2| needed to enter."
    )
    stop_width: Widths = Field((1.0, 8.0), description="Range of stops, ATR.")
    target_width: Widths = Field((1.0, 12.0), description="Range of targets, ATR.")
    size_multiple: Widths = Field(
        (1.0, 1.0),
        description="Range of the factor on the tactician's sizes, which stay within "
        "maximum_position; two equal numbers leave it out of the search (docs/search.md says why).",
    )
    minimum_trades: int = Field(
        10, ge=1, le=MOST_BARS, description="A parameter set must trade this often."
    )


class ValidationSettings(_Group):
    """Steps 13-15."""

    refits: int = Field(4, ge=2, le=1000, description="Walk-forward blocks of the holdout.")
    incremental: bool = Field(
        False,
        description="Let anchored refits of boosted trees continue the model before where events "
        "held back from their training show that it costs no accuracy. Off, since measured the "
        "comparison costs what continuing saves (docs/benchmarks.md).",
    )
    incremental_trees: int = Field(
        20, ge=1, le=200, description="Trees that a continued refit adds to the model before."
    )
    incremental_tolerance: float = Field(
        0.002,
        ge=0,
        le=10,
        description="Log-loss that continuing may cost against a fit from scratch, standard error "
        "included, nats.",
    )
    bootstrap_paths: int = Field(
        10_000, ge=100, le=1_000_000, description="Stationary-bootstrap paths."
    )
    horizon_days: int = Field(
        365, ge=1, le=3_650, description="Length of the paths that ruin is counted on, days."
    )
    jitter_share: float = Field(0.1, ge=0, lt=1, description="Relative jitter of parameters.")
    cost_stress: float = Field(2.0, ge=1, description="Multiple of costs in the stress test.")
    latency_stress_bars: int = Field(
        1, ge=0, le=MOST_BARS, description="Extra bars of latency in the stress."
    )
    cost_curve: tuple[Annotated[float, Field(ge=0)], ...] = Field(
        (1.0, 1.5, 2.0, 3.0), min_length=1, description="Multiples of costs that are reported."
    )
    latency_curve: tuple[Annotated[int, Field(ge=0, le=MOST_BARS)], ...] = Field(
        (0, 1, 2, 5), min_length=1, description="Extra bars of latency that are reported."
    )
    ruin_drawdown: float = Field(0.5, gt=0, lt=1, description="Drawdown that counts as ruin.")
    drift_level: float = Field(
        0.05,
        ge=0.01,
        le=0.5,
        description="Driftless streams of losses that may raise a drift alarm, share; any alarm "
        "blocks a release.",
    )
    confidence: float = Field(
        0.95,
        gt=0.7,
        lt=1,
        description="Confidence of step 15's sequential test, above 0.7: its bound holds for no "
        "chance of error of 0.3 or more.",
    )


class GateSettings(_Group):
    """What must hold before a model may carry the released alias."""

    minimum_deflated_sharpe: float = Field(0.95, gt=0.5, lt=1, description="DSR, probability.")
    maximum_overfitting: float = Field(0.5, gt=0, le=1, description="PBO, probability.")
    maximum_loss_probability: float = Field(
        0.05,
        ge=0,
        le=1,
        description="Chance that the chosen parameter set loses out of sample, which will do in "
        "place of a low PBO, probability.",
    )
    maximum_ruin: float = Field(0.05, ge=0, le=1, description="Bootstrap share of ruined paths.")
    minimum_trades: int = Field(30, ge=1, le=MOST_BARS, description="Trades on the holdout.")
    stage_days: float = Field(
        7.0, ge=1, le=365, description="Whole days that each stage of a rollout must see."
    )
    stage_trades: int = Field(
        10, ge=0, le=MOST_BARS, description="Trades that each stage of a rollout must see."
    )


class RetrainSettings(_Group):
    """When a partition is trained anew, unasked or for step 13's drift; no result depends on it."""

    enabled: bool = Field(True, description="Keep a request that `retrain_sensor` can act on.")
    feature_share: float = Field(
        0.5, gt=0, le=1, description="Share of the features whose drift asks for a retraining."
    )
    wait_days: float = Field(
        1.0, ge=0, le=3_650, description="New bars that a retraining waits for, days."
    )
    fresh_holdout_share: float = Field(
        0.1,
        ge=0,
        le=1,
        description="New bars that the schedule waits for, share of the last holdout; 0: any bar.",
    )


class CheckSettings(_Group):
    """What the asset checks tolerate; no result depends on it."""

    maximum_missing_share: float = Field(
        0.05, ge=0, lt=1, description="Bars that may be missing before training stops, share."
    )
    maximum_gap_hours: float = Field(
        24, gt=0, description="Longest gap between bars before training stops, hours."
    )
    maximum_price_spikes: int = Field(
        0,
        ge=0,
        le=MOST_BARS,
        description="Prices that may leap by over half and straight back, bars.",
    )
    maximum_zero_volume_share: float = Field(
        0.5, ge=0, le=1, description="Bars without a trade before training stops, share."
    )
    maximum_flat_hours: float = Field(
        12, gt=0, description="Longest stand-still of the price before training stops, hours."
    )
    maximum_age_bars: int = Field(
        10,
        ge=0,
        le=MOST_BARS,
        description="Age of the last bar at the asked time before a warning, bars.",
    )
    minimum_regime_share: float = Field(
        0.05,
        ge=0,
        lt=0.34,
        description="Least share of development of each regime, else a warning.",
    )
    minimum_regime_episodes: int = Field(
        3,
        ge=1,
        le=MOST_BARS,
        description="Fewest stays in each regime in development, else a warning.",
    )
    switches_per_30_days: Range = Field(
        (2, 200),
        description="Range of regime switches in 30 days outside which there is a warning.",
    )
    suspicious_auc: float = Field(
        0.6,
        gt=0.5,
        lt=1,
        description="Out-of-fold AUC of a feature that is too good to be true: a warning.",
    )


class TrackingSettings(_Group):
    """MLflow."""

    enabled: bool = Field(True, description="Track runs and register models with MLflow.")
    uri: str = Field("", description="Tracking URI; empty means SQLite in the home.")
    experiment: str = Field("ares", description="Name of the MLflow experiment.")


class ReleaseSettings(_Group):
    """Step 16."""

    keep_versions: int = Field(10, ge=1, le=MOST_COUNT, description="Bundles kept for a partition.")


class Settings(_Group):
    """The whole tree.  Frozen: a run never changes its own configuration."""

    seed: int = Field(7, ge=0, le=2**63 - 1, description="Root of every random choice.")
    threads: int = Field(
        2,
        ge=1,
        le=1024,
        description="Threads inside a step; fixed, since results may depend on it.",
    )
    enhanced_training_manager: EnhancedTrainingManagerSettings = EnhancedTrainingManagerSettings()
    computational_optimization: ComputationalOptimizationSettings = (
        ComputationalOptimizationSettings()
    )
    data: DataSettings = DataSettings()
    window: WindowSettings = WindowSettings()
    regimes: RegimeSettings = RegimeSettings()
    labels: LabelSettings = LabelSettings()
    features: FeatureSettings = FeatureSettings()
    analyst: AnalystSettings = AnalystSettings()
    tactician: TacticianSettings = TacticianSettings()
    costs: CostSettings = CostSettings()
    calibration: CalibrationSettings = CalibrationSettings()
    search: SearchSettings = SearchSettings()
    validation: ValidationSettings = ValidationSettings()
    gate: GateSettings = GateSettings()
    retrain: RetrainSettings = RetrainSettings()
    checks: CheckSettings = CheckSettings()
    tracking: TrackingSettings = TrackingSettings()
    release: ReleaseSettings = ReleaseSettings()

    @property
    def mode(self) -> Mode:
        return "blank" if self.enhanced_training_manager.blank_training_mode else "full"

    @property
    def max_trials(self) -> int:
        """Budget of step 12 in this mode."""
        manager = self.enhanced_training_manager
        return manager.blank.max_trials if self.mode == "blank" else manager.max_trials

    @property
    def n_trials(self) -> int:
        """Budget of step 6's study in this mode."""
        manager = self.enhanced_training_manager
        return manager.blank.n_trials if self.mode == "blank" else manager.n_trials

    @property
    def lookback_days(self) -> float:
        """Window of this mode, days."""
        manager = self.enhanced_training_manager
        return manager.blank.lookback_days if self.mode == "blank" else manager.lookback_days


def load_settings(*overrides: Mapping[str, Any], mode: Mode | None = None) -> Settings:
    """Merge override trees (later wins) over the defaults and check the whole.

    Raises
    ------
    BadInput
        One line: the key or value that is wrong, where it stands, and what is allowed.
    """
    asked: Mapping[str, Any] = {}
    if mode is not None:
        asked = {"enhanced_training_manager": {"blank_training_mode": mode == "blank"}}
    try:
        settings = Settings.model_validate(merge_trees(*overrides, asked))
    except ValidationError as error:
        # Without its cause, which has several lines: Dagster shows every cause there is.
        raise BadInput(_first_problem(error)) from None
    _check_slower(settings)
    _check_stress(settings)
    _check_events(settings)
    return settings


def left_out_timeframes(settings: Settings) -> dict[str, dict[str, str]]:
    """Default timeframes that the bars cannot give, and so are not used, by setting; and why."""
    base = settings.data.timeframe
    found = {
        "features.timeframes": timeframes_left_out(settings.features.timeframes, base),
        "tactician.timeframes": timeframes_left_out(settings.tactician.timeframes, base),
    }
    return {setting: reasons for setting, reasons in found.items() if reasons}


def _check_slower(settings: Settings) -> None:
    """Refuse a slower timeframe that was asked for and that the bars cannot give."""
    base = settings.data.timeframe
    for setting, reasons in left_out_timeframes(settings).items():
        group = getattr(settings, setting.partition(".")[0])
        if "timeframes" in group.model_fields_set:
            name, why = next(iter(reasons.items()))
            allowed = (
                ", ".join(slower_timeframes(tuple(TIMEFRAMES), base)) or "none: leave it empty"
            )
            raise BadInput(f"configuration: {setting} = {name!r} {why}; allowed: {allowed}")


def _check_stress(settings: Settings) -> None:
    """Refuse costs that, multiplied by the stress test of step 14, take a whole trade."""
    multiple, costs = settings.validation.cost_stress, settings.costs
    round_trip = 2 * (costs.fee_bp + costs.slippage_bp) * max(multiple, 1.0)
    if round_trip >= WHOLE_BP:
        raise BadInput(
            f"configuration: a round trip of costs.fee_bp = {costs.fee_bp:g} and "
            f"costs.slippage_bp = {costs.slippage_bp:g}, each way, times "
            f"validation.cost_stress = {multiple:g}, costs {round_trip:g} bp; "
            f"allowed: less than {WHOLE_BP}"
        )


def _check_events(settings: Settings) -> None:
    """Refuse to train on fewer events than a tactician of step 8 needs signals.

    No bound of the field itself: models that were released under a lower one still have to be
    read, and theirs had more events.
    """
    given = settings.regimes.minimum_events
    if given < LEAST_EVENTS:
        raise BadInput(
            f"configuration: regimes.minimum_events = {given}; allowed: {LEAST_EVENTS} or more, "
            "since with fewer events no tactician can be trained (step 8)"
        )


def _first_problem(error: ValidationError) -> str:
    problem = error.errors()[0]
    where, given = ".".join(str(part) for part in problem["loc"]), shown(problem.get("input"))
    if problem["type"] == "extra_forbidden":
        known = _keys_beside(problem["loc"])
        near = difflib.get_close_matches(str(problem["loc"][-1]), known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known here: {', '.join(known)}"
        return f"configuration: unknown key {shown(where)}; {hint}"
    if problem["type"] == "model_type":
        return f"configuration: {where or 'tree'} = {given}; allowed: a mapping"
    told = problem["msg"].removeprefix("Value error, ")
    return f"configuration: {where or 'tree'} = {given}: {told}"


def _keys_beside(location: tuple[int | str, ...]) -> list[str]:
    group: type[BaseModel] = Settings
    for part in location[:-1]:
        annotation = group.model_fields[str(part)].annotation
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            return []
        group = annotation
    return sorted(group.model_fields)
