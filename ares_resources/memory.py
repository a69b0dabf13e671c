"""Watching memory, so that a step stops with a sentence before the machine kills it.

Belongs here: freeing caches, the watch over a step, and the error past the threshold.  Does
not belong here: measuring (``memory_limits``), what the caches hold.

While a step runs a thread looks ten times a second.  Past the threshold it empties the
caches; if that is not enough it interrupts the step's thread between two Python
instructions.  A single call into compiled code is not interrupted before it returns.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import gc
import sys
import threading
import weakref
from collections.abc import Callable, Iterator

from ares_resources.errors import AresError, BadInput, MemoryExceeded
from ares_resources.memory_limits import MemorySample, forget_peak, measure

__all__ = ["MemoryManager", "MemorySample", "measure", "register_cache"]

_MEBIBYTE = 2**20
_EVERY_SECONDS = 0.1
_REMEDY = "shorten lookback_days, lower max_cache_size or raise memory_threshold"
_process_caches: list[Callable[[], Callable[[], object] | None]] = []


def register_cache(free: Callable[[], object]) -> None:
    """Let every manager of this process empty a cache by ``free``, from any thread.

    A method is held weakly: it is forgotten with its object.
    """
    if hasattr(free, "__self__") and hasattr(free, "__func__"):
        _process_caches[:] = [known for known in _process_caches if known() is not None]
        _process_caches.append(weakref.WeakMethod(free))
    else:
        _process_caches.append(lambda: free)


class MemoryManager:
    """Frees caches past a share of the memory, then refuses to go on.

    Parameters
    ----------
    threshold
        Share of the usable memory, in (0, 1], that no step may pass.
    enabled
        False measures only.
    probe
        Takes a sample; tests put their own here.
    """

    def __init__(
        self,
        threshold: float = 0.8,
        enabled: bool = True,
        *,
        probe: Callable[[], MemorySample] | None = None,
    ) -> None:
        if not 0 < threshold <= 1:
            raise BadInput(f"memory threshold {threshold} must be in (0, 1]")
        self.threshold, self.enabled = threshold, enabled
        self._probe = probe or functools.partial(measure, threshold=threshold)
        self._forget = (lambda: None) if probe else forget_peak
        self._caches: dict[str, Callable[[], object]] = {}
        self._peak = self._freed = self._cleanups = 0
        self._last = self.sample()

    def register(self, name: str, free: Callable[[], object]) -> None:
        """Name a cache and the call that empties it; the same name replaces the older."""
        self._caches[name] = free

    def unregister(self, name: str) -> None:
        """Forget a cache that is gone."""
        self._caches.pop(name, None)

    def sample(self) -> MemorySample:
        """Measure now; the largest process size seen is kept."""
        self._last = self._probe()
        self._peak = max(self._peak, self._last.rss, self._last.peak)
        return self._last

    def free_caches(self) -> int:
        """Empty every registered cache; returns the bytes by which the process shrank.

        Raises
        ------
        AresError
            If a cache could not be emptied: the first of them, once all were tried.
        """
        before = self.sample().rss
        named = [(name, self._caches[name]) for name in sorted(self._caches)]
        others = [free for known in list(_process_caches) if (free := known()) is not None]
        tried = [*named, *((_name(free), free) for free in others)]
        refused = [reason for one in tried if (reason := _refusal(*one)) is not None]
        gc.collect()
        _return_pages()
        freed = max(0, before - self.sample().rss)
        self._freed += freed
        self._cleanups += 1
        if refused:
            raise AresError(refused[0])
        return freed

    def guard(self, step: str, estimate_bytes: int = 0) -> MemorySample:
        """Make sure that ``step`` may go on and take ``estimate_bytes`` more.

        Raises
        ------
        MemoryExceeded
            If the threshold would be passed even after the caches were freed; the message
            names the step, the figures and what to do.
        AresError
            If a cache could not be emptied.
        """
        sample = self.sample()
        if not self.enabled or self._fits(sample, estimate_bytes):
            return sample
        try:
            self.free_caches()
        except AresError as error:
            raise AresError(f"{step}: {error}") from error
        sample = self._last
        if self._fits(sample, estimate_bytes):
            return sample
        needs = f" and needs {_mebibytes(estimate_bytes)} more" if estimate_bytes else ""
        raise MemoryExceeded(
            f"{step}: memory is at {sample.share:.0%} of {_mebibytes(sample.total)}{needs}, over"
            f" the threshold of {self.threshold:.0%} with caches freed (this process"
            f" {_mebibytes(sample.rss)}, peak {_mebibytes(self._peak)}); {_REMEDY}"
        )

    @contextlib.contextmanager
    def watching(self, step: str) -> Iterator[None]:
        """Guard ``step`` at its start and all the while it runs; figures begin anew.

        Raises
        ------
        MemoryExceeded
            As :meth:`guard`; also where an allocation of the step was refused.
        AresError
            If memory can no longer be watched: a measurement failed, or a cache could not be
            emptied.
        """
        self._peak = self._freed = self._cleanups = 0
        self._forget()
        self.guard(step)
        watch = _Watch(self, step) if self.enabled else None
        try:
            try:
                yield
            finally:
                if watch is not None:
                    watch.end()
        except _Interrupt:
            if watch is None or watch.reason is None:
                raise AresError(f"{step}: stopped by a memory watch that gave no reason") from None
            raise watch.reason from None
        except MemoryError as error:
            sample = self.sample()
            raise MemoryExceeded(
                f"{step}: the system refused more memory ({error or 'no figure given'};"
                f" this process {_mebibytes(sample.rss)}, peak {_mebibytes(self._peak)}); {_REMEDY}"
            ) from None

    def figures(self) -> dict[str, float | int]:
        """What a step's metadata shows: MiB of this process, its peak and what was freed."""
        sample = self.sample()
        return {
            "memory_rss_mib": round(sample.rss / _MEBIBYTE, 1),
            "memory_peak_mib": round(self._peak / _MEBIBYTE, 1),
            "memory_share": round(sample.share, 4),
            "memory_threshold": self.threshold if self.enabled else 1.0,
            "memory_limit_mib": round(sample.total / _MEBIBYTE, 1),
            "memory_freed_mib": round(self._freed / _MEBIBYTE, 1),
            "memory_cleanups": self._cleanups,
        }

    def _fits(self, sample: MemorySample, estimate_bytes: int) -> bool:
        return sample.used + estimate_bytes <= self.threshold * sample.total


