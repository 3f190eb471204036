"""Gate: whether an audit satisfies a policy.

=================  ==================================================================================
`policy`           rules, waivers and what a policy ignores, read from TOML
`verdict`          the result: outcome, exit code, one `CheckResult` per check, its JSON
`treatment`        faces whose label the model cannot output, counted as the policy says
`missing_answers`  rates that improve when a model does not answer, with these answers counted as wrong
`measurements`     observed value and confidence bounds of what a rule limits
`checks`           a rule applied to one label and grouping, and what stands in the way of a pass
`unjudged`         how many faces are judged, and why the others are not
`sanity`           implausible data, suspicious policies
`judge`            the decision: pass, fail or inconclusive
`looks`            ledger of the models judged on the same faces
`suggest`          starter policies
`run`              verdicts on run folders
=================  ==================================================================================

A verdict is a function of audit, baseline, comparison and policy. `fairfer.report` renders it and writes it to files.
"""
