"""Networks from elsewhere: weights of PyTorch, of Keras or of a plain file become a page's model and parameters."""

from __future__ import annotations

from cortwin.exchange.imported import Imported as Imported
from cortwin.exchange.keras import from_keras as from_keras
from cortwin.exchange.npz import from_npz as from_npz
from cortwin.exchange.pytorch import from_pytorch as from_pytorch
