"""Opening an exchange by the name that a symbol key carries.

Belongs here: which class serves which name.  Does not belong here: anything an exchange does.
"""

from __future__ import annotations

import os
import re

from ares_resources.errors import BadInput
from ares_resources.exchanges.base import Exchange
from ares_resources.home import Home
from ares_resources.settings import DataSettings

SIMULATED = "SIM"
_SLIP_SIMILARITY = 0.8
BASE_URL_VARIABLE = "ARES_CCXT_BASE_URL"
"""Environment variable: scheme, host and port used instead of the exchange's own, for tests
and mirrors.  Paths stay the exchange's."""


def check_exchange(name: str, *, from_files: bool = False) -> bool:
    """Refuse an exchange that nobody knows, without loading ccxt; whether it is known.

    ``from_files``: its bars come from files, so one that has closed will do, unless the name
    looks like a slip of the pen.

    Raises
    ------
    BadInput
        Naming its nearest matches.
    """
    import difflib
    import importlib.util
    from pathlib import Path

    found = importlib.util.find_spec("ccxt")
    folders = found.submodule_search_locations if found is not None else None
    known = {path.stem for folder in folders or () for path in Path(folder).glob("[a-z]*.py")}
    if name.upper() != SIMULATED and name.lower() not in known:
        cutoff = _SLIP_SIMILARITY if from_files else 0.6
        near = difflib.get_close_matches(name.lower(), sorted(known), n=3, cutoff=cutoff)
        if from_files and not near:
            return False
        hint = f"nearest: {', '.join(near)}" if near else "allowed: SIM, or an exchange of ccxt"
        raise BadInput(f"exchange {name!r} is not known; {hint}")
    return True


def open_exchange(
    name: str,
    *,
    settings: DataSettings,
    as_of_ms: int | None = None,
    offline: bool = False,
    home: Home | None = None,
) -> Exchange:
    """The exchange called ``name``: ``SIM``, or one of ccxt's, in any case.

    Parameters
    ----------
    as_of_ms
        Where its clock stops, milliseconds UTC; None: the present (``SIM``: its fixed time).
    offline
        Nothing is fetched.  ``SIM`` needs no network, so it is itself either way.
    home
        Where bans are remembered for every process and run; None: by this object alone.

    Raises
    ------
    BadInput
        If there is no such exchange, or SIM's clock cannot stand there.
    """
    if not re.fullmatch(r"[A-Za-z0-9_]{1,20}", name):
        raise BadInput(f"exchange {name[:40]!r} is not usable; allowed: 1 to 20 of A-Z 0-9 _")
    if name.upper() == SIMULATED:
        from ares_resources.exchanges.simulated.exchange import SimulatedExchange

        return SimulatedExchange(as_of_ms=as_of_ms)
    if offline:
        from ares_resources.exchanges.offline import OfflineExchange

        return OfflineExchange(name, as_of_ms=as_of_ms)
    from ares_resources.exchanges.ccxt_exchange import CcxtExchange
    from ares_resources.exchanges.restraints import Restraints

    return CcxtExchange(
        name.lower(),
        settings=settings,
        base_url=os.environ.get(BASE_URL_VARIABLE) or None,
        as_of_ms=as_of_ms,
        restraints=Restraints(None if home is None else home.restraints),
    )
