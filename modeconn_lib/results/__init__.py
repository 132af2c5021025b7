"""Results that can be found again: records named by what they depend on, and where they lie."""

from modeconn_lib.results.record import Record, record_key
from modeconn_lib.results.store import MissingTensors, Store, open_store
from modeconn_lib.results.study import Study

__all__ = ["MissingTensors", "Record", "Store", "Study", "open_store", "record_key"]
