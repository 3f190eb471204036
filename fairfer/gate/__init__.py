"""Gate: whether an audit satisfies a policy.

=========  ==========================================================================
`policy`   rules and waivers, read from TOML
`verdict`  the result: outcome, exit code, one `CheckResult` per check, its JSON
`checks`   a rule applied to one label and grouping: observed value, confidence bounds
`judge`    the decision: pass, fail or inconclusive
`run`      the same for run folders
=========  ==========================================================================

A verdict is a function of audit, baseline, comparison and policy. `fairfer.report` renders it and writes it to files.
"""
