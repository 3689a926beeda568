"""Training of neural networks: from scratch, or on from pretrained weights.

`settings`, `batches`, `schedule`, `head` and `modality` need no torch; the others do, and are imported where
a network is trained.
"""
