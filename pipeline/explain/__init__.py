"""Explain a trained model: Grad-CAM, the pointing game, learnt relations between actions."""
