"""Batches of pairs for training and calibration, through NVIDIA DALI."""
