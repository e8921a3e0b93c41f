"""Guard rails: what no stack of a mirrored estate may do. Rules are pure; `pack` hands them to Pulumi."""
