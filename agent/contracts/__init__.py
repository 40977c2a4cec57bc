"""What plugins must keep to, as checks that run over one of anybody's: ``edge-agent plugin check``."""