class _Interrupt(BaseException):
    """Ends a step from outside; no ``except Exception`` of a library takes it for its own."""


class _Watch:
    """A thread that guards a step, and interrupts the thread that runs it."""

    def __init__(self, manager: MemoryManager, step: str) -> None:
        self.reason: AresError | None = None
        self._manager, self._step = manager, step
        self._watched = threading.get_ident()
        self._over, self._lock = threading.Event(), threading.Lock()
        self._thread = threading.Thread(target=self._look, name="memory watch", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Look no more; an interrupt that has not struck yet never does."""
        with self._lock:
            self._over.set()
            _raise_in(self._watched, None)

    def _look(self) -> None:
        while not self._over.wait(_EVERY_SECONDS):
            try:
                self._manager.guard(self._step)
            except AresError as error:
                return self._stop(error)
            except BaseException as error:  # noqa: BLE001 - a step that nobody watches is stopped
                return self._stop(AresError(f"{self._step}: memory watch failed: {_words(error)}"))

    def _stop(self, reason: AresError) -> None:
        with self._lock:
            if not self._over.is_set():
                self.reason = reason
                _raise_in(self._watched, _Interrupt)


def _refusal(name: str, free: Callable[[], object]) -> str | None:
    """Why a cache could not be emptied; None where it could."""
    try:
        free()
    except Exception as error:  # noqa: BLE001 - raised by whoever asks, once all were tried
        return f"memory has to be freed, but cache {name!r} could not be emptied: {_words(error)}"
    return None


def _name(free: Callable[[], object]) -> str:
    return str(getattr(free, "__qualname__", free))


def _words(error: BaseException) -> str:
    """An error in one line."""
    return " ".join(f"{type(error).__name__}: {error}".split())


def _raise_in(thread: int, kind: type[BaseException] | None) -> None:
    what = ctypes.py_object(kind) if kind is not None else None
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), what)


def _return_pages() -> None:
    """Hand what Arrow's pool and the C library keep for later back to the system."""
    arrow = sys.modules.get("pyarrow")
    if arrow is not None:
        arrow.default_memory_pool().release_unused()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def _mebibytes(count: int) -> str:
    return f"{count / _MEBIBYTE:,.0f} MiB"
