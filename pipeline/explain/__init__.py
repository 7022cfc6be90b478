"""What a trained model looks at and which actions it relates: Grad-CAM, its pointing game, and relations learned."""
