"""Networks: nn.Modules that read no files."""
