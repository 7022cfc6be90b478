"""Explaining a trained model: Grad-CAM, the pointing game, and learnt relations between actions."""
