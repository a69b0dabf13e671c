"""Dagster's IO managers: Parquet for frames, bundles for models, JSON for reports.

Belongs here: the skin between Dagster's contexts and the artifact store.
Does not belong here: formats (``codecs.py``) and folders (``artifacts.py``).

An asset may hand over a value, or an artifact that it has stored already.  A downstream
asset that asks for an ``Artifact`` gets the handle and loads when it needs to; anybody else
(a notebook, ``load_asset_value``) gets the value.
"""

import hashlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import dagster as dg

from ares_resources.dagster_resources import WorkspaceResource
from ares_resources.errors import AresError
from ares_resources.storage.artifacts import Artifact, Place
from ares_resources.storage.atomic import sha256_file
from ares_resources.storage.codecs import Kind, encode_into
from ares_resources.symbols import SymbolKey

if TYPE_CHECKING:
    from ares_resources.storage.artifacts import ArtifactStore

SHARED_TAG = "ares/shared"


class _StoreIOManager(dg.ConfigurableIOManager):
    """What the three have in common; they differ in the kind of value."""

    workspace: dg.ResourceDependency[WorkspaceResource]
    kind: ClassVar[Kind]

    def handle_output(self, context: dg.OutputContext, obj: Any) -> None:
        """Point the run at an artifact, storing the value first if it is not stored yet."""
        if not isinstance(obj, Artifact):
            obj = self._publish(_place(context), obj)
            mode = self.workspace.request_settings().mode
            self._store.point(obj, run_id=context.run_id, mode=mode)
        context.add_output_metadata(
            {"path": dg.MetadataValue.path(str(obj.folder)), "bytes": obj.bytes}
        )

    def load_input(self, context: dg.InputContext) -> Any:
        """The upstream artifact of this partition: as a handle if so typed, else its value."""
        place = _place(context)
        artifact = self._find(place, self.workspace.run_id())
        if artifact is None:
            raise AresError(
                f"{place.asset} of {place.regime or 'all regimes'}, {place.symbol_folder} is not "
                "stored; materialize it first"
            )
        wanted = context.dagster_type.typing_type if context.dagster_type else None
        return artifact if wanted is Artifact else artifact.load()

    def _find(self, place: Place, run_id: str | None) -> Artifact | None:
        mode = self.workspace.request_settings().mode
        found = self._store.pointed(place, run_id=run_id, mode=mode)
        if found is None and run_id is None:
            # Outside a run there is no mode to ask for: any stored value is better than none.
            other = "full" if mode == "blank" else "blank"
            found = self._store.pointed(place, run_id=None, mode=other)
        return found

    def _publish(self, place: Place, value: Any) -> Artifact:
        key = _value_key(value, self.kind)
        return self._store.publish(
            place, key, value, kind=self.kind, inputs={}, metadata={}, degraded=[]
        )

    @property
    def _store(self) -> "ArtifactStore":
        return self.workspace.workspace().store


class ParquetIOManager(_StoreIOManager):
    """Frames: atomic, checksummed, typed by Arrow."""

    kind: ClassVar[Kind] = "frame"


class BundleIOManager(_StoreIOManager):
    """Models and what belongs to them: native formats in one hashed folder."""

    kind: ClassVar[Kind] = "bundle"


class ReportIOManager(_StoreIOManager):
    """Reports: canonical JSON."""

    kind: ClassVar[Kind] = "report"


def _place(context: dg.OutputContext | dg.InputContext) -> Place:
    key = context.asset_partition_key if context.has_asset_partitions else None
    if key is None or "|" not in key:
        raise AresError("this asset is partitioned by regime|symbol; no partition was given")
    regime, _, symbol = key.partition("|")
    upstream = context.upstream_output if isinstance(context, dg.InputContext) else context
    definition = (upstream.definition_metadata if upstream else None) or {}
    shared = definition.get(SHARED_TAG, False)
    asset = context.asset_key.path[-1]
    return Place(asset, SymbolKey.parse(symbol).folder, None if shared else regime)


def _value_key(value: Any, kind: Kind) -> str:
    with tempfile.TemporaryDirectory() as folder:
        names = encode_into(Path(folder), value, kind)
        text = repr([(name, sha256_file(Path(folder) / name)) for name in names])
    return hashlib.sha256(text.encode()).hexdigest()[:32]
