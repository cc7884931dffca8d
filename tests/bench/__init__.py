"""What a sidecar costs, beside what people would pick instead."""
