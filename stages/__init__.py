"""The pipeline's stages, one module a stage; imported as videdit.stages. They know nothing of jobs as a whole."""
