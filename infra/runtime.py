"""How every process of ours is set up before it does anything: its log, and how often Python looks for cycles."""

import gc
import logging


def prepare() -> None:
    """Log to standard error, and collect garbage seldom.

    A step makes tens of thousands of small objects and next to no cycles. With Python's default thresholds the search
    for cycles took a third of the fulfilment worker's time (1.6 against 1.1 ms an order, measured in turns).
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    gc.collect()
    gc.freeze()
    gc.set_threshold(200_000, 20, 20)
