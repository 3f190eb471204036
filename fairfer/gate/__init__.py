"""Gate: a policy, its checks and the verdict."""
